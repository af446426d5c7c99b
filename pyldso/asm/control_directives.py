"""Directives that steer the reading: conditions, macros, includes, messages, syntax."""

from __future__ import annotations

from collections.abc import Callable

from pyldso.asm import conditions, macros
from pyldso.asm.assembly import Assembly
from pyldso.asm.data_directives import read_included
from pyldso.asm.encoder import ATT, INTEL
from pyldso.asm.errors import StatementError
from pyldso.asm.lexer import split_lines, unquote
from pyldso.asm.source_map import INCLUDED


def include(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.include "file"`."""
    path = unquote(operands)
    text = read_included(assembly, path).decode("utf-8", "surrogateescape")
    source = assembly.source_map.open(
        path, split_lines(text), called_at=assembly.place, title=INCLUDED
    )
    assembly.push_source(source)


def error(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.error` and `.err`: the source itself reports an error."""
    raise StatementError(unquote(operands) or "the source says `.err'", name)


def warning(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.warning`."""
    assembly.report(unquote(operands) or "the source warns", name, severity="warning")


def print_text(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.print "text"`: who assembles is told so."""
    if operands[:1] != '"':
        raise StatementError("`.print' takes a string", operands)
    if assembly.options.print is not None:
        assembly.options.print(unquote(operands))


def end(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.end`: nothing after it is read."""
    for source in assembly.sources:
        for _ in source.numbered:
            pass


def syntax(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.intel_syntax` and `.att_syntax`, with `prefix` or `noprefix`."""
    if operands not in ("", "prefix", "noprefix"):
        raise StatementError(f"unknown syntax option `{operands}'", operands)
    assembly.syntax = INTEL if name == ".intel_syntax" else ATT
    # The same line means something else from here on.
    assembly.volatile_equates = True


def ignore(assembly: Assembly, name: str, operands: str) -> None:
    """Obey a directive that changes no byte."""


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {
    **conditions.DIRECTIVES,
    **macros.DIRECTIVES,
    ".include": include,
    ".error": error,
    ".err": error,
    ".print": print_text,
    ".warning": warning,
    ".end": end,
    ".intel_syntax": syntax,
    ".att_syntax": syntax,
}
