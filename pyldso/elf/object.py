"""The relocatable object in memory: made by the assembler or read from a `.o`, linked by `ld`."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from pyldso.elf.constants import SHF, SHN, SHT, STB, STT, STV


@dataclass(slots=True)
class LineMap:
    """Which source line made the bytes at an offset: parallel columns, offsets ascending."""

    offsets: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def find(self, offset: int) -> tuple[str, int] | None:
        """Return (path, line) of the source that covers `offset`, or None."""
        index = bisect_right(self.offsets, offset) - 1
        return (self.paths[index], self.lines[index]) if index >= 0 else None


@dataclass(slots=True, eq=False)
class Section:
    """An input section.

    `relocations` holds plain (r_offset, r_info, r_addend) rows as in a `.rela` section, r_sym being
    an index into the object's `symbols`: a tuple a row, because a large link has a million of them.
    `size` differs from `len(data)` only where sh_type is SHT_NOBITS (`data` is empty there).
    """

    name: str
    sh_type: int = SHT.PROGBITS
    sh_flags: int = 0
    sh_addralign: int = 1
    data: bytes | bytearray = b""
    size: int = 0
    sh_entsize: int = 0
    relocations: list[tuple[int, int, int]] = field(default_factory=list)
    link_order: Section | None = None
    """The section that SHF_LINK_ORDER names."""
    group: Group | None = None
    lines: LineMap | None = None

    @property
    def is_allocated(self) -> bool:
        """Tell whether the section takes memory in the running process."""
        return bool(self.sh_flags & SHF.ALLOC)


@dataclass(slots=True, eq=False)
class Group:
    """A section group (gABI ch. 4), known by its signature symbol's name."""

    signature: str
    is_comdat: bool = True
    sections: list[Section] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Symbol:
    """A symbol of an object.

    `section` is the defining section, or None: then `shndx` tells SHN_UNDEF, SHN_ABS or SHN_COMMON
    (st_value is the alignment of a common symbol). `version` is what `.symver` gave: `@V`, `@@V`.
    """

    name: str
    binding: int = STB.LOCAL
    type: int = STT.NOTYPE
    visibility: int = STV.DEFAULT
    section: Section | None = None
    shndx: int = SHN.UNDEF
    st_value: int = 0
    st_size: int = 0
    version: str = ""

    @property
    def is_defined(self) -> bool:
        """Tell whether this object defines the symbol (a common symbol counts)."""
        return self.section is not None or self.shndx != SHN.UNDEF


@dataclass(slots=True, eq=False)
class ObjectFile:
    """A relocatable object; `symbols[0]` is the null symbol, locals come before all others."""

    path: str
    machine: int
    sections: list[Section] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
