"""The PLT for code with marked jump targets (IBT), compared with GNU ld's."""

from __future__ import annotations

import re

import pytest

LIBRARY = """
int ext(int); int ext2(int); int (*volatile pointer)(int) = ext2;
int f(int x) { return ext(x) + ext2(x) + pointer(x); }
"""
MAIN = r"""
#include <stdio.h>
int f(int);
int ext(int x) { return x; }
int ext2(int x) { return 10 * x; }
int main(void) { printf("%d %d\n", f(1), f(2)); }
"""
PROTECTED = ("-fcf-protection", "-fPIC", "-O1")


def code_of(bench, name: str, section: str) -> list[str]:
    """The instructions of a section without addresses."""
    text = bench.tool("objdump", "-d", "--no-show-raw-insn", "-j", section, name).stdout
    return [re.sub(r"0x[0-9a-f]+|[0-9a-f]{4,}.*", "", line.partition(":\t")[2]).strip()
            for line in text.splitlines() if ":\t" in line]  # fmt: skip


@pytest.mark.parametrize("flags", [PROTECTED, (*PROTECTED, "-fno-plt")])
def test_protected_code_gets_the_plt_of_gnu_ld(bench, flags) -> None:
    bench.compile("l.o", LIBRARY, *flags)
    bench.compile("m.o", MAIN, "-fPIC")
    bench.tool("gcc", "-shared", "-nostdlib", "-o", "by_ld.so", "l.o")
    bench.shared("ours.so", "l.o", nostdlib=True)
    sections = {name: set(re.findall(r" (\.plt\S*)", bench.readelf("-S", name)))
                for name in ("ours.so", "by_ld.so")}  # fmt: skip
    assert sections["ours.so"] == sections["by_ld.so"]
    for section in sections["ours.so"]:
        assert code_of(bench, "ours.so", section) == code_of(bench, "by_ld.so", section)
    notes = [re.search("Properties: .*", bench.readelf("-n", name))[0] for name in sections]
    assert notes[0] == notes[1] == "Properties: x86 feature: IBT, SHSTK"
    bench.tool("gcc", "-o", "m", "m.o", "./ours.so")
    assert bench.output("m") == bench.output("m", LD_BIND_NOW="1") == "21 42\n"


def test_one_unprotected_object_takes_the_promise_back(bench) -> None:
    bench.compile("l.o", LIBRARY, *PROTECTED)
    bench.compile("other.o", "int other(void) { return 1; }", "-fPIC", "-fcf-protection=none")
    bench.shared("ours.so", "l.o", "other.o", nostdlib=True)
    assert "IBT" not in bench.readelf("-n", "ours.so")
    assert ".plt.sec" not in bench.readelf("-S", "ours.so")


def test_the_plt_can_be_asked_for(bench) -> None:
    bench.compile("l.o", LIBRARY, "-fPIC")
    bench.compile("m.o", MAIN, "-fPIC")
    bench.shared("ours.so", "l.o", z_options=["ibtplt"])
    assert ".plt.sec" in bench.readelf("-S", "ours.so")
    assert "IBT" not in bench.readelf("-n", "ours.so")
    bench.link("m", "m.o", "./ours.so", z_options=["ibt", "shstk"])
    assert "IBT, SHSTK" in bench.readelf("-n", "m")
    assert bench.output("m") == "21 42\n"
