"""What is wrong with a link, in lld's form: every error with its places, and a likely remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyldso.arch.machine import Machine
from pyldso.elf.constants import STT, STV
from pyldso.elf.object import LineMap
from pyldso.errors import Diagnostic, LinkError
from pyldso.linker.apply import Overflow
from pyldso.linker.inputs import LinkedShared
from pyldso.linker.options import LinkOptions
from pyldso.linker.resolve import Duplicate, SymbolTable, UnmetNeed
from pyldso.linker.scan import Place, Problem
from pyldso.linker.sections import InputSection
from pyldso.linker.symbols import LinkedObject, Rank, Resolved

if TYPE_CHECKING:
    from pyldso.linker.demangle import Demangle
    from pyldso.linker.hints import Hints

REFERENCES_SHOWN = 3
REACH = 1 << 31
"""How far the code of the small model sees, in bytes."""


def raise_errors(diagnostics: Sequence[Diagnostic], limit: int) -> None:
    """Raise all errors together, after `limit` of them only their number (`--error-limit`)."""
    if not diagnostics:
        return
    if limit and len(diagnostics) > limit:
        more = len(diagnostics) - limit
        text = f"{more} more error{'s' if more > 1 else ''}; --error-limit=0 shows all"
        diagnostics = [*diagnostics[:limit], Diagnostic(text)]
    raise LinkError(diagnostics)


def line_at(place: Place) -> tuple[str, int] | None:
    """Return the source line of a place, as the assembler or the object's .debug_line tells it."""
    section, source = place.section.section, place.section.owner.object
    if section.lines is None:
        from pyldso.elf.debug_places import read_line_maps  # only a failed link needs it

        maps = read_line_maps(source)
        for other in (*source.sections, section):
            if other.lines is None:
                other.lines = maps.get(other, LineMap())
    return section.lines.find(place.offset) if section.lines is not None else None


class Reporter:
    """Writes the messages of one link."""

    __slots__ = ("_demangler", "_hints", "_machine", "_options", "_symbols")

    def __init__(self, symbols: SymbolTable, options: LinkOptions, machine: Machine) -> None:
        self._symbols = symbols
        self._options = options
        self._machine = machine
        self._demangler: Demangle | None = None
        self._hints: Hints | None = None

    def readable(self, name: str) -> str:
        """Return a C++ name as its source has it, unless `--no-demangle` asks for the symbol."""
        if not self._options.demangles or not name.startswith("_Z"):
            return name
        if self._demangler is None:
            from pyldso.linker.demangle import demangler  # only a failed link of C++ needs it

            self._demangler = demangler()
        return self._demangler(name)

    def hints(self, name: str) -> list[str]:
        """Return notes that name the likely spelling and its file, or the library to add."""
        if self._hints is None:
            from pyldso.linker.hints import Hints  # only a failed link needs it

            self._hints = Hints(self._symbols, self._options, self.readable)
        return self._hints.notes(name)

    def function_at(self, place: Place) -> str:
        """Return the name of the symbol that covers a place, empty where there is none."""
        section = place.section.section
        best, found = -1, ""
        for symbol in place.section.owner.object.symbols:
            if symbol.section is not section or not symbol.name or symbol.name.startswith(".L"):
                continue
            is_named = symbol.type not in (STT.SECTION, STT.FILE)
            if is_named and best < symbol.st_value <= place.offset:
                best, found = symbol.st_value, symbol.name
        return self.readable(found)

    def place_notes(self, word: str, place: Place) -> list[str]:
        """Return `>>> referenced by main2.c:12`, and the place in the object on a line of its own.

        A source that was assembled for this link has no object to tell of.
        """
        function = self.function_at(place)
        within = f" ({function})" if function else ""
        name, section = place.section.owner.name, place.section.section.name
        line = line_at(place)
        if line is None:
            return [f">>> {word} {name}:({section}+{place.offset:#x}){within}"]
        if line[0] == name:
            return [f">>> {word} {line[0]}:{line[1]}{within}"]
        return [
            f">>> {word} {line[0]}:{line[1]}",
            f">>> {' ' * len(word)} {name}:({section}+{place.offset:#x}){within}",
        ]

    def undefined(self, undefined: dict[Resolved, list[Place]]) -> list[Diagnostic]:
        """Return an error for each undefined symbol, with its first references."""
        shown = self._options.error_limit or len(undefined)
        diagnostics: list[Diagnostic] = []
        for target, places in undefined.items():
            is_shown = len(diagnostics) < shown  # of the others only the number is told
            notes = self.reference_notes(places) + self.hints(target.name) if is_shown else []
            kind = "hidden symbol" if target.is_hidden else "symbol"
            text = f"undefined {kind}: {self.readable(target.name)}"
            diagnostics.append(Diagnostic(text, notes=tuple(notes)))
        return diagnostics

    def reference_notes(self, places: list[Place]) -> list[str]:
        """Return the first references, and how many more there are."""
        notes: list[str] = []
        for place in places[:REFERENCES_SHOWN]:
            notes += self.place_notes("referenced by", place)
        more = len(places) - REFERENCES_SHOWN
        if more > 0:
            notes.append(f">>> referenced {more} more time{'s' * (more > 1)}")
        return notes

    def undefined_warnings(self, sections: Sequence[InputSection]) -> list[Diagnostic]:
        """Return as warnings what `undefined` says (`--warn-unresolved-symbols`)."""
        undefined: dict[Resolved, list[Place]] = {}
        for member in sections:
            targets = member.owner.targets
            for r_offset, r_info, _ in member.relocations:
                target = targets[r_info >> 32]
                if target.rank == Rank.UNDEFINED and not target.is_weak_reference:
                    undefined.setdefault(target, []).append(Place(member, r_offset))
        return [error._replace(severity="warning") for error in self.undefined(undefined)]

    def unmet(self, unmet: list[UnmetNeed]) -> list[Diagnostic]:
        """Return an error for each name that a library needs in vain."""
        return [
            Diagnostic(
                f"undefined symbol: {self.readable(name)}",
                notes=(f">>> referenced by {shared.name}", *self.hints(name)),
            )
            for name, shared in unmet
        ]

    def duplicates(self, duplicates: list[Duplicate]) -> list[Diagnostic]:
        """Return an error for each name that two objects define."""
        diagnostics: list[Diagnostic] = []
        for name, first, first_symbol, second, second_symbol in duplicates:
            notes: list[str] = []
            for linked, symbol in ((first, first_symbol), (second, second_symbol)):
                if symbol.section is None:
                    notes.append(f">>> defined in {linked.name}")
                else:
                    place = Place(linked.places[symbol.section], symbol.st_value)
                    notes += self.place_notes("defined at", place)
            text = f"duplicate symbol: {self.readable(name)}"
            diagnostics.append(Diagnostic(text, notes=tuple(notes)))
        return diagnostics

    def problems(self, problems: list[Problem]) -> list[Diagnostic]:
        """Return an error for each relocation that cannot be in this output."""
        diagnostics: list[Diagnostic] = []
        for place, r_type, target, reason in problems:
            row = self._machine.relocations.get(r_type)
            name = row.name if row else f"type {r_type}"
            where = self.place_notes("referenced by", place)
            if target is None:
                text = f"relocation {name} {reason}"
                diagnostics.append(Diagnostic(text, notes=tuple(where)))
                continue
            shown = self.readable(target.name) or "a local symbol"
            if reason.startswith("is "):
                text = f"relocation {name} against {shown} {reason}"
            else:
                text = f"relocation {name} cannot be used against symbol {shown}; {reason}"
            diagnostics.append(Diagnostic(text, notes=(*defined_in(target), *where)))
        return diagnostics

    def copies(self, copies: list[Resolved], *, may_copy: bool) -> list[Diagnostic]:
        """Return an error for each variable of a library that cannot be copied (R_*_COPY).

        None can where `-z nocopyreloc` says so.
        """
        diagnostics: list[Diagnostic] = []
        for target in copies:
            symbol = target.export.symbol if target.export else None
            if symbol is None:
                continue
            shown = self.readable(target.name)
            remedy = f"recompile what refers to it with -fPIC, or let {shown} have a "
            if symbol.visibility == STV.PROTECTED:
                reason, remedy = "it is protected", remedy + "default visibility"
            elif not symbol.st_size:
                reason, remedy = "it has no size", f"{remedy}.type of @object and a .size"
            elif not may_copy:
                reason, remedy = "of -z nocopyreloc", "recompile what refers to it with -fPIC"
            else:
                continue
            text = f"cannot copy the variable {shown} into the program: {reason}"
            diagnostics.append(Diagnostic(text, notes=(*defined_in(target), f">>> {remedy}")))
        return diagnostics

    def required(self, names: Sequence[str]) -> list[Diagnostic]:
        """Return an error for each name of `--require-defined` that nothing defines."""
        return [
            Diagnostic(
                f"undefined symbol: {self.readable(name)}, required by --require-defined",
                notes=tuple(self.hints(name)),
            )
            for name in names
            if self._symbols.resolved[name].rank == Rank.UNDEFINED
        ]

    def entry_warning(self, name: str, address: int) -> Diagnostic:
        """Return the warning about an entry point that no object defines."""
        text = f"cannot find entry symbol {name}; defaulting to {address:#x}"
        return Diagnostic(text, severity="warning", notes=tuple(self.hints(name)))

    def overflows(self, overflows: list[Overflow]) -> list[Diagnostic]:
        """Return an error for each value that its field cannot hold."""
        diagnostics: list[Diagnostic] = []
        for place, r_type, target, value, low, high in overflows:
            name = self._machine.relocations[r_type].name
            shown = self.readable(target.name) or "a local symbol"
            text = (f"relocation {name} out of range: {value} is not in [{low}, {high}]; "
                    f"references {shown}")  # fmt: skip
            notes = [*self.place_notes("referenced by", place), *defined_in(target)]
            if target.place is not None and not -REACH <= value < REACH:
                notes.append(">>> the output is too large for the code model: recompile with "
                             "-mcmodel=medium or -mcmodel=large")  # fmt: skip
            diagnostics.append(Diagnostic(text, notes=tuple(notes)))
        return diagnostics


def defined_in(target: Resolved) -> list[str]:
    """Return the note that names the defining file."""
    if isinstance(target.file, LinkedObject | LinkedShared):
        return [f">>> defined in {target.file.name}"]
    return []
