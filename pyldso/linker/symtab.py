"""The symbol table of the output (.symtab, .strtab): what debuggers and profilers read."""

from __future__ import annotations

from collections.abc import Sequence

from pyldso.elf.constants import SHN, SHT, STB, STT
from pyldso.elf.records import SYM
from pyldso.linker.chunk import Chunk, StringTable
from pyldso.linker.dynsym import ADDRESS_MASK, symbol_record
from pyldso.linker.symbols import LinkedObject, Rank, Resolved


class Symtab(Chunk):
    """.symtab: each object's local symbols behind its file's name, then the global ones."""

    __slots__ = ("_globals", "_locals", "_names", "_sections", "strings")

    def __init__(
        self,
        objects: list[LinkedObject],
        resolved: list[Resolved],
        strings: StringTable,
        *,
        discards_locals: bool = False,
        sections: Sequence[Chunk] = (),
    ) -> None:
        """Take the symbols; `sections` are the chunks that get a symbol of their own."""
        super().__init__(".symtab", SHT.SYMTAB, 0, 8, SYM.size)
        self.strings = strings
        self.link = strings
        self._sections = sections
        self._locals = [target for linked in objects for target in kept_locals(linked)]
        if discards_locals:
            self._locals = [t for t in self._locals if t.type in (STT.FILE, STT.SECTION)]
        kept = [target for target in resolved if is_in_output(target)]
        # what no other file may see is local in the end (gABI ch. 4, STV_HIDDEN)
        self._locals += [target for target in kept if target.is_hidden]
        self._globals = [target for target in kept if not target.is_hidden]
        self._names = [strings.add(target.name) for target in self._locals]
        self._names += [strings.add(symbol_name(target)) for target in self._globals]
        self.info = 1 + len(sections) + len(self._locals)
        self.size = SYM.size * (self.info + len(self._globals))

    @property
    def section_numbers(self) -> dict[Chunk, int]:
        """The numbers of the sections' symbols."""
        return {chunk: number for number, chunk in enumerate(self._sections, 1)}

    @property
    def numbers(self) -> dict[Resolved, int]:
        """The numbers of all others."""
        first = 1 + len(self._sections)
        return {t: number for number, t in enumerate([*self._locals, *self._globals], first)}

    def write(self, buffer: memoryview) -> None:
        """Write the records, the null symbol first."""
        pack_into = SYM.pack_into
        at = SYM.size
        names = iter(self._names)
        for section in self._sections:
            pack_into(buffer, at, 0, STT.SECTION, 0, section.index, section.address, 0)
            at += SYM.size
        for target in self._locals:
            symbol = target.symbol
            if symbol is None or symbol.binding != STB.LOCAL:
                row = symbol_record(target, next(names))
                pack_into(buffer, at, row[0], row[1] & 15, *row[2:])
            else:
                chunk = target.chunk
                shndx = chunk.index if chunk is not None else int(SHN.ABS)
                value = target.value - (target.tls_start if symbol.type == STT.TLS else 0)
                value &= ADDRESS_MASK
                pack_into(
                    buffer, at, next(names), symbol.type, symbol.visibility, shndx, value,
                    symbol.st_size,
                )  # fmt: skip
            at += SYM.size
        for target in self._globals:
            pack_into(buffer, at, *symbol_record(target, next(names)))
            at += SYM.size


def kept_locals(linked: LinkedObject) -> list[Resolved]:
    """Return an object's local symbols that a person may want: no `.L` labels, no sections.

    Nor the signatures of groups: g++'s constructors and destructors share groups whose names are
    symbols of that use alone (`_ZN1AC5Ev`), and no group is left in the output.
    """
    kept: list[Resolved] = []
    signatures = {group.signature for group in linked.object.groups}
    for target in linked.locals:
        symbol = target.symbol
        if symbol is None or not symbol.name:
            continue
        if symbol.type == STT.SECTION or symbol.name.startswith(".L"):
            continue
        place = target.place
        if symbol.section is None:
            if symbol.shndx != SHN.ABS or symbol.name in signatures:
                continue
        elif place is None or (place.output is None and place.merge is None):
            continue
        kept.append(target)
    return kept


def is_in_output(target: Resolved) -> bool:
    """Tell whether a global symbol is defined in the output or imported by it."""
    if target.rank > Rank.SHARED:
        place = target.place
        return place is None or place.output is not None or place.merge is not None
    return bool(target.dynamic_index)


def symbol_name(target: Resolved) -> str:
    """Return the name, for one of another file with its version: `printf@GLIBC_2.2.5`."""
    if target.rank == Rank.SHARED and target.version:
        return f"{target.name.partition('@')[0]}@{target.version}"
    if target.symbol is not None and target.symbol.version.startswith("@@"):
        return target.name + target.symbol.version
    return target.name
