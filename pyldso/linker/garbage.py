"""`--gc-sections`: from what must stay along the relocations to what can be reached; the rest goes.

What must stay: the entry point, what other files may see, names of `-u`, and what GNU ld's script
marks KEEP: initializers and finalizers, notes, sections with SHF_GNU_RETAIN.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyldso.elf.constants import SHF, SHT
from pyldso.linker.eh_frame import describes_dropped, split_records
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.sections import InputSection, is_c_identifier
from pyldso.linker.symbols import LinkedObject, Resolved

KEPT_NAMES = (".init", ".fini", ".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors",
              ".jcr")  # fmt: skip
KEPT_TYPES = frozenset(
    int(t) for t in (SHT.INIT_ARRAY, SHT.FINI_ARRAY, SHT.PREINIT_ARRAY, SHT.NOTE)
)
EDGES = ("__start_", "__stop_")


def collect_garbage(
    symbols: SymbolTable,
    roots: Iterable[str],
    *,
    keeps_named: bool = True,
    keeps_global: bool = False,
) -> list[InputSection]:
    """Drop the sections in memory that nothing reaches, and return them.

    `roots` are names that must stay; exported symbols do so anyway. Where it `keeps_named`,
    `__start_NAME` reaches all sections of that name; `-z start-stop-gc` says that it does not.
    Where it `keeps_global`, what is not hidden stays as if it were exported.
    """
    marker = Marker(symbols, keeps_named=keeps_named)
    for name in (*roots, "_init", "_fini"):
        resolved = symbols.resolved.get(name)
        if resolved is not None:
            marker.reach(resolved)
    for resolved in symbols.resolved.values():
        if resolved.is_exported or (keeps_global and not resolved.is_hidden):
            marker.reach(resolved)
    for linked in symbols.objects:
        for member in linked.sections:
            if member.is_live and is_kept(member):
                marker.mark(member)
    marker.walk()
    dropped = [
        member
        for linked in symbols.objects
        for member in linked.sections
        if member.is_live and is_collectable(member) and member not in marker.reached
    ]
    for member in dropped:
        member.is_live = False
    return [member for member in dropped if member.size]


def is_collectable(member: InputSection) -> bool:
    """Tell whether a section is subject to collection: debugging information is not."""
    section = member.section
    return bool(section.sh_flags & SHF.ALLOC) and section.name != ".eh_frame"


def is_kept(member: InputSection) -> bool:
    """Tell whether a section stays although nothing may refer to it."""
    section = member.section
    if section.sh_flags & SHF.GNU_RETAIN or section.sh_type in KEPT_TYPES:
        return True
    return any(section.name == n or section.name.startswith(f"{n}.") for n in KEPT_NAMES)


class Marker:
    """The walk: `reached` grows until nothing is pending."""

    __slots__ = ("_by_identifier", "_followers", "_keeps_named", "_pending", "_unwound", "reached")

    def __init__(self, symbols: SymbolTable, *, keeps_named: bool) -> None:
        self._keeps_named = keeps_named
        self.reached: set[InputSection] = set()
        self._pending: list[InputSection] = []
        self._by_identifier: dict[str, list[InputSection]] = {}
        """The sections that `__start_NAME` means."""
        self._followers: dict[InputSection, list[InputSection]] = {}
        """Sections that stay with another: SHF_LINK_ORDER, groups."""
        self._unwound: dict[InputSection, list[Resolved]] = {}
        """What the unwind entries of a section's functions refer to: exception tables."""
        for linked in symbols.objects:
            for member in linked.sections:
                if member.is_live:
                    self._note(linked, member)

    def _note(self, linked: LinkedObject, member: InputSection) -> None:
        section = member.section
        if self._keeps_named and is_c_identifier(section.name):
            self._by_identifier.setdefault(section.name, []).append(member)
        if section.link_order is not None:
            first = linked.places[section.link_order]
            self._followers.setdefault(first, []).append(member)
        if section.group is not None:
            places = [linked.places[other] for other in section.group.sections]
            self._followers.setdefault(member, []).extend(places)
        if section.name == ".eh_frame":
            self._note_unwinding(linked, member)

    def _note_unwinding(self, linked: LinkedObject, member: InputSection) -> None:
        """Let a function's exception table stay with it, and a personality with all."""
        for record in split_records(member):
            targets = [linked.targets[r_info >> 32] for _, r_info, _ in record.rows]
            if record.cie is None:
                for target in targets:
                    self.reach(target)
            elif targets and not describes_dropped(linked, record.rows[0][1] >> 32):
                function = targets[0].place
                if function is not None:
                    self._unwound.setdefault(function, []).extend(targets[1:])

    def mark(self, member: InputSection) -> None:
        """Let a section stay, unless it went with a group that an earlier object has."""
        if member.is_live and member not in self.reached:
            self.reached.add(member)
            self._pending.append(member)

    def reach(self, target: Resolved) -> None:
        """Let the section stay that defines a symbol, or all that `__start_NAME` stands for."""
        if target.place is not None:
            self.mark(target.place)
            return
        for edge in EDGES:
            if target.name.startswith(edge):
                for member in self._by_identifier.get(target.name[len(edge) :], ()):
                    self.mark(member)

    def walk(self) -> None:
        """Follow the relocations of all that stays."""
        while self._pending:
            member = self._pending.pop()
            targets = member.owner.targets
            for index in set(member.relocations.symbols):
                self.reach(targets[index])
            for follower in self._followers.get(member, ()):
                self.mark(follower)
            for target in self._unwound.get(member, ()):
                self.reach(target)
