"""What is wrong with a file is said in ld.so's words and with its status."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

from .conftest import LD_SO, Native

Pyldso = Callable[..., Completed]


def same(ours: Completed, real: Completed) -> None:
    """Compare; before the start of libc, ld.so has no text for most errno values, and we have."""
    assert ours.stderr == real.stderr.replace("Error 21", "Is a directory")
    assert ours.stdout == real.stdout
    assert ours.returncode == real.returncode


PATCHES = {
    "magic": (1, "<B", 0x45 + 1),
    "class": (4, "<B", 1),
    "encoding": (5, "<B", 2),
    "ident version": (6, "<B", 9),
    "os abi": (7, "<B", 9),
    "abi version": (8, "<B", 7),
    "padding": (10, "<B", 7),
    "type": (16, "<H", 1),
    "executable": (16, "<H", 2),
    "machine": (18, "<H", 183),
    "version": (20, "<I", 9),
    "phentsize": (54, "<H", 40),
    "no program headers": (56, "<H", 0),
}


@pytest.mark.parametrize("what", PATCHES)
def test_library_with_a_wrong_header(
    what: str, program: Path, native: Native, pyldso: Pyldso
) -> None:
    library = program.parent / "libvector.so"
    data = bytearray(library.read_bytes())
    offset, layout, value = PATCHES[what]
    struct.pack_into(layout, data, offset, value)
    library.write_bytes(data)
    same(pyldso("run", "./prog2l"), native("./prog2l"))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 100, 500])
def test_library_cut_in_its_headers(
    size: int, program: Path, native: Native, pyldso: Pyldso
) -> None:
    library = program.parent / "libvector.so"
    library.write_bytes(library.read_bytes()[:size])
    same(pyldso("run", "./prog2l"), native("./prog2l"))


def test_library_cut_at_every_64th_byte(program: Path, pyldso: Pyldso) -> None:
    """The real ld.so maps a cut file and dies of SIGBUS; we say what is wrong."""
    from pyldso.elf.constants import PT
    from pyldso.elf.records import EHDR, PHDR, Ehdr, Phdr

    library = program.parent / "libvector.so"
    whole = library.read_bytes()
    ehdr = Ehdr(*EHDR.unpack_from(whole))
    table = whole[ehdr.e_phoff : ehdr.e_phoff + ehdr.e_phnum * PHDR.size]
    phdrs = [Phdr(*row) for row in PHDR.iter_unpack(table)]
    loaded = max(p.p_offset + p.p_filesz for p in phdrs if p.p_type == PT.LOAD)
    lead = "./prog2l: error while loading shared libraries: ./libvector.so: "
    for size in range(0, len(whole), 64 * 13):
        library.write_bytes(whole[:size])
        completed = pyldso("run", "./prog2l")
        if size >= loaded:
            assert completed.stdout == "z = [4 6]\n"
        else:
            assert completed.returncode == 127
            assert completed.stderr.startswith(lead)
            assert completed.stderr.count("\n") == 1


def test_text_file_as_library(program: Path, native: Native, pyldso: Pyldso) -> None:
    (program.parent / "libvector.so").write_text("This is not a library, it is a text file.\n" * 99)
    same(pyldso("run", "./prog2l"), native("./prog2l"))


def test_missing_library(program: Path, native: Native, pyldso: Pyldso) -> None:
    (program.parent / "libvector.so").unlink()
    same(pyldso("run", "./prog2l"), native("./prog2l"))


def test_folder_as_library(program: Path, native: Native, pyldso: Pyldso) -> None:
    (program.parent / "libvector.so").unlink()
    (program.parent / "libvector.so").mkdir()
    same(pyldso("run", "./prog2l"), native("./prog2l"))


def test_missing_symbol(
    program: Path, tool: Callable[..., Completed], native: Native, pyldso: Pyldso
) -> None:
    (program.parent / "other.c").write_text("int other;")
    tool("gcc", "-shared", "-o", "libvector.so", "other.c", cwd=program.parent)
    same(pyldso("run", "./prog2l"), native("./prog2l"))
    same(pyldso("run", "--bind-now", "./prog2l"), native("./prog2l", LD_BIND_NOW="1"))


@pytest.mark.parametrize("name", ["./missing", "./main.c", "./folder", "./empty"])
def test_program_that_cannot_be_loaded(
    name: str, program: Path, native: Native, pyldso: Pyldso
) -> None:
    (program.parent / "folder").mkdir()
    (program.parent / "empty").touch()
    same(pyldso("run", name), native(str(LD_SO), name))


def test_preload_that_is_not_there_is_ignored(
    program: Path, native: Native, pyldso: Pyldso
) -> None:
    same(
        pyldso("run", "-E", "LD_PRELOAD=./nope.so main.c", "./prog2l"),
        native("./prog2l", LD_PRELOAD="./nope.so main.c"),
    )


def test_unknown_word_of_ld_debug(program: Path, native: Native, pyldso: Pyldso) -> None:
    same(
        pyldso("run", "-E", "LD_DEBUG=nonsense", "./prog2l"),
        native("./prog2l", LD_DEBUG="nonsense"),
    )
    same(pyldso("run", "-E", "LD_DEBUG=help", "./prog2l"), native("./prog2l", LD_DEBUG="help"))


def test_needed_circle_is_no_trouble(
    tmp_path: Path, tool: Callable[..., Completed], native: Native, pyldso: Pyldso
) -> None:
    (tmp_path / "a.c").write_text("int b(void); int a(void) { return b ? 1 : 0; }")
    (tmp_path / "b.c").write_text("int a(void); int b(void) { return a ? 2 : 0; }")
    (tmp_path / "main.c").write_text("int a(void), b(void); int main(void) { return a() + b(); }")
    tool("gcc", "-shared", "-fpic", "-o", "libb.so", "b.c", cwd=tmp_path)
    tool("gcc", "-shared", "-fpic", "-o", "liba.so", "a.c", "./libb.so", cwd=tmp_path)
    tool("gcc", "-shared", "-fpic", "-o", "libb.so", "b.c", "./liba.so", cwd=tmp_path)
    tool("gcc", "-o", "prog", "main.c", "./liba.so", "./libb.so", cwd=tmp_path)
    same(pyldso("run", "./prog"), native("./prog"))


def test_unreadable_library(
    program: Path, pyldso: Pyldso, without_privilege: tuple[str, ...]
) -> None:
    (program.parent / "libvector.so").chmod(0)
    completed = pyldso("run", "./prog2l", prefix=without_privilege)
    assert completed.returncode == 127
    assert completed.stderr == (
        "./prog2l: error while loading shared libraries: ./libvector.so: "
        "cannot open shared object file: Permission denied\n"
    )


def test_enormous_thread_local_storage(
    tmp_path: Path, tool: Callable[..., Completed], native: Native, pyldso: Pyldso
) -> None:
    from pyldso.elf.constants import PT
    from pyldso.elf.records import EHDR, PHDR, Ehdr

    (tmp_path / "t.c").write_text("__thread int t = 3; int f(void) { return t; }")
    (tmp_path / "main.c").write_text("int f(void); int main(void) { return f(); }")
    tool("gcc", "-shared", "-fpic", "-o", "libt.so", "t.c", cwd=tmp_path)
    tool("gcc", "-o", "prog", "main.c", "./libt.so", cwd=tmp_path)
    data = bytearray((tmp_path / "libt.so").read_bytes())
    ehdr = Ehdr(*EHDR.unpack_from(data))
    for index in range(ehdr.e_phnum):
        at = ehdr.e_phoff + index * PHDR.size
        if struct.unpack_from("<I", data, at)[0] == PT.TLS:
            struct.pack_into("<Q", data, at + 40, 1 << 46)  # p_memsz
    (tmp_path / "libt.so").write_bytes(data)
    same(pyldso("run", "./prog"), native("./prog"))
