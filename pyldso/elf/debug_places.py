"""What the debugging information of a relocatable object says of where its bytes come from."""

from __future__ import annotations

from pyldso.elf.debug_lines import LineRow, line_rows
from pyldso.elf.debug_variables import variable_rows
from pyldso.elf.object import LineMap, ObjectFile, Section

STRINGS = (".debug_str", ".debug_line_str")


def read_line_maps(source: ObjectFile) -> dict[Section, LineMap]:
    """Return the source lines of code, and of variables where they are declared."""
    strings = {one.name: one.data for one in source.sections if one.name in STRINGS}
    by_section: dict[Section, list[LineRow]] = {}
    for row in (*line_rows(source, strings), *variable_rows(source, strings)):
        by_section.setdefault(row.section, []).append(row)
    maps: dict[Section, LineMap] = {}
    for section, rows in by_section.items():
        rows.sort(key=lambda row: row.offset)
        maps[section] = LineMap(
            [row.offset for row in rows], [row.path for row in rows], [row.line for row in rows]
        )
    return maps
