"""A small input that asks for much gets an output or a clear error, never all of the machine."""

from __future__ import annotations

import resource
import struct
import zlib
from pathlib import Path

import pytest

from pyldso.elf.constants import EM, SHF, SHN, SHT, STB
from pyldso.elf.object import ObjectFile, Section, Symbol
from pyldso.elf.object_writer import write_object
from pyldso.errors import PyldsoError
from pyldso.link import link
from pyldso.linker.options import InputFile, LinkOptions

DATA = int(SHF.ALLOC | SHF.WRITE)
GIB = 1 << 30


def made_of(*sections: Section, symbols: list[Symbol] | None = None) -> ObjectFile:
    return ObjectFile("a.o", EM.X86_64, list(sections), [Symbol(""), *(symbols or [])])


def zeros(name: str, size: int, alignment: int = 1, flags: int = DATA) -> Section:
    return Section(name, SHT.NOBITS, flags, alignment, b"", size)


def outcome(source: ObjectFile | bytes, **options: object) -> str:
    """Link within 1 GiB; return the error's text, or what the output is like."""
    data = write_object(source) if isinstance(source, ObjectFile) else source
    Path("a.o").write_bytes(data)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + GIB, limits[1]))
    chosen: dict[str, object] = {"is_shared": True, "nostdlib": True, **options}
    try:
        link(LinkOptions(output="out", inputs=[InputFile("a.o")], **chosen))
    except PyldsoError as error:
        assert not Path("out").exists()
        return error.render()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    return f"{Path('out').stat().st_size >> 20} MiB"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("size", [1 << 20, 1 << 40])
def test_zeros_take_no_room(size) -> None:
    assert outcome(made_of(zeros(".bss", size))) == "0 MiB"


def test_zeros_beyond_all_addresses_are_refused() -> None:
    assert "the output is too large" in outcome(made_of(zeros(".bss", 1 << 60)))


def test_zeros_that_need_room_in_the_file_are_refused_where_they_are_too_many() -> None:
    tables = zeros(".init_array", 3 * GIB)
    assert "bytes are more than there is memory for" in outcome(made_of(tables, zeros(".data", 8)))


@pytest.mark.parametrize("alignment", [1 << 25, 1 << 60])
def test_alignments_beyond_reason_are_refused(alignment) -> None:
    data = write_object(made_of(zeros(".bss", 8, 4096)))
    before, after = (struct.pack("<IIQQ", 0, 0, value, 0) for value in (4096, alignment))
    assert before in data
    text = outcome(data.replace(before, after))
    assert text == f"error: a.o: section .bss: {alignment} is no power of two of at most 16 MiB"


@pytest.mark.parametrize(
    ("size", "said"), [(1 << 40, "0 MiB"), (1 << 62, "the output is too large")]
)
def test_common_symbols_are_zeros(size, said) -> None:
    common = Symbol("much", STB.GLOBAL, shndx=SHN.COMMON, st_value=8, st_size=size)
    assert said in outcome(made_of(symbols=[common]))


@pytest.mark.parametrize("announced", [0, 1, 100, GIB, 1 << 60])
def test_what_is_compressed_is_what_was_announced(announced) -> None:
    body = struct.pack("<IIQQ", 1, 0, announced, 1) + zlib.compress(bytes(1 << 20))
    section = Section(".debug_str", SHT.PROGBITS, int(SHF.COMPRESSED), 1, body, len(body))
    assert outcome(made_of(section)).startswith("error: a.o: section .debug_str: ")


def test_too_many_output_sections_are_refused() -> None:
    sections = [Section(f"s{n}", SHT.PROGBITS, DATA, 1, b"x", 1) for n in range(65_275)]
    source = made_of(*sections)
    assert outcome(source).startswith("error: the output has 65")
    sections += [Section(f"t{n}", SHT.PROGBITS, DATA, 1, b"x", 1) for n in range(1000)]
    with pytest.raises(PyldsoError, match="an object of 66276 sections cannot be written"):
        write_object(made_of(*sections))


def test_a_count_of_sections_beyond_the_file_is_refused() -> None:
    data = bytearray(write_object(made_of(zeros(".bss", 8))))
    (e_shoff,) = struct.unpack_from("<Q", data, 40)
    struct.pack_into("<H", data, 60, 0)
    struct.pack_into("<Q", data, e_shoff + 32, 1 << 50)  # where e_shnum does not suffice
    assert "the section headers lie beyond the end of the file" in outcome(bytes(data))


def test_an_archive_whose_members_never_end_is_refused() -> None:
    header = b"x.o/".ljust(48) + b"%-10d" + b"`\n"
    for size in (-60, -(1 << 40), 1 << 40):
        Path("a.o").write_bytes(b"!<arch>\n" + header % size)
        with pytest.raises(PyldsoError, match=r"a\.o: "):
            link(LinkOptions(output="out", inputs=[InputFile("a.o", is_whole=True)], nostdlib=True))
