"""One walk over all relocations: what the output must have for them, and what cannot be."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from pyldso.arch.machine import Machine, OutputKind
from pyldso.elf.constants import SHF
from pyldso.elf.rela import R_TYPE, Row
from pyldso.linker.chunk import Chunk
from pyldso.linker.needs import needs_of
from pyldso.linker.sections import InputSection
from pyldso.linker.symbols import Column, LinkedObject, Need, Resolved

# as plain integers: an IntFlag's operators cost a microsecond each
GOT, COPY, GOT_BASE = int(Need.GOT), int(Need.COPY), int(Need.GOT_BASE)
TLS_GD, TLS_LD, TLS_IE = int(Need.TLS_GD), int(Need.TLS_LD), int(Need.TLS_IE)
TLS_DESC, STATIC_TLS = int(Need.TLS_DESC), int(Need.STATIC_TLS)
PLT_NEEDS = int(Need.PLT | Need.CANONICAL_PLT)
UNDEFINED = int(Need.UNDEFINED)
ERROR = int(Need.ERROR)
DYNAMIC_NEEDS = int(Need.DYNAMIC | Need.RELATIVE)
SYMBOLIC = int(Need.DYNAMIC)
UNKNOWN = 1 << 30
"""Beside the needs: the type is none that an object may hold."""
PLACED_NEEDS = UNKNOWN | UNDEFINED | ERROR | DYNAMIC_NEEDS
WIDEST = 8
"""Bytes of the widest field."""
INSTEAD_OF_DYNAMIC = int(Need.COPY | Need.CANONICAL_PLT)


class Place(NamedTuple):
    """Where a reference stands: an offset in an input section."""

    section: InputSection
    offset: int


class AddendOf(IntEnum):
    """What the addend of a dynamic relocation counts from."""

    NOTHING = 0
    """The relocation names a symbol."""
    TARGET = 1
    """The target's address: a relative relocation."""
    DEFINITION = 2
    """The address of the definition itself, an IFUNC's resolver."""
    BLOCK = 3
    """The target's offset in the module's TLS block."""


class DynamicRelocation(NamedTuple):
    """A relocation for the dynamic linker at `offset` of a chunk or input section."""

    place: Chunk | InputSection
    offset: int
    r_type: int
    target: Resolved | None
    addend: int = 0
    base: AddendOf = AddendOf.NOTHING


class Problem(NamedTuple):
    """A relocation that cannot be: the type is unknown (`target` None), or not for this output."""

    place: Place
    r_type: int
    target: Resolved | None
    reason: str


class Demands:
    """What the walk found; the lists keep the order of the first reference."""

    __slots__ = (
        "copies",
        "dynamic",
        "got",
        "has_text_relocations",
        "needs_got_base",
        "needs_static_tls",
        "needs_tls_module",
        "plt",
        "problems",
        "tls_descriptors",
        "tls_offsets",
        "tls_pairs",
        "undefined",
    )

    def __init__(self) -> None:
        self.got: list[Resolved] = []
        self.plt: list[Resolved] = []
        self.copies: list[Resolved] = []
        self.tls_pairs: list[Resolved] = []
        self.tls_offsets: list[Resolved] = []
        self.tls_descriptors: list[Resolved] = []
        self.needs_tls_module = False
        self.needs_got_base = False
        self.needs_static_tls = False
        self.has_text_relocations = False
        self.dynamic: list[DynamicRelocation] = []
        self.undefined: dict[Resolved, list[Place]] = {}
        self.problems: list[Problem] = []

    def take(self, target: Resolved, need: int) -> None:
        """Enter `target` in the lists of what it newly needs."""
        old = target.needs
        new = need & ~old
        if not new:
            return
        target.needs = old | need
        if new & GOT:
            self.got.append(target)
        if new & PLT_NEEDS and not old & PLT_NEEDS:
            self.plt.append(target)
        if new & COPY:
            self.copies.append(target)
        if new & TLS_GD:
            self.tls_pairs.append(target)
        if new & TLS_IE:
            self.tls_offsets.append(target)
        if new & TLS_DESC:
            self.tls_descriptors.append(target)
        if new & TLS_LD:
            self.needs_tls_module = True
        if new & GOT_BASE:
            self.needs_got_base = True
        if new & STATIC_TLS:
            self.needs_static_tls = True


def relax_sections(sections: list[InputSection], machine: Machine, output: OutputKind) -> None:
    """Let the CPU take the shorter ways that the targets allow (psABI B.2 and 11.1.2)."""
    relaxable = machine.relaxable
    owner: LinkedObject | None = None
    columns: list[int] = []
    for member in sections:
        table = member.relocations
        if relaxable.isdisjoint(table.types):
            continue
        if member.owner is not owner:
            owner = member.owner
            columns = [target.column for target in owner.targets]
        member.data, member.relocations = machine.relax(member.data, table, columns, output)


def scan_relocations(
    sections: list[InputSection], machine: Machine, output: OutputKind, *, allows_text: bool
) -> Demands:
    """Walk the relocations of all sections; `allows_text` is `-z notext`.

    Those of sections that are not in memory (debugging information) are only checked.
    """
    scanner = Scanner(machine, allows_text=allows_text)
    needs = needs_of(machine, output)
    nothing = dict.fromkeys(needs, (0,) * len(Column))
    for member in sections:
        scanner.scan(member, needs if member.section.sh_flags & SHF.ALLOC else nothing)
    return scanner.demands


class Scanner:
    """The walk: what each relocation needs goes to `demands`."""

    __slots__ = ("_allows_text", "_relocations", "_types", "demands")

    def __init__(self, machine: Machine, *, allows_text: bool) -> None:
        self._relocations = machine.relocations
        self._types = machine.types
        self._allows_text = allows_text
        self.demands = Demands()

    def scan(self, member: InputSection, needs: dict[int, tuple[int, ...]]) -> None:
        """Walk the relocations of one section; `needs` are by r_type and Column.

        What a relocation needs follows from its type and symbol; only where the place matters,
        too, is there something to do for each row.
        """
        targets = member.owner.targets
        take = self.demands.take
        placed: dict[int, int] = {}
        for r_info in member.relocations.distinct_infos():
            columns = needs.get(r_info & R_TYPE)
            target = targets[r_info >> 32]
            need = UNKNOWN if columns is None else columns[target.column]
            if need & PLACED_NEEDS:
                placed[r_info] = need
            elif need:
                take(target, need)
        self._check_reach(member)
        if placed:
            for row in member.rows():
                if row[1] in placed:
                    self._take(member, row, targets[row[1] >> 32], placed[row[1]])

    def _check_reach(self, member: InputSection) -> None:
        """Refuse the relocations whose fields are not inside the section."""
        size, table = len(member.data), member.relocations
        if max(table.offsets, default=0) + WIDEST <= size:
            return
        for row in table:
            if row[0] + WIDEST > size:
                relocation = self._relocations.get(row[1] & R_TYPE)
                if relocation is not None and row[0] + relocation.size > size:
                    self._refuse(member, row, None, "lies outside the section's content")

    def _refuse(self, member: InputSection, row: Row, target: Resolved | None, reason: str) -> None:
        place = Place(member, row[0])
        self.demands.problems.append(Problem(place, row[1] & R_TYPE, target, reason))

    def _take(self, member: InputSection, row: Row, target: Resolved, need: int) -> None:
        """Enter one relocation for whose needs its place matters."""
        if need & UNKNOWN:
            self._refuse(member, row, None, "is not for object files")
        elif need & UNDEFINED:
            self.demands.undefined.setdefault(target, []).append(Place(member, row[0]))
        elif need & ERROR and target.column == Column.DISCARDED:
            # exception tables stay when a function that they tell of is dropped
            if not member.section.name.startswith(".gcc_except_table"):
                self._refuse(member, row, target, "is against a section that was dropped")
        elif need & ERROR:
            self._refuse(member, row, target, "recompile with -fPIC")
        else:
            if need & SYMBOLIC and need & INSTEAD_OF_DYNAMIC:
                # the choice of the table: the dynamic linker fills a word that may be written
                need &= ~INSTEAD_OF_DYNAMIC if member.is_writable else ~SYMBOLIC
            if need & DYNAMIC_NEEDS:
                self._add_dynamic(member, row, target, need)
            self.demands.take(target, need)

    def _add_dynamic(self, member: InputSection, row: Row, target: Resolved, need: int) -> None:
        """Leave a word to the dynamic linker, which must be able to write it."""
        if not member.is_writable:
            if not self._allows_text:
                self._refuse(member, row, target, "is in read-only memory; recompile with -fPIC")
                return
            self.demands.has_text_relocations = True
        types, (r_offset, _, addend) = self._types, row
        if need & SYMBOLIC:
            dynamic = DynamicRelocation(member, r_offset, types.symbolic, target, addend)
        else:
            base = AddendOf.TARGET
            dynamic = DynamicRelocation(member, r_offset, types.relative, target, addend, base)
        self.demands.dynamic.append(dynamic)
