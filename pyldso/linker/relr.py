"""Relative relocations packed into bits (`-z pack-relative-relocs`, DT_RELR; gABI ch. 5).

A word that is even is an address to relocate; one that is odd has a bit for each of the 63 words
that follow what came before. The addends stand in the relocated words themselves.
"""

from __future__ import annotations

from struct import Struct

from pyldso.elf.constants import SHF, SHT
from pyldso.linker.chunk import Chunk
from pyldso.linker.scan import AddendOf, DynamicRelocation
from pyldso.linker.sections import InputSection

WORD_SIZE = 8
BITMAP_WORDS = 63
EMPTY_BITMAP = 1
"""A bitmap without bits, which relocates nothing."""


class Relr(Chunk):
    """.relr.dyn; its size is an upper bound until the layout has told the addresses."""

    __slots__ = ("rows",)

    def __init__(self, rows: list[DynamicRelocation]) -> None:
        super().__init__(".relr.dyn", SHT.RELR, SHF.ALLOC, WORD_SIZE, WORD_SIZE)
        self.rows = rows
        self.size = len(rows) * WORD_SIZE

    def addresses(self) -> list[int]:
        """Return the vaddrs of the relocated words."""
        return sorted(row.place.address + row.offset for row in self.rows)

    def shrink(self) -> bool:
        """Take the size that the addresses ask for; tell whether that is less than before.

        What follows moves by whole pages or not at all, and so the distances that count stay.
        """
        needed = len(encode(self.addresses())) * WORD_SIZE
        is_less = needed < self.size
        self.size = min(needed, self.size)
        return is_less

    def write(self, buffer: memoryview) -> None:
        """Write the words; a layout that came to need fewer is filled up."""
        words = encode(self.addresses())
        count = self.size // WORD_SIZE
        words += [EMPTY_BITMAP] * (count - len(words))
        Struct(f"<{count}Q").pack_into(buffer, 0, *words)


def encode(addresses: list[int]) -> list[int]:
    """Return the words for ascending even addresses."""
    words: list[int] = []
    index, count = 0, len(addresses)
    while index < count:
        words.append(addresses[index])
        base = addresses[index] + WORD_SIZE
        index += 1
        while True:
            bitmap = 0
            while index < count:
                distance, odd = divmod(addresses[index] - base, WORD_SIZE)
                if distance >= BITMAP_WORDS or odd:
                    break
                bitmap |= 1 << distance
                index += 1
            if not bitmap:
                break
            words.append(bitmap << 1 | 1)
            base += BITMAP_WORDS * WORD_SIZE
    return words


def split_rows(
    rows: list[DynamicRelocation], relative: int
) -> tuple[list[DynamicRelocation], list[DynamicRelocation]]:
    """Return the rows that can be packed, of words at even addresses, and the others."""
    packed: list[DynamicRelocation] = []
    others: list[DynamicRelocation] = []
    for row in rows:
        place = row.place
        is_even = not (place.alignment | row.offset) & 1
        if isinstance(place, InputSection) and place.alignment == 1:
            is_even = False
        is_relative = row.r_type == relative and row.base == AddendOf.TARGET
        (packed if is_relative and is_even else others).append(row)
    return packed, others
