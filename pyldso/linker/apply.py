"""Relocations to bytes: each expression of the CPU's table is compiled once, then one loop.

Every expression is a sum of what is the same for all places that name one symbol by one type, of A
and, in most, of -P. So that sum is made once for a type and symbol, and a row costs an addition.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import Struct, error
from typing import NamedTuple

from pyldso.arch.machine import Machine, RelocationLike
from pyldso.elf.constants import SHF
from pyldso.elf.rela import R_TYPE
from pyldso.linker.scan import Place
from pyldso.linker.sections import InputSection
from pyldso.linker.symbols import Column, Resolved

OF_TARGET = re.compile(r"\b(S|L|G|Z|TLSGD|GOTTPOFF|TLSDESC)\b")

FIELDS = {1: "b", 2: "h", 4: "i", 8: "q"}
"""By width the letter of struct for a signed field; the capital is that of an unsigned one."""
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

    base: Callable[[Resolved], int]
    """The value for A and P of 0."""
    is_relative: bool
    """Tell whether P is subtracted."""
    pack_into: Callable[[bytearray, int, int], None]
    low: int
    high: int
    mask: int


Field = tuple[int, bool, Callable[[bytearray, int, int], None]]
"""What is the same for all places of one type and symbol: base, is_relative, pack_into."""


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
    formula, is_relative = row.expression.removesuffix(" - P"), row.expression.endswith(" - P")
    formula = OF_TARGET.sub(r"target.\1", formula.replace(" + A", ""))
    # the formulas are the table's own text, never input
    base: Callable[[Resolved], int] = eval(f"lambda target: {formula}", constants._asdict())
    low, high = limits(row)
    letter = FIELDS[row.size]
    # one that takes both signs is stored modulo its width where it does not fit as it is
    field = Struct(f"<{letter if row.range == 's' else letter.upper()}")
    return Form(base, is_relative, field.pack_into, low, high, (1 << 8 * row.size) - 1)


class Applier:
    """The relocations of one output; `overflows` are those whose value does not fit."""

    __slots__ = ("_constants", "_forms", "_image", "_relocations", "overflows")

    def __init__(self, image: bytearray, machine: Machine, constants: Constants) -> None:
        self._image = image
        self._relocations = machine.relocations
        self._constants = constants
        self._forms: dict[int, Form | None] = {}
        self.overflows: list[Overflow] = []

    def form(self, r_type: int) -> Form | None:
        """Return the compiled row of a type."""
        if r_type not in self._forms:
            self._forms[r_type] = compile_row(self._relocations[r_type], self._constants)
        return self._forms[r_type]

    def fields(self, member: InputSection) -> dict[int, Field]:
        """Return for each r_info of a section what its places have in common."""
        targets = member.owner.targets
        is_loaded = member.section.sh_flags & SHF.ALLOC
        fields: dict[int, Field] = {}
        for r_info in member.relocations.distinct_infos():
            form = self.form(r_info & R_TYPE)
            target = targets[r_info >> 32]
            # what told of dropped code keeps the zero that the field holds
            if form is not None and (is_loaded or target.column != Column.DISCARDED):
                fields[r_info] = (form.base(target), form.is_relative, form.pack_into)
        return fields

    def apply(self, member: InputSection, address: int, offset: int) -> None:
        """Write the fields of a section that stands at `address`, `offset` in the file."""
        image, fields = self._image, self.fields(member)
        for r_offset, r_info, addend in member.rows():
            if r_info not in fields:
                continue
            value, is_relative, pack_into = fields[r_info]
            value += addend
            if is_relative:
                value -= address + r_offset
            try:
                pack_into(image, offset + r_offset, value)
            except error:
                self._store_or_report(member, r_offset, r_info, value, offset)

    def _store_or_report(
        self, member: InputSection, r_offset: int, r_info: int, value: int, offset: int
    ) -> None:
        """Store modulo the field's width what is right but for its sign; note an overflow."""
        r_type, target = r_info & R_TYPE, member.owner.targets[r_info >> 32]
        form = self.form(r_type)
        if form is None:
            return
        if form.low <= value <= form.high:
            form.pack_into(self._image, offset + r_offset, value & form.mask)
        else:
            place = Place(member, r_offset)
            self.overflows.append(Overflow(place, r_type, target, value, form.low, form.high))


def apply_relocations(
    sections: list[InputSection], image: bytearray, machine: Machine, constants: Constants
) -> list[Overflow]:
    """Write every relocated field into `image`; return what did not fit.

    The scan has seen every type and place, so nothing else can go wrong here.
    """
    applier = Applier(image, machine, constants)
    for member in sections:
        output = member.output
        if output is not None:
            applier.apply(member, output.address + member.offset, output.offset + member.offset)
    return applier.overflows
