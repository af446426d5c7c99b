"""What is wrong with a link, in lld's form: every error with its places, and a likely remedy."""

from __future__ import annotations

from collections.abc import Sequence

from pyldso.arch.machine import Machine
from pyldso.elf.constants import STT, STV
from pyldso.errors import Diagnostic, LinkError
from pyldso.linker.apply import Overflow
from pyldso.linker.inputs import LinkedShared
from pyldso.linker.resolve import Duplicate, SymbolTable, UnmetNeed
from pyldso.linker.scan import Place, Problem
from pyldso.linker.sections import InputSection
from pyldso.linker.symbols import LinkedObject, Rank, Resolved

REFERENCES_SHOWN = 3


def raise_errors(diagnostics: Sequence[Diagnostic], limit: int) -> None:
    """Raise all errors together, after `limit` of them only their number (`--error-limit`)."""
    if not diagnostics:
        return
    if limit and len(diagnostics) > limit:
        more = len(diagnostics) - limit
        text = f"{more} more error{'s' if more > 1 else ''}; --error-limit=0 shows all"
        diagnostics = [*diagnostics[:limit], Diagnostic(text)]
    raise LinkError(diagnostics)


def function_at(place: Place) -> str:
    """Return the name of the symbol that covers a place, empty where there is none."""
    section = place.section.section
    best, found = -1, ""
    for symbol in place.section.owner.object.symbols:
        if symbol.section is not section or not symbol.name or symbol.name.startswith(".L"):
            continue
        if symbol.type not in (STT.SECTION, STT.FILE) and best < symbol.st_value <= place.offset:
            best, found = symbol.st_value, symbol.name
    return found


def describe_place(place: Place) -> str:
    """Return `main2.s:12 (main)`, or `main2.o:(.text+0x15) (main)` where no lines are known."""
    section = place.section.section
    line = section.lines.find(place.offset) if section.lines else None
    if line is not None:
        where = f"{line[0]}:{line[1]}"
    else:
        where = f"{place.section.owner.name}:({section.name}+{place.offset:#x})"
    function = function_at(place)
    return f"{where} ({function})" if function else where


def readable(name: str) -> str:
    """Return a C++ name as its source has it."""
    if not name.startswith("_Z"):
        return name
    from pyldso.linker.demangle import demangler  # only a failed link of C++ needs it

    return demangler()(name)


def undefined_errors(
    undefined: dict[Resolved, list[Place]], symbols: SymbolTable
) -> list[Diagnostic]:
    """Return an error for each undefined symbol, with its first references."""
    names: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    for target, places in undefined.items():
        if not names:
            names = known_names(symbols)
        notes = [f">>> referenced by {describe_place(place)}" for place in places]
        if len(notes) > REFERENCES_SHOWN:
            more = len(notes) - REFERENCES_SHOWN
            notes[REFERENCES_SHOWN:] = [f">>> referenced {more} more time{'s' * (more > 1)}"]
        notes += guess_notes(target.name, names)
        kind = "hidden symbol" if target.is_hidden else "symbol"
        text = f"undefined {kind}: {readable(target.name)}"
        diagnostics.append(Diagnostic(text, notes=tuple(notes)))
    return diagnostics


def undefined_warnings(sections: Sequence[InputSection], symbols: SymbolTable) -> list[Diagnostic]:
    """Return as warnings what `undefined_errors` says (`--warn-unresolved-symbols`)."""
    undefined: dict[Resolved, list[Place]] = {}
    for member in sections:
        targets = member.owner.targets
        for r_offset, r_info, _ in member.relocations:
            target = targets[r_info >> 32]
            if target.rank == Rank.UNDEFINED and not target.is_weak_reference:
                undefined.setdefault(target, []).append(Place(member, r_offset))
    return [error._replace(severity="warning") for error in undefined_errors(undefined, symbols)]


def unmet_errors(unmet: list[UnmetNeed], symbols: SymbolTable) -> list[Diagnostic]:
    """Return an error for each name that a library needs in vain."""
    names = known_names(symbols) if unmet else {}
    diagnostics: list[Diagnostic] = []
    for name, shared in unmet:
        notes = [f">>> referenced by {shared.name}", *guess_notes(name, names)]
        text = f"undefined symbol: {readable(name)}"
        diagnostics.append(Diagnostic(text, notes=tuple(notes)))
    return diagnostics


def guess_notes(name: str, names: dict[str, str]) -> list[str]:
    """Return the notes that name the likely spelling and its file."""
    from pyldso.spelling import similar  # only a failed link needs it

    guess = similar(name, names, 0.75)
    return (
        [f">>> did you mean: {readable(guess)}", f">>> defined in: {names[guess]}"] if guess else []
    )


def known_names(symbols: SymbolTable) -> dict[str, str]:
    """Return all defined names, each with its file; an object's before a library's."""
    names: dict[str, str] = {}
    for resolved in symbols.resolved.values():
        if resolved.rank > Rank.SHARED and isinstance(resolved.file, LinkedObject):
            names[resolved.name] = resolved.file.name
    for shared in symbols.shared:
        for export in shared.file.exports():
            names.setdefault(export.name, shared.name)
    return names


def duplicate_errors(duplicates: list[Duplicate]) -> list[Diagnostic]:
    """Return an error for each name that two objects define."""
    diagnostics: list[Diagnostic] = []
    for name, first, first_symbol, second, second_symbol in duplicates:
        notes: list[str] = []
        for linked, symbol in ((first, first_symbol), (second, second_symbol)):
            if symbol.section is None:
                notes.append(f">>> defined in {linked.name}")
            else:
                place = Place(linked.places[symbol.section], symbol.st_value)
                notes.append(f">>> defined at {describe_place(place)}")
        text = f"duplicate symbol: {readable(name)}"
        diagnostics.append(Diagnostic(text, notes=tuple(notes)))
    return diagnostics


def problem_errors(problems: list[Problem], machine: Machine) -> list[Diagnostic]:
    """Return an error for each relocation that cannot be in this output."""
    diagnostics: list[Diagnostic] = []
    for place, r_type, target, reason in problems:
        row = machine.relocations.get(r_type)
        name = row.name if row else f"type {r_type}"
        where = f">>> referenced by {describe_place(place)}"
        if target is None:
            diagnostics.append(Diagnostic(f"relocation {name} {reason}", notes=(where,)))
            continue
        shown = target.name or "a local symbol"
        if reason.startswith("is "):
            text = f"relocation {name} against {shown} {reason}"
        else:
            text = f"relocation {name} cannot be used against symbol {shown}; {reason}"
        diagnostics.append(Diagnostic(text, notes=(*defined_in(target), where)))
    return diagnostics


def copy_errors(copies: list[Resolved]) -> list[Diagnostic]:
    """Return an error for each variable of a library that cannot be copied (R_*_COPY)."""
    diagnostics: list[Diagnostic] = []
    for target in copies:
        symbol = target.export.symbol if target.export else None
        if symbol is None:
            continue
        remedy = f"recompile what refers to it with -fPIC, or let {target.name} have a "
        if symbol.visibility == STV.PROTECTED:
            reason, remedy = "it is protected", remedy + "default visibility"
        elif not symbol.st_size:
            reason, remedy = "it has no size", f"{remedy}.type of @object and a .size"
        else:
            continue
        text = f"cannot copy the variable {target.name} into the program: {reason}"
        diagnostics.append(Diagnostic(text, notes=(*defined_in(target), f">>> {remedy}")))
    return diagnostics


def required_errors(names: Sequence[str], symbols: SymbolTable) -> list[Diagnostic]:
    """Return an error for each name of `--require-defined` that nothing defines."""
    return [
        Diagnostic(
            f"undefined symbol: {readable(name)}, required by --require-defined",
            notes=tuple(guess_notes(name, known_names(symbols))),
        )
        for name in names
        if symbols.resolved[name].rank == Rank.UNDEFINED
    ]


def entry_warning(name: str, address: int, symbols: SymbolTable) -> Diagnostic:
    """Return the warning about an entry point that no object defines."""
    notes = guess_notes(name, known_names(symbols))
    text = f"cannot find entry symbol {name}; defaulting to {address:#x}"
    return Diagnostic(text, severity="warning", notes=tuple(notes))


def overflow_errors(overflows: list[Overflow], machine: Machine) -> list[Diagnostic]:
    """Return an error for each value that its field cannot hold."""
    return [
        Diagnostic(
            f"relocation {machine.relocations[r_type].name} out of range: {value} is not in "
            f"[{low}, {high}]; references {target.name or 'a local symbol'}",
            notes=(f">>> referenced by {describe_place(place)}", *defined_in(target)),
        )
        for place, r_type, target, value, low, high in overflows
    ]


def defined_in(target: Resolved) -> list[str]:
    """Return the note that names the defining file."""
    if isinstance(target.file, LinkedObject | LinkedShared):
        return [f">>> defined in {target.file.name}"]
    return []
