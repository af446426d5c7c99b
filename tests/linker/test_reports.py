"""What a link tells of itself, and what is left out of the output, compared with GNU ld."""

from __future__ import annotations

import re

import pytest

ONE = "int one(void) { return 1; }"
MAIN = r"""
#include <stdio.h>
int one(void);
static int own = 1;
int main(void) { puts("m"); return one() - own; }
"""


@pytest.fixture
def inputs(bench):
    bench.compile("one.o", ONE, "-g")
    bench.compile("main.o", MAIN, "-g")
    bench.tool("ar", "rcs", "libone.a", "one.o")
    return bench


def test_the_map_tells_what_stands_where(inputs, pyldso) -> None:
    done = pyldso("link", "-o", "m", "main.o", "libone.a", "-Wl,-Map,m.map")
    assert (done.returncode, done.stdout) == (0, "")
    text = (inputs.folder / "m.map").read_text()
    symbols = inputs.tool("nm", "m").stdout
    for name in ("main", "one"):
        address = int(re.search(rf"(\w+) T {name}$", symbols, re.M)[1], 16)
        assert re.search(rf"^ *{address:x} .* {name}$", text, re.M)
    assert re.search(r"libone\.a\(one\.o\):\(\.text\)$", text, re.M)
    printed = pyldso("link", "-o", "m", "main.o", "libone.a", "-M").stdout
    assert printed == text


def test_trace_names_the_files_that_take_part(inputs, pyldso) -> None:
    done = pyldso("link", "-o", "m", "main.o", "libone.a", "-Wl,-t")
    names = done.stdout.split()
    assert names[:2] == ["main.o", "libone.a"]
    assert names[-1].endswith("libc.so.6")


def test_trace_symbol_speaks_as_gnu_ld(inputs, pyldso) -> None:
    by_ld = inputs.tool("gcc", "-o", "by_ld", "main.o", "one.o", "-Wl,-y,one,-y,own,-y,puts")
    ours = pyldso("link", "-o", "m", "main.o", "one.o", "-Wl,-y,one,-y,own,-y,puts")
    lines = {line.removeprefix("/usr/bin/ld: ") for line in by_ld.stderr.splitlines()}
    own = {line for line in ours.stdout.splitlines() if "libc" not in line}
    assert own == {line for line in lines if "libc" not in line}
    assert "libc.so.6: definition of puts" in ours.stdout


def test_the_dependency_file_is_a_rule_of_make(inputs, pyldso) -> None:
    words = ["-o", "m", "main.o", "libone.a", "-Wl,--dependency-file=m.d"]
    assert pyldso("link", *words).returncode == 0
    text = (inputs.folder / "m.d").read_text()
    assert text.startswith("m: \\\n  main.o \\\n  libone.a \\\n")
    assert "\n\nlibone.a:\n" in text
    (inputs.folder / "Makefile").write_text("m: ; touch m\ninclude m.d\n")
    if inputs.tool("which", "make"):
        assert "up to date" in inputs.tool("make", "m").stdout
        (inputs.folder / "one.o").write_bytes((inputs.folder / "one.o").read_bytes())
        (inputs.folder / "libone.a").touch()
        assert "touch m" in inputs.tool("make", "m").stdout


def test_response_files_hold_words(inputs, pyldso) -> None:
    (inputs.folder / "more").write_text("'libone.a'\n -Wl,--build-id=none ")
    (inputs.folder / "words").write_text('main.o -o "a program"\n@more')
    assert pyldso("link", "@words").returncode == 0
    assert inputs.output("a program") == "m\n"
    (inputs.folder / "loop").write_text("@loop")
    (inputs.folder / "open").write_text("main.o 'never closed")
    for name, message in (("loop", "without end"), ("open", "a quote has no end"),
                          ("absent", "@absent: No such file")):  # fmt: skip
        done = pyldso("link", f"@{name}")
        assert done.returncode != 0
        assert message in done.stderr


@pytest.mark.parametrize("option", ["-s", "-S", "-x"])
def test_what_is_stripped_is_what_gnu_ld_strips(inputs, pyldso, option) -> None:
    words = ["main.o", "one.o", f"-Wl,{option}"]
    inputs.tool("gcc", "-o", "by_ld", *words)
    assert pyldso("link", "--verify", "-o", "ours", *words).returncode == 0
    inputs.check("ours")
    assert inputs.output("ours") == "m\n"
    sections = [set(re.findall(r"\] (\.(?:debug|symtab|strtab)\w*)", inputs.readelf("-S", name)))
                for name in ("ours", "by_ld")]  # fmt: skip
    assert sections[0] == sections[1]
    local = [" own" in inputs.readelf("-s", name) for name in ("ours", "by_ld")]
    assert local[0] == local[1]


@pytest.mark.parametrize("kind", ["-pie", "-no-pie"])
def test_the_image_starts_where_it_is_told(bench, pyldso, kind) -> None:
    bench.compile("main.o", MAIN + "\n" + ONE, "-fno-pie" if kind == "-no-pie" else "-fPIE")
    done = pyldso("link", kind, "-o", "m", "main.o", "-Wl,--image-base=0x7000000", "--verify")
    assert (done.returncode, done.stderr) == (0, "")
    bench.check("m")
    assert bench.output("m") == "m\n"
    assert re.search(r"LOAD +0x0+ 0x0*7000000", bench.readelf("-l", "m"))
    for wrong in ("0x7000001", "word"):
        assert pyldso("link", "main.o", f"-Wl,--image-base={wrong}").returncode == 2


def test_names_of_cplusplus_are_readable(bench, pyldso) -> None:
    bench.compile("m.o", "namespace shop { int price(long, const char *); }\n"
                  "int main() { return shop::price(1, 0); }", compiler="g++")  # fmt: skip
    done = pyldso("link", "m.o")
    assert "undefined symbol: shop::price(long, char const*)" in done.stderr
