"""`.file N` and `.loc` to the line table .debug_line (DWARF 5, 6.2)."""

from __future__ import annotations

from collections.abc import Callable

from pyldso.asm.assembly import Assembly


def numbered_file(assembly: Assembly, operands: str) -> None:
    """Obey `.file number "directory" "name" md5 value`."""


def loc(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.loc file line column options`."""


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {".loc": loc}
