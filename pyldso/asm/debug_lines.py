"""`.file N` and `.loc`: rows of the line table, each at the next instruction (gas, 7.56)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from pyldso.asm.assembly import Assembly
from pyldso.asm.errors import StatementError
from pyldso.asm.lexer import unquote
from pyldso.asm.line_table import LineRow, LineTable

_FILE = re.compile(
    r'(?P<number>\d+)\s+(?P<first>"(?:[^"\\]|\\.)*")\s*(?P<second>"(?:[^"\\]|\\.)*")?'
    r"\s*(?:md5\s+(?P<md5>0x[0-9a-fA-F]{1,32}))?\s*(?:source\s.*)?\Z"
)
_LOC = re.compile(
    r"(0|[1-9]\d{0,8}) (0|[1-9]\d{0,8}) (0|[1-9]\d{0,8})(?: is_stmt ([01]))?"
    r"(?: view (-?0|\.LVU[0-9]+))?\Z"
)
"""What gcc writes nearly always: file, line and column, and at most these two options."""
_MOST_FILES = 100_000
_MOST_LINES = 1 << 31


def _table(assembly: Assembly) -> LineTable:
    if assembly.line_table is None:
        assembly.line_table = LineTable(assembly.options.debug)
    return assembly.line_table


def numbered_file(assembly: Assembly, operands: str) -> None:
    """Obey `.file number "directory" "name" md5 value`.

    Raises StatementError for operands that are none of that.
    """
    match = _FILE.match(operands)
    if match is None:
        raise StatementError('`.file\' takes a number and a "name"', operands)
    number = int(match["number"])
    if number > _MOST_FILES:
        raise StatementError(f"file number {number} is too large", match["number"])
    directory, name = "", unquote(match["first"])
    if match["second"]:
        directory, name = name, unquote(match["second"])
    md5 = int(match["md5"], 16).to_bytes(16, "little") if match["md5"] else None
    _table(assembly).stop_generating()
    if not _table(assembly).add_file(number, directory, name, md5):
        raise StatementError(f"file number {number} is already allocated", match["number"])


class _Option(NamedTuple):
    """How a `.loc` option changes the row: the field, and its value where it has no operand."""

    field: str
    value: int | None = None


_OPTIONS = {
    "basic_block": _Option("is_basic_block", 1),
    "prologue_end": _Option("is_prologue_end", 1),
    "epilogue_begin": _Option("is_epilogue_begin", 1),
    "is_stmt": _Option("is_stmt"),
    "isa": _Option("isa"),
    "discriminator": _Option("discriminator"),
}


def simple_loc(assembly: Assembly, operands: str) -> bool:
    """Obey a `.loc` as compilers write nearly all, and tell if it was one."""
    table = assembly.line_table
    match = _LOC.match(operands)
    if table is None or match is None or int(match[1]) not in table.files:
        return False
    if table.pending is not None:
        assembly.mark_line()
    row = LineRow(int(match[1]), int(match[2]), int(match[3]))
    row.isa = table.isa
    row.is_stmt = table.is_stmt = int(match[4]) if match[4] else table.is_stmt
    table.column = row.column
    table.pending = row
    if match[5]:
        _view(assembly, row, match[5])
        assembly.mark_line()
    return True


def loc(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.loc file line column options`."""
    table = _table(assembly)
    if table.pending is not None:
        assembly.mark_line()
    words = operands.split()
    if len(words) < 2:
        raise StatementError("`.loc' takes a file number and a line number", operands)
    numbers: list[int] = []
    while words and len(numbers) < 3 and (words[0][0].isdigit() or words[0][0] == "-"):
        numbers.append(assembly.absolute(words.pop(0)))
    if len(numbers) < 2:
        raise StatementError("`.loc' takes a file number and a line number", operands)
    if numbers[0] not in table.files:
        raise StatementError(f"unassigned file number {numbers[0]}", str(numbers[0]))
    if min(numbers) < 0:
        raise StatementError("line and column numbers cannot be negative", operands)
    table.column = numbers[2] if len(numbers) > 2 else table.column
    row = LineRow(numbers[0], numbers[1], table.column)
    row.is_stmt, row.isa = table.is_stmt, table.isa
    has_view = False
    while words:
        word = words.pop(0)
        if word == "view" and words:
            _view(assembly, row, words.pop(0))
            has_view = True
            continue
        option = _OPTIONS.get(word)
        if option is None or (option.value is None and not words):
            raise StatementError(f"unknown `.loc' option `{word}'", word)
        value = assembly.absolute(words.pop(0)) if option.value is None else option.value
        if value < 0:
            raise StatementError(f"`{word}' cannot be negative", word)
        setattr(row, option.field, value)
    table.is_stmt, table.isa = row.is_stmt, row.isa
    table.pending = row
    if has_view:
        # gas does not wait for an instruction where the row has a view.
        assembly.mark_line()


def _view(assembly: Assembly, row: LineRow, text: str) -> None:
    """Take `view -0` (the view starts anew), `view 0`, or a symbol that gets the view's number."""
    if text == "-0":
        row.resets_view = True
        return
    if text == "0":
        return
    symbol = assembly.lookup(text, quietly=True)
    if symbol.is_defined:
        raise StatementError(f"symbol `{text}' is already defined", text)
    symbol.equated = 0
    symbol.awaits_view = True
    row.view = symbol


def line(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.line number`: the present line has another number, in the file named before."""
    number = assembly.absolute(operands)
    if not 0 < number < _MOST_LINES:
        raise StatementError(f"`{name}' takes the number of a line", operands)
    source = assembly.sources[-1]
    if assembly.file_name is not None:
        source.note_line(assembly.place, assembly.file_name, number)
    elif source.markers:
        source.note_line(assembly.place, source.markers[-1][1], number)


def line_and_file(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.linefile number "file"`: what a line marker says of the next line."""
    match = re.match(r'(\d{1,9})\s+("(?:[^"\\]|\\.)*")', operands)
    if match is None:
        raise StatementError('`.linefile\' takes a number and a "name"', operands)
    assembly.sources[-1].note_line(assembly.place + 1, unquote(match[2]), int(match[1]))


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {
    ".loc": loc,
    ".line": line,
    ".linefile": line_and_file,
}
