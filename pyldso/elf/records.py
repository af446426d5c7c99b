"""ELF64 little-endian records: `Phdr(*PHDR.unpack_from(data, offset))`, `PHDR.pack(*phdr)`.

Fields keep the specification's names and order (gABI ch. 4 and 5). Long tables (symbols,
relocations) are walked as the plain tuples of `SYM.iter_unpack` and `RELA.iter_unpack`.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

Buffer = bytes | bytearray | memoryview
"""Bytes: a copy, content in the making, or a view of a file that is in memory as a whole."""

EHDR = Struct("<16sHHIQQQIHHHHHH")
PHDR = Struct("<IIQQQQQQ")
SHDR = Struct("<IIQQQQIIQQ")
SYM = Struct("<IBBHQQ")
RELA = Struct("<QQq")
DYN = Struct("<qQ")
VERDEF = Struct("<HHHHIII")
VERDAUX = Struct("<II")
VERNEED = Struct("<HHIII")
VERNAUX = Struct("<IHHII")
NHDR = Struct("<III")


class Ehdr(NamedTuple):
    """The ELF header."""

    e_ident: bytes
    e_type: int
    e_machine: int
    e_version: int
    e_entry: int
    e_phoff: int
    e_shoff: int
    e_flags: int
    e_ehsize: int
    e_phentsize: int
    e_phnum: int
    e_shentsize: int
    e_shnum: int
    e_shstrndx: int


class Phdr(NamedTuple):
    """A program header."""

    p_type: int
    p_flags: int
    p_offset: int
    p_vaddr: int
    p_paddr: int
    p_filesz: int
    p_memsz: int
    p_align: int


class Shdr(NamedTuple):
    """A section header."""

    sh_name: int
    sh_type: int
    sh_flags: int
    sh_addr: int
    sh_offset: int
    sh_size: int
    sh_link: int
    sh_info: int
    sh_addralign: int
    sh_entsize: int


class Sym(NamedTuple):
    """A symbol table entry."""

    st_name: int
    st_info: int
    st_other: int
    st_shndx: int
    st_value: int
    st_size: int

    @property
    def binding(self) -> int:
        """STB_* of st_info."""
        return self.st_info >> 4

    @property
    def type(self) -> int:
        """STT_* of st_info."""
        return self.st_info & 15

    @property
    def visibility(self) -> int:
        """STV_* of st_other."""
        return self.st_other & 3

    @property
    def is_defined(self) -> bool:
        """Tell whether a section or SHN_ABS/SHN_COMMON defines the symbol."""
        return self.st_shndx != 0


class Rela(NamedTuple):
    """A relocation with addend."""

    r_offset: int
    r_info: int
    r_addend: int

    @property
    def r_sym(self) -> int:
        """Index into the symbol table."""
        return self.r_info >> 32

    @property
    def r_type(self) -> int:
        """The CPU's relocation number."""
        return self.r_info & 0xFFFFFFFF


def c_string(table: bytes, offset: int) -> bytes:
    """Return the NUL-terminated string at `offset`.

    Raises ValueError where it has no end, IndexError where `offset` is outside the table.
    """
    if not 0 <= offset < len(table):
        raise IndexError(offset)
    return table[offset : table.index(b"\0", offset)]
