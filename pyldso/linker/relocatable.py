"""`-r`: many objects to one, which is linked again later.

Sections of one name and kind are put together, COMDAT groups stay apart (all but the first of a
signature are dropped), and every relocation is kept, moved to where its section went.
"""

from __future__ import annotations

from collections.abc import Hashable

from pyldso.elf.constants import SHF, SHN, SHT, STB, STT
from pyldso.elf.object import Group, ObjectFile, Section, Symbol
from pyldso.elf.rela import R_TYPE, RelaTable, Row
from pyldso.linker.eh_frame import build_eh_frame
from pyldso.linker.notes import merge_properties, property_content
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.sections import InputSection
from pyldso.linker.symbols import LinkedObject, Rank, Resolved

PROPERTY_SECTION = ".note.gnu.property"
NO_RELOCATION = 0
"""R_*_NONE has the number 0 on every CPU: what told of dropped code tells nothing."""


class Combiner:
    """The object in the making, and where each input section went."""

    __slots__ = (
        "_by_key",
        "_contents",
        "_places",
        "_section_symbols",
        "_symbol_indices",
        "object",
        "symbols",
    )

    def __init__(self, path: str, machine: int, symbols: SymbolTable) -> None:
        self.object = ObjectFile(path, machine, symbols=[Symbol("")])
        self.symbols = symbols
        self._by_key: dict[Hashable, Section] = {}
        self._contents: dict[Section, bytearray] = {}
        self._places: dict[InputSection, tuple[Section, int]] = {}
        self._section_symbols: dict[Section, int] = {}
        self._symbol_indices: dict[Resolved, int] = {}

    def combine(self) -> ObjectFile:
        """Return the one object that all become."""
        objects = self.symbols.objects
        for linked in objects:
            for member in linked.sections:
                if member.is_live and member.section.name not in (".eh_frame", PROPERTY_SECTION):
                    self._append(member)
        self._add_unwinding(objects)
        self._add_properties(objects)
        self._link_sections(objects)
        self._add_symbols(objects)
        tables: dict[Section, bytearray] = {}
        for member, (section, start) in self._places.items():
            moved = RelaTable.of(self._moved(member, row, start) for row in member.relocations)
            tables.setdefault(section, bytearray()).extend(moved.content)
        for section, content in tables.items():
            section.relocations = RelaTable(content)
        return self.object

    def _append(self, member: InputSection) -> None:
        """Put a section behind those of its name and kind, at a multiple of its alignment."""
        source = member.section
        flags = source.sh_flags
        is_alone = source.group is not None or source.link_order is not None
        key: Hashable = member if is_alone else (source.name, source.sh_type, flags,
                                                 source.sh_entsize)  # fmt: skip
        section = self._by_key.get(key)
        if section is None:
            content = bytearray()
            section = self._by_key[key] = Section(source.name, source.sh_type, flags, 1,
                                                  content, 0, source.sh_entsize)  # fmt: skip
            self._contents[section] = content
            self.object.sections.append(section)
        start = -(-section.size // member.alignment) * member.alignment
        section.sh_addralign = max(section.sh_addralign, member.alignment)
        section.size = start + member.size
        if source.sh_type != SHT.NOBITS:
            filler = b"\xcc" if flags & SHF.EXECINSTR else b"\0"
            content = self._contents[section]
            content += filler * (start - len(content))
            content += member.data
        self._places[member] = (section, start)

    def _add_unwinding(self, objects: list[LinkedObject]) -> None:
        """Add .eh_frame without what tells of dropped functions; a later link ends it."""
        frame = build_eh_frame(objects)
        if frame is None:
            return
        content = b"".join(bytes(member.data) for member in frame.members)
        section = Section(".eh_frame", SHT.PROGBITS, int(SHF.ALLOC), 8, content, len(content))
        self.object.sections.append(section)
        for member in frame.members:
            self._places[member] = (section, member.offset)

    def _add_properties(self, objects: list[LinkedObject]) -> None:
        merged = merge_properties(objects)
        if merged:
            content = property_content(merged)
            self.object.sections.append(
                Section(PROPERTY_SECTION, SHT.NOTE, int(SHF.ALLOC), 8, content, len(content))
            )

    def _link_sections(self, objects: list[LinkedObject]) -> None:
        """Carry over SHF_LINK_ORDER and the groups that were kept."""
        for member, (section, _) in self._places.items():
            order = member.section.link_order
            if order is not None:
                found = self._places.get(member.owner.places[order])
                section.link_order = found[0] if found else None
        for linked in objects:
            for group in linked.object.groups:
                found_members = [self._places.get(linked.places[s]) for s in group.sections]
                kept = Group(group.signature, group.is_comdat)
                for found in found_members:
                    if found is not None:
                        found[0].group = kept
                        kept.sections.append(found[0])
                if kept.sections:
                    self.object.groups.append(kept)

    def _add_symbols(self, objects: list[LinkedObject]) -> None:
        """Add section symbols, the locals of each object, and each global name once."""
        table = self.object.symbols
        for section in self.object.sections:
            self._section_symbols[section] = len(table)
            table.append(Symbol(section.name, STB.LOCAL, STT.SECTION, 0, section))
        for linked in objects:
            for target in linked.locals:
                symbol = target.symbol
                if symbol is None or symbol.type == STT.SECTION or not symbol.name:
                    continue
                self._add_symbol(target, symbol)
        names = {symbol.name for symbol in table} | set(self.symbols.resolved)
        for group in self.object.groups:
            if group.signature not in names:
                table.append(Symbol(group.signature, shndx=SHN.ABS))
        for resolved in self.symbols.resolved.values():
            self._add_global(resolved)

    def _add_symbol(self, target: Resolved, symbol: Symbol) -> None:
        """Add a defined symbol at its new place, unless its section was dropped."""
        section, value = None, symbol.st_value
        if symbol.section is not None:
            found = self._places.get(target.place) if target.place is not None else None
            if found is None:
                return
            section, value = found[0], value + found[1]
        self._symbol_indices[target] = len(self.object.symbols)
        binding = symbol.binding if symbol.binding == STB.LOCAL else target.binding
        self.object.symbols.append(
            Symbol(symbol.name, binding, symbol.type, target.visibility or symbol.visibility,
                   section, symbol.shndx, value, symbol.st_size, symbol.version)
        )  # fmt: skip

    def _add_global(self, resolved: Resolved) -> None:
        if resolved.rank != Rank.UNDEFINED and resolved.symbol is not None:
            self._add_symbol(resolved, resolved.symbol)
        if resolved in self._symbol_indices:
            return
        name, at, version = resolved.name.partition("@")
        kind = resolved.symbol.type if resolved.symbol is not None else int(STT.NOTYPE)
        self._symbol_indices[resolved] = len(self.object.symbols)
        binding = STB.WEAK if resolved.is_weak_reference else STB.GLOBAL
        self.object.symbols.append(
            Symbol(name, binding, kind, resolved.visibility, version=at + version)
        )

    def _moved(self, member: InputSection, row: Row, start: int) -> Row:
        """Return the relocation in the new section's and symbols' numbers."""
        r_offset, r_info, addend = row
        target = member.owner.targets[r_info >> 32]
        index = self._symbol_indices.get(target)
        if index is None:
            found = self._places.get(target.place) if target.place is not None else None
            if found is None:
                return r_offset + start, NO_RELOCATION, 0
            section, distance = found
            index = self._section_symbols[section]
            offset = target.symbol.st_value if target.symbol is not None else 0
            addend += distance + offset
        return r_offset + start, index << 32 | r_info & R_TYPE, addend


def combine_objects(path: str, machine: int, symbols: SymbolTable) -> ObjectFile:
    """Return the one relocatable object that the objects of a link become."""
    return Combiner(path, machine, symbols).combine()
