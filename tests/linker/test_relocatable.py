"""`-r`: one object of many, which GNU ld and pyldso link to what the many would have become."""

from __future__ import annotations

import re

import pytest

SOURCES = {
    "one.o": r"""
    #include <stdio.h>
    int common; static int own = 1; const char *text = "same text";
    int two(int); int weak(void) __attribute__((weak)); int weak(void) { return 1; }
    static int helper(int x) { return x + own; }
    int one(int x) { printf("%s %d\n", text, common); return helper(x) + two(x) + weak(); }
    """,
    "two.o": r"""
    #include <stdio.h>
    int common = 9; static int own = 2; extern const char *text;
    int weak(void) { return 5; }
    static int helper(int x) { return x * own; }
    __attribute__((constructor)) static void construct(void) { puts("same text"); }
    int two(int x) { switch (x) { case 1: puts("1"); break; case 2: puts("2"); break;
                     case 3: puts("3"); break; case 4: puts("4"); break; case 5: puts("5"); }
                     return helper(x); }
    """,
    "main.o": "int one(int); int main(void) { return one(3); }",
}
PRINTED = "same text\nsame text 9\n3\n"
RETURNED = 15


def link_r(bench, pyldso, *words: str) -> None:
    done = pyldso("link", "-r", "--verify", "-o", "all.o", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert bench.tool("readelf", "-aW", "all.o").stderr == ""
    bench.tool("eu-elflint", "--gnu-ld", "all.o")


@pytest.mark.parametrize("flags", [["-O0", "-g"], ["-O2"], ["-O2", "-ffunction-sections"]])
@pytest.mark.parametrize("linker", ["gcc", "pyldso"])
def test_one_object_of_many_links_to_the_same_program(bench, pyldso, flags, linker) -> None:
    for name, source in SOURCES.items():
        bench.compile(name, source, "-fcommon", *flags)
    link_r(bench, pyldso, *SOURCES)
    if linker == "gcc":
        bench.tool("gcc", "-o", "m", "all.o")
    else:
        bench.link("m", "all.o")
    completed = bench.run("m")
    assert (completed.stdout, completed.returncode) == (PRINTED, RETURNED)


def test_the_symbols_are_those_of_gnu_ld(bench, pyldso) -> None:
    for name, source in SOURCES.items():
        bench.compile(name, source, "-fcommon")
    bench.tool("ar", "rcs", "lib.a", "two.o", "one.o")
    link_r(bench, pyldso, "main.o", "lib.a")
    bench.tool("ld", "-r", "-o", "by_ld.o", "main.o", "lib.a")

    def symbols(name: str) -> set[tuple[str, ...]]:
        rows = re.findall(r"(\d+) (\w+) +(\w+) +DEFAULT +(\S+) (\w+)$",
                          bench.readelf("-s", name), re.M)  # fmt: skip
        return {(size, kind, binding, "UND" if section == "UND" else "", name)
                for size, kind, binding, section, name in rows if kind != "SECTION"}  # fmt: skip

    assert symbols("all.o") == symbols("by_ld.o")


def test_groups_and_exceptions_survive(bench, pyldso) -> None:
    header = r"""
    #include <stdexcept>
    #include <string>
    #include <vector>
    template <class T> T twice(T x) { static std::vector<T> seen; seen.push_back(x);
        if (seen.size() > 3) throw std::runtime_error("too many"); return x + x; }
    """
    bench.compile("a.o", header + "int a(int x) { return twice(x) + twice(x); }", compiler="g++")
    main = r"""
    #include <iostream>
    int a(int);
    int main() { try { std::cout << twice(3) << a(1) << twice(5) << std::endl; }
        catch (std::exception &e) { std::cout << e.what() << std::endl; } }"""
    bench.compile("b.o", header + main, compiler="g++")
    link_r(bench, pyldso, "a.o", "b.o")
    bench.tool("g++", "-o", "m", "all.o")
    assert bench.output("m").endswith("too many\n")
    # groups are still there to be merged with those of a third object
    bench.compile("c.o", header + "int c(int x) { return twice(x); }", compiler="g++")
    bench.tool("g++", "-o", "m3", "all.o", "c.o")
    assert bench.output("m3").endswith("too many\n")


def test_one_object_takes_no_library(bench, pyldso) -> None:
    bench.compile("one.o", "int one(void) { return 1; }", "-fpic")
    bench.shared("libone.so", "one.o")
    done = pyldso("link", "-r", "one.o", "./libone.so")
    assert done.returncode == 1
    assert "./libone.so: -r takes no shared object" in done.stderr
