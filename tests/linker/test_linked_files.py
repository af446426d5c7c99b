"""What stands in the files that pyldso links, beside what GNU ld writes."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from pyldso.elf.shared_reader import read_shared
from pyldso.link import link, link_inputs
from pyldso.linker.inputs import InputReader
from pyldso.linker.options import InputFile, Library, LinkOptions
from pyldso.verify import VerificationError, verify_output


def test_the_program_names_interpreter_libraries_and_versions(walkthrough) -> None:
    shown = walkthrough.readelf("-d", "-l", "-V", "prog2l")
    assert "[Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]" in shown
    assert "Shared library: [./libvector.so]" in shown
    assert "Shared library: [libc.so.6]" in shown
    assert "Name: GLIBC_2.2.5" in shown
    assert "Name: GLIBC_2.34" in shown


def test_segments_have_exact_permissions(walkthrough) -> None:
    for output in ("libvector.so", "prog2l"):
        shown = walkthrough.readelf("-l", output)
        loads = re.findall(r"^ +LOAD .* 0x\w+ 0x\w+ ([R WE]+?) +0x1000$", shown, re.MULTILINE)
        assert [flags.strip() for flags in loads] == ["R", "R E", "R", "RW"]
        for name in ("GNU_STACK", "GNU_RELRO", "GNU_EH_FRAME", "DYNAMIC", "NOTE"):
            assert re.search(rf"^ +{name} ", shown, re.MULTILINE), name


def test_relro_ends_with_a_page_and_covers_the_reserved_slots(walkthrough) -> None:
    shown = walkthrough.readelf("-l", "prog2l")
    start, size = re.search(r"GNU_RELRO +\w+ (\w+) \w+ \w+ (\w+)", shown).groups()
    assert (int(start, 16) + int(size, 16)) % 0x1000 == 0


def test_output_is_the_same_at_every_build(walkthrough) -> None:
    first = Path("prog2l").read_bytes()
    walkthrough.link("prog2l", "main2.o", "./libvector.so")
    assert Path("prog2l").read_bytes() == first


def test_the_build_id_is_of_the_content(walkthrough) -> None:
    def build_id(name: str) -> str:
        return re.search(r"Build ID: (\w{40})", walkthrough.readelf("-n", name))[1]

    walkthrough.link("other", "main2.o", "./libvector.so", z_options=["now"])
    assert build_id("other") != build_id("prog2l")
    walkthrough.link("given", "main2.o", "./libvector.so", build_id="0x1234")
    assert "Build ID: 1234" in walkthrough.readelf("-n", "given")
    walkthrough.link("none", "main2.o", "./libvector.so", build_id="none")
    assert "Build ID" not in walkthrough.readelf("-n", "none")


def test_both_hash_tables_find_every_export(bench) -> None:
    names = [f"function_{n}" for n in range(200)]
    source = "\n".join(f"int {name}(void) {{ return {n}; }}" for n, name in enumerate(names))
    bench.compile("lib.o", source, "-fpic")
    for style in ("gnu", "sysv", "both"):
        bench.shared("lib.so", "lib.o", hash_style=style)
        shared = read_shared(Path("lib.so").read_bytes(), "lib.so")
        assert all(shared.find(name) for name in names)
        assert shared.find("function_200") is None
    source = "".join(f"int {name}(void);" for name in names)
    calls = "+".join(f"({name}() != {n})" for n, name in enumerate(names))
    bench.compile("main.o", f"{source} int main(void) {{ return {calls}; }}")
    for style in ("gnu", "sysv"):
        bench.shared("lib.so", "lib.o", hash_style=style)
        bench.link("main", "main.o", "./lib.so")
        assert bench.run("main").returncode == 0


def test_dynamic_sections_agree_with_gnu_ld(walkthrough) -> None:
    walkthrough.tool("gcc", "-o", "by_ld", "main2.o", "./libvector.so", "-Wl,--hash-style=both")

    def tags(name: str) -> set[str]:
        return set(re.findall(r"\((\w+)\)", walkthrough.readelf("-d", name)))

    # gcc's crt files bring initializers, finalizers and relative relocations of their own
    crt = {"INIT", "FINI", "INIT_ARRAY", "INIT_ARRAYSZ", "FINI_ARRAY", "FINI_ARRAYSZ", "RELACOUNT"}
    assert tags("by_ld") - crt == tags("prog2l")


def test_the_output_is_executable_within_the_umask(walkthrough) -> None:
    mask = os.umask(0o027)
    try:
        walkthrough.link("prog2l", "main2.o", "./libvector.so")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(Path("prog2l").stat().st_mode) == 0o750


def test_nothing_is_left_beside_the_output(walkthrough) -> None:
    before = {path.name for path in walkthrough.folder.iterdir()}
    walkthrough.link("prog2l", "main2.o", "./libvector.so")
    assert {path.name for path in walkthrough.folder.iterdir()} == before


def test_a_device_can_be_the_output(walkthrough) -> None:
    link(LinkOptions(output="/dev/null", inputs=[InputFile("main2.o"), InputFile("libvector.so")]))
    assert not Path("/dev/null").is_file()


def test_stripped_output_runs_without_symbols(walkthrough) -> None:
    walkthrough.link("small", "main2.o", "./libvector.so", strip_all=True)
    assert walkthrough.output("small") == "z = [4 6]\n"
    assert ".symtab" not in walkthrough.readelf("-S", "small")


@pytest.mark.parametrize("linker", ["bfd", "lld", "mold"])
def test_other_linkers_take_our_libraries(walkthrough, linker) -> None:
    if shutil.which({"bfd": "ld", "lld": "ld.lld"}.get(linker, linker)) is None:
        pytest.skip(f"{linker} is not installed")
    words = ["-B/usr/libexec/mold"] if linker == "mold" else [f"-fuse-ld={linker}"]
    walkthrough.tool("gcc", *words, "-o", "theirs", "main2.o", "./libvector.so")
    assert walkthrough.output("theirs") == "z = [4 6]\n"


@pytest.mark.parametrize("linker", ["bfd", "lld", "mold"])
def test_libraries_of_other_linkers_are_taken(walkthrough, linker) -> None:
    if shutil.which({"bfd": "ld", "lld": "ld.lld"}.get(linker, linker)) is None:
        pytest.skip(f"{linker} is not installed")
    words = ["-B/usr/libexec/mold"] if linker == "mold" else [f"-fuse-ld={linker}"]
    walkthrough.tool("gcc", "-shared", *words, "-o", "libvector.so", "addvec.o")
    walkthrough.link("ours", "main2.o", "./libvector.so")
    assert walkthrough.output("ours") == "z = [4 6]\n"


def test_the_verifier_sees_what_was_not_meant(walkthrough) -> None:
    options = LinkOptions(inputs=[InputFile("main2.o"), InputFile("./libvector.so")])
    reader = InputReader(options, lambda path: pytest.fail(path))
    linked = link_inputs(reader.read_all(), options)
    meant = (linked.layout, linked.synthetic, linked.entry)
    dynamic = next(chunk for chunk in linked.layout.chunks if chunk.name == ".dynamic")
    relocations = next(chunk for chunk in linked.layout.chunks if chunk.name == ".rela.plt")
    for offset, what in (
        (24, "the entry point differs"),
        (64 + 4, "segment 0x6"),
        (dynamic.offset + 8, "dynamic entry 0x1"),
        (relocations.offset, "relocation 0x"),
    ):
        changed = bytearray(linked.image)
        changed[offset] ^= 1
        Path("changed").write_bytes(changed)
        with pytest.raises(VerificationError, match=what):
            verify_output("changed", *meant)


def test_an_explicit_libc_is_linked_once(walkthrough) -> None:
    walkthrough.link("a", "main2.o", "./libvector.so", Library("c"))
    assert walkthrough.readelf("-d", "a").count("[libc.so.6]") == 1
    assert walkthrough.output("a") == "z = [4 6]\n"


def test_properties_of_the_inputs_are_combined(walkthrough) -> None:
    walkthrough.compile("main2.o", "int main(void) { return 0; }", "-mneeded", "-fcf-protection")
    walkthrough.link("with", "main2.o")
    notes = walkthrough.readelf("-n", "with")
    assert "x86 ISA needed: x86-64-baseline" in notes
    assert "IBT" not in notes  # the start code and the PLT do not promise it
    assert "GNU_PROPERTY" in walkthrough.readelf("-l", "with")
