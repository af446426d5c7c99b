"""The compile unit that gas adds to line tables of assembly: .debug_info and its companions.

Layouts are those of DWARF 2 to 5 (7.5, 6.1.2, 2.17.3), and which attributes stand in them is gas's
choice (gas/dwarf2dbg.c, out_debug_info).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Operation, evaluate
from pyldso.asm.fragments import Data, Laid, Leb, leb128
from pyldso.asm.line_table import ItemWriter, LineTable, string_in
from pyldso.asm.symbols import AsmSection, AsmSymbol
from pyldso.elf.constants import SHF, STB, STT


class _Tag(IntEnum):
    COMPILE_UNIT, SUBPROGRAM, UNSPECIFIED_TYPE = 0x11, 0x2E, 0x3B


class _At(IntEnum):
    NAME, STMT_LIST, LOW_PC, HIGH_PC = 0x03, 0x10, 0x11, 0x12
    LANGUAGE, COMP_DIR, PRODUCER = 0x13, 0x1B, 0x25
    EXTERNAL, TYPE, RANGES = 0x3F, 0x49, 0x55


class _Form(IntEnum):
    ADDR, DATA2, DATA4, FLAG, STRP = 0x01, 0x05, 0x06, 0x0C, 0x0E
    UDATA, REF_UDATA, SEC_OFFSET, FLAG_PRESENT = 0x0F, 0x15, 0x17, 0x19


_UNIT, _FUNCTION, _NO_TYPE = 1, 2, 3
"""Numbers of the abbreviations."""
_LANG_MIPS_ASSEMBLER = 0x8001
_UT_COMPILE = 1
_RLE_END_OF_LIST, _RLE_START_LENGTH = 0, 7
_ARANGES_VERSION, _RNGLISTS_VERSION = 2, 5

GetSection = Callable[[str, int, int, int], AsmSection]
"""Returns the section of a name, flags, entry size and alignment, new if need be."""


class _Function(NamedTuple):
    symbol: AsmSymbol
    size: int
    is_external: bool


def write_unit(
    table: LineTable,
    symbols: Sequence[AsmSymbol],
    laid: Mapping[AsmSection, Laid],
    section: GetSection,
) -> list[AsmSection]:
    """Write the sections that describe the code of a line table, and return them."""
    code = [(part, laid[part].size) for part in table.rows]
    functions = _functions(symbols)
    info = section(".debug_info", 0, 0, 1)
    abbrevs = section(".debug_abbrev", 0, 0, 1)
    aranges = section(".debug_aranges", 0, 0, 16)
    strings = section(".debug_str", SHF.MERGE | SHF.STRINGS, 1, 1)
    written = [info, abbrevs, aranges, strings]
    ranges: AsmSymbol | None = None
    if len(code) > 1:
        has_lists = table.level >= 5
        name, alignment = (".debug_rnglists", 1) if has_lists else (".debug_ranges", 16)
        listed = section(name, 0, 0, alignment)
        written.append(listed)
        writer = ItemWriter()
        ranges = _write_rnglists(writer, code) if has_lists else _write_ranges(writer, code)
        _put(listed, writer)
    writer = ItemWriter()
    _write_aranges(writer, info, code)
    _put(aranges, writer)
    writer = ItemWriter()
    writer.out += _abbreviations(table.level, functions, len(code) > 1)
    _put(abbrevs, writer)
    writer = ItemWriter()
    end, start = _open(writer, table.level)
    if table.level >= 5:
        writer.out += bytes([_UT_COMPILE, 8])
    writer.item(Data(4, abbrevs.symbol))
    if table.level < 5:
        writer.out.append(8)
    lines = section(".debug_line", 0, 0, 1)
    _write_unit_entry(writer, table, code, ranges, lines, strings)
    if functions:
        _write_functions(writer, table.level, functions, strings, start)
    writer.item(end)
    _put(info, writer)
    return written


def _functions(symbols: Sequence[AsmSymbol]) -> list[_Function]:
    """Return the functions that have a size, in the order of the symbol table."""
    found = []
    for symbol in symbols:
        if symbol.type not in (STT.FUNC, STT.GNU_IFUNC) or symbol.size is None:
            continue
        try:
            value = evaluate(symbol.size)
        except StatementError:
            continue  # which is reported where the symbol table is made
        if symbol.is_defined and value.plus is value.minus is None and value.constant:
            size = value.constant & 0xFFFFFFFFFFFFFFFF
            found.append(_Function(symbol, size, symbol.binding == STB.GLOBAL))
    return found


def _put(section: AsmSection, writer: ItemWriter) -> None:
    for item in writer.finish(section):
        section.stream().add(item, 0)


def _open(writer: ItemWriter, version: int) -> tuple[AsmSymbol, AsmSymbol]:
    """Write the length and version of a unit; return the label of its end and what precedes it."""
    start, after, end = (AsmSymbol(".L\x01") for _ in range(3))
    writer.item(start)
    writer.item(Data(4, Operation("-", end, after)))
    writer.item(after)
    writer.out += version.to_bytes(2, "little")
    return end, start


def _write_ranges(writer: ItemWriter, code: Sequence[tuple[AsmSection, int]]) -> AsmSymbol:
    start = AsmSymbol(".L\x01")
    writer.item(start)
    writer.out += b"\xff" * 8 + bytes(8)  # the base of what follows: none
    for section, size in code:
        writer.item(Data(8, section.symbol))
        writer.item(Data(8, Operation("+", section.symbol, size)))
    writer.out += bytes(16)
    return start


def _write_rnglists(writer: ItemWriter, code: Sequence[tuple[AsmSection, int]]) -> AsmSymbol:
    end, _ = _open(writer, _RNGLISTS_VERSION)
    writer.out += bytes([8, 0]) + bytes(4)
    start = AsmSymbol(".L\x01")
    writer.item(start)
    for section, size in code:
        writer.out.append(_RLE_START_LENGTH)
        writer.item(Data(8, section.symbol))
        # gas 2.40 takes the end's offset in its section for the length, which is the same.
        writer.out += leb128(size, False)
    writer.out.append(_RLE_END_OF_LIST)
    writer.item(end)
    return start


def _write_aranges(
    writer: ItemWriter, info: AsmSection, code: Sequence[tuple[AsmSection, int]]
) -> None:
    end, _ = _open(writer, _ARANGES_VERSION)
    writer.item(Data(4, info.symbol))
    writer.out += bytes([8, 0]) + bytes(4)  # the pairs are aligned to their size
    for section, size in code:
        writer.item(Data(8, section.symbol))
        writer.out += size.to_bytes(8, "little")
    writer.out += bytes(16)
    writer.item(end)


def _flag_form(level: int, functions: Sequence[_Function]) -> _Form | None:
    """Return how DW_AT_external is written; None where no function is."""
    if not any(function.is_external for function in functions):
        return None
    has_local = not all(function.is_external for function in functions)
    return _Form.FLAG if has_local or level < 4 else _Form.FLAG_PRESENT


def _abbreviations(level: int, functions: Sequence[_Function], is_disjoint: bool) -> bytes:
    offset = _Form.DATA4 if level < 4 else _Form.SEC_OFFSET
    end = _Form.ADDR if level < 4 else _Form.UDATA
    place = [(_At.LOW_PC, _Form.ADDR), (_At.HIGH_PC, end)]
    unit = [
        (_At.STMT_LIST, offset),
        *([(_At.RANGES, offset)] if is_disjoint else place),
        (_At.NAME, _Form.STRP),
        (_At.COMP_DIR, _Form.STRP),
        (_At.PRODUCER, _Form.STRP),
        (_At.LANGUAGE, _Form.DATA2),
    ]
    out = _abbreviation(_UNIT, _Tag.COMPILE_UNIT, bool(functions), unit)
    if functions:
        flag = _flag_form(level, functions)
        function = [
            (_At.NAME, _Form.STRP),
            *([] if flag is None else [(_At.EXTERNAL, flag)]),
            *([(_At.TYPE, _Form.REF_UDATA)] if level > 2 else []),
            *place,
        ]
        out += _abbreviation(_FUNCTION, _Tag.SUBPROGRAM, False, function)
        if level > 2:
            out += _abbreviation(_NO_TYPE, _Tag.UNSPECIFIED_TYPE, False, [])
    return out + b"\0"


def _abbreviation(
    number: int, tag: _Tag, has_children: bool, attributes: Sequence[tuple[_At, _Form]]
) -> bytes:
    pairs = b"".join(bytes(pair) for pair in attributes)
    return bytes([number, tag, has_children]) + pairs + bytes(2)


def _write_unit_entry(
    writer: ItemWriter,
    table: LineTable,
    code: Sequence[tuple[AsmSection, int]],
    ranges: AsmSymbol | None,
    lines: AsmSection,
    strings: AsmSection,
) -> None:
    writer.out.append(_UNIT)
    writer.item(Data(4, lines.symbol))
    if ranges is not None:
        writer.item(Data(4, ranges))
    else:
        _write_place(writer, table.level, *code[0])
    options = table.options
    directory = options.mapped(options.directory)
    for text in (table.name_of_unit(), directory, options.producer):
        writer.item(string_in(strings, text))
    writer.out += _LANG_MIPS_ASSEMBLER.to_bytes(2, "little")


def _write_place(writer: ItemWriter, level: int, start: AsmSection | AsmSymbol, size: int) -> None:
    """Write DW_AT_low_pc and DW_AT_high_pc, which is an address before DWARF 4."""
    symbol = start.symbol if isinstance(start, AsmSection) else start
    writer.item(Data(8, symbol))
    if level < 4:
        writer.item(Data(8, Operation("+", symbol, size)))
    else:
        writer.out += leb128(size, False)


def _write_functions(
    writer: ItemWriter,
    level: int,
    functions: Sequence[_Function],
    strings: AsmSection,
    start: AsmSymbol,
) -> None:
    no_type = AsmSymbol(".L\x01")
    flag = _flag_form(level, functions)
    for function in functions:
        writer.out.append(_FUNCTION)
        writer.item(string_in(strings, function.symbol.name))
        if flag == _Form.FLAG:
            writer.out.append(function.is_external)
        if level > 2:
            writer.item(Leb(Operation("-", no_type, start), False))
        _write_place(writer, level, function.symbol, function.size)
    if level > 2:
        # A function returns something, and nobody knows what.
        writer.item(no_type)
        writer.out.append(_NO_TYPE)
    writer.out.append(0)
