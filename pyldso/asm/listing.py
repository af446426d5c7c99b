"""The listing that `as -a` prints: source lines with the bytes they made, and the symbols."""

from __future__ import annotations

from collections.abc import Mapping

from pyldso.asm.assembly import Assembly
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import address_of, evaluate
from pyldso.asm.fragments import Laid
from pyldso.asm.source_map import Source, SourceMap
from pyldso.asm.symbols import AsmSection, AsmSymbol, is_local_label
from pyldso.elf.constants import STB, STT

_ROW, _MOST_ROWS = 4, 5
"""Bytes on a row, and rows of a line: gas's --listing-lhs-width and --listing-cont-lines."""
_MOST_BYTES = 2 * _ROW * _MOST_ROWS
_ROWS_OF_PAGE = 57
"""After a heading of three lines; gas takes a page to have 60."""


def write_listing(
    assembly: Assembly, source: Source, laid: Mapping[AsmSection, Laid], kinds: str
) -> str:
    """Return the listing of the main source: lines (`l`, `h`), symbols (`s`), no pages (`n`)."""
    parts = []
    if set(kinds) & set("lh"):
        parts.append(_lines(source, assembly.source_map, laid))
    if "s" in kinds:
        parts.append(_symbols(assembly))
    if "n" not in kinds:
        parts = [_paged(parts, assembly.path)]
    return "".join(f"{row}\n" for part in parts for row in part)


def _paged(parts: list[list[str]], path: str) -> list[str]:
    """Return the rows with the headings of pages; each part begins a new page."""
    rows: list[str] = []
    number = 0
    for part in parts:
        for start in range(0, len(part), _ROWS_OF_PAGE):
            feed = "\f" if number else ""
            number += 1
            rows += [f"{feed}GAS LISTING {path} \t\t\tpage {number}", "", ""]
            rows += part[start : start + _ROWS_OF_PAGE]
    return rows


def _symbols(assembly: Assembly) -> list[str]:
    """Return a row for each symbol, in the order of the symbol table, and those not defined."""
    defined = []
    if assembly.file_name is not None:
        defined.append(f"{'*ABS*':>33}:{0:016x} {assembly.file_name}")
    undefined = []
    for symbol in assembly.ordered_symbols:
        if symbol.type == STT.SECTION or is_local_label(symbol.name):
            continue
        if symbol.is_defined:
            defined.append(_symbol_row(assembly, symbol))
        elif symbol.is_used or symbol.binding != STB.WEAK:
            undefined.append(symbol.name)
    rows = ["DEFINED SYMBOLS", *defined] if defined else ["NO DEFINED SYMBOLS"]
    rows += ["", "UNDEFINED SYMBOLS", *undefined] if undefined else ["", "NO UNDEFINED SYMBOLS"]
    return rows


def _symbol_row(assembly: Assembly, symbol: AsmSymbol) -> str:
    """Return where a symbol is defined, its section and value, and its name."""
    section, number, place = "*ABS*", 0, symbol.place
    try:
        if symbol.is_common:
            number = evaluate(symbol.size).constant if symbol.size is not None else 0
            return f"{'*COM*':>33}:{number:016x} {symbol.name}"
        home: AsmSymbol | None = symbol
        if symbol.equated is not None:
            value = evaluate(symbol.equated)
            home, number = value.plus, value.constant
        if home is not None:
            place = home.place
            number += address_of(home)
            section = home.section.name if home.section is not None else "*UND*"
    except StatementError:
        pass  # which is reported where the symbol table is made
    if symbol.type == STT.FILE:
        return f"{'*ABS*':>33}:{0:016x} {symbol.name}"
    where = assembly.source_map.locate(place)
    number &= 0xFFFFFFFFFFFFFFFF
    return f"{where.path:>20}:{where.line:<5}  {section}:{number:016x} {symbol.name}"


def _lines(source: Source, sources: SourceMap, laid: Mapping[AsmSection, Laid]) -> list[str]:
    """Return the rows of the source's lines; expansions stand at the line that called for them."""
    made: dict[int, list[tuple[int, bytes]]] = {}
    for section, part in laid.items():
        if section.keeps_lines:
            _gather(section, part, sources, made)
    rows: list[str] = []
    for number, text in enumerate(source.lines, 1):
        if number == len(source.lines) and not text:
            break
        pieces = made.get(source.base + number - 1, [])
        cells = [cell for piece in _joined(pieces) for cell in _cells(*piece)][:_MOST_ROWS]
        rows.append(f"{number:4} {cells[0].ljust(14) if cells else ' ' * 13}\t{text}")
        rows += [f"{number:4} {cell}" for cell in cells[1:]]
    return rows


def _gather(
    section: AsmSection, part: Laid, sources: SourceMap, made: dict[int, list[tuple[int, bytes]]]
) -> None:
    starts = section.starts
    marks = list(zip(part.line_marks.addresses(starts), part.line_marks.places, strict=True))
    ends = [offset for offset, _ in marks[1:]] + [part.size]
    for (offset, place), end in zip(marks, ends, strict=False):
        while called_at := sources.source_of(place).called_at:
            place = called_at
        end = min(end, offset + _MOST_BYTES)
        data = section.contents[offset:end] if section.has_contents else bytes(end - offset)
        made.setdefault(place, []).append((offset, bytes(data)))


def _joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the pieces with those that follow on each other made one."""
    joined: list[tuple[int, bytes]] = []
    for offset, data in pieces:
        if joined and joined[-1][0] + len(joined[-1][1]) == offset:
            joined[-1] = (joined[-1][0], joined[-1][1] + data)
        elif data:
            joined.append((offset, data))
    return joined


def _cells(offset: int, data: bytes) -> list[str]:
    cells = []
    for start in range(0, len(data), _ROW):
        address = f"{offset:04x}" if start == 0 else "    "
        code = data[start : start + _ROW]
        cells.append(f"{address} {code.hex().upper()}{' ' * (len(code) == _ROW)}")
    return cells
