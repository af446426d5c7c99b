"""A library is damaged on purpose: loading it, with the program and by dlopen, ends as natively.

Each row of the table names fields and their new values. Where the real ld.so crashes, we may say
what is wrong; those rows are not here but in test_mutants.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed, run_command

from pyldso.elf.constants import DT, ELFOSABI_GNU, ET, PT, VER_FLG_WEAK
from pyldso.elf.records import DYN, EHDR, PHDR, VERNAUX, VERNEED, Ehdr, Phdr

SOURCES = {
    "v.c": "int count = 3; int get(void) { return count; } __thread int t = 5;"
    " int get_t(void) { return t; }",
    "main.c": "#include <stdio.h>\nint get(void), get_t(void);\n"
    'int main(void) { printf("%d %d\\n", get(), get_t()); return 0; }',
    "dl.c": "#include <dlfcn.h>\n#include <stdio.h>\nint main(void) {\n"
    '    void *handle = dlopen("./libv.so", RTLD_NOW);\n'
    '    puts(handle ? "loaded" : dlerror());\n'
    "    if (!handle) return 0;\n"
    '    int (*get)(void) = (int (*)(void))dlsym(handle, "get");\n'
    '    if (get) printf("%d\\n", get()); else puts(dlerror());\n    return 0;\n}',
    "v.map": "V1 { global: get; count; get_t; t; };",
}
EHDR_FIELDS = {"osabi": (7, "<B"), "abiversion": (8, "<B"), "padding": (15, "<B")} | {
    name: (offset, layout)
    for name, offset, layout in (
        ("class", 4, "<B"),
        ("data", 5, "<B"),
        ("ident version", 6, "<B"),
        ("e_type", 16, "<H"),
        ("e_machine", 18, "<H"),
        ("e_version", 20, "<I"),
        ("e_phoff", 32, "<Q"),
        ("e_flags", 48, "<I"),
        ("e_ehsize", 52, "<H"),
        ("e_phentsize", 54, "<H"),
        ("e_phnum", 56, "<H"),
    )
}
PHDR_FIELDS = {
    "p_type": (0, "<I"),
    "p_flags": (4, "<I"),
    "p_offset": (8, "<Q"),
    "p_vaddr": (16, "<Q"),
    "p_filesz": (32, "<Q"),
    "p_memsz": (40, "<Q"),
    "p_align": (48, "<Q"),
}
HEADERS: list[tuple[tuple[str, int], ...]] = [
    (("osabi", ELFOSABI_GNU),),
    (("osabi", 9),),
    (("osabi", ELFOSABI_GNU), ("abiversion", 3)),
    (("osabi", ELFOSABI_GNU), ("abiversion", 4)),
    (("abiversion", 1),),
    (("padding", 1),),
    (("class", 1),),
    (("class", 0),),
    (("data", 2),),
    (("ident version", 0),),
    (("e_version", 2),),
    (("e_machine", 3),),
    (("e_type", ET.REL),),
    (("e_type", 4),),
    (("e_type", ET.EXEC),),
    (("e_phentsize", 57),),
    (("e_phnum", 0),),
    (("e_phnum", 60000),),
    (("e_phoff", 1 << 40),),
    (("e_ehsize", 0), ("e_flags", 0xFFFF)),
]
ANY = -1
"""All headers of the type."""
SEGMENTS: list[tuple[PT, int, str, int]] = [
    (PT.LOAD, ANY, "p_type", 0),
    (PT.LOAD, 0, "p_align", 3),
    (PT.LOAD, 1, "p_align", 0x1800),
    (PT.LOAD, 2, "p_align", 0x10000),
    (PT.LOAD, 1, "p_align", 1 << 62),
    (PT.LOAD, 0, "p_offset", 1),
    (PT.LOAD, 1, "p_offset", 0x1001),
    (PT.LOAD, 0, "p_filesz", 0x3000),
    (PT.LOAD, 0, "p_memsz", 0),
    (PT.LOAD, 0, "p_memsz", 1 << 46),
    (PT.LOAD, 1, "p_memsz", 1 << 62),
    (PT.LOAD, 3, "p_memsz", 1 << 62),
    (PT.LOAD, 1, "p_vaddr", 1 << 46),
    (PT.LOAD, 2, "p_vaddr", 1 << 62),
    (PT.LOAD, 1, "p_flags", 7),
    (PT.DYNAMIC, 0, "p_type", 0),
    (PT.DYNAMIC, 0, "p_filesz", 0),
    (PT.DYNAMIC, 0, "p_memsz", 0),
    (PT.GNU_STACK, 0, "p_flags", 7),
    (PT.TLS, 0, "p_memsz", 1 << 20),
]
RETAGGED: list[tuple[DT, DT, int]] = [
    (DT.RELACOUNT, DT.PLTREL, 17),
    (DT.RELACOUNT, DT.RELRENT, 7),
    (DT.RELACOUNT, DT.FLAGS_1, 0x40),
    (DT.RELACOUNT, DT.FLAGS_1, 0x8000000),
    (DT.RELACOUNT, DT.FLAGS, 0xFFFF0000),
    (DT.RELACOUNT, DT.NEEDED, 0),
    (DT.RELACOUNT, DT.RELACOUNT, 1 << 40),
    (DT.RELAENT, DT.RELAENT, 0),
    (DT.VERDEF, DT.DEBUG, 0),
    (DT.VERDEFNUM, DT.VERDEFNUM, 0),
    (DT.GNU_HASH, DT.DEBUG, 0),
]
RELOCATED: list[tuple[int, int]] = [(0, 99), (3, 99), (3, 24), (5, 255), (5, 5), (7, 2)]
"""Row of the relocation table and its new type."""


class Library:
    """The library's (or the program's) bytes, and where its headers and tables are."""

    def __init__(self, folder: Path, name: str = "whole.so") -> None:
        self.folder = folder
        self.whole = (folder / name).read_bytes()
        self.ehdr = Ehdr(*EHDR.unpack_from(self.whole))
        end = self.ehdr.e_phoff + self.ehdr.e_phnum * PHDR.size
        rows = PHDR.iter_unpack(self.whole[self.ehdr.e_phoff : end])
        self.phdrs = [Phdr(*row) for row in rows]

    def segments(self, kind: PT) -> list[int]:
        return [index for index, phdr in enumerate(self.phdrs) if phdr.p_type == kind]

    def dynamic(self, tag: DT) -> tuple[int, int]:
        """Return the offset of the entry and its value."""
        at = self.phdrs[self.segments(PT.DYNAMIC)[0]].p_offset
        while True:
            d_tag, value = DYN.unpack_from(self.whole, at)
            if d_tag == tag:
                return at, value
            assert d_tag
            at += DYN.size

    def compare(self, data: bytes, pyldso: Callable[..., Completed]) -> None:
        """Load `data` as the library in both ways, natively and by run."""
        (self.folder / "libv.so").write_bytes(data)
        for program in ("./main", "./dl"):
            real = run_command(program, cwd=self.folder)
            assert real.returncode >= 0, f"the real ld.so has crashed: {real.returncode}"
            ours = pyldso("run", program, cwd=self.folder)
            shown = (ours.stdout, ours.stderr, ours.returncode)
            assert shown == (real.stdout, real.stderr, real.returncode)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("damaged")
    for name, text in SOURCES.items():
        (folder / name).write_text(text)
    options = ("-Wl,--version-script,v.map", "-Wl,--hash-style=both")
    for words in (
        ("gcc", "-shared", "-fpic", *options, "-o", "libv.so", "v.c"),
        ("gcc", "-o", "main", "main.c", "./libv.so"),
        ("gcc", "-o", "dl", "dl.c"),
        ("cp", "libv.so", "whole.so"),
    ):
        assert run_command(*words, cwd=folder).returncode == 0
    return Library(folder)


@pytest.mark.parametrize("fields", HEADERS, ids=str)
def test_elf_header(
    fields: tuple[tuple[str, int], ...], library: Library, pyldso: Callable[..., Completed]
) -> None:
    data = bytearray(library.whole)
    for name, value in fields:
        offset, layout = EHDR_FIELDS[name]
        struct.pack_into(layout, data, offset, value)
    library.compare(bytes(data), pyldso)


@pytest.mark.parametrize("row", SEGMENTS, ids=str)
def test_program_header(
    row: tuple[PT, int, str, int], library: Library, pyldso: Callable[..., Completed]
) -> None:
    kind, number, field, value = row
    data = bytearray(library.whole)
    indices = library.segments(kind)
    for index in indices if number == ANY else [indices[number]]:
        offset, layout = PHDR_FIELDS[field]
        struct.pack_into(layout, data, library.ehdr.e_phoff + index * PHDR.size + offset, value)
    library.compare(bytes(data), pyldso)


def test_thread_local_data_without_initial_values_needs_no_address(
    library: Library, pyldso: Callable[..., Completed]
) -> None:
    """Go's linker writes such a header."""
    data = bytearray(library.whole)
    header = library.ehdr.e_phoff + library.segments(PT.TLS)[0] * PHDR.size
    struct.pack_into("<Q", data, header + PHDR_FIELDS["p_filesz"][0], 0)
    struct.pack_into("<Q", data, header + PHDR_FIELDS["p_vaddr"][0], 1 << 45)
    library.compare(bytes(data), pyldso)


@pytest.mark.parametrize("row", RETAGGED, ids=str)
def test_dynamic_entry(
    row: tuple[DT, DT, int], library: Library, pyldso: Callable[..., Completed]
) -> None:
    old, new, value = row
    data = bytearray(library.whole)
    DYN.pack_into(data, library.dynamic(old)[0], new, value)
    library.compare(bytes(data), pyldso)


@pytest.mark.parametrize("row", RELOCATED, ids=str)
def test_relocation_type(
    row: tuple[int, int], library: Library, pyldso: Callable[..., Completed]
) -> None:
    index, r_type = row
    data = bytearray(library.whole)
    # The first segment's addresses are its offsets.
    struct.pack_into("<I", data, library.dynamic(DT.RELA)[1] + 24 * index + 8, r_type)
    library.compare(bytes(data), pyldso)


@pytest.mark.parametrize("is_weak", [False, True])
def test_need_of_a_version_that_is_gone(
    is_weak: bool, library: Library, pyldso: Callable[..., Completed]
) -> None:
    """A weak need (VER_FLG_WEAK) is no error by itself: the reference fails when it is bound."""
    main = library.folder / "main"
    original = main.read_bytes()
    data = bytearray(original)
    program = Library(library.folder, "main")
    at = program.dynamic(DT.VERNEED)[1]  # in the first segment: its addresses are its offsets
    strings = program.dynamic(DT.STRTAB)[1]
    while True:
        _, count, _, aux, following = VERNEED.unpack_from(data, at)
        place = at + aux
        for _ in range(count):
            _, _, _, name, step = VERNAUX.unpack_from(data, place)
            if data[strings + name : strings + name + 3] == b"V1\0" and is_weak:
                struct.pack_into("<H", data, place + 4, VER_FLG_WEAK)
            place += step
        if not following:
            break
        at += following
    main.write_bytes(data)
    try:
        library.compare(library.whole.replace(b"\0V1\0", b"\0V9\0"), pyldso)
    finally:
        main.write_bytes(original)


@pytest.mark.parametrize("tag", [DT.RPATH, DT.RUNPATH, DT.AUDIT, DT.DEPAUDIT])
def test_text_outside_of_the_string_table_is_named(
    tag: DT, tmp_path: Path, pyldso: Callable[..., Completed]
) -> None:
    """The real ld.so reads beyond the table, and crashes or not."""
    (tmp_path / "main.c").write_text("int main(void) { return 0; }")
    run_command("gcc", "-Wl,-rpath,/nonexistent", "-o", "program", "main.c", cwd=tmp_path)
    program = tmp_path / "program"
    content = bytearray(program.read_bytes())
    header = Ehdr(*EHDR.unpack_from(content))
    headers = (
        Phdr(*PHDR.unpack_from(content, header.e_phoff + number * PHDR.size))
        for number in range(header.e_phnum)
    )
    dynamic = next(phdr for phdr in headers if phdr.p_type == PT.DYNAMIC)
    entries = range(dynamic.p_offset, dynamic.p_offset + dynamic.p_filesz, DYN.size)
    place = next(at for at in entries if DYN.unpack_from(content, at)[0] in (DT.RPATH, DT.RUNPATH))
    DYN.pack_into(content, place, tag, 0x400590)
    program.write_bytes(content)
    done = pyldso("run", "./program")
    assert done.returncode == 127
    assert "damaged string table (string offset 0x400590 is outside" in done.stderr
    assert "internal error" not in done.stderr
