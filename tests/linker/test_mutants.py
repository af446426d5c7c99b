"""Damaged objects, archives and scripts end in an output or in one clear error, never otherwise."""

from __future__ import annotations

import random

import pytest

from pyldso.errors import PyldsoError
from pyldso.link import link
from pyldso.linker.options import InputFile, LinkOptions
from pyldso.linker.version_script import parse_version_script

SOURCE = r"""
#include <stdexcept>
#include <string>
template <class T> T total(T x) { static T sum; sum += x; if (sum > 5) throw std::string("much");
    return sum; }
thread_local int own = 3;
int common;
const char *words[] = {"abc", "defg"};
int main(int argc, char **) { try { return total(argc) + own + common; }
    catch (std::string &text) { return words[argc & 1][0] + (int)text.size(); } }
"""
SCRIPT = """V1 { global: main; extern "C++" { "total<int>(int)"; std::*; }; local: *; };
V2 { global: b*; [ab]?; } V1;
"""
KINDS = (
    {"gc_sections": True},
    {"is_relocatable": True},
    {"is_shared": True, "version_script": "m.map"},
    {"z_options": ["pack-relative-relocs"], "map_file": "m.maptext", "trace_symbols": ["main"]},
    {"defsym": ["other=main+4"], "strip_debug": True, "is_pie": False},
)
MUTANTS = 15


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes with some changed, often in the tables at the end, sometimes cut."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        first = 0 if chance.random() < 0.5 else len(changed) * 2 // 3
        changed[chance.randrange(first, len(changed))] = chance.choice(
            (0, 255, chance.randrange(256))
        )
    return bytes(changed[: chance.randrange(len(changed))] if chance.random() < 0.1 else changed)


def try_to_link(options: LinkOptions) -> None:
    try:
        link(options)
    except PyldsoError as error:
        assert error.render()


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("name", ["m.o", "m.a"])
def test_mutants_of_inputs_are_linked_or_refused(bench, kind, name) -> None:
    bench.compile("m.o", SOURCE, "-g", "-O1", "-ffunction-sections", "-fPIC", compiler="g++")
    bench.tool("ar", "rcs", "m.a", "m.o")
    (bench.folder / "m.map").write_text(SCRIPT)
    library = bench.tool("g++", "-print-file-name=libstdc++.so.6").stdout.strip()
    chosen = dict(KINDS[kind])
    others = [] if chosen.get("is_relocatable") else [InputFile(library)]
    data = (bench.folder / name).read_bytes()
    for seed in range(MUTANTS):
        chance = random.Random(f"{name} {kind} {seed}")
        (bench.folder / f"mutant_{name}").write_bytes(mutated(data, chance))
        inputs = [InputFile(f"mutant_{name}"), *others]
        try_to_link(LinkOptions(output="out", inputs=inputs, undefined=["main"], **chosen))


def test_mutants_of_version_scripts_are_read_or_refused() -> None:
    for seed in range(500):
        chance = random.Random(seed)
        text = list(SCRIPT)
        for _ in range(chance.randrange(1, 5)):
            text[chance.randrange(len(text))] = chance.choice('{};"*[]:V \n#/')
        try:
            parse_version_script("".join(text), "m.map").find("main")
        except PyldsoError as error:
            assert error.render().startswith("error: m.map:")


def test_bytecode_of_the_compiler_is_refused(bench, pyldso) -> None:
    bench.compile("m.o", "int main(void) { return 0; }", "-flto", "-fno-fat-lto-objects")
    done = pyldso("link", "m.o")
    assert done.returncode == 1
    assert "m.o: the object holds LTO bytecode" in done.stderr
