"""Which definition each name means: objects, archive members, shared objects, built-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pyldso.elf.archive import Archive
from pyldso.elf.constants import SHN, STB, STT, STV
from pyldso.elf.object import Group, ObjectFile, Symbol
from pyldso.elf.object_reader import References, read_object
from pyldso.errors import ElfFormatError
from pyldso.linker.inputs import Input, LinkedShared
from pyldso.linker.options import LinkOptions
from pyldso.linker.sections import InputSection
from pyldso.linker.symbols import Column, LinkedObject, Rank, Resolved

LTO_MARK = "__gnu_lto_slim"
"""gcc's sign of an object without machine code."""


OPEN = (Rank.UNDEFINED, Rank.COMMON)
"""What further files are asked for: a common symbol gives way to data with initial values."""


class Duplicate(NamedTuple):
    """A name with two strong definitions."""

    name: str
    first: LinkedObject
    first_symbol: Symbol
    second: LinkedObject
    second_symbol: Symbol


class CommonClash(NamedTuple):
    """A common symbol that meets another definition; a size is None where it is no common one."""

    name: str
    first: LinkedObject
    first_size: int | None
    second: LinkedObject
    second_size: int | None


Builtins = Mapping[str, Callable[[], ObjectFile]]
"""By the name that pulls it in: an object that pyldso brings along (`_start`, `atexit`)."""

Provider = Archive | LinkedShared


class SymbolTable:
    """All names of a link and the files that take part in it."""

    __slots__ = (
        "_asked",
        "_comdats",
        "_loaded",
        "_providers",
        "_references",
        "_wrapped",
        "common_clashes",
        "duplicates",
        "objects",
        "resolved",
        "shared",
    )

    def __init__(self, wrapped: Sequence[str]) -> None:
        self.resolved: dict[str, Resolved] = {}
        self.objects: list[LinkedObject] = []
        self.shared: list[LinkedShared] = []
        self.duplicates: list[Duplicate] = []
        self.common_clashes: list[CommonClash] = []
        self._comdats: dict[str, Group] = {}
        self._providers: list[Provider] = []
        self._references: References = {}
        self._asked: list[Resolved] = []
        """Undefined names whose providers so far have not been asked."""
        self._loaded: set[tuple[str, int]] = set()
        self._wrapped = {name: f"__wrap_{name}" for name in wrapped}
        self._wrapped.update({f"__real_{name}": name for name in wrapped})

    def entry(self, name: str) -> Resolved:
        """Return the symbol of that name, new where it was not met before."""
        found = self.resolved.get(name)
        if found is None:
            found = self.resolved[name] = Resolved(name)
        return found

    def demand(self, name: str) -> Resolved:
        """Refer to `name` as an object does (`-u`, the entry point)."""
        resolved = self.entry(name)
        resolved.is_weak_reference = False
        resolved.is_referenced = True
        self._ask(resolved)
        self._settle()
        return resolved

    def define_given(self, names: Sequence[str]) -> None:
        """Let names be defined whatever the objects say (`--defsym`)."""
        for name in names:
            resolved = self.entry(name)
            resolved.rank = Rank.STRONG
            resolved.symbol = Symbol(name, STB.GLOBAL, shndx=SHN.ABS)

    def add_input(self, item: Input) -> None:
        """Take the next input of the command line."""
        if isinstance(item, ObjectFile):
            self.add_object(item)
        else:
            if isinstance(item, LinkedShared):
                self.shared.append(item)
            self._providers.append(item)
            for resolved in [r for r in self.resolved.values() if r.rank in OPEN]:
                if resolved.rank in OPEN:
                    self._ask_one(item, resolved)
        self._settle()

    def add_object(self, source: ObjectFile, archive: str = "") -> None:
        """Take all symbols of an object; sections of a group that is known already are dropped."""
        linked = LinkedObject(source, archive)
        self.objects.append(linked)
        self._claim_groups(linked)
        targets = linked.targets
        dropped: Resolved | None = None
        for symbol in source.symbols:
            if symbol.binding != STB.LOCAL:
                targets.append(self._add_global(linked, symbol))
                continue
            place = linked.places.get(symbol.section) if symbol.section is not None else None
            if place is not None and not place.is_live and symbol.type == STT.SECTION:
                # of C++ templates most sections are dropped: one target stands for all of these
                target = dropped = dropped or local_target(linked, symbol, place)
            else:
                target = local_target(linked, symbol, place)
                linked.locals.append(target)
            targets.append(target)
        if dropped is not None:
            linked.locals.append(dropped)
        if LTO_MARK in self.resolved:
            text = "only the compiler can link it: compile without -flto, or with -ffat-lto-objects"
            raise ElfFormatError(linked.name, f"the object holds LTO bytecode; {text}")

    def _claim_groups(self, linked: LinkedObject) -> None:
        for group in linked.object.groups:
            if not group.is_comdat:
                continue
            kept = self._comdats.setdefault(group.signature, group)
            if kept is not group:
                for section in group.sections:
                    linked.places[section].is_live = False

    def _add_global(self, linked: LinkedObject, symbol: Symbol) -> Resolved:
        place = linked.places.get(symbol.section) if symbol.section else None
        is_discarded = place is not None and not place.is_live
        if not symbol.is_defined or is_discarded:
            return self._refer(symbol, is_discarded=is_discarded)
        version = symbol.version
        is_alternative = version.startswith("@") and not version.startswith("@@")
        resolved = self.entry(symbol.name + version if is_alternative else symbol.name)
        resolved.merge_visibility(symbol.visibility)
        if symbol.shndx == SHN.COMMON:
            rank = Rank.COMMON
        else:
            rank = Rank.WEAK if symbol.binding == STB.WEAK else Rank.STRONG
        if rank == Rank.COMMON and is_initialised(resolved):
            resolved.is_weak_reference = False
            resolved.is_referenced = True
        elif rank > resolved.rank:
            if resolved.rank == Rank.COMMON:
                self._note_common(resolved, linked, symbol)
            resolved.rank = rank
            resolved.symbol = symbol
            resolved.file = linked
            resolved.place = place
            resolved.export = None
            resolved.version = version.lstrip("@")
            resolved.is_hidden_version = is_alternative
            if rank == Rank.COMMON:
                self._ask(resolved)
        elif rank == resolved.rank == Rank.STRONG and resolved.symbol is not None:
            first = resolved.file
            if isinstance(first, LinkedObject):
                duplicate = Duplicate(symbol.name, first, resolved.symbol, linked, symbol)
                self.duplicates.append(duplicate)
        elif rank == Rank.COMMON:
            self._note_common(resolved, linked, symbol)
            if resolved.rank == Rank.COMMON and resolved.symbol is not None:
                grow_common(resolved.symbol, symbol)
        return resolved

    def _note_common(self, resolved: Resolved, second: LinkedObject, symbol: Symbol) -> None:
        """Note that one of two definitions is a common symbol (`--warn-common`)."""
        if isinstance(resolved.file, LinkedObject) and resolved.symbol is not None:
            sizes = [one.st_size if one.shndx == SHN.COMMON else None
                     for one in (resolved.symbol, symbol)]  # fmt: skip
            clash = CommonClash(symbol.name, resolved.file, sizes[0], second, sizes[1])
            self.common_clashes.append(clash)

    def _refer(self, symbol: Symbol, *, is_discarded: bool) -> Resolved:
        name = self._wrapped.get(symbol.name, symbol.name) if self._wrapped else symbol.name
        resolved = self.entry(name + symbol.version if symbol.version else name)
        resolved.merge_visibility(symbol.visibility)
        resolved.is_referenced = True
        was_weak = resolved.is_weak_reference
        if symbol.binding != STB.WEAK:
            resolved.is_weak_reference = False
        if resolved.rank == Rank.UNDEFINED:
            if resolved.symbol is None or (resolved.symbol.type == STT.NOTYPE and not is_discarded):
                resolved.symbol = symbol
                self._ask(resolved)
            elif was_weak and not resolved.is_weak_reference:
                self._ask(resolved)
        return resolved

    def _ask(self, resolved: Resolved) -> None:
        self._asked.append(resolved)

    def _settle(self) -> None:
        """Ask the providers, in their order, for what is undefined; archives bring new objects."""
        while self._asked:
            pending, self._asked = self._asked, []
            for resolved in pending:
                for provider in self._providers:
                    if resolved.rank not in OPEN:
                        break
                    self._ask_one(provider, resolved)

    def _ask_one(self, provider: Provider, resolved: Resolved) -> None:
        name, _, version = resolved.name.partition("@")
        if isinstance(provider, LinkedShared):
            if resolved.is_hidden:
                return
            export = provider.find(name, version.lstrip("@"))
            if export is None or export.symbol.visibility == STV.HIDDEN:
                return
            if resolved.rank == Rank.COMMON:
                if not provider.file.has_content(export.symbol.st_value):
                    return
                resolved.place = None
                resolved.is_weak_reference = False
            resolved.rank = Rank.SHARED
            resolved.export = export
            resolved.file = provider
            resolved.version = export.version
        elif resolved.rank == Rank.COMMON or not resolved.is_weak_reference:
            self._extract(provider, name, is_common=resolved.rank == Rank.COMMON)

    def _extract(self, archive: Archive, name: str, *, is_common: bool) -> None:
        """Add the member of an archive that defines `name`, more than as a common symbol does."""
        if archive.index is None:
            archive.index = index_members(archive)
        offset = archive.index.get(name)
        if offset is None or (archive.path, offset) in self._loaded:
            return
        member = archive.member_at(offset)
        label = f"{archive.path}({member.name})"
        source = read_object(archive.content(member), label, references=self._references)
        if is_common and not defines(source, name):
            return
        self._loaded.add((archive.path, offset))
        source.path = member.name
        self.add_object(source, archive.path)

    def version_of(self, name: str) -> str:
        """Return the version that the first library gives to a symbol, empty without one."""
        for shared in self.shared:
            export = shared.find(name, "")
            if export is not None:
                return export.version
        return ""

    def add_builtins(self, builtins: Builtins) -> None:
        """Add pyldso's own objects for the names that are still undefined, before all others.

        Their place is that of gcc's crt files: what they finalize is finalized last.
        """
        given = len(self.objects)
        found = True
        while found:
            found = False
            for name, make in builtins.items():
                resolved = self.resolved.get(name)
                if resolved is None or resolved.rank != Rank.UNDEFINED:
                    continue
                if not resolved.is_weak_reference:
                    self.add_object(make())
                    self._settle()
                    found = True
        self.objects[:] = self.objects[given:] + self.objects[:given]


def local_target(linked: LinkedObject, symbol: Symbol, place: InputSection | None) -> Resolved:
    """Return the target of relocations against a local symbol."""
    target = Resolved(symbol.name)
    target.symbol = symbol
    target.file = linked
    target.rank = Rank.STRONG
    target.place = place
    return target


def has_undefined(symbols: SymbolTable) -> bool:
    """Tell whether an object demands a name that nothing defines yet."""
    return any(
        resolved.rank == Rank.UNDEFINED and not resolved.is_weak_reference
        for resolved in symbols.resolved.values()
    )


class UnmetNeed(NamedTuple):
    """A name that a shared object needs and that nothing in the link defines."""

    name: str
    shared: LinkedShared


def unmet_needs(symbols: SymbolTable) -> list[UnmetNeed]:
    """Return what the libraries of a program need in vain.

    Only those are asked whose own libraries take part in the link: others may find it there.
    """
    known = {shared.needed_name for shared in symbols.shared}
    unmet: list[UnmetNeed] = []
    for shared in symbols.shared:
        if not known.issuperset(shared.file.needed):
            continue
        for name in shared.file.undefined(with_weak=False):
            resolved = symbols.resolved.get(name)
            is_defined = resolved is not None and resolved.rank != Rank.UNDEFINED
            if not is_defined and not any(other.file.defines(name) for other in symbols.shared):
                unmet.append(UnmetNeed(name, shared))
    return unmet


def is_initialised(resolved: Resolved) -> bool:
    """Tell whether a library gives the variable its initial value (one in its .bss is like a
    common symbol, and the program's counts).
    """
    if not isinstance(resolved.file, LinkedShared) or resolved.export is None:
        return False
    return resolved.file.file.has_content(resolved.export.symbol.st_value)


def defines(source: ObjectFile, name: str) -> bool:
    """Tell whether an object has a definition of `name` that is no common symbol."""
    return any(
        symbol.name == name
        and symbol.is_defined
        and symbol.shndx != SHN.COMMON
        and symbol.binding != STB.LOCAL
        for symbol in source.symbols
    )


def grow_common(kept: Symbol, other: Symbol) -> None:
    """Give a tentative definition the larger size and alignment of two."""
    kept.st_size = max(kept.st_size, other.st_size)
    kept.st_value = max(kept.st_value, other.st_value)


def index_members(archive: Archive) -> dict[str, int]:
    """Return the index that an archive lacks, from its members' symbol tables."""
    index: dict[str, int] = {}
    for member in archive.members():
        source = read_object(archive.content(member), f"{archive.path}({member.name})")
        for symbol in source.symbols:
            if symbol.is_defined and symbol.binding != STB.LOCAL:
                index.setdefault(symbol.name, member.header_offset)
    return index


def columns_of(
    symbols: SymbolTable,
    options: LinkOptions,
    is_open: Callable[[Resolved], bool],
    *,
    is_dynamic: bool,
) -> None:
    """Tell for every symbol what it is to a relocation.

    `is_open` tells of a definition of the output whether another file may take its place.
    """
    for linked in symbols.objects:
        for target in linked.locals:
            if target.symbol is not None:
                target.column = local_column(target, target.symbol)
    needs_all = options.no_undefined or options.has_z("defs") or options.is_group
    is_lenient = options.ignores_undefined or options.warns_of_undefined
    for resolved in symbols.resolved.values():
        if resolved.rank == Rank.UNDEFINED:
            resolved.column = undefined_column(
                resolved,
                may_import=options.is_shared and (is_lenient or not needs_all),
                may_be_null=resolved.is_weak_reference or (is_lenient and not options.is_shared),
                is_dynamic=is_dynamic and not options.has_z("nodynamic-undefined-weak"),
            )
        else:
            resolved.column = defined_column(resolved, is_open=is_open(resolved))


def local_column(target: Resolved, symbol: Symbol) -> Column:
    """Return the needs table's column of a local symbol."""
    if target.place is None:
        return Column.ABSOLUTE
    if not target.place.is_live:
        return Column.DISCARDED
    return Column.IFUNC if symbol.type == STT.GNU_IFUNC else Column.LOCAL


def undefined_column(
    resolved: Resolved, *, may_import: bool, may_be_null: bool, is_dynamic: bool
) -> Column:
    """Return the column of a name that nothing defines; a library may leave it to others."""
    if may_be_null:
        return Column.WEAK if is_dynamic and not resolved.visibility else Column.ABSOLUTE
    if may_import and not resolved.visibility:
        return Column.CODE if resolved.type == STT.FUNC else Column.DATA
    return Column.UNDEFINED


def defined_column(resolved: Resolved, *, is_open: bool) -> Column:
    """Return the column of a global name; `is_open` lets others interpose the output's own."""
    is_code = resolved.type in (STT.FUNC, STT.GNU_IFUNC)
    if resolved.boundary:
        return Column.LOCAL
    if resolved.rank == Rank.SHARED:
        is_code = is_code or (resolved.type == STT.NOTYPE and is_in_code(resolved))
        return Column.CODE if is_code else Column.DATA
    if is_open and not resolved.visibility:
        if resolved.place is not None and resolved.type == STT.NOTYPE:
            is_code = resolved.place.is_code
        return Column.CODE if is_code else Column.DATA
    if resolved.type == STT.GNU_IFUNC:
        return Column.IFUNC
    return Column.ABSOLUTE if resolved.place is None else Column.LOCAL


def is_in_code(resolved: Resolved) -> bool:
    """Tell whether a shared object's symbol lies in an executable segment (it has no type)."""
    if resolved.export is None or not isinstance(resolved.file, LinkedShared):
        return False
    return resolved.file.file.is_executable(resolved.export.symbol.st_value)
