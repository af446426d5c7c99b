"""The one relocation table of x86-64 (psABI 4.4.1), for the linker and the dynamic linker.

Operands of an expression, each as the psABI defines it: S symbol, A addend, P place, B load base,
L PLT entry, G offset of the symbol's GOT entry in the GOT, GOT address of the GOT, Z symbol size,
TP thread pointer, DTP start of the module's TLS block, and
TLSGD, TLSLD, GOTTPOFF, TLSDESC (offsets in the GOT of the entries they need) and indirect
(an IFUNC resolver's answer).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class R_X86_64(IntEnum):  # noqa: N801 - the specification's own name
    """r_type numbers (psABI table 4.9)."""

    NONE = 0
    ABS64 = 1
    PC32 = 2
    GOT32 = 3
    PLT32 = 4
    COPY = 5
    GLOB_DAT = 6
    JUMP_SLOT = 7
    RELATIVE = 8
    GOTPCREL = 9
    ABS32 = 10
    ABS32S = 11
    ABS16 = 12
    PC16 = 13
    ABS8 = 14
    PC8 = 15
    DTPMOD64 = 16
    DTPOFF64 = 17
    TPOFF64 = 18
    TLSGD = 19
    TLSLD = 20
    DTPOFF32 = 21
    GOTTPOFF = 22
    TPOFF32 = 23
    PC64 = 24
    GOTOFF64 = 25
    GOTPC32 = 26
    GOT64 = 27
    GOTPCREL64 = 28
    GOTPC64 = 29
    PLTOFF64 = 31
    SIZE32 = 32
    SIZE64 = 33
    GOTPC32_TLSDESC = 34
    TLSDESC_CALL = 35
    TLSDESC = 36
    IRELATIVE = 37
    GOTPCRELX = 41
    REX_GOTPCRELX = 42


class RelocationRow(NamedTuple):
    """One relocation type.

    `size` is the field's width in bytes (0 where nothing is stored); `range` is how a value is
    checked: `s` signed, `u` unsigned, `e` either, empty for a field that cannot overflow.
    `is_dynamic` tells whether the dynamic linker may meet the type.
    """

    number: int
    name: str
    expression: str
    size: int
    range: str
    is_dynamic: bool


def _row(
    number: R_X86_64, expression: str, size: int, check: str = "", *, dynamic: bool = False
) -> RelocationRow:
    spelled = {"ABS64": "64", "ABS32": "32", "ABS32S": "32S", "ABS16": "16", "ABS8": "8"}
    name = f"R_X86_64_{spelled.get(number.name, number.name)}"
    return RelocationRow(int(number), name, expression, size, check, dynamic)


RELOCATIONS: dict[int, RelocationRow] = {
    row.number: row
    for row in (
        _row(R_X86_64.NONE, "", 0, dynamic=True),
        _row(R_X86_64.ABS64, "S + A", 8, dynamic=True),
        _row(R_X86_64.PC32, "S + A - P", 4, "s", dynamic=True),
        _row(R_X86_64.GOT32, "G + A", 4, "u"),
        _row(R_X86_64.PLT32, "L + A - P", 4, "s"),
        _row(R_X86_64.COPY, "copy", 0, dynamic=True),
        _row(R_X86_64.GLOB_DAT, "S", 8, dynamic=True),
        _row(R_X86_64.JUMP_SLOT, "S", 8, dynamic=True),
        _row(R_X86_64.RELATIVE, "B + A", 8, dynamic=True),
        _row(R_X86_64.GOTPCREL, "G + GOT + A - P", 4, "s"),
        _row(R_X86_64.ABS32, "S + A", 4, "u", dynamic=True),
        _row(R_X86_64.ABS32S, "S + A", 4, "s"),
        _row(R_X86_64.ABS16, "S + A", 2, "e"),
        _row(R_X86_64.PC16, "S + A - P", 2, "s"),
        _row(R_X86_64.ABS8, "S + A", 1, "e"),
        _row(R_X86_64.PC8, "S + A - P", 1, "s"),
        _row(R_X86_64.DTPMOD64, "module", 8, dynamic=True),
        _row(R_X86_64.DTPOFF64, "S + A - DTP", 8, dynamic=True),
        _row(R_X86_64.TPOFF64, "S + A - TP", 8, dynamic=True),
        _row(R_X86_64.TLSGD, "TLSGD + GOT + A - P", 4, "s"),
        _row(R_X86_64.TLSLD, "TLSLD + GOT + A - P", 4, "s"),
        _row(R_X86_64.DTPOFF32, "S + A - DTP", 4, "s"),
        _row(R_X86_64.GOTTPOFF, "GOTTPOFF + GOT + A - P", 4, "s"),
        _row(R_X86_64.TPOFF32, "S + A - TP", 4, "s"),
        _row(R_X86_64.PC64, "S + A - P", 8),
        _row(R_X86_64.GOTOFF64, "S + A - GOT", 8),
        _row(R_X86_64.GOTPC32, "GOT + A - P", 4, "s"),
        _row(R_X86_64.GOT64, "G + A", 8),
        _row(R_X86_64.GOTPCREL64, "G + GOT + A - P", 8),
        _row(R_X86_64.GOTPC64, "GOT + A - P", 8),
        _row(R_X86_64.PLTOFF64, "L + A - GOT", 8),
        _row(R_X86_64.SIZE32, "Z + A", 4, "u", dynamic=True),
        _row(R_X86_64.SIZE64, "Z + A", 8, dynamic=True),
        _row(R_X86_64.GOTPC32_TLSDESC, "TLSDESC + GOT + A - P", 4, "s"),
        _row(R_X86_64.TLSDESC_CALL, "", 0),
        _row(R_X86_64.TLSDESC, "descriptor", 16, dynamic=True),
        _row(R_X86_64.IRELATIVE, "indirect(B + A)", 8, dynamic=True),
        _row(R_X86_64.GOTPCRELX, "G + GOT + A - P", 4, "s"),
        _row(R_X86_64.REX_GOTPCRELX, "G + GOT + A - P", 4, "s"),
    )
}


def relocation_name(r_type: int) -> str:
    """Return `R_X86_64_PLT32` for 4, and the number itself for one that the table lacks."""
    row = RELOCATIONS.get(r_type)
    return row.name if row else f"relocation type {r_type}"
