"""Packed relative relocations (`-z pack-relative-relocs`), compared with GNU ld."""

from __future__ import annotations

import re

import pytest

from pyldso.linker.relr import encode

SOURCE = r"""
#include <stdio.h>
int values[200];
static int own(void) { return 5; }
int (*function)(void) = own;
struct __attribute__((packed)) odd { char c; int *p; } odd = {1, &values[3]};
#define FIVE(i) &values[i], &values[i + 1], &values[i + 2], &values[i + 3], &values[i + 4]
int *table[300] = {FIVE(0), FIVE(5), 0, 0, FIVE(20),
                   [64] = FIVE(30), [128] = FIVE(5), [299] = values};
int *const constant[] = {FIVE(9)};
int main(void) {
    values[3] = 7;
    printf("%d %d %d %d %d\n", *odd.p, *table[3], (int)(table[66] - values), function(),
           (int)(constant[4] - values));
}"""


def relocated(bench, path: str) -> int:
    return int(re.search(r"^ +(\d+) offsets?$", bench.readelf("-r", path), re.M)[1])


@pytest.mark.parametrize("kind", ["pie", "shared"])
def test_relative_relocations_are_packed_as_by_gnu_ld(bench, kind) -> None:
    bench.compile("m.o", SOURCE, "-fPIC")
    is_shared = kind == "shared"
    bench.link("ours", "m.o", is_shared=is_shared, z_options=["pack-relative-relocs"])
    flags = ["-shared", "-nostartfiles"] if is_shared else ["-pie"]
    bench.tool("gcc", *flags, "-o", "by_ld", "m.o", "-Wl,-z,pack-relative-relocs")
    text = bench.readelf("-rdV", "ours")
    assert "(RELR)" in text
    assert "Name: GLIBC_ABI_DT_RELR" in text
    # of a word at an odd address; gcc's crt files bring three more even ones of their own
    relative = "R_X86_64_RELATIVE"
    assert text.count(relative) == bench.readelf("-r", "by_ld").count(relative)
    assert relocated(bench, "by_ld") - relocated(bench, "ours") == (0 if is_shared else 3)
    if not is_shared:
        assert bench.output("ours") == bench.output("by_ld") == "7 7 32 5 13\n"


def test_they_are_rela_where_that_is_asked_for_last(bench) -> None:
    bench.compile("m.o", SOURCE, "-fPIC")
    words = ["pack-relative-relocs", "nopack-relative-relocs"]
    bench.link("ours", "m.o", z_options=words)
    assert "RELR" not in bench.readelf("-d", "ours")
    assert bench.output("ours") == "7 7 32 5 13\n"


def test_the_emulated_dynamic_linker_reads_them(bench, pyldso) -> None:
    bench.compile("m.o", SOURCE, "-fPIC")
    bench.link("ours", "m.o", z_options=["pack-relative-relocs"])
    assert pyldso("run", "./ours").stdout == "7 7 32 5 13\n"


def test_bits_stand_for_the_words_that_follow() -> None:
    assert encode([]) == []
    assert encode([0x1000]) == [0x1000]
    assert encode([0x1000, 0x1008, 0x1018]) == [0x1000, 0b1011]
    far = 0x1000 + 8 * 64
    assert encode([0x1000, far - 8, far]) == [0x1000, 1 << 63 | 1, 0b11]
    assert encode([0x1000, 0x100A]) == [0x1000, 0x100A]
    assert encode([0x1000, 0x9000]) == [0x1000, 0x9000]
