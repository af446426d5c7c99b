"""Static programs and static-pie: libc.a, IFUNCs, thread-local variables, C++ exceptions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static __thread int counter = 40;
__thread char buffer[100];
static __attribute__((constructor)) void construct(void) { puts("constructed"); }
static void farewell(void) { puts("farewell"); }
static int fast(void) { return 1; }
static void *choose(void) { return fast; }
int indirect(void) __attribute__((ifunc("choose")));
int (*pointer)(void) = indirect;
int main(int argc, char **argv) {
    atexit(farewell);
    counter += argc;
    snprintf(buffer, sizeof buffer, "%.3f %s", strtod("2.5", 0), strrchr(argv[1], '/'));
    printf("%d %s %d %d %d\n", counter, buffer, indirect(), pointer(), pointer == indirect);
    return 3;
}"""
EXPECTED = "constructed\n42 2.500 /b 1 1 1\nfarewell\n"


@pytest.fixture
def static_bench(bench):
    if not Path("/usr/lib/x86_64-linux-gnu/libc.a").exists():
        pytest.skip("libc6-dev is not installed, and its libc.a is what is linked here")
    return bench


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("kind", ["-static", "-static-pie"])
def test_a_static_program_runs_without_a_dynamic_linker(static_bench, pyldso, level, kind) -> None:
    flags = ["-fPIE"] if kind == "-static-pie" else ["-fno-pie"]
    static_bench.compile("m.o", SOURCE, level, *flags)
    done = pyldso("link", kind, "--verify", "-o", "ours", "m.o")
    assert (done.returncode, done.stderr) == (0, "")
    static_bench.check("ours")
    completed = static_bench.run("ours", "a/b")
    assert (completed.returncode, completed.stdout) == (3, EXPECTED)
    headers = static_bench.readelf("-hl", "ours")
    assert "INTERP" not in headers
    static_bench.tool("gcc", kind, "-o", "by_ld", "m.o")
    by_ld = static_bench.readelf("-hl", "by_ld")
    elf_type = re.compile(r"Type: +(\w+)")
    assert elf_type.findall(headers) == elf_type.findall(by_ld)


@pytest.mark.parametrize("kind", ["-static", "-static-pie"])
def test_static_exceptions_are_caught(static_bench, pyldso, kind) -> None:
    source = r"""
    #include <cstdio>
    #include <stdexcept>
    #include <thread>
    thread_local int own = 1;
    int main() {
        std::thread other([] { own = 5; });
        other.join();
        try { throw std::runtime_error("thrown"); }
        catch (std::exception &error) { std::printf("%s %d\n", error.what(), own); }
    }"""
    static_bench.compile("m.o", source, compiler="g++")
    where = static_bench.tool("g++", "-print-file-name=libstdc++.a").stdout.strip()
    done = pyldso("link", kind, "-o", "ours", "m.o", where, "-lm")
    assert (done.returncode, done.stderr) == (0, "")
    static_bench.check("ours")
    assert static_bench.output("ours") == "thrown 1\n"


def test_a_static_program_takes_no_shared_object(static_bench, pyldso) -> None:
    static_bench.compile("one.o", "int one(void) { return 1; }", "-fpic")
    static_bench.compile("m.o", "int one(void); int main(void) { return one(); }")
    static_bench.shared("libone.so", "one.o")
    done = pyldso("link", "-static", "m.o", "./libone.so")
    assert done.returncode == 1
    assert "./libone.so: a static program (-static) takes no shared object" in done.stderr
