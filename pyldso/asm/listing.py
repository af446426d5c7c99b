"""The listing that `as -al` prints: each source line with the address and bytes it made."""

from __future__ import annotations

from collections.abc import Mapping

from pyldso.asm.fragments import Laid
from pyldso.asm.source_map import Source, SourceMap
from pyldso.asm.symbols import AsmSection

_ROW, _MOST_ROWS = 4, 5
"""Bytes on a row, and rows of a line: gas's --listing-lhs-width and --listing-cont-lines."""
_MOST_BYTES = 2 * _ROW * _MOST_ROWS


def write_listing(source: Source, sources: SourceMap, laid: Mapping[AsmSection, Laid]) -> str:
    """Return the listing of the main source; expansions stand at the line that called for them."""
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
    return "\n".join([*rows, ""])


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
