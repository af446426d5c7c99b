"""The `.if` family: which lines are read (gas manual, 7.46)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pyldso.asm.assembly import Assembly
from pyldso.asm.att import split_operands
from pyldso.asm.errors import StatementError
from pyldso.asm.lexer import cut, unquote

_CONTROL_INSIDE = re.compile(r"\.(?:if|else|endif)", re.IGNORECASE)
_CONTROL = re.compile(r"\s*\.(if\w*|elseif|else|endif)\b\s*(.*)", re.IGNORECASE)


def _number(test: Callable[[int], bool]) -> Callable[[Assembly, str], bool]:
    return lambda assembly, operands: test(assembly.absolute(operands))


def _is_defined(assembly: Assembly, operands: str) -> bool:
    symbol = assembly.symbols.get(unquote(operands))
    return symbol is not None and symbol.is_defined


def _are_same(assembly: Assembly, operands: str) -> bool:
    parts = split_operands(operands)
    if len(parts) != 2:
        raise StatementError("two strings are needed to compare", operands)
    return unquote(parts[0]) == unquote(parts[1])


_TESTS: dict[str, Callable[[Assembly, str], bool]] = {
    "if": _number(lambda value: value != 0),
    "ifne": _number(lambda value: value != 0),
    "ifeq": _number(lambda value: value == 0),
    "ifge": _number(lambda value: value >= 0),
    "ifgt": _number(lambda value: value > 0),
    "ifle": _number(lambda value: value <= 0),
    "iflt": _number(lambda value: value < 0),
    "ifdef": _is_defined,
    "ifndef": lambda assembly, operands: not _is_defined(assembly, operands),
    "ifnotdef": lambda assembly, operands: not _is_defined(assembly, operands),
    "ifb": lambda assembly, operands: not operands.strip(),
    "ifnb": lambda assembly, operands: bool(operands.strip()),
    "ifc": _are_same,
    "ifnc": lambda assembly, operands: not _are_same(assembly, operands),
    "ifeqs": _are_same,
    "ifnes": lambda assembly, operands: not _are_same(assembly, operands),
}


def if_(assembly: Assembly, name: str, operands: str) -> None:
    """Obey an `.if`: read on, or skip to what stands for the other case."""
    place = assembly.place
    try:
        holds = _TESTS[name[1:]](assembly, operands)
    except StatementError as error:
        assembly.error(error)
        holds = False
    assembly.conditions.append(place)
    if not holds:
        _skip(assembly, may_resume=True)


def else_(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.else` and `.elseif` at the end of the lines that were read: skip the rest."""
    if not assembly.conditions:
        raise StatementError(f"`{name}' without `.if'", name)
    _skip(assembly, may_resume=False)


def endif(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.endif`."""
    if not assembly.conditions:
        raise StatementError("`.endif' without `.if'", name)
    assembly.conditions.pop()


def _lines(assembly: Assembly) -> Iterator[str]:
    """Yield the lines that follow; statements on one line are lines where one is a condition.

    Whoever stops in such a line leaves the rest of it as a source to read on.
    """
    outer = assembly.sources[-1]
    while True:
        source = assembly.sources[-1]
        for assembly.place, line in source.numbered:
            if ";" in line and source is outer and _CONTROL_INSIDE.search(line):
                try:
                    statements = cut(line)
                except StatementError:
                    statements = [line]
                first = source.first_line + assembly.place - source.base
                again = assembly.source_map.open(source.path, statements, first)
                assembly.push_source(again)
                break
            yield line
        else:
            if source is outer:
                return
            assembly.sources.pop()


def _skip(assembly: Assembly, may_resume: bool) -> None:
    """Skip lines up to `.endif`, or to an `.else` or `.elseif` that is to be read."""
    depth = 0
    for line in _lines(assembly):
        match = _CONTROL.match(line)
        if match is None:
            continue
        word = match[1].lower()
        if word == "endif":
            if depth == 0:
                assembly.conditions.pop()
                return
            depth -= 1
        elif word.startswith("if"):
            depth += 1
        elif depth or not may_resume:
            continue
        elif word == "else" or assembly.absolute(match[2].split("#")[0]) != 0:
            return


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {
    **{f".{word}": if_ for word in _TESTS},
    ".else": else_,
    ".elseif": else_,
    ".endif": endif,
}
