"""`--gc-sections`: what goes, what stays and what is said, compared with GNU ld."""

from __future__ import annotations

import re

import pytest

SOURCE = r"""
#include <stdio.h>
int used(void) { return 1; }
int unused(void) { return 2; }
int table[100] = {1};
static int never(void) { return 3; }
static int (*only_by_the_unused)(void) = never;
int also_unused(void) { return only_by_the_unused(); }
__attribute__((section("kept"), used)) int kept_by_its_edge = 5;
__attribute__((section("gone"), used)) int without_edge = 6;
__attribute__((retain, used, section(".data.retained"))) int retained = 7;
__attribute__((constructor)) static void construct(void) { puts("constructed"); }
__attribute__((destructor)) static void destruct(void) { puts("destructed"); }
extern int __start_kept[], __stop_kept[];
int common_unused[50];
int main(void) { printf("%d %d\n", used(), (int)(__stop_kept - __start_kept)); return 0; }
"""
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-g")


def removed(text: str) -> set[str]:
    """The sections of the test's own objects that were removed."""
    return set(re.findall(r"removing unused section '(\S+)' in file '(?:.*/)?(?:m|l)\.o'", text))


def link_both(bench, pyldso, *words: str) -> tuple[str, str]:
    asked = ["-Wl,--gc-sections,--print-gc-sections", *words]
    by_ld = bench.tool("gcc", "-o", "by_ld", *asked)
    ours = pyldso("link", "--verify", "-o", "ours", *asked)
    assert (ours.returncode, ours.stderr) == (0, "")
    bench.check("ours")
    return ours.stdout, by_ld.stderr


@pytest.mark.parametrize("words", [[], ["-no-pie"], ["-rdynamic"], ["-Wl,-u,unused"]])
def test_what_nothing_reaches_goes_as_with_gnu_ld(bench, pyldso, words) -> None:
    flags = ["-fno-pie"] if "-no-pie" in words else []
    bench.compile("m.o", SOURCE, *SECTIONS, *flags)
    ours, by_ld = link_both(bench, pyldso, "m.o", *words)
    assert removed(ours) == removed(by_ld)
    assert bench.output("ours") == bench.output("by_ld") == "constructed\n1 1\ndestructed\n"


def test_a_library_keeps_what_it_exports(bench, pyldso) -> None:
    bench.compile("l.o", SOURCE, *SECTIONS, "-fPIC", "-fvisibility=hidden")
    ours, by_ld = link_both(bench, pyldso, "-shared", "l.o")
    # GNU ld exports __start_kept, although only a function that goes refers to it
    assert removed(ours) == removed(by_ld) | {"kept"}
    bench.compile("l.o", SOURCE, *SECTIONS, "-fPIC")
    ours, by_ld = link_both(bench, pyldso, "-shared", "l.o")
    assert removed(ours) == removed(by_ld)


def test_exceptions_find_their_tables(bench, pyldso) -> None:
    source = r"""
    #include <cstdio>
    #include <string>
    struct Loud { ~Loud() { std::puts("unwound"); } };
    int thrower(int x) { Loud loud; if (x) throw std::string("caught"); return x; }
    int unused(int x) { try { return thrower(x); } catch (int y) { return y; } }
    int main(int argc, char **) {
        try { return thrower(argc); } catch (std::string &text) { std::puts(text.c_str()); }
    }"""
    bench.compile("m.o", source, *SECTIONS, "-O1", compiler="g++")
    bench.tool("g++", "-o", "by_ld", "m.o", "-Wl,--gc-sections,--print-gc-sections")
    done = pyldso("link", "--verify", "-o", "ours", "m.o", "-lstdc++", "-lgcc_s", "--gc-sections")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    bench.check("ours")
    assert bench.output("ours") == bench.output("by_ld") == "unwound\ncaught\n"
    names = bench.tool("nm", "ours").stdout
    assert "thrower" in names and "unused" not in names


def test_nothing_goes_unless_asked(bench, pyldso) -> None:
    bench.compile("m.o", SOURCE, *SECTIONS)
    done = pyldso("link", "-o", "ours", "m.o", "--gc-sections", "--no-gc-sections")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "also_unused" in bench.tool("nm", "ours").stdout
