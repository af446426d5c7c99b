"""Input sections to output sections: what is kept, under which name, in which order.

Names and order are those of GNU ld's built-in script for x86-64 Linux (`ld --verbose`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pyldso.elf.constants import SHF, SHT, STT
from pyldso.elf.object import Section
from pyldso.elf.records import Buffer
from pyldso.elf.rela import RelaTable, Row
from pyldso.linker.chunk import Chunk

if TYPE_CHECKING:
    from pyldso.linker.merge import MergeMap
    from pyldso.linker.symbols import LinkedObject


class InputSection:
    """A section of an object and its place in the output.

    `data` and `relocations` are the section's own until a relaxation replaces them; what is said
    of merged strings stays as it is there, and `rows` tells where they went.
    """

    __slots__ = (
        "alignment",
        "data",
        "is_live",
        "merge",
        "offset",
        "output",
        "owner",
        "relocations",
        "section",
        "size",
    )

    def __init__(self, section: Section, owner: LinkedObject) -> None:
        self.section = section
        self.owner = owner
        self.data: Buffer = section.data
        self.relocations = section.relocations
        self.size = section.size if section.sh_type == SHT.NOBITS else len(section.data)
        self.alignment = section.sh_addralign or 1
        self.is_live = True
        self.output: OutputSection | None = None
        self.offset = 0
        self.merge: MergeMap | None = None
        """Where the content went, for a section whose strings were merged with others'."""

    @property
    def address(self) -> int:
        """The section's vaddr; 0 for one that is not in memory."""
        return self.output.address + self.offset if self.output else 0

    def rows(self) -> Iterator[Row]:
        """Return the relocations, those of merged strings with the addends that fit the output."""
        table, maps = self.relocations, self.owner.merged
        if not maps or maps.keys().isdisjoint(table.symbols):
            return iter(table)
        return zip(table.offsets, table.infos, moved_addends(table, maps), strict=True)

    @property
    def is_code(self) -> bool:
        """Tell whether the section holds instructions."""
        return bool(self.section.sh_flags & SHF.EXECINSTR)

    @property
    def is_writable(self) -> bool:
        """Tell whether the running program may write the section."""
        return bool(self.section.sh_flags & SHF.WRITE)


def moved_addends(table: RelaTable, maps: dict[int, MergeMap]) -> Iterator[int]:
    """Yield the addends, those against the symbols of `maps` as counted in the merged section."""
    for symbol, addend in zip(table.symbols, table.addends, strict=True):
        found = maps.get(symbol)
        yield addend if found is None else found.offset_of(addend)


class OutputSection(Chunk):
    """The input sections of one name, one after the other."""

    __slots__ = ("members",)

    def __init__(self, name: str) -> None:
        super().__init__(name, SHT.NULL, 0)
        self.members: list[InputSection] = []

    def finish(self, sort_by: str = "") -> None:
        """Sort the members as the script does, or by `--sort-section`; give each its offset."""
        order, rank = SORTED_BY.get(sort_by), MEMBER_ORDER.get(self.name)
        if order and self.name in GATHERED and self.name not in BY_PRIORITY:
            self.members.sort(key=order)
        if rank:
            self.members.sort(key=rank)
        offset = 0
        alignment, entsize = 1, self.members[0].section.sh_entsize
        flags = 0
        common = ~0
        types: set[int] = set()
        for member in self.members:
            section = member.section
            offset = -(-offset // member.alignment) * member.alignment
            member.offset = offset
            member.output = self
            offset += member.size
            alignment = max(alignment, member.alignment)
            flags |= section.sh_flags
            common &= section.sh_flags
            entsize = entsize if entsize == section.sh_entsize else 0
            types.add(section.sh_type)
        self.size = offset
        self.alignment = alignment
        mergeable = common & int(SHF.MERGE | SHF.STRINGS) if entsize else 0
        self.flags = flags & KEPT_FLAGS | mergeable
        self.entsize = entsize if mergeable else 0
        self.type = self._type_of(types)

    def _type_of(self, types: set[int]) -> int:
        named = TYPES_BY_NAME.get(self.name)
        if named:
            return int(named)
        types = types - {int(SHT.NOBITS)} or types
        return types.pop() if len(types) == 1 else int(SHT.PROGBITS)

    def write(self, buffer: memoryview) -> None:
        """Write the members' content; relocations are applied later."""
        filler = b"\xcc" if self.flags & SHF.EXECINSTR else b""
        end = 0
        for member in self.members:
            if filler and member.offset > end:
                buffer[end : member.offset] = filler * (member.offset - end)
            end = member.offset + member.size
            if member.data:
                buffer[member.offset : member.offset + len(member.data)] = member.data


ALLOC, EXCLUDE = int(SHF.ALLOC), int(SHF.EXCLUDE)
KEPT_FLAGS = int(SHF.WRITE | SHF.ALLOC | SHF.EXECINSTR | SHF.TLS)

TYPES_BY_NAME = {
    ".init_array": SHT.INIT_ARRAY,
    ".fini_array": SHT.FINI_ARRAY,
    ".preinit_array": SHT.PREINIT_ARRAY,
}

GATHERED = (
    ".text", ".data.rel.ro", ".rodata", ".data", ".bss", ".init_array", ".fini_array",
    ".preinit_array", ".tdata", ".tbss", ".gcc_except_table", ".ctors", ".dtors",
)  # fmt: skip
"""Output sections that also take the sections named `NAME.anything`."""

WARNING_PREFIX = ".gnu.warning."
"""Of sections that hold the text of a warning, for who refers to the symbol of the rest."""

DROPPED_NAMES = frozenset((".note.GNU-stack", ".note.gnu.property"))
"""Sections that are read for what they say and not copied."""


def output_name(name: str) -> str:
    """Return the output section that an input section goes to: `.text` for `.text.main`."""
    for base in GATHERED:
        if name == base or name.startswith(f"{base}."):
            return base
    return name


ARRAYS = {".ctors": ".init_array", ".dtors": ".fini_array"}
"""Where the functions of compilers of old go; nothing else calls them."""


def destination(member: InputSection) -> str:
    """Return the output section of an input section.

    The `.ctors` of crt files stay what they are: their words are marks, not functions.
    """
    name = output_name(member.section.name)
    is_of_crt = os.path.basename(member.owner.object.path).startswith(("crtbegin", "crtend"))
    return name if is_of_crt else ARRAYS.get(name, name)


def text_rank(member: InputSection) -> int:
    """Keep cold, start-up and hot code apart, as GNU ld does."""
    name = member.section.name
    for rank, prefix in enumerate((".text.unlikely", ".text.exit", ".text.startup", ".text.hot")):
        if name == prefix or name.startswith(f"{prefix}."):
            return rank
    return 4


def priority_rank(member: InputSection) -> int:
    """Order `.init_array.NNNNN` by its number, before those without one.

    `.ctors` are counted from the other end: they were called from the last to the first.
    """
    name = member.section.name
    number = re.search(r"\.(\d+)$", name)
    if number is None:
        return 1 << 20
    return LAST_PRIORITY - int(number[1]) if name.startswith(tuple(ARRAYS)) else int(number[1])


LAST_PRIORITY = 65535
BY_PRIORITY = (".init_array", ".fini_array", ".ctors", ".dtors")
"""What has an order of its own, whatever --sort-section says."""

SORTED_BY: dict[str, Callable[[InputSection], str | int]] = {
    "name": lambda member: member.section.name,
    "alignment": lambda member: -member.alignment,
}

MEMBER_ORDER = {
    ".text": text_rank,
    ".init_array": priority_rank,
    ".fini_array": priority_rank,
}


DEBUG_NAMES = (".debug", ".zdebug", ".line", ".stab", ".gdb_index", ".gnu.debuglto_")


def drop_debugging(objects: list[LinkedObject]) -> None:
    """Leave out what only debuggers read (`-S`)."""
    for linked in objects:
        for member in linked.sections:
            section = member.section
            if not section.sh_flags & SHF.ALLOC and section.name.startswith(DEBUG_NAMES):
                member.is_live = False


def is_c_identifier(name: str) -> bool:
    """Tell whether `__start_NAME` and `__stop_NAME` are made for a section."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None


def is_copied(member: InputSection) -> bool:
    """Tell whether a section goes to the output as it is, neither dropped nor rewritten."""
    section = member.section
    if not member.is_live or member.merge is not None:
        return False
    is_dropped = section.name in DROPPED_NAMES or section.name.startswith(WARNING_PREFIX)
    return not (is_dropped or section.sh_flags & EXCLUDE or section.name == ".eh_frame")


def gather_sections(
    objects: list[LinkedObject], merged: list[InputSection], sort_by: str = ""
) -> list[OutputSection]:
    """Return the output sections of all live input sections, in the order they are met.

    `merged` are the sections that stand for those whose strings were merged; `sort_by` is the word
    of `--sort-section`.
    """
    outputs: dict[tuple[str, int], OutputSection] = {}
    members = [member for linked in objects for member in linked.sections if is_copied(member)]
    for member in [*members, *merged]:
        section = member.section
        name = destination(member)
        key = (name, section.sh_flags & ALLOC)
        output = outputs.get(key)
        if output is None:
            output = outputs[key] = OutputSection(name)
        output.members.append(member)
    for output in outputs.values():
        output.finish(sort_by)
    return without_empty(list(outputs.values()))


def without_empty(outputs: list[OutputSection]) -> list[OutputSection]:
    """Leave out the output sections without content in which no symbol lies (as GNU ld does)."""
    empty = {output for output in outputs if not output.size}
    owners = {member.owner for output in empty for member in output.members}
    for linked in owners:
        for symbol in linked.object.symbols:
            place = linked.places.get(symbol.section) if symbol.section is not None else None
            if place is not None and place.output in empty and symbol.type != STT.SECTION:
                empty.discard(place.output)
    for output in empty:
        for member in output.members:
            member.output = None
    return [output for output in outputs if output not in empty]
