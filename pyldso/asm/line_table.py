"""The line table: rows to the line number programs of .debug_line (DWARF 5, 6.2).

Opcodes are chosen as gas chooses them (gas/dwarf2dbg.c, process_entries and emit_inc_line_addr).
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from pyldso import __version__
from pyldso.asm.expression import Operation, address_of
from pyldso.asm.fragments import Data, Item, Laid, leb128
from pyldso.asm.special import Jump
from pyldso.asm.symbols import AsmSection, AsmSymbol

_LINE_BASE, _LINE_RANGE, _OPCODE_BASE = -5, 14, 13
_LONGEST_SPECIAL = (255 - _OPCODE_BASE) // _LINE_RANGE
_OPCODE_LENGTHS = bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])

_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE, _SET_COLUMN = 1, 2, 3, 4, 5
_NEGATE_STMT, _SET_BASIC_BLOCK, _CONST_ADD_PC = 6, 7, 8
_SET_PROLOGUE_END, _SET_EPILOGUE_BEGIN, _SET_ISA = 10, 11, 12
_SET_DISCRIMINATOR = 4

_PATH, _DIRECTORY_INDEX, _MD5 = 1, 2, 5
_FORM_LINE_STRP, _FORM_UDATA, _FORM_DATA16 = 0x1F, 0x0F, 0x1E

_LEVEL, _LEVEL_OF_LINES = 3, 3
"""The version of DWARF where nothing asks for one, and the least one for line tables."""


class DebugOptions(NamedTuple):
    """What the command line says of debug information.

    `generates` lets each instruction have a row of its own line. `level` is the version of DWARF,
    0 where none is asked for. `directory` is where the assembler runs, before the (old, new)
    beginnings of `prefix_map` change it. `producer` is who the compile unit says has made it.
    """

    generates: bool = False
    level: int = 0
    directory: str = ""
    prefix_map: tuple[tuple[str, str], ...] = ()
    producer: str = f"pyldso as {__version__}"

    def mapped(self, path: str) -> str:
        """Return the path of a folder as debug information is to have it."""
        for old, new in self.prefix_map:
            if path.startswith(old):
                return new + path[len(old) :]
        return path


class LineRow:
    """One row of the table; `label` is where it holds from."""

    __slots__ = (
        "column",
        "discriminator",
        "file",
        "is_basic_block",
        "is_epilogue_begin",
        "is_prologue_end",
        "is_stmt",
        "isa",
        "label",
        "line",
        "path",
        "resets_view",
        "view",
    )

    def __init__(self, file: int, line: int, column: int) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.is_stmt = 1
        self.isa = 0
        self.discriminator = 0
        self.is_basic_block = 0
        self.is_prologue_end = 0
        self.is_epilogue_begin = 0
        self.view: AsmSymbol | None = None
        self.resets_view = False
        self.path = ""
        """Of the source itself, which has no number before all rows are known."""
        self.label = AsmSymbol(".L\x01")


class LineTable:
    """All files and rows of a source; `pending` waits for the next instruction."""

    def __init__(self, options: DebugOptions) -> None:
        self.options = options
        self.generates = options.generates
        """Each instruction gets a row; ends with the first file that the source numbers."""
        self.last_line: tuple[str, int] | None = None
        """Of the last instruction: one line gets one row."""
        self.files: dict[int, tuple[str, int, bytes | None]] = {}
        """Number -> name, index of its directory, MD5."""
        self.directories: list[str | None] = []
        self.pending: LineRow | None = None
        self.rows: dict[AsmSection, dict[int, list[LineRow]]] = {}
        self.level = options.level or _LEVEL
        self.is_stmt = 1
        self.isa = 0
        self.column = 0
        """Of the last `.loc`: each keeps what the next one does not say."""

    @property
    def version(self) -> int:
        """Tell the version of the line table, which begins later than that of the rest."""
        return max(self.level, _LEVEL_OF_LINES)

    def stop_generating(self) -> None:
        """Forget the rows of the source's own lines: a compiler has written better ones."""
        if self.generates:
            self.generates = False
            for by_subsection in self.rows.values():
                by_subsection.clear()

    def number_files(self) -> None:
        """Give numbers to the files of rows that are of the source itself."""
        numbers = {}
        for by_subsection in self.rows.values():
            for row in _in_order(by_subsection):
                if not row.path:
                    continue
                if row.path not in numbers:
                    numbers[row.path] = len(self.files) + 1
                    self.add_file(numbers[row.path], "", row.path, None)
                row.file = numbers[row.path]

    def name_of_unit(self) -> str:
        """Return the path of the file that stands first in the table."""
        name, index, _ = self.files.get(
            0 if self.version >= 5 and 0 in self.files else 1, ("", 0, 0)
        )
        directory = (self.directories[index] or "") if index else ""
        return posixpath.join(self.options.mapped(directory), name) if directory else name

    def add_file(self, number: int, directory: str, name: str, md5: bytes | None) -> bool:
        """Note a file; tell whether the number was free."""
        if number == 0:
            self.level = 5
            # The first directory is the one that the compiler ran in (DWARF 5, 6.2.4).
            self._directory_index(directory, True)
            directory = ""
        if not directory:
            directory, name = posixpath.split(name)
            if not directory and number == 0:
                directory = self.directories[0] or "" if self.directories else ""
        entry = (name, self._directory_index(directory, number == 0), md5)
        known = self.files.setdefault(number, entry)
        return known == entry

    def _directory_index(self, directory: str, may_be_first: bool) -> int:
        directory = directory.rstrip("/") if len(directory) > 1 else directory
        if not directory:
            return 0
        if directory in self.directories:
            return self.directories.index(directory)
        if not self.directories and not may_be_first:
            self.directories.append(None)
        self.directories.append(directory)
        return len(self.directories) - 1

    def set_views(self) -> bool:
        """Give each view symbol its number: how many rows before it have the same address.

        Tell whether one is too large for the byte that LEB128 data has for it so far.
        """
        largest = 0
        for by_subsection in self.rows.values():
            view = 0
            previous: int | None = None
            for row in _in_order(by_subsection):
                address = address_of(row.label)
                view = 0 if row.resets_view or address != previous else view + 1
                previous = address
                if row.view is not None:
                    row.view.equated = view
                    row.view.awaits_view = False
                    largest = max(largest, view)
        return largest > 127

    def items(
        self, lines: AsmSection, strings: AsmSection, laid: dict[AsmSection, Laid]
    ) -> list[Item]:
        """Return the contents of `lines`; names go to the section `strings` in version 5."""
        writer = ItemWriter()
        end, after_length = AsmSymbol(".L\x01"), AsmSymbol(".L\x01")
        writer.item(Data(4, Operation("-", end, after_length)))
        writer.item(after_length)
        writer.out += self.version.to_bytes(2, "little")
        if self.version >= 5:
            writer.out += bytes([8, 0])
        header_end, after_header_length = AsmSymbol(".L\x01"), AsmSymbol(".L\x01")
        writer.item(Data(4, Operation("-", header_end, after_header_length)))
        writer.item(after_header_length)
        writer.out.append(1)
        if self.version >= 4:
            writer.out.append(1)
        writer.out += bytes([1, _LINE_BASE & 0xFF, _LINE_RANGE, _OPCODE_BASE]) + _OPCODE_LENGTHS
        if self.version >= 5:
            self._write_files(writer, strings)
        else:
            self._write_old_files(writer)
        writer.item(header_end)
        for section, by_subsection in self.rows.items():
            if any(by_subsection.values()):
                _write_program(writer, _in_order(by_subsection), laid[section])
        writer.item(end)
        return writer.finish(lines)

    def _write_files(self, writer: ItemWriter, strings: AsmSection) -> None:
        writer.out += bytes([1, _PATH, _FORM_LINE_STRP])
        first = self.directories[0] if self.directories else None
        directories = [first or self.options.directory, *self.directories[1:]] if self.files else []
        writer.out += leb128(len(directories), False)
        for directory in directories:
            writer.item(string_in(strings, self.options.mapped(directory or "")))
        # gas looks at the first byte only, so that one sum in 256 counts as none.
        has_md5 = any(md5 and md5[0] for _, _, md5 in self.files.values())
        writer.out += bytes([3 if has_md5 else 2, _PATH, _FORM_LINE_STRP])
        writer.out += bytes([_DIRECTORY_INDEX, _FORM_UDATA])
        if has_md5:
            writer.out += bytes([_MD5, _FORM_DATA16])
        count = max(self.files, default=-1) + 1
        writer.out += leb128(count, False)
        shared: Data | None = None
        for number in range(count):
            # The main file stands first; where the source numbers none so, it is the next one.
            chosen = 1 if number == 0 and 0 not in self.files else number
            name, directory_index, md5 = self.files.get(chosen, ("", 0, None))
            text = shared or string_in(strings, name)
            shared = text if chosen != number and chosen in self.files else None
            writer.item(text)
            writer.out += leb128(directory_index, False)
            if has_md5:
                writer.out += md5 or bytes(16)

    def _write_old_files(self, writer: ItemWriter) -> None:
        for directory in self.directories[1:]:
            writer.out += (
                self.options.mapped(directory or "").encode("utf-8", "surrogateescape") + b"\0"
            )
        writer.out.append(0)
        for number in range(1, max(self.files, default=0) + 1):
            name, directory_index, _ = self.files.get(number, ("", 0, None))
            writer.out += name.encode("utf-8", "surrogateescape") + b"\0"
            writer.out += leb128(directory_index, False) + b"\0\0"
        writer.out.append(0)


def string_in(section: AsmSection, text: str) -> Data:
    """Append a string to a section of strings, and return the reference to it."""
    label = AsmSymbol(".L\x01")
    label.section = section
    stream = section.stream()
    stream.add(label, 0)
    stream.add(text.encode("utf-8", "surrogateescape") + b"\0", 0)
    return Data(4, label)


def _in_order(by_subsection: dict[int, list[LineRow]]) -> list[LineRow]:
    return [row for number in sorted(by_subsection) for row in by_subsection[number]]


class ItemWriter:
    """Items in the making: bytes gathered, symbolic data between them."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.out = _Gathered(self.items)

    def item(self, item: Item) -> None:
        """Append an item that is not plain bytes, or that is to stand alone."""
        self.out.flush()
        self.items.append(item)

    def finish(self, section: AsmSection) -> list[Item]:
        """Return all items, whose labels stand in a section."""
        self.out.flush()
        for item in self.items:
            if isinstance(item, AsmSymbol):
                item.section = section
        return self.items


class _Gathered(bytearray):
    """Bytes that become one item when something else follows."""

    def __init__(self, items: list[Item]) -> None:
        super().__init__()
        self._items = items

    def flush(self) -> None:
        """Append what was gathered as an item."""
        if self:
            self._items.append(bytes(self))
            self.clear()


def _write_program(writer: ItemWriter, rows: list[LineRow], laid: Laid) -> None:
    """Write one sequence: a section's rows, and its end."""
    out = writer.out
    file, line, column, isa, is_stmt = 1, 1, 0, 0, 1
    address: int | None = None
    previous = AsmSymbol("")
    for row in rows:
        if file != row.file:
            file = row.file
            out += bytes([_SET_FILE]) + leb128(file, False)
        if column != row.column:
            column = row.column
            out += bytes([_SET_COLUMN]) + leb128(column, False)
        if row.discriminator:
            number = leb128(row.discriminator, False)
            out += bytes([0]) + leb128(1 + len(number), False) + bytes([_SET_DISCRIMINATOR])
            out += number
        if isa != row.isa:
            isa = row.isa
            out += bytes([_SET_ISA]) + leb128(isa, False)
        if is_stmt != row.is_stmt:
            is_stmt = row.is_stmt
            out.append(_NEGATE_STMT)
        if row.is_basic_block:
            out.append(_SET_BASIC_BLOCK)
        if row.is_prologue_end:
            out.append(_SET_PROLOGUE_END)
        if row.is_epilogue_begin:
            out.append(_SET_EPILOGUE_BEGIN)
        place = address_of(row.label)
        if address is None or (row.resets_view and _may_stand_still(previous, row.label, laid)):
            out += bytes([0, 9, 2])  # DW_LNE_set_address
            writer.item(Data(8, row.label))
            out += _advance(row.line - line, 0)
        else:
            out += _advance(row.line - line, place - address)
        line, address, previous = row.line, place, row.label
    rest = laid.size - (address or 0)
    if rest == _LONGEST_SPECIAL:
        out.append(_CONST_ADD_PC)
    elif rest:
        out += bytes([_ADVANCE_PC]) + leb128(rest, False)
    out += bytes([0, 1, 1])  # DW_LNE_end_sequence


def _may_stand_still(previous: AsmSymbol, label: AsmSymbol, laid: Laid) -> bool:
    """Tell whether gas, which does not know sizes yet, fears that two rows have one address."""
    if label.fragment == previous.fragment:
        return label.offset == previous.offset
    end = laid.lengths[previous.fragment]
    if isinstance(laid.variables[previous.fragment], Jump):
        end += 1  # the opcode of a jump belongs to the fragment that the jump ends
    return label.offset == 0 and previous.offset >= end


def _advance(lines: int, bytes_on: int) -> bytes:
    """Return the shortest opcodes, in gas's preference, that append a row further on."""
    out = b""
    needs_copy = False
    biased = lines - _LINE_BASE
    if not 0 <= biased < _LINE_RANGE:
        out = bytes([_ADVANCE_LINE]) + leb128(lines, True)
        lines, biased, needs_copy = 0, -_LINE_BASE, True
    if lines == 0 and bytes_on == 0:
        return out + bytes([_COPY])
    biased += _OPCODE_BASE
    if bytes_on < 256 + _LONGEST_SPECIAL:
        opcode = biased + bytes_on * _LINE_RANGE
        if opcode <= 255:
            return out + bytes([opcode])
        opcode = biased + (bytes_on - _LONGEST_SPECIAL) * _LINE_RANGE
        if opcode <= 255:
            return out + bytes([_CONST_ADD_PC, opcode])
    out += bytes([_ADVANCE_PC]) + leb128(bytes_on, False)
    return out + bytes([_COPY if needs_copy else biased])
