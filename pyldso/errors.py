"""The one family of errors: each names file, place and remedy; cli/ makes text and status of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple


class Location(NamedTuple):
    """A place in a source text; line and column count from 1, 0 where unknown."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.path, *(str(n) for n in (self.line, self.column) if n)])


class Diagnostic(NamedTuple):
    """One message about an input, as compilers print it.

    `source_line` is the text at the location, under which a caret is drawn; `notes` are whole
    lines that follow (`did you mean ...`, `>>> referenced by ...`).
    """

    message: str
    location: Location | None = None
    severity: str = "error"
    source_line: str = ""
    notes: tuple[str, ...] = ()

    def render(self) -> str:
        """Return the message, the source line with a caret, and the notes."""
        where = f"{self.location}: " if self.location else ""
        lines = [f"{where}{self.severity}: {self.message}"]
        if self.source_line and self.location and self.location.column:
            lead = self.source_line[: self.location.column - 1]
            indent = "".join("\t" if char == "\t" else " " for char in lead)
            lines += [self.source_line, f"{indent}^"]
        return "\n".join([*lines, *self.notes])


class PyldsoError(Exception):
    """What went wrong, for a person; `exit_status` is the status that the command ends with."""

    exit_status = 1

    def render(self) -> str:
        """Return the text to print, without the program's name."""
        return f"error: {self}"


class DiagnosticsError(PyldsoError):
    """All the errors of one step, collected and raised together."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("; ".join(diagnostic.message for diagnostic in diagnostics))
        self.diagnostics = tuple(diagnostics)

    def render(self) -> str:
        """Return one rendered diagnostic after the other."""
        return "\n".join(diagnostic.render() for diagnostic in self.diagnostics)


class AsmError(DiagnosticsError):
    """Assembly that cannot be assembled: every error of the source, each at line and column."""


class LinkError(DiagnosticsError):
    """Undefined, duplicate or overflowing references, collected over all inputs."""


class SeveralError(PyldsoError):
    """What went wrong with each of several inputs that do not depend on each other."""

    def __init__(self, errors: Sequence[PyldsoError]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = tuple(errors)

    def render(self) -> str:
        """Return one rendered error after the other."""
        return "\n".join(error.render() for error in self.errors)


class ElfFormatError(PyldsoError):
    """A file that is not the ELF it claims to be; `offset` is the place in the file."""

    def __init__(self, path: str, message: str, offset: int | None = None) -> None:
        place = path if offset is None else f"{path}: at offset {offset:#x}"
        super().__init__(f"{place}: {message}")
        self.path = path
        self.message = message
        self.offset = offset


class LoadError(PyldsoError):
    """A program that cannot be loaded, in ld.so's own words and with its status."""

    exit_status = 127

    def render(self) -> str:
        """Return ld.so's message as it is."""
        return str(self)


def os_error(code: int, path: str | bytes = "") -> OSError:
    """Return the error of an errno value, about a file where one is named."""
    return OSError(code, os.strerror(code), path or None)
