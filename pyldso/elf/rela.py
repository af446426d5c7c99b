"""Relocation tables (gABI ch. 4, Elf64_Rela) as the bytes they are in a file, read by columns.

A large link has a million relocations. A tuple of three numbers takes 150 bytes, a record 24; and
what holds for a whole column (which types are there, how far offsets reach) is found without a
line of Python for each row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Literal

from pyldso.elf.records import RELA, Buffer

Row = tuple[int, int, int]
"""A relocation: r_offset, r_info, r_addend."""

R_TYPE = 0xFFFFFFFF
"""The bits of r_info that are the type; the symbol's index is above them."""

WRAPPED = Struct("<QQQ")
"""The record with an addend that wraps around, as the sum of 64-bit numbers does."""
MASK = 0xFFFFFFFFFFFFFFFF


class RelaTable:
    """The relocations of a section, in the order of the file; it is never changed in place."""

    __slots__ = ("content",)

    def __init__(self, content: Buffer = b"") -> None:
        """Take whole records; what follows the last of them is cut off."""
        self.content = content if len(content) % RELA.size == 0 else cut(content)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> RelaTable:
        """Return the table of `rows`."""
        pack = WRAPPED.pack
        return cls(b"".join([pack(offset, info, addend & MASK) for offset, info, addend in rows]))

    def __len__(self) -> int:
        return len(self.content) // RELA.size

    def __iter__(self) -> Iterator[Row]:
        return zip(self.offsets, self.infos, self.addends, strict=True)

    @property
    def offsets(self) -> Iterable[int]:
        """The r_offset column."""
        return column(self.content, "Q", 0)

    @property
    def infos(self) -> Iterable[int]:
        """The r_info column."""
        return column(self.content, "Q", 1)

    @property
    def addends(self) -> Iterable[int]:
        """The r_addend column."""
        return column(self.content, "q", 2)

    @property
    def types(self) -> Iterable[int]:
        """The column of the CPU's relocation numbers."""
        return column(self.content, "I", 2)

    @property
    def symbols(self) -> Iterable[int]:
        """The column of indices into the symbol table."""
        return column(self.content, "I", 3)

    def distinct_infos(self) -> dict[int, None]:
        """Return every r_info once, in the order of the first row that has it."""
        return dict.fromkeys(self.infos)

    def replaced(self, changes: dict[int, Row]) -> RelaTable:
        """Return the table with other rows at the indices of `changes`."""
        content = bytearray(self.content)
        for index, (offset, info, addend) in changes.items():
            WRAPPED.pack_into(content, index * RELA.size, offset, info, addend & MASK)
        return RelaTable(content)

    def joined(self, other: RelaTable) -> RelaTable:
        """Return the rows of both tables."""
        return RelaTable(bytes(self.content) + bytes(other.content))


NO_RELOCATIONS = RelaTable()


def column(content: Buffer, code: Literal["I", "Q", "q"], number: int) -> Iterable[int]:
    """Return every word of format `code` that stands at the place `number` of its record.

    The words are the machine's own, which is little-endian as x86-64's files are.
    """
    if not content:
        return ()
    words = memoryview(content).cast(code)
    return words[number :: RELA.size // words.itemsize]


def cut(content: Buffer) -> Buffer:
    """Return the whole records of a damaged table."""
    return content[: len(content) - len(content) % RELA.size]
