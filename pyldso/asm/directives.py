"""The table of directives: each name with the function that obeys it."""

from __future__ import annotations

from collections.abc import Callable

from pyldso.asm import (
    cfi,
    control_directives,
    data_directives,
    debug_lines,
    section_directives,
    symbol_directives,
)
from pyldso.asm.assembly import Assembly

Directive = Callable[[Assembly, str, str], None]
"""Called with the assembly, the directive's own name, and its operands."""

OFTEN_REPEATED = frozenset(
    (".align", ".p2align", ".text", ".data", ".section", ".previous", *cfi.DIRECTIVES)
)
"""Directives of which compilers write few lines, but these many times."""

DIRECTIVES: dict[str, Directive] = {
    **data_directives.DIRECTIVES,
    **section_directives.DIRECTIVES,
    **symbol_directives.DIRECTIVES,
    **control_directives.DIRECTIVES,
    **debug_lines.DIRECTIVES,
    **cfi.DIRECTIVES,
}
