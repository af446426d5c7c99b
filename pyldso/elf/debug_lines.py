"""The line tables of a relocatable object (.debug_line) to the source lines of its sections.

DWARF 2 to 5 (6.2, "Line Number Information"). Only an error message asks: nothing else of the
debugging information is read, and what is damaged there only costs the message its line.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from struct import error, unpack_from
from typing import NamedTuple

from pyldso.elf.object import ObjectFile, Section
from pyldso.elf.records import Buffer

COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE = 1, 2, 3, 4
CONST_ADD_PC, FIXED_ADVANCE_PC = 8, 9
END_SEQUENCE, SET_ADDRESS = 1, 2
PATH, DIRECTORY_INDEX = 1, 2
DATA2, DATA4, DATA8, STRING, BLOCK = 0x05, 0x06, 0x07, 0x08, 0x09
DATA1, STRP, UDATA, DATA16, LINE_STRP = 0x0B, 0x0E, 0x0F, 0x1E, 0x1F
SIZES = {DATA1: 1, DATA2: 2, DATA4: 4, DATA8: 8, DATA16: 16}
LONG_FORM = 0xFFFFFFFF
"""The unit_length that announces 64-bit DWARF."""
MAX_FILES = 1 << 16

Targets = dict[int, tuple[int, int]]
"""By the offset of a relocated field: index of the symbol, addend."""


class LineRow(NamedTuple):
    """A row of the matrix: from `offset` of a section on the code is of that line."""

    section: Section
    offset: int
    path: str
    line: int


class Cursor:
    """A place in the section, moved by what is read; raises IndexError at the end."""

    __slots__ = ("at", "data")

    def __init__(self, data: Buffer, at: int) -> None:
        self.data = data
        self.at = at

    def number(self, size: int) -> int:
        """Read an unsigned number of `size` bytes."""
        if self.at + size > len(self.data):
            raise IndexError(self.at)
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def uleb(self) -> int:
        """Read an unsigned LEB128 number."""
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift > 70:
                return value

    def sleb(self) -> int:
        """Read a signed LEB128 number."""
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def string(self) -> str:
        """Read a string to its NUL."""
        text = string_at(self.data, self.at)
        self.at += len(text.encode("utf-8", "surrogateescape")) + 1
        return text


def string_at(data: Buffer, at: int) -> str:
    """Return the NUL-terminated string at an offset; raises IndexError where none ends."""
    part = bytes(data[at : at + 4096])
    end = part.find(b"\0")
    if end < 0:
        raise IndexError(at)
    return part[:end].decode("utf-8", "surrogateescape")


def line_rows(source: ObjectFile, strings: dict[str, Buffer]) -> Iterator[LineRow]:
    """Yield the rows of all line number programs; `strings` are the sections of strings."""
    for section in source.sections:
        if section.name != ".debug_line":
            continue
        targets = targets_of(section)
        at = 0
        try:
            while at < len(section.data):
                unit = LineUnit(source, section.data, targets, strings, at)
                yield from unit.rows()
                at = unit.end
        except (IndexError, error, ValueError):
            continue  # what was read before the damage holds


def targets_of(section: Section) -> Targets:
    """Return what the fields of a section are relocated to."""
    return {offset: (info >> 32, addend) for offset, info, addend in section.relocations}


class LineUnit:
    """A line number program; `end` is where the next one starts, `files` are named by number."""

    __slots__ = (
        "_cursor",
        "_line_base",
        "_line_range",
        "_minimum_length",
        "_offset_size",
        "_opcode_lengths",
        "_source",
        "_strings",
        "_targets",
        "_version",
        "end",
        "files",
    )

    def __init__(
        self,
        source: ObjectFile,
        data: Buffer,
        targets: Targets,
        strings: dict[str, Buffer],
        at: int,
    ) -> None:
        self._source, self._targets, self._strings = source, targets, strings
        cursor = self._cursor = Cursor(data, at)
        length = cursor.number(4)
        self._offset_size = 8 if length == LONG_FORM else 4
        if length == LONG_FORM:
            length = cursor.number(8)
        self.end = cursor.at + length
        self._version = cursor.number(2)
        if not 2 <= self._version <= 5:
            raise ValueError(self._version)
        if self._version >= 5:
            cursor.number(2)  # address_size, segment_selector_size
        header_length = cursor.number(self._offset_size)
        program = cursor.at + header_length
        self._minimum_length = cursor.number(1)
        cursor.number(2 if self._version >= 4 else 1)  # of VLIW machines, and default_is_stmt
        (self._line_base,) = unpack_from("<b", data, cursor.at)
        cursor.number(1)
        self._line_range = cursor.number(1) or 1
        opcode_base = cursor.number(1)
        self._opcode_lengths = [0, *(cursor.number(1) for _ in range(opcode_base - 1))]
        self.files = self._read_new_files() if self._version >= 5 else self._read_old_files()
        cursor.at = program

    def _read_old_files(self) -> list[str]:
        cursor = self._cursor
        directories = [""]
        while name := cursor.string():
            directories.append(name)
        files = [""]
        while name := cursor.string():
            directory = cursor.uleb()
            cursor.uleb()
            cursor.uleb()
            files.append(posixpath.join(directories[directory], name))
        return files

    def _read_new_files(self) -> list[str]:
        directories = [path for path, _ in self._read_entries()]
        # what lies in the compiler's own folder, number 0, is known by the name it was called by
        return [posixpath.join(directories[directory] if directory else "", path)
                for path, directory in self._read_entries()]  # fmt: skip

    def _read_entries(self) -> list[tuple[str, int]]:
        """Return the path and the directory's index of each entry."""
        cursor = self._cursor
        forms = [(cursor.uleb(), cursor.uleb()) for _ in range(cursor.number(1))]
        entries: list[tuple[str, int]] = []
        count = cursor.uleb()
        if count > MAX_FILES:
            raise ValueError(count)
        for _ in range(count):
            path, directory = "", 0
            for content, form in forms:
                value = self._read_form(form)
                if content == PATH:
                    path = str(value)
                elif content == DIRECTORY_INDEX and isinstance(value, int):
                    directory = value
            entries.append((path, directory))
        return entries

    def _read_form(self, form: int) -> str | int:
        cursor = self._cursor
        if form == STRING:
            return cursor.string()
        if form in (LINE_STRP, STRP):
            place = cursor.at
            offset = cursor.number(self._offset_size)
            # the section's own symbol is what the relocation names: its addend is the offset
            offset = self._targets[place][1] if place in self._targets else offset
            table = ".debug_line_str" if form == LINE_STRP else ".debug_str"
            return string_at(self._strings.get(table, b""), offset)
        if form == UDATA:
            return cursor.uleb()
        if form == BLOCK:
            return cursor.number(cursor.uleb())
        if form not in SIZES:
            raise ValueError(form)
        return cursor.number(SIZES[form])

    def rows(self) -> Iterator[LineRow]:
        """Run the program and yield its rows (6.2.5)."""
        cursor = self._cursor
        base = len(self._opcode_lengths)
        section: Section | None = None
        offset, file, line = 0, 1, 1
        while cursor.at < self.end:
            opcode = cursor.number(1)
            if opcode >= base:
                opcode -= base
                offset += opcode // self._line_range * self._minimum_length
                line += self._line_base + opcode % self._line_range
            elif opcode == ADVANCE_PC:
                offset += cursor.uleb() * self._minimum_length
                continue
            elif opcode == ADVANCE_LINE:
                line += cursor.sleb()
                continue
            elif opcode == SET_FILE:
                file = cursor.uleb()
                continue
            elif opcode == CONST_ADD_PC:
                offset += (255 - base) // self._line_range * self._minimum_length
                continue
            elif opcode == FIXED_ADVANCE_PC:
                offset += cursor.number(2)
                continue
            elif opcode == 0:
                size = cursor.uleb()
                following = cursor.at + size
                kind = cursor.number(1)
                if kind == SET_ADDRESS:
                    section, offset = self._place(size - 1)
                cursor.at = following
                if kind == END_SEQUENCE:
                    section, offset, file, line = None, 0, 1, 1
                continue
            elif opcode != COPY:
                for _ in range(self._opcode_lengths[opcode]):
                    cursor.uleb()
                continue
            if section is not None and file < len(self.files):
                yield LineRow(section, offset, self.files[file], line)

    def _place(self, size: int) -> tuple[Section | None, int]:
        """Return the section and offset that the operand of DW_LNE_set_address is relocated to."""
        place = self._cursor.at
        offset = self._cursor.number(size)
        if place not in self._targets:
            return None, offset
        index, addend = self._targets[place]
        symbol = self._source.symbols[index]
        return symbol.section, symbol.st_value + addend
