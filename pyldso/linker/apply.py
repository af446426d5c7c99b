"""Relocations to bytes: each expression of the CPU's table is compiled once, then one loop."""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from pyldso.arch.machine import Machine, RelocationLike
from pyldso.elf.constants import SHF
from pyldso.linker.scan import R_TYPE, Place
from pyldso.linker.sections import InputSection
from pyldso.linker.symbols import Column, Resolved

Evaluate = Callable[[Resolved, int, int], int]
"""(target, A, P) -> value"""

OF_TARGET = re.compile(r"\b(S|L|G|Z|TLSGD|GOTTPOFF|TLSDESC)\b")

FIELDS = {1: Struct("<B"), 2: Struct("<H"), 4: Struct("<I"), 8: Struct("<Q")}
UNCHECKED = (-(1 << 80), 1 << 80)


class Constants(NamedTuple):
    """The operands that are the same for all relocations of an output (psABI 4.4.1)."""

    GOT: int
    TP: int
    DTP: int
    TLSLD: int


class Overflow(NamedTuple):
    """A value that its field cannot hold."""

    place: Place
    r_type: int
    target: Resolved
    value: int
    low: int
    high: int


class Form(NamedTuple):
    """A compiled row of the relocation table."""

    evaluate: Evaluate
    pack_into: Callable[[bytearray, int, int], None]
    low: int
    high: int
    mask: int


def limits(row: RelocationLike) -> tuple[int, int]:
    """Return the least and the greatest value that the field may get."""
    bits = 8 * row.size
    if not row.range or bits == 64:
        return UNCHECKED
    low = 0 if row.range == "u" else -(1 << bits - 1)
    high = (1 << bits - 1) - 1 if row.range == "s" else (1 << bits) - 1
    return low, high


def compile_row(row: RelocationLike, constants: Constants) -> Form | None:
    """Return the compiled row, None for a relocation that stores nothing."""
    if not row.size:
        return None
    formula = OF_TARGET.sub(r"target.\1", row.expression)
    # the formulas are the table's own text, never input
    evaluate: Evaluate = eval(f"lambda target, A, P: {formula}", constants._asdict())
    low, high = limits(row)
    field = FIELDS[row.size]
    return Form(evaluate, field.pack_into, low, high, (1 << 8 * row.size) - 1)


def apply_relocations(
    sections: list[InputSection], image: bytearray, machine: Machine, constants: Constants
) -> list[Overflow]:
    """Write every relocated field into `image`; return what did not fit.

    The scan has seen every type and place, so nothing else can go wrong here.
    """
    forms: dict[int, Form | None] = {}
    overflows: list[Overflow] = []
    for member in sections:
        targets = member.owner.targets
        output = member.output
        if output is None:
            continue
        address = output.address + member.offset
        offset = output.offset + member.offset
        rows = member.relocations
        if not member.section.sh_flags & SHF.ALLOC:
            # what told of dropped code keeps the zero that the field holds
            rows = [r for r in rows if targets[r[1] >> 32].column != Column.DISCARDED]
        for r_offset, r_info, A in rows:  # noqa: N806 - the psABI's operand
            r_type = r_info & R_TYPE
            try:
                form = forms[r_type]
            except KeyError:
                row = machine.relocations[r_type]
                form = forms[r_type] = compile_row(row, constants)
            if form is None:
                continue
            evaluate, pack_into, low, high, mask = form
            target = targets[r_info >> 32]
            value = evaluate(target, A, address + r_offset)
            if low <= value <= high:
                pack_into(image, offset + r_offset, value & mask)
            else:
                place = Place(member, r_offset)
                overflows.append(Overflow(place, r_type, target, value, low, high))
    return overflows
