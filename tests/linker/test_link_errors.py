"""What link says when something is wrong: what, where, and what to do; and no output is left."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest

from pyldso.elf.constants import EM
from pyldso.elf.object import LineMap
from pyldso.elf.object_reader import read_object
from pyldso.errors import Diagnostic, ElfFormatError, LinkError, PyldsoError
from pyldso.link import link, link_inputs
from pyldso.linker.inputs import InputReader
from pyldso.linker.options import InputFile, Library, LinkOptions


def failure(*inputs: str, **options: object) -> str:
    """Link and return the text of the error; the output must not be there."""
    words = [InputFile(name) if isinstance(name, str) else name for name in inputs]
    with pytest.raises(PyldsoError) as caught:
        link(LinkOptions(output="out", inputs=words, **options))
    assert not Path("out").exists()
    assert [path for path in Path().iterdir() if path.name.startswith(".")] == []
    return caught.value.render()


def test_an_undefined_symbol_is_shown_with_place_and_guess(walkthrough) -> None:
    walkthrough.compile(
        "typo.o", "void addvek(void); int main(void) { addvek(); return 0; }", "-O0"
    )
    text = failure("typo.o", "./libvector.so")
    assert text.splitlines() == [
        "error: undefined symbol: addvek",
        ">>> referenced by typo.o:(.text+0x5) (main)",
        ">>> did you mean: addvec",
        ">>> defined in: ./libvector.so",
    ]


def test_an_undefined_symbol_is_shown_with_its_source_line(walkthrough) -> None:
    source = read_object(Path("main2.o").read_bytes(), "main2.s")
    for symbol in source.symbols:
        if symbol.name == "addvec":
            symbol.name = "addvek"
    for section in source.sections:
        section.lines = LineMap([0, 0x1E], ["main2.s", "main2.s"], [3, 12])
    options = LinkOptions(inputs=[InputFile("./libvector.so")])
    others = InputReader(options, lambda path: source).read_all()
    with pytest.raises(LinkError) as caught:
        link_inputs([source, *others], options)
    assert ">>> referenced by main2.s:12 (main)" in caught.value.render()


def test_all_undefined_symbols_are_shown_up_to_the_limit(bench) -> None:
    names = [f"absent_{n}" for n in range(30)]
    source = "".join(f"int {n}(void);" for n in names)
    calls = "+".join(f"{n}() + {n}()" for n in names)
    bench.compile("a.o", f"{source} int main(void) {{ return {calls}; }}", "-O0")
    text = failure("a.o")
    assert text.count("error: undefined symbol: absent_") == 20
    assert "error: 10 more errors" in text
    assert failure("a.o", error_limit=0).count("undefined symbol") == 30


def test_many_references_are_counted(bench) -> None:
    source = "int gone(void); int main(void) { return " + "+".join(["gone()"] * 8) + "; }"
    bench.compile("a.o", source, "-O0")
    text = failure("a.o")
    assert text.count(">>> referenced by") == 3
    assert ">>> referenced 5 more times" in text


def test_a_program_without_main_says_so(bench) -> None:
    bench.compile("a.o", "int other(void) { return 1; }")
    assert failure("a.o").startswith("error: undefined symbol: main\n>>> referenced by ")


def test_duplicate_symbols_show_both_places(bench) -> None:
    bench.compile("one.o", "int twice(void) { return 1; } int main(void) { return twice(); }")
    bench.compile("two.o", "int zero; int twice(void) { return 2; }")
    assert failure("one.o", "two.o").splitlines() == [
        "error: duplicate symbol: twice",
        ">>> defined at one.o:(.text+0x0) (twice)",
        ">>> defined at two.o:(.text+0x0) (twice)",
    ]


def test_absolute_code_in_a_shared_object_asks_for_fpic(bench) -> None:
    source = "extern int data[9]; int get(int i) { return data[i]; }"
    bench.compile("a.o", source, "-fno-pic", "-mcmodel=small")
    text = failure("a.o", is_shared=True)
    assert "cannot be used against symbol data; recompile with -fPIC" in text
    assert ">>> referenced by a.o:(.text+0x" in text
    assert "(get)" in text


def test_an_address_in_read_only_memory_asks_for_fpic(bench) -> None:
    bench.compile("a.o", ".section .rodata\n.quad main\n.text\n.globl main\nmain: ret\n")
    text = failure("a.o")
    assert "R_X86_64_64 against main is in read-only memory; recompile with -fPIC" in text


def test_a_value_that_does_not_fit_is_shown(bench) -> None:
    source = ".globl main\nmain: mov $far, %eax\n.globl far\nfar = 0x123456789abc\n"
    bench.compile("a.o", source)
    text = failure("a.o", is_pie=False)
    assert "relocation R_X86_64_32 out of range: 20015998343868 is not in [0, 4294967295]" in text
    assert "references far" in text


def test_a_missing_library_names_the_folders(bench) -> None:
    bench.compile("a.o", "int main(void) { return 0; }")
    text = failure("a.o", Library("nowhere"), library_path=["here", "there"])
    assert text == "error: cannot find -lnowhere in here, there"


def test_a_missing_file_is_named(bench) -> None:
    assert failure("absent.o") == "error: absent.o: No such file or directory"


def test_a_folder_that_is_missing_is_named(bench) -> None:
    bench.compile("a.o", "int main(void) { return 0; }")
    with pytest.raises(PyldsoError, match="the folder no/where does not exist"):
        link(LinkOptions(output="no/where/out", inputs=[InputFile("a.o")]))


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: b"hello, world\n", "not an ELF file, nor an archive or a linker script"),
        (lambda data: patched(data, 4, b"\1"), "the file is 32-bit (ELFCLASS32), not 64-bit"),
        (lambda data: patched(data, 5, b"\2"), "the file is not little-endian"),
        (lambda data: patched(data, 18, struct.pack("<H", EM.AARCH64)), "for aarch64, not x86-64"),
        (lambda data: patched(data, 18, struct.pack("<H", 999)), "for machine 999, not x86-64"),
        (lambda data: data[:40], "the file is cut"),
    ],
)
@pytest.mark.parametrize("name", ["main2.o", "libvector.so"])
def test_a_file_of_another_kind_is_named(walkthrough, name, change, message) -> None:
    Path("bad").write_bytes(change(Path(name).read_bytes()))
    assert message in failure("bad")
    assert failure("bad").startswith("error: bad: ")


def test_an_executable_is_no_input(walkthrough) -> None:
    walkthrough.link("fixed", "main2.o", "./libvector.so", is_pie=False)
    assert "the file is an executable, not a relocatable object (.o)" in failure("fixed")


@pytest.mark.parametrize("name", ["main2.o", "libvector.so"])
def test_every_cut_of_a_file_is_an_error_or_a_link(walkthrough, name) -> None:
    data = Path(name).read_bytes()
    rest = {"main2.o": "./libvector.so", "libvector.so": "main2.o"}[name]
    whole = 0
    for size in range(0, len(data), 64):
        Path("cut").write_bytes(data[:size])
        try:
            link(LinkOptions(output="cut.out", inputs=[InputFile("cut"), InputFile(rest)]))
            whole += 1
        except PyldsoError as error:
            assert "cut" in error.render()
    # a shared object's section headers are not needed to link with it
    assert name == "libvector.so" or whole == 0


def test_a_cut_archive_is_an_error(bench) -> None:
    bench.compile("a.o", "int a(void) { return 1; }")
    bench.compile("main.o", "int a(void); int main(void) { return a(); }")
    bench.tool("ar", "rcs", "whole.a", "a.o")
    data = Path("whole.a").read_bytes()
    for size in range(8, len(data), 64):
        Path("cut.a").write_bytes(data[:size])
        assert failure("main.o", "cut.a")


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (40, struct.pack("<Q", 1 << 62)),
        (58, struct.pack("<H", 7)),
        (60, struct.pack("<H", 65000)),
        (62, struct.pack("<H", 65000)),
    ],
)
def test_a_damaged_section_table_is_an_error(walkthrough, offset, value) -> None:
    data = Path("main2.o").read_bytes()
    with pytest.raises(ElfFormatError, match="main2"):
        read_object(patched(data, offset, value), "main2.o")


def test_a_linker_script_with_sections_is_refused(bench) -> None:
    Path("script.ld").write_text("SECTIONS { .text : { *(.text) } }\n")
    assert failure("script.ld") == (
        "error: script.ld:1: linker scripts with SECTIONS are not supported"
    )
    Path("libx.so").write_text("GROUP ( libx.so )\n")
    assert "it names another script" in failure("libx.so")


def test_what_a_library_needs_in_vain_is_an_error_of_the_program(bench) -> None:
    bench.compile("lib.o", "int given(void); int ask(void) { return given() + 1; }", "-fpic")
    bench.shared("libask.so", "lib.o")
    bench.compile("a.o", "int ask(void); int givem; int main(void) { return ask(); }")
    assert failure("a.o", "./libask.so").splitlines() == [
        "error: undefined symbol: given",
        ">>> referenced by ./libask.so",
        ">>> did you mean: givem",
        ">>> defined in: a.o",
    ]
    bench.link("lax", "a.o", "./libask.so", allow_shlib_undefined=True)


def test_a_library_may_be_held_to_have_no_undefined_symbols(bench) -> None:
    bench.compile("lib.o", "int given(void); int ask(void) { return given(); }", "-fpic")
    bench.shared("libask.so", "lib.o")
    for options in ({"no_undefined": True}, {"z_options": ["defs"]}):
        assert "undefined symbol: given" in failure("lib.o", is_shared=True, **options)


def mutant(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        at = random.randrange(len(changed) if random.random() < 0.6 else 64)
        width = random.choice((1, 2, 4, 8))
        value = random.choice((0, 1, 0x7F, 0x80, 0xFF, 1 << 31, 1 << 63, (1 << 64) - 1))
        at -= at % width
        changed[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    return bytes(changed[: random.randrange(len(changed))] if random.random() < 0.1 else changed)


@pytest.mark.parametrize("name", ["main2.o", "libvector.so", "all.a"])
def test_damaged_inputs_end_in_a_link_or_one_clear_error(walkthrough, name) -> None:
    walkthrough.tool("ar", "rcs", "all.a", "addvec.o")
    others = {"main2.o": "libvector.so", "libvector.so": "main2.o", "all.a": "main2.o"}
    data = Path(name).read_bytes()
    random = Random(name)
    for number in range(150):
        Path("mutant").write_bytes(mutant(data, random))
        options = LinkOptions(
            inputs=[InputFile("mutant"), InputFile(others[name])], is_pie=number % 2 == 0
        )
        try:
            link_inputs(InputReader(options, lambda path: pytest.fail(path)).read_all(), options)
        except PyldsoError as error:
            assert error.render()


def test_a_variable_without_size_cannot_be_copied(bench) -> None:
    bench.compile("lib.o", ".data\n.globl counter\ncounter: .long 5\n")
    bench.shared("libcounter.so", "lib.o")
    bench.compile("a.o", ".text\n.globl main\nmain: mov counter(%rip), %eax\nret\n")
    assert failure("a.o", "./libcounter.so").splitlines() == [
        "error: cannot copy the variable counter into the program: it has no size",
        ">>> defined in ./libcounter.so",
        ">>> recompile what refers to it with -fPIC, or let counter have a .type of @object and a "
        ".size",
    ]


def test_an_entry_point_that_is_missing_is_named_in_a_warning(bench) -> None:
    bench.compile("a.o", "int begin(void) { return 0; } int main(void) { return 0; }")
    warnings: list[Diagnostic] = []
    bench.link("a", "a.o", entry="begn", nostartfiles=True, warn=warnings.append)
    bench.link("b", "a.o", nostartfiles=True, warn=warnings.append)
    assert (
        warnings[0]
        .render()
        .startswith(
            "warning: cannot find entry symbol begn; defaulting to 0x1000\n>>> did you mean: begin"
        )
    )
    assert warnings[1].message == "cannot find entry symbol _start; defaulting to 0x1000"
    assert "0x1000\n" in bench.readelf("-h", "b")


def test_an_unknown_style_is_refused(bench) -> None:
    bench.compile("a.o", "int main(void) { return 0; }")
    assert failure("a.o", hash_style="md5") == "error: --hash-style=md5: use gnu, sysv, both"
    assert failure("a.o", build_id="0xyz").startswith(
        "error: --build-id=0xyz: use sha1, md5, uuid, none or"
    )


def test_code_that_needs_a_dropped_section_is_an_error(bench) -> None:
    group = '.section .text.f,"axG",@progbits,f,comdat\n.weak f\nf: ret\n.Lpart: ret\n'
    bench.compile("one.o", f"{group}.text\n.globl main\nmain: ret\n")
    bench.compile("two.o", f"{group}.text\n.globl g\ng: call .Lpart\nret\n")
    text = failure("one.o", "two.o")
    assert "relocation R_X86_64_PC32" in text or "relocation R_X86_64_PLT32" in text
    assert "is against a section that was dropped" in text
    assert ">>> referenced by two.o:(.text+0x1) (g)" in text
