"""Which line of which file a place is: one number names any line, in files and in expansions."""

from __future__ import annotations

import os
import re
import stat
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from pyldso.errors import Location

_LINE_MARKER = re.compile(r'\s*#\s*(?:line\s+)?(\d{1,9})\s+"((?:[^"\\]|\\.)*)"')
INCLUDED = "an included file"
"""The title of the lines that an `.include` names."""
_AT_ONCE = 1 << 15
_LARGE_FILE = 1 << 20


class Lines:
    """The lines of a text, which stays one string: a list of strings takes six times its size."""

    __slots__ = ("_count", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._count = text.count("\n") + 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        text, start = self._text, 0
        while (end := text.find("\n", start + _AT_ONCE)) >= 0:
            yield from text[start:end].split("\n")
            start = end + 1
        yield from text[start:].split("\n")

    def __getitem__(self, index: int) -> str:
        return self._text.split("\n", index + 1)[index]


class FileLines:
    """The lines of a large file, which is read in pieces, and again where a line is to be shown."""

    __slots__ = ("_count", "_file")

    def __init__(self, file: BinaryIO, count: int) -> None:
        self._file = file
        self._count = count

    @classmethod
    def of(cls, path: str) -> FileLines | None:
        """Return the lines of a file; None where it is small, or is to be changed as a whole.

        Raises OSError.
        """
        file = open(path, "rb")  # noqa: SIM115 - it stays open for the pieces
        status = os.fstat(file.fileno())
        count, last = 1, b""
        if stat.S_ISREG(status.st_mode) and status.st_size >= _LARGE_FILE:
            for piece in _pieces(file):
                # A comment may go over lines; a line without end would be put together at length.
                is_short = len(piece) < _AT_ONCE
                if b"/*" in last + piece or b"\r" in piece or not (is_short or b"\n" in piece):
                    break
                count += piece.count(b"\n")
                last = piece[-1:]
            else:
                return cls(file, count)
        file.close()
        return None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        rest = b""
        for piece in _pieces(self._file):
            lines, newline, rest = (rest + piece).rpartition(b"\n")
            if newline:
                yield from lines.decode("utf-8", "surrogateescape").split("\n")
        yield rest.decode("utf-8", "surrogateescape")

    def __getitem__(self, index: int) -> str:
        return next(islice(self, index, None), "")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the whole file in order."""
    offset = 0
    while piece := os.pread(file.fileno(), _AT_ONCE, offset):
        offset += len(piece)
        yield piece


class Source:
    """Lines that are read once: a file, or what a macro, a `.rept` or an `.include` expands to.

    `base` is the place of the first line; `called_at` is the place of the line that expanded it.
    `period` lines are repeated, unless it is 0.
    """

    __slots__ = (
        "base", "called_at", "first_line", "lines", "markers", "numbered", "path", "period",
        "title",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        lines: Lines | FileLines | list[str],
        base: int,
        first_line: int,
        called_at: int,
        title: str,
        period: int,
    ) -> None:
        self.path = path
        self.lines = lines
        self.base = base
        self.first_line = first_line
        self.called_at = called_at
        self.title = title
        self.period = period
        self.numbered: Iterator[tuple[int, str]] = iter(enumerate(lines, base))
        self.markers: list[tuple[int, str, int]] = []
        """(place, path, line) from `# 12 "file.c"`: what the next line really is."""

    @property
    def is_macro(self) -> bool:
        """Tell whether the lines are what a macro expands to."""
        return bool(self.called_at) and not self.period and self.title != INCLUDED

    def line_of(self, place: int) -> int:
        """Return the number of a line that has no marker before it."""
        number = place - self.base
        return self.first_line + (number % self.period if self.period else number)

    def note_marker(self, place: int, text: str) -> None:
        """Take a preprocessor's line marker, if the line is one."""
        match = _LINE_MARKER.match(text)
        if match:
            self.note_line(place + 1, match[2], int(match[1]))

    def note_line(self, place: int, path: str, line: int) -> None:
        """Let lines from a place on be those of another file."""
        self.markers.append((place, path, line))


class SourceMap:
    """All sources of one assembly, in the order in which they were opened."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._bases: list[int] = []
        self._next = 1

    def open(
        self,
        path: str,
        lines: Lines | FileLines | list[str],
        first_line: int = 1,
        called_at: int = 0,
        title: str = "",
        period: int = 0,
    ) -> Source:
        """Return a new source with a range of places of its own."""
        source = Source(path, lines, self._next, first_line, called_at, title, period)
        self._sources.append(source)
        self._bases.append(self._next)
        self._next += len(lines) + 1
        return source

    def source_of(self, place: int) -> Source:
        """Return the source in which a place lies."""
        return self._sources[bisect_right(self._bases, place) - 1]

    def locate(self, place: int) -> Location:
        """Return the path and line that a person would look at."""
        source = self.source_of(place)
        if source.markers:
            index = bisect_right(source.markers, (place, "\U0010ffff", 0)) - 1
            if index >= 0:
                start, path, line = source.markers[index]
                return Location(path, line + place - start)
        return Location(source.path, source.line_of(place))

    def locate_all(self, places: Iterable[int]) -> tuple[list[str], array[int]]:
        """Return the paths and the lines of many places, which mostly lie in one source."""
        paths: list[str] = []
        lines = array("I")
        path, difference = "", 0
        first = end = 0
        for place in places:
            if not first <= place < end:
                source = self.source_of(place)
                if source.markers or source.period:
                    location = self.locate(place)
                    paths.append(location.path)
                    lines.append(location.line)
                    continue
                first, end = source.base, source.base + len(source.lines)
                path, difference = source.path, source.first_line - first
            paths.append(path)
            lines.append(place + difference)
        return paths, lines

    def line_of_code(self, place: int) -> tuple[str, int]:
        """Return the path and line for debug information: of a macro's call, not of its body."""
        at = place
        while at:
            source = self.source_of(at)
            if source.is_macro:
                place = source.called_at
            at = source.called_at
        location = self.locate(place)
        return location.path, location.line

    def text(self, place: int) -> str:
        """Return the source line itself."""
        source = self.source_of(place)
        index = place - source.base
        return source.lines[index] if index < len(source.lines) else ""

    def expansions(self, place: int) -> list[str]:
        """Return notes that tell from where the source of a place was expanded, innermost first."""
        notes: list[str] = []
        source = self.source_of(place)
        while source.called_at and len(notes) < 5:
            notes.append(f"{self.locate(source.called_at)}: note: in {source.title}")
            source = self.source_of(source.called_at)
        return notes
