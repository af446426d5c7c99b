"""Equal strings of all inputs once: sections with SHF_MERGE and SHF_STRINGS (gABI ch. 4).

The sections of one output, entry size and alignment become one synthetic section; each input
section keeps a map from its offsets to those of the synthetic one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from pyldso.arch.machine import Machine
from pyldso.elf.constants import SHF, SHT, STT
from pyldso.elf.object import Section
from pyldso.elf.rela import R_TYPE
from pyldso.linker.sections import DROPPED_NAMES, InputSection, output_name
from pyldso.linker.symbols import LinkedObject

MERGEABLE = int(SHF.MERGE | SHF.STRINGS)

GroupKey = tuple[str, int, int, int]
"""Output section, flags, entry size, alignment."""


class MergeMap:
    """Where the strings of an input section went: ascending old offsets and their new ones."""

    __slots__ = ("_new", "_old", "section")

    def __init__(self, section: InputSection, old: array[int], new: array[int]) -> None:
        self.section = section
        self._old = old
        self._new = new

    def offset_of(self, offset: int) -> int:
        """Return the new offset of a place; one inside a string keeps its distance to the start."""
        index = max(bisect_right(self._old, offset) - 1, 0)
        return self._new[index] + offset - self._old[index]


class StringPool:
    """The strings of one synthetic section."""

    __slots__ = ("_alignment", "_content", "_offsets", "_width", "section")

    def __init__(self, member: InputSection) -> None:
        source = member.section
        self._width = source.sh_entsize
        self._alignment = source.sh_addralign
        self._content = bytearray()
        self._offsets: dict[bytes, int] = {}
        merged = Section(source.name, SHT.PROGBITS, source.sh_flags, source.sh_addralign)
        merged.sh_entsize = source.sh_entsize
        self.section = InputSection(merged, member.owner)

    def add(self, member: InputSection) -> None:
        """Take the strings of an input section and give it its map."""
        strings = split_strings(bytes(member.section.data), self._width)
        offsets, content, step = self._offsets, self._content, self._alignment
        terminator = bytes(self._width)
        old, new = array("q"), array("q")
        at = 0
        for string in strings:
            offset = offsets.get(string)
            if offset is None:
                if len(content) % step:
                    content += bytes(-len(content) % step)
                offset = offsets[string] = len(content)
                content += string + terminator
            old.append(at)
            new.append(offset)
            at += len(string) + self._width
        member.merge = MergeMap(self.section, old, new)

    def finish(self) -> None:
        """Give the synthetic section its content."""
        merged = self.section
        merged.section.data = merged.data = bytes(self._content)
        merged.section.size = merged.size = len(self._content)


def split_strings(data: bytes, width: int) -> list[bytes]:
    """Return the strings of a section, without their terminators of `width` bytes."""
    if width == 1:
        return data.split(b"\0")[:-1]
    strings: list[bytes] = []
    terminator = bytes(width)
    start = at = 0
    while (at := data.find(terminator, at)) >= 0:
        if at % width:
            at += 1
            continue
        strings.append(data[start:at])
        at += width
        start = at
    return strings


def merge_strings(objects: list[LinkedObject], machine: Machine) -> list[InputSection]:
    """Merge what can be merged and return the synthetic sections."""
    pools: dict[GroupKey, StringPool] = {}
    relative = relative_types(machine)
    for linked in objects:
        candidates = {m.section: m for m in linked.sections if is_candidate(m)}
        if not candidates:
            continue
        by_symbol = {
            index: symbol.section
            for index, symbol in enumerate(linked.object.symbols)
            if symbol.type == STT.SECTION and symbol.section in candidates
        }
        for section in unsuitable(linked, by_symbol, relative):
            candidates.pop(section, None)
        for section, member in candidates.items():
            name = output_name(section.name)
            key = (name, section.sh_flags, section.sh_entsize, section.sh_addralign)
            pool = pools.get(key)
            if pool is None:
                pool = pools[key] = StringPool(member)
            pool.add(member)
        linked.merged = {index: found for index, section in by_symbol.items()
                         if (found := linked.places[section].merge) is not None}  # fmt: skip
    for pool in pools.values():
        pool.finish()
    return [pool.section for pool in pools.values()]


def is_candidate(member: InputSection) -> bool:
    """Tell whether a section holds whole strings and nothing that depends on their places."""
    section = member.section
    width = section.sh_entsize
    if section.sh_flags & MERGEABLE != MERGEABLE or not member.is_live or member.relocations:
        return False
    if section.name in DROPPED_NAMES or width not in (1, 2, 4) or not section.data:
        return False
    return len(section.data) % width == 0 and bytes(section.data[-width:]) == bytes(width)


def relative_types(machine: Machine) -> frozenset[int]:
    """Return the types of the relocations that count from their place."""
    return frozenset(
        number for number, row in machine.relocations.items() if row.expression.endswith("- P")
    )


def unsuitable(
    linked: LinkedObject, by_symbol: dict[int, Section], relative: frozenset[int]
) -> list[Section]:
    """Return the sections that a place-relative relocation reaches by the section's symbol.

    Its addend holds the distance from the place to the end of the instruction too, so that it does
    not tell which string is meant; assemblers name the string's own symbol there.
    """
    if not by_symbol:
        return []
    return [
        by_symbol[r_info >> 32]
        for member in linked.sections
        if member.is_live and not by_symbol.keys().isdisjoint(member.relocations.symbols)
        for r_info in member.relocations.distinct_infos()
        if r_info >> 32 in by_symbol and r_info & R_TYPE in relative
    ]
