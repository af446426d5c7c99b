"""`--emit-relocs`: the relocations that were applied, kept in the output for tools that move code.

Each output section with relocations gets a section of its own beside it, which is not loaded;
places are addresses, and local targets are counted from their section's symbol.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyldso.elf.constants import SHF, SHT
from pyldso.elf.records import RELA
from pyldso.elf.rela import R_TYPE, WRAPPED
from pyldso.linker.chunk import Chunk
from pyldso.linker.sections import OutputSection
from pyldso.linker.symbols import Column, Resolved
from pyldso.linker.symtab import Symtab

MASK = 0xFFFFFFFFFFFFFFFF
NO_RELOCATION = (0, 0)
"""R_*_NONE against no symbol: what told of dropped code tells nothing."""


class KeptRelocations(Chunk):
    """.rela.NAME: the relocations of an output section, in the order of its members."""

    __slots__ = ("_output", "_symtab")

    def __init__(self, output: OutputSection, symtab: Symtab) -> None:
        super().__init__(f".rela{output.name}", SHT.RELA, SHF.INFO_LINK, 8, RELA.size)
        self._output = output
        self._symtab = symtab
        self.link = symtab
        self.info_section = output
        self.size = RELA.size * sum(len(member.relocations) for member in output.members)

    def write(self, buffer: memoryview) -> None:
        """Write the records."""
        at = 0
        for member in self._output.members:
            targets, address = member.owner.targets, member.address
            for r_offset, r_info, addend in member.rows():
                index, base = self._symbol(targets[r_info >> 32])
                r_type = r_info & R_TYPE if index else 0
                WRAPPED.pack_into(
                    buffer, at, address + r_offset, index << 32 | r_type, addend + base & MASK
                )
                at += RELA.size

    def _symbol(self, target: Resolved) -> tuple[int, int]:
        """Return the number of the symbol to name, and what to add to the addend."""
        index = self._symtab.numbers.get(target, 0)
        if index:
            return index, 0
        if target.column == Column.DISCARDED or target.chunk is None:
            return NO_RELOCATION
        return self._symtab.section_numbers[target.chunk], target.value - target.chunk.address


def kept_relocations(outputs: Sequence[OutputSection], symtab: Symtab) -> list[Chunk]:
    """Return a chunk for each output section that has relocations."""
    chunks = [KeptRelocations(output, symtab) for output in outputs]
    return [chunk for chunk in chunks if chunk.size]
