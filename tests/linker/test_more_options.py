"""Options that change a word or a number of the output, compared with GNU ld."""

from __future__ import annotations

import re

import pytest

SOURCE = r"""
#include <stdio.h>
void own_init(void) { puts("init"); }
void own_fini(void) { puts("fini"); }
int value = 1;
int main(void) { puts("main"); return value - 1; }
"""


def test_other_functions_may_begin_and_end_the_program(bench, pyldso) -> None:
    bench.compile("m.o", SOURCE)
    words = ["m.o", "-Wl,-init,own_init", "-Wl,-fini=own_fini"]
    done = pyldso("link", "--verify", "-o", "m", *words)
    assert (done.returncode, done.stderr) == (0, "")
    bench.check("m")
    assert bench.output("m") == "init\nmain\nfini\n"


@pytest.mark.parametrize("option", ["--allow-multiple-definition", "-zmuldefs"])
def test_the_first_of_several_definitions_may_count(bench, pyldso, option) -> None:
    bench.compile("m.o", SOURCE)
    bench.compile("again.o", "int value = 5;")
    done = pyldso("link", "-o", "m", "m.o", "again.o", f"-Wl,{option}")
    assert (done.returncode, done.stderr) == (0, "")
    assert bench.output("m") == "main\n"
    assert "duplicate symbol: value" in pyldso("link", "m.o", "again.o").stderr


@pytest.mark.parametrize("kind", ["-pie", "-no-pie", "-shared"])
def test_code_may_share_its_pages(bench, pyldso, kind) -> None:
    bench.compile("m.o", SOURCE, "-fPIC")
    words = [kind, "m.o", "-Wl,-z,noseparate-code"]
    done = pyldso("link", "--verify", "-o", "m", *words)
    assert (done.returncode, done.stderr) == (0, "")
    bench.check("m")
    bench.tool("gcc", *words, "-o", "by_ld")
    flags = [re.findall(r"LOAD(?: +0x\w+){5} (.{3})", bench.readelf("-l", name))
             for name in ("m", "by_ld")]  # fmt: skip
    assert flags[0] == flags[1] == ["R E", "RW "]
    if kind != "-shared":
        assert bench.output("m") == "main\n"
        assert pyldso("run", "./m").stdout == "main\n"


@pytest.mark.parametrize("kind", ["-pie", "-no-pie", "-shared"])
def test_larger_pages_are_respected(bench, pyldso, kind) -> None:
    bench.compile("m.o", SOURCE, "-fPIC")
    words = [kind, "m.o", "-Wl,-z,max-page-size=0x10000"]
    done = pyldso("link", "--verify", "-o", "m", *words)
    assert (done.returncode, done.stderr) == (0, "")
    bench.check("m")
    bench.tool("gcc", *words, "-o", "by_ld")
    aligned = [set(re.findall(r"LOAD.* (0x\w+)$", bench.readelf("-l", name), re.M))
               for name in ("m", "by_ld")]  # fmt: skip
    assert aligned[0] == aligned[1] == {"0x10000"}
    if kind != "-shared":
        assert bench.output("m") == "main\n"
    for wrong in ("0x1001", "16", "many"):
        text = pyldso("link", "m.o", f"-Wl,-z,max-page-size={wrong}").stderr
        assert f"-z max-page-size={wrong}: use a power of two" in text


@pytest.mark.parametrize(
    ("style", "size"), [("sha1", 40), ("md5", 32), ("uuid", 32), ("0xabcd", 4)]
)
def test_the_build_id_has_the_size_of_its_style(bench, pyldso, style, size) -> None:
    bench.compile("m.o", SOURCE)
    assert pyldso("link", "-o", "m", "m.o", f"-Wl,--build-id={style}").returncode == 0
    bench.check("m")
    assert len(re.search(r"Build ID: (\w+)", bench.readelf("-n", "m"))[1]) == size


@pytest.mark.parametrize("style", ["0x", "0xzz", "crc", "abcd"])
def test_a_strange_build_id_is_an_error(bench, pyldso, style) -> None:
    bench.compile("m.o", SOURCE)
    done = pyldso("link", "m.o", f"-Wl,--build-id={style}")
    assert done.returncode == 1
    assert f"--build-id={style}: use sha1, md5, uuid, none or 0x<digits>" in done.stderr
