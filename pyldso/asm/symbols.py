"""The assembler's view of symbols and sections while a source is read, before layout."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Generic, TypeVar

from pyldso.elf.constants import SHF, SHN, SHT, STB, STT, STV

if TYPE_CHECKING:
    from pyldso.asm.expression import Expression
    from pyldso.asm.fragments import Item, Laid


class Said:
    """What directives say of a symbol. Of most labels nothing is said: they share one of these."""

    __slots__ = (
        "binding",
        "common_alignment",
        "is_common",
        "is_frame_label",
        "is_large",
        "is_weakref",
        "size",
        "type",
        "unversioned",
        "versions",
        "visibility",
    )

    def __init__(self) -> None:
        self.binding: int | None = None
        self.type: int = STT.NOTYPE
        self.visibility: int = STV.DEFAULT
        self.size: Expression | None = None
        self.is_common = False
        self.common_alignment = 1
        self.is_frame_label = False
        self.is_large = False
        self.is_weakref = False
        self.versions: tuple[str, ...] = ()
        self.unversioned = ""


_NOTHING = Said()

_T = TypeVar("_T")


class _SaidOf(Generic[_T]):
    """An attribute of a symbol that stands in its Said."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, symbol: AsmSymbol, owner: type) -> _T:
        value: _T = getattr(symbol.said, self._name)
        return value

    def __set__(self, symbol: AsmSymbol, value: _T) -> None:
        if symbol.said is _NOTHING:
            symbol.said = Said()
        setattr(symbol.said, self._name, value)


class Spot:
    """A place in a section, which `fragment` and `offset` tell after fragments.chop()."""

    __slots__ = ("fragment", "offset", "section")

    def __init__(self, section: AsmSection | None) -> None:
        self.section = section
        self.fragment = 0
        self.offset = 0


class AsmSymbol(Spot):
    """A symbol of the source; a label once it stands in a stream, an equate once it has a value.

    `place` is the source line of the definition (an id of sources.SourceMap).
    """

    __slots__ = (
        "awaits_view",
        "equated",
        "is_listed",
        "is_used",
        "name",
        "place",
        "said",
    )

    binding = _SaidOf[int | None]()
    """As a directive gave it; None leaves the choice to what becomes of the symbol."""
    type = _SaidOf[int]()
    visibility = _SaidOf[int]()
    size = _SaidOf["Expression | None"]()
    is_common = _SaidOf[bool]()
    is_large = _SaidOf[bool]()
    """A common for the medium and large code models, beyond 2 GiB (psABI, 3.5.1)."""
    common_alignment = _SaidOf[int]()
    is_frame_label = _SaidOf[bool]()
    """It is to stand in .eh_frame, which is written last."""
    is_weakref = _SaidOf[bool]()
    versions = _SaidOf[tuple[str, ...]]()
    unversioned = _SaidOf[str]()
    """What `.symver` makes of the name itself: local, hidden, remove, or nothing."""

    def __init__(self, name: str) -> None:
        self.section = None
        self.fragment = 0
        self.offset = 0
        self.name = name
        self.said = _NOTHING
        self.equated: Expression | None = None
        self.is_used = False
        """A relocation names it, so that it must be in the symbol table."""
        self.is_listed = False
        """It has been given its turn in the order of the symbol table."""
        self.awaits_view = False
        """It is to get the number of a view, which is known only after layout."""
        self.place = 0

    @property
    def is_defined(self) -> bool:
        """Tell whether the source gives the symbol a place or a value."""
        if self.section is not None or self.equated is not None:
            return True
        return self.said.is_common or self.said.is_frame_label

    @property
    def is_external(self) -> bool:
        """Tell whether other objects may see or replace the symbol, so that gas keeps its name."""
        binding = self.said.binding
        return binding is not None and binding != STB.LOCAL

    @property
    def address(self) -> int:
        """Offset of a label in its section, by the present layout."""
        section = self.section
        if section is None or self.said.type == STT.SECTION:
            return 0
        return section.starts[self.fragment] + self.offset

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Stream:
    """The items of one subsection in order, and beside them the source line of each."""

    __slots__ = ("items", "places", "section")

    def __init__(self, section: AsmSection) -> None:
        self.section = section
        self.items: list[Item] = []
        self.places = array("I")

    def add(self, item: Item, place: int) -> None:
        """Append one item that the source line `place` made."""
        self.items.append(item)
        self.places.append(place)


class PlaceTakenError(Exception):
    """A subsection goes before code whose place is taken: the source must be read again."""


class AsmSection:
    """A section under construction: streams of items first, bytes after layout.

    `starts[i]` is the offset of fragment i, kept up to date by relaxation.relax().
    """

    __slots__ = (
        "alignment",
        "contents",
        "entry_size",
        "flags",
        "group",
        "is_comdat",
        "is_settled",
        "keeps_lines",
        "laid",
        "linked_to",
        "name",
        "number",
        "starts",
        "streams",
        "symbol",
        "type",
    )

    def __init__(self, name: str, sh_type: int, flags: int, entry_size: int = 0) -> None:
        self.name = name
        self.type = sh_type
        self.flags = flags
        self.entry_size = entry_size
        self.alignment = 1
        self.group: str | None = None
        self.is_comdat = False
        self.keeps_lines = False
        """Which source line made which bytes is kept."""
        self.is_settled = False
        """The places of all labels here are final."""
        self.laid: Laid | None = None
        """What code was read so far, as fragments: its items are forgotten."""
        self.linked_to: AsmSymbol | None = None
        """In the section of this symbol is what this section goes with (SHF_LINK_ORDER)."""
        self.number = 0
        self.streams: dict[int, Stream] = {}
        self.starts = array("q", [0])
        self.contents: bytes | bytearray = b""
        self.symbol = AsmSymbol(name)
        self.symbol.type = STT.SECTION
        self.symbol.section = self
        self.symbol.binding = STB.LOCAL

    @property
    def is_code(self) -> bool:
        """Tell whether padding is nops and lines are worth keeping."""
        return bool(self.flags & SHF.EXECINSTR)

    @property
    def is_tls(self) -> bool:
        """Tell whether symbols here are thread-local."""
        return bool(self.flags & SHF.TLS)

    @property
    def has_contents(self) -> bool:
        """Tell whether the section takes bytes in the file."""
        return self.type != SHT.NOBITS

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was put here so far."""
        return self.laid is None and not any(part.items for part in self.streams.values())

    def stream(self, subsection: int = 0) -> Stream:
        """Return the items of a subsection, empty at first.

        Raises PlaceTakenError for one that goes before code whose items are forgotten.
        """
        if subsection not in self.streams:
            if subsection < 0 and self.laid is not None:
                raise PlaceTakenError
            self.streams[subsection] = Stream(self)
        return self.streams[subsection]

    def __repr__(self) -> str:
        return f"<section {self.name}>"


SPECIAL_INDEX = {"absolute": SHN.ABS, "common": SHN.COMMON, "undefined": SHN.UNDEF}


def is_local_label(name: str) -> bool:
    """Tell whether gas treats `name` as a label that never reaches the symbol table."""
    return name.startswith(".L") or "\x01" in name or "\x02" in name
