"""The relocatable object in memory: made by the assembler or read from a `.o`, linked by `ld`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from pyldso.elf.constants import SHF, SHN, SHT, STB, STT, STV
from pyldso.elf.records import Buffer
from pyldso.elf.rela import NO_RELOCATIONS, RelaTable

# Plain classes with slots: importing `dataclasses` takes 8 ms, and a dataclass another 0.4 ms.


class LineMap:
    """Which source line made the bytes at an offset: parallel columns, offsets ascending."""

    __slots__ = ("lines", "offsets", "paths")

    def __init__(
        self,
        offsets: Sequence[int] = (),
        paths: Sequence[str] = (),
        lines: Sequence[int] = (),
    ) -> None:
        self.offsets = offsets
        self.paths = paths
        self.lines = lines

    def find(self, offset: int) -> tuple[str, int] | None:
        """Return (path, line) of the source that covers `offset`, or None."""
        index = bisect_right(self.offsets, offset) - 1
        return (self.paths[index], self.lines[index]) if index >= 0 else None


class Section:
    """An input section.

    The symbol indices in `relocations` are those of the object's `symbols`. The content of a large
    section is a view of the file that is in memory as a whole.
    `size` differs from `len(data)` only where sh_type is SHT_NOBITS (`data` is empty there).
    `link_order` is the section that SHF_LINK_ORDER names.
    """

    __slots__ = (
        "data", "group", "lines", "link_order", "name", "relocations", "sh_addralign", "sh_entsize",
        "sh_flags", "sh_type", "size",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        sh_type: int = SHT.PROGBITS,
        sh_flags: int = 0,
        sh_addralign: int = 1,
        data: Buffer = b"",
        size: int = 0,
        sh_entsize: int = 0,
        relocations: RelaTable = NO_RELOCATIONS,
        lines: LineMap | None = None,
    ) -> None:
        self.name = name
        self.sh_type = sh_type
        self.sh_flags = sh_flags
        self.sh_addralign = sh_addralign
        self.data = data
        self.size = size
        self.sh_entsize = sh_entsize
        self.relocations = relocations
        self.link_order: Section | None = None
        self.group: Group | None = None
        self.lines = lines

    @property
    def is_allocated(self) -> bool:
        """Tell whether the section takes memory in the running process."""
        return bool(self.sh_flags & SHF.ALLOC)


class Group:
    """A section group (gABI ch. 4), known by its signature symbol's name."""

    __slots__ = ("is_comdat", "sections", "signature")

    def __init__(
        self, signature: str, is_comdat: bool = True, sections: list[Section] | None = None
    ) -> None:
        self.signature = signature
        self.is_comdat = is_comdat
        self.sections = [] if sections is None else sections


class Symbol:
    """A symbol of an object.

    `section` is the defining section, or None: then `shndx` tells SHN_UNDEF, SHN_ABS or SHN_COMMON
    (st_value is the alignment of a common symbol). `version` is what `.symver` gave: `@V`, `@@V`.
    """

    __slots__ = (
        "binding", "name", "section", "shndx", "st_size", "st_value", "type", "version",
        "visibility",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        binding: int = STB.LOCAL,
        type: int = STT.NOTYPE,
        visibility: int = STV.DEFAULT,
        section: Section | None = None,
        shndx: int = SHN.UNDEF,
        st_value: int = 0,
        st_size: int = 0,
        version: str = "",
    ) -> None:
        self.name = name
        self.binding = binding
        self.type = type
        self.visibility = visibility
        self.section = section
        self.shndx = shndx
        self.st_value = st_value
        self.st_size = st_size
        self.version = version

    @property
    def is_defined(self) -> bool:
        """Tell whether this object defines the symbol (a common symbol counts)."""
        return self.section is not None or self.shndx != SHN.UNDEF


class ObjectFile:
    """A relocatable object; `symbols[0]` is the null symbol, locals come before all others."""

    __slots__ = ("groups", "machine", "path", "sections", "symbols")

    def __init__(
        self,
        path: str,
        machine: int,
        sections: list[Section] | None = None,
        symbols: list[Symbol] | None = None,
        groups: list[Group] | None = None,
    ) -> None:
        self.path = path
        self.machine = machine
        self.sections = [] if sections is None else sections
        self.symbols = [] if symbols is None else symbols
        self.groups = [] if groups is None else groups
