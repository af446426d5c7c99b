"""The symbols of a link: a Resolved for each global name and each local symbol of an object."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from pyldso.elf.constants import STB, STT, STV
from pyldso.elf.object import ObjectFile, Section, Symbol
from pyldso.elf.shared_reader import Export
from pyldso.linker.chunk import Chunk
from pyldso.linker.inputs import LinkedShared
from pyldso.linker.sections import InputSection

if TYPE_CHECKING:
    from pyldso.linker.merge import MergeMap


class Column(IntEnum):
    """What a relocation's target is, the column of the needs table."""

    ABSOLUTE = 0
    LOCAL = 1
    """Defined in the output and bound there: no other file can take its place."""
    DATA = 2
    """Data that another file defines or may interpose."""
    CODE = 3
    WEAK = 4
    """Nothing defines it, and every reference is weak."""
    IFUNC = 5
    """An indirect function of the output: its address is an answer at run time."""
    UNDEFINED = 6
    DISCARDED = 7
    """A local symbol of a section that is not part of the output."""


class Need(IntFlag):
    """What a reference needs of the output beyond the field that it fills."""

    GOT = 1
    PLT = 2
    CANONICAL_PLT = 4
    """The PLT entry is the function's address for all files (pointers to it stay equal)."""
    COPY = 8
    """A copy of a library's variable in the executable's .bss (R_X86_64_COPY)."""
    RELATIVE = 16
    """The dynamic linker adds the load base to the word."""
    DYNAMIC = 32
    """The dynamic linker puts the symbol's address into the word."""
    ERROR = 64
    UNDEFINED = 128
    TLS_GD = 256
    TLS_LD = 512
    TLS_IE = 1024
    TLS_DESC = 2048
    GOT_BASE = 4096
    STATIC_TLS = 8192


class Rank(IntEnum):
    """Which definition wins (the gABI's rules, and GNU ld's for common against weak)."""

    UNDEFINED = 0
    SHARED = 1
    WEAK = 2
    COMMON = 3
    STRONG = 4


class LinkedObject:
    """An object in the link: its sections as InputSections, its symbols as relocation targets."""

    __slots__ = ("archive", "locals", "merged", "object", "places", "sections", "targets")

    def __init__(self, source: ObjectFile, archive: str = "") -> None:
        self.object = source
        self.archive = archive
        self.sections = [InputSection(section, self) for section in source.sections]
        self.places: dict[Section, InputSection] = {s.section: s for s in self.sections}
        self.targets: list[Resolved] = []
        """By symbol index; those of global symbols are the link's, shared by all objects."""
        self.locals: list[Resolved] = []
        """The targets that are this object's alone."""
        self.merged: dict[int, MergeMap] = {}
        """By the index of a section's symbol where the strings of that section went."""

    @property
    def name(self) -> str:
        """The file's name for a message: `libx.a(member.o)` for an archive's."""
        return f"{self.archive}({self.object.path})" if self.archive else self.object.path


class Resolved:
    """A symbol and where it came from; `S`, `L`, `G` and `Z` are the psABI's operands of it.

    `file` is the object or shared object that defines it, None while nothing does.
    """

    __slots__ = (
        "G",
        "GOTTPOFF",
        "L",
        "S",
        "TLSDESC",
        "TLSGD",
        "Z",
        "boundary",
        "chunk",
        "column",
        "dynamic_index",
        "export",
        "file",
        "is_exported",
        "is_hidden_version",
        "is_local",
        "is_referenced",
        "is_weak_reference",
        "name",
        "needs",
        "place",
        "rank",
        "symbol",
        "tls_start",
        "value",
        "version",
        "visibility",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.symbol: Symbol | None = None
        self.place: InputSection | None = None
        self.file: LinkedObject | LinkedShared | None = None
        self.export: Export | None = None
        self.rank = 0
        self.visibility = 0
        self.is_weak_reference = True
        """No reference of an object demands a definition."""
        self.is_referenced = False
        self.is_exported = False
        self.is_local = False
        """A version script or `--exclude-libs` keeps it inside the output."""
        self.version = ""
        self.is_hidden_version = False
        self.column = int(Column.UNDEFINED)
        self.needs = 0
        self.dynamic_index = 0
        self.boundary = ""
        """For a symbol of the linker's own the name of what it marks (linker/define.py)."""
        self.chunk: Chunk | None = None
        """The output's chunk that holds the definition."""
        self.tls_start = 0
        """The vaddr of the TLS segment: a thread-local symbol's st_value counts from there."""
        self.value = 0
        """The vaddr of the definition in the output (its PLT entry where that is canonical)."""
        self.S = self.L = self.G = self.Z = 0
        self.TLSGD = self.GOTTPOFF = self.TLSDESC = 0

    @property
    def is_imported(self) -> bool:
        """Tell whether the dynamic linker finds its address."""
        return self.column in (Column.DATA, Column.CODE, Column.WEAK)

    @property
    def type(self) -> int:
        """STT_* of the definition, or of a reference."""
        if self.export:
            return self.export.symbol.type
        return self.symbol.type if self.symbol else int(STT.NOTYPE)

    @property
    def size(self) -> int:
        """st_size of the definition."""
        if self.export:
            return self.export.symbol.st_size
        return self.symbol.st_size if self.symbol else 0

    @property
    def binding(self) -> int:
        """STB_* in the output."""
        if self.rank > Rank.SHARED:
            unique = self.symbol is not None and self.symbol.binding == STB.GNU_UNIQUE
            is_weak = self.rank == Rank.WEAK
            return int(STB.GNU_UNIQUE if unique else STB.WEAK if is_weak else STB.GLOBAL)
        if self.needs & Need.COPY and self.export is not None:
            return self.export.symbol.binding
        return int(STB.WEAK if self.is_weak_reference else STB.GLOBAL)

    def merge_visibility(self, visibility: int) -> None:
        """Keep the most constraining visibility (gABI ch. 4, symbol visibility)."""
        if visibility and (not self.visibility or visibility < self.visibility):
            self.visibility = visibility

    @property
    def is_hidden(self) -> bool:
        """Tell whether the symbol stays inside the output."""
        return self.is_local or self.visibility in (STV.HIDDEN, STV.INTERNAL)
