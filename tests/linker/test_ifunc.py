"""Indirect functions: an IFUNC's resolver chooses the code when the program starts."""

from __future__ import annotations

import pytest

SOURCE = r"""
#include <stdio.h>
static int one(void) { return 1; }
static int two(void) { return 2; }
static void *choose_global(void) { return two; }
static void *choose_local(void) { return one; }
int picked(void) __attribute__((ifunc("choose_global")));
static int picked_here(void) __attribute__((ifunc("choose_local")));
int (*table[])(void) = {picked, picked_here};
int use(void) {
    return picked() * 100 + picked_here() * 10 + (table[0]() == 2 && table[1]() == 1);
}
"""
MAIN = r"""
#include <stdio.h>
int use(void), picked(void);
int main(void) { int (*volatile p)(void) = picked; printf("%d %d\n", use(), p()); return 0; }
"""


@pytest.mark.parametrize("flag", ["-fno-pic", "-fPIE", "-fPIC"])
def test_a_program_calls_what_the_resolver_chose(bench, flag) -> None:
    bench.compile("a.o", SOURCE, flag)
    bench.compile("b.o", MAIN, flag)
    bench.link("main", "a.o", "b.o", is_pie=flag != "-fno-pic")
    assert bench.output("main") == "211 2\n"


@pytest.mark.parametrize("flag", ["-fno-pic", "-fPIE"])
def test_a_library_offers_an_indirect_function(bench, flag) -> None:
    bench.compile("a.o", SOURCE, "-fPIC")
    bench.shared("libi.so", "a.o")
    bench.compile("b.o", MAIN, flag)
    bench.link("main", "b.o", "./libi.so", is_pie=flag == "-fPIE")
    assert bench.output("main") == "211 2\n"
