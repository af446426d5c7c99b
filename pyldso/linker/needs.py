"""The table of what a relocation needs: its kind x the output x what its target is.

The kind follows from the expression of the CPU's relocation table, so that no relocation number
stands here. The form of the tables is mold's (`src/passes.cc`, scan_relocations).
"""

from __future__ import annotations

from pyldso.arch.machine import Machine, OutputKind
from pyldso.linker.symbols import Need

__ = 0
GOT = int(Need.GOT)
PLT = int(Need.PLT)
CPLT = int(Need.CANONICAL_PLT)
COPY = int(Need.COPY)
REL = int(Need.RELATIVE)
DYN = int(Need.DYNAMIC)
ERR = int(Need.ERROR)
UND = int(Need.UNDEFINED)
BASE = int(Need.GOT_BASE)
GD, LD, IE = int(Need.TLS_GD), int(Need.TLS_LD), int(Need.TLS_IE)
DESC, STAT = int(Need.TLS_DESC), int(Need.STATIC_TLS)

DYN_COPY = DYN | COPY
"""A dynamic relocation where the place is writable, else a copy of the variable."""
DYN_CPLT = DYN | CPLT
REL_PLT = REL | PLT

SHARED, PIE, EXEC = 0, 1, 2
Rows = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

# An IFUNC's column: its PLT entry stands for it (PLT), and is what addresses mean.
WORD = (  # absolute local   data      code      weak      ifunc    undefined discarded
    (     __,        REL,    DYN,      DYN,      DYN,      REL_PLT, UND,      ERR),  # shared
    (     __,        REL,    DYN,      DYN,      DYN,      REL_PLT, UND,      ERR),  # PIE
    (     __,        __,     DYN_COPY, DYN_CPLT, __,       PLT,     UND,      ERR),  # exec
)  # fmt: skip
ABSOLUTE = (
    (     __,        ERR,    ERR,      ERR,      ERR,      ERR,     UND,      ERR),
    (     __,        ERR,    ERR,      ERR,      __,       ERR,     UND,      ERR),
    (     __,        __,     COPY,     CPLT,     __,       PLT,     UND,      ERR),
)  # fmt: skip
RELATIVE = (
    (     ERR,       __,     ERR,      ERR,      ERR,      PLT,     UND,      ERR),
    (     ERR,       __,     COPY,     CPLT,     __,       PLT,     UND,      ERR),
    (     __,        __,     COPY,     CPLT,     __,       PLT,     UND,      ERR),
)  # fmt: skip
CALL = (
    (     __,        __,     PLT,      PLT,      PLT,      PLT,     UND,      ERR),
    (     __,        __,     PLT,      PLT,      PLT,      PLT,     UND,      ERR),
    (     __,        __,     PLT,      PLT,      PLT,      PLT,     UND,      ERR),
)  # fmt: skip
G_PLT = GOT | PLT
THROUGH_GOT = (
    (     GOT,       GOT,    GOT,      GOT,      GOT,      G_PLT,   UND,      ERR),
    (     GOT,       GOT,    GOT,      GOT,      GOT,      G_PLT,   UND,      ERR),
    (     GOT,       GOT,    GOT,      GOT,      GOT,      G_PLT,   UND,      ERR),
)  # fmt: skip
FROM_GOT = (
    (     ERR,       BASE,   ERR,      ERR,      ERR,      PLT,     UND,      ERR),
    (     ERR,       BASE,   COPY,     CPLT,     BASE,     PLT,     UND,      ERR),
    (     BASE,      BASE,   COPY,     CPLT,     BASE,     PLT,     UND,      ERR),
)  # fmt: skip
GOT_ITSELF = ((BASE,) * 8,) * 3
SIZE = (
    (     __,        __,     __,       __,       __,       __,      UND,      __),
    (     __,        __,     __,       __,       __,       __,      UND,      __),
    (     __,        __,     __,       __,       __,       __,      UND,      __),
)  # fmt: skip
THREAD_OFFSET = (
    (     ERR,       ERR,    ERR,      ERR,      ERR,      ERR,     UND,      ERR),
    (     __,        __,     ERR,      ERR,      ERR,      ERR,     UND,      ERR),
    (     __,        __,     ERR,      ERR,      ERR,      ERR,     UND,      ERR),
)  # fmt: skip
BLOCK_OFFSET = (
    (     ERR,       __,     ERR,      ERR,      ERR,      ERR,     UND,      ERR),
    (     ERR,       __,     ERR,      ERR,      ERR,      ERR,     UND,      ERR),
    (     ERR,       __,     ERR,      ERR,      ERR,      ERR,     UND,      ERR),
)  # fmt: skip
S_IE = IE | STAT


def _tls(need: int) -> Rows:
    row = (ERR, need, need, need, need, ERR, UND, ERR)
    # in a static program a weak variable that nothing defines has some offset, which none reads
    return (row, (need, *row[1:]), (need, *row[1:]))


KINDS: dict[str, Rows] = {
    "": ((__,) * 8,) * 3,
    "S + A": ABSOLUTE,
    "S + A - P": RELATIVE,
    "L + A - P": CALL,
    "L + A - GOT": CALL,
    "G + A": THROUGH_GOT,
    "G + GOT + A - P": THROUGH_GOT,
    "S + A - GOT": FROM_GOT,
    "GOT + A - P": GOT_ITSELF,
    "Z + A": SIZE,
    "S + A - TP": THREAD_OFFSET,
    "S + A - DTP": BLOCK_OFFSET,
    "TLSGD + GOT + A - P": _tls(GD),
    "TLSLD + GOT + A - P": _tls(LD),
    "GOTTPOFF + GOT + A - P": _tls(S_IE),
    "TLSDESC + GOT + A - P": _tls(DESC),
}
"""By expression; a field of a whole word with `S + A` is WORD."""


def needs_of(machine: Machine, output: OutputKind) -> dict[int, tuple[int, ...]]:
    """Return for each r_type the needs by Column; a type that objects may not hold is left out."""
    row = SHARED if output.is_shared else PIE if output.is_position_independent else EXEC
    needs: dict[int, tuple[int, ...]] = {}
    for relocation in machine.relocations.values():
        is_word = relocation.expression == "S + A" and relocation.size == machine.word_size
        rows = WORD if is_word else KINDS.get(relocation.expression)
        if rows is not None:
            needs[relocation.number] = rows[row]
    return needs
