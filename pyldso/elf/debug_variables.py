"""The variables of a relocatable object (.debug_info) to the source lines that declare them.

DWARF 2 to 5 (7.5, "Format of Debugging Information"): the entries of each unit are read one after
the other, all attributes but a variable's place and line passed over. A variable is known by the
relocation of its address; where it is an index into .debug_addr, as clang 14 writes it for DWARF 5,
it is not found. As with lines, damage costs only the message its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import error

from pyldso.elf.debug_lines import LONG_FORM, Cursor, LineRow, LineUnit, Targets, targets_of
from pyldso.elf.object import ObjectFile, Section
from pyldso.elf.records import Buffer

DW_TAG_VARIABLE = 0x34
DW_AT_LOCATION, DW_AT_STMT_LIST, DW_AT_DECL_FILE, DW_AT_DECL_LINE = 0x02, 0x10, 0x3A, 0x3B
WANTED = frozenset((DW_AT_LOCATION, DW_AT_STMT_LIST, DW_AT_DECL_FILE, DW_AT_DECL_LINE))
DW_OP_ADDR = 0x03
DW_UT_COMPILE, DW_UT_PARTIAL = 1, 3

FIXED = {
    0x01: 8, 0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8,
    0x19: 0, 0x1C: 4, 0x1E: 16, 0x20: 8, 0x24: 8, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1,
    0x2A: 2, 0x2B: 3, 0x2C: 4,
}  # fmt: skip
"""The bytes of a form: addr, data, flag, ref, flag_present, ref_sup, ref_sig8, strx, addrx."""
OFFSETS = frozenset((0x0E, 0x10, 0x17, 0x1D, 0x1F))
"""strp, ref_addr, sec_offset, strp_sup, line_strp: as wide as offsets are in the unit."""
NUMBERS = frozenset((0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23))
"""udata, ref_udata, strx, addrx, loclistx, rnglistx: unsigned LEB128."""
BLOCKS = {0x03: 2, 0x04: 4, 0x0A: 1}
BLOCK, STRING, SDATA, INDIRECT, EXPRLOC, IMPLICIT_CONST = 0x09, 0x08, 0x0D, 0x16, 0x18, 0x21

Abbreviation = tuple[int, list[tuple[int, int, int]]]
"""The tag, and for each attribute its name, its form and the value of an implicit constant."""


def variable_rows(source: ObjectFile, strings: dict[str, Buffer]) -> Iterator[LineRow]:
    """Yield where the object's variables are, each with the line of its declaration."""
    named = {section.name: section for section in source.sections}
    abbreviations, lines = named.get(".debug_abbrev"), named.get(".debug_line")
    for section in source.sections:
        if section.name != ".debug_info" or abbreviations is None or lines is None:
            continue
        targets = targets_of(section)
        at = 0
        try:
            while at < len(section.data):
                unit = VariableUnit(source, section, targets, abbreviations.data, at)
                yield from unit.rows(lines, strings)
                at = unit.end
        except (IndexError, error, ValueError):
            continue


def read_abbreviations(data: Buffer, at: int) -> dict[int, Abbreviation]:
    """Return the abbreviations of a unit by their codes (7.5.3)."""
    cursor = Cursor(data, at)
    table: dict[int, Abbreviation] = {}
    while code := cursor.uleb():
        tag = cursor.uleb()
        cursor.number(1)  # whether it has children
        attributes: list[tuple[int, int, int]] = []
        while True:
            name, form = cursor.uleb(), cursor.uleb()
            constant = cursor.sleb() if form == IMPLICIT_CONST else 0
            if not name and not form:
                break
            attributes.append((name, form, constant))
        table[code] = (tag, attributes)
    return table


class VariableUnit:
    """A unit of .debug_info; `end` is where the next one starts."""

    __slots__ = ("_cursor", "_is_read", "_offset_size", "_source", "_table", "_targets", "end")

    def __init__(
        self, source: ObjectFile, section: Section, targets: Targets, abbreviations: Buffer, at: int
    ) -> None:
        self._source, self._targets = source, targets
        cursor = self._cursor = Cursor(section.data, at)
        length = cursor.number(4)
        self._offset_size = 8 if length == LONG_FORM else 4
        if length == LONG_FORM:
            length = cursor.number(8)
        self.end = min(cursor.at + length, len(section.data))
        version = cursor.number(2)
        kind = cursor.number(1) if version >= 5 else DW_UT_COMPILE
        self._is_read = kind in (DW_UT_COMPILE, DW_UT_PARTIAL) and 2 <= version <= 5
        if version >= 5:
            cursor.number(1)  # address_size
        table = self._offset()
        if version < 5:
            cursor.number(1)
        self._table = read_abbreviations(abbreviations, table) if self._is_read else {}

    def _offset(self) -> int:
        """Read an offset into another section; the addend of its relocation is what counts."""
        place = self._cursor.at
        offset = self._cursor.number(self._offset_size)
        return self._targets[place][1] if place in self._targets else offset

    def rows(self, lines: Section, strings: dict[str, Buffer]) -> Iterator[LineRow]:
        """Yield the variables of the unit."""
        cursor = self._cursor
        files: list[str] | None = None
        while self._is_read and cursor.at < self.end:
            code = cursor.uleb()
            if not code:
                continue
            if code not in self._table:
                raise ValueError(code)
            tag, attributes = self._table[code]
            values = [(name, self._value(form, constant)) for name, form, constant in attributes]
            found = {name: value for name, value in values if name in WANTED and value is not None}
            if files is None:
                if DW_AT_STMT_LIST not in found:
                    return
                at = found[DW_AT_STMT_LIST]
                unit = LineUnit(self._source, lines.data, targets_of(lines), strings, at)
                files = unit.files
            if tag == DW_TAG_VARIABLE and DW_AT_LOCATION in found and DW_AT_DECL_LINE in found:
                file = found.get(DW_AT_DECL_FILE, 0)
                index, addend = self._targets.get(found[DW_AT_LOCATION], (0, 0))
                symbol = self._source.symbols[index]
                if symbol.section is not None and file < len(files):
                    offset = symbol.st_value + addend
                    yield LineRow(symbol.section, offset, files[file], found[DW_AT_DECL_LINE])

    def _value(self, form: int, constant: int) -> int | None:
        """Read an attribute; of an expression return where the address stands in it."""
        cursor = self._cursor
        if form == IMPLICIT_CONST:
            return constant
        if form in FIXED:
            return cursor.number(FIXED[form])
        if form in OFFSETS:
            return self._offset()
        if form in NUMBERS:
            return cursor.uleb()
        if form == SDATA:
            return cursor.sleb()
        if form == INDIRECT:
            return self._value(cursor.uleb(), 0)
        if form == STRING:
            cursor.string()
            return None
        if form not in BLOCKS and form not in (BLOCK, EXPRLOC):
            raise ValueError(form)
        size = cursor.number(BLOCKS[form]) if form in BLOCKS else cursor.uleb()
        start = cursor.at
        is_address = size > 1 and cursor.number(1) == DW_OP_ADDR
        cursor.at = start + size
        return start + 1 if is_address else None
