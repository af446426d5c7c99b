"""Directives that put data into a section: numbers, strings, padding, LEB128, floats."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from pyldso.asm.assembly import Assembly
from pyldso.asm.att import split_operands
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, parse
from pyldso.asm.fragments import Align, Data, Fill, Leb, Mark, Org, leb128
from pyldso.asm.lexer import read_strings, unquote
from pyldso.asm.nops import nop_fill
from pyldso.elf.constants import SHT

if TYPE_CHECKING:
    from fractions import Fraction

_LARGEST_FIXED = 4096
_HIGHEST_ALIGNMENT = 1 << 30
_LARGEST_FILL = 1 << 31
_FLOAT_BITS = re.compile(r"0?[fFdDrRsSeExXhHbB]:([0-9a-fA-F]+)\Z")
# gas's quiet NaN, positive and negative, by size.
_NOT_A_NUMBER = {
    2: (b"\xff\x7f", b"\xff\xff"),
    4: (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"),
    8: (b"\xff" * 7 + b"\x7f", b"\xff" * 8),
}
_FLOAT = re.compile(r"(?:0[fFdDrRsSeExX](?![0-9a-fA-F]*\Z))?([-+]?\s*[\w.+-]+)\Z")


def numbers(size: int, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.byte`, `.short`, `.long`, `.quad`: numbers of `size` bytes, or symbols."""
    if not operands:
        return
    assembly.in_data = True
    try:
        _put_numbers(size, assembly, operands)
    finally:
        assembly.in_data = False


def _put_numbers(size: int, assembly: Assembly, operands: str) -> None:
    out = bytearray()
    bits = 8 * size
    mask = (1 << bits) - 1
    is_plain = True
    for operand in split_operands(operands):
        tree, modifier, _ = parse(operand, assembly)
        if isinstance(tree, int):
            if modifier:
                raise StatementError(f"`@{modifier}' needs a symbol", operand)
            if not -(1 << bits) < tree < 1 << bits:
                is_plain = False
                message = f"value {tree:#x} truncated to {tree & mask:#x}"
                assembly.report(message, operand, severity="warning")
            out += (tree & mask).to_bytes(size, "little")
            continue
        if out:
            assembly.add(bytes(out))
            out.clear()
        is_plain = False
        assembly.add(Data(size, tree, modifier))
    if out:
        assembly.add(bytes(out))
        assembly.plain = bytes(out) if is_plain else None


def octa(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.octa`: numbers of 16 bytes."""
    for operand in split_operands(operands):
        text = operand.replace(" ", "")
        try:
            value = int(text, 0)
        except ValueError:
            value = assembly.absolute(operand)
        assembly.add((value & (1 << 128) - 1).to_bytes(16, "little"))


def strings(terminator: bytes, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.ascii`, `.asciz` and `.string`."""
    assembly.add(b"".join(text + terminator for text in read_strings(operands)))


def wide_strings(width: int, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.string16`, `.string32` and `.string64`: each byte widened, then a zero."""
    for text in read_strings(operands):
        assembly.add(b"".join(byte.to_bytes(width, "little") for byte in text + b"\0"))


def align(is_power: bool, unit: int, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.align`, `.balign`, `.p2align` and their w and l forms."""
    parts = [part.strip() for part in operands.split(",")]
    if len(parts) > 3:
        raise StatementError(f"`{name}' takes at most three operands", operands)
    amount = assembly.absolute(parts[0]) if parts[0] else 0
    if is_power:
        if not 0 <= amount <= 30:
            raise StatementError(f"alignment 2**{amount} is out of range", parts[0])
        amount = 1 << amount
    if amount == 0:
        amount = 1
    if amount < 0 or amount & (amount - 1) or amount > _HIGHEST_ALIGNMENT:
        raise StatementError(f"alignment {amount} is not a power of two", parts[0])
    fill = None
    if len(parts) > 1 and parts[1]:
        value = assembly.absolute(parts[1])
        fill = (value & (1 << 8 * unit) - 1).to_bytes(unit, "little")
        if assembly.stream.section.is_code and unit == 1 and fill in (b"\x90", b"\0"):
            # gas fills code with long nops where the source asks for single ones.
            fill = None if fill == b"\x90" else fill
    maximum = assembly.absolute(parts[2]) if len(parts) > 2 and parts[2] else 0
    if maximum < 0:
        raise StatementError("the most bytes to skip cannot be negative", parts[2])
    section = assembly.stream.section
    section.alignment = max(section.alignment, amount)
    if amount > 1:
        item = Align(amount, fill, maximum)
        assembly.add(assembly.alignments.setdefault(item, item))


def _is_bss(assembly: Assembly) -> bool:
    return assembly.stream.section.type == SHT.NOBITS


def put_fill(assembly: Assembly, count: Expression, unit: bytes, token: str) -> None:
    """Add copies of `unit`, at once where the count is a small number."""
    if isinstance(count, int):
        if count < 0:
            assembly.report(f"repeat count {count} is negative: ignored", token, severity="warning")
            return
        if count * len(unit) >= _LARGEST_FILL:
            raise StatementError(f"a fill of {count * len(unit)} bytes is too large", token)
        if count * len(unit) <= _LARGEST_FIXED:
            assembly.add(unit * count)
            return
    assembly.add(Fill(count, unit))


def skip(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.skip`, `.space` and `.zero`: bytes of one value, 0 unless told."""
    parts = split_operands(operands)
    if not parts[0] or len(parts) > 2:
        raise StatementError(f"`{name}' takes a size and a fill value", operands)
    count = assembly.expression(parts[0])
    value = assembly.absolute(parts[1]) if len(parts) > 1 and parts[1] else 0
    put_fill(assembly, count, bytes([value & 0xFF]), parts[0])


def fill(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.fill repeat, size, value`."""
    parts = split_operands(operands)
    if not parts[0] or len(parts) > 3:
        raise StatementError("`.fill' takes a count, a size and a value", operands)
    size = assembly.absolute(parts[1]) if len(parts) > 1 and parts[1] else 1
    value = assembly.absolute(parts[2]) if len(parts) > 2 and parts[2] else 0
    if size < 0:
        raise StatementError(f"negative size {size}", parts[1])
    size = min(size, 8)
    # Only four bytes of the value are used (gas manual, .fill).
    unit = (value & 0xFFFFFFFF).to_bytes(8, "little")[:size]
    if size == 0:
        return
    put_fill(assembly, assembly.expression(parts[0]), unit, parts[0])


def repeated(size: int, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.dcb count, value` and `.ds count, value`: copies of a number of `size` bytes."""
    count, value = _count_and_value(assembly, name, operands)
    put_fill(assembly, count, (value & (1 << 8 * size) - 1).to_bytes(size, "little"), operands)


def repeated_floats(form: str, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.dcb.s` and `.dcb.d`: copies of a float."""
    parts = split_operands(operands)
    if len(parts) != 2:
        raise StatementError(f"`{name}' takes a count and a value", operands)
    unit = _float_bytes(form, name, parts[1])
    put_fill(assembly, assembly.expression(parts[0]), unit, parts[0])


def _count_and_value(assembly: Assembly, name: str, operands: str) -> tuple[Expression, int]:
    parts = split_operands(operands)
    if not parts[0] or len(parts) > 2:
        raise StatementError(f"`{name}' takes a count and a value", operands)
    value = assembly.absolute(parts[1]) if len(parts) > 1 and parts[1] else 0
    return assembly.expression(parts[0]), value


def nops(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.nops size, longest`: instructions that do nothing."""
    parts = split_operands(operands)
    size = assembly.absolute(parts[0])
    longest = assembly.absolute(parts[1]) if len(parts) > 1 and parts[1] else 0
    if not 0 <= size < _LARGEST_FILL or longest < 0:
        raise StatementError(f"`{name}' takes a size that is not negative", operands)
    assembly.add(nop_fill(size, longest) if longest else nop_fill(size))


def org(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.org`: go on at an offset of the section."""
    parts = split_operands(operands)
    value = assembly.absolute(parts[1]) if len(parts) > 1 else 0
    assembly.add(Org(assembly.expression(parts[0]), value & 0xFF))


def leb(is_signed: bool, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.uleb128` and `.sleb128`."""
    parts = split_operands(operands)
    for operand in parts:
        tree = assembly.expression(operand)
        if isinstance(tree, int):
            code = leb128(tree, is_signed)
            assembly.add(code)
            assembly.plain = code if len(parts) == 1 else None
        else:
            assembly.add(Leb(tree, is_signed))


def floats(form: str, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.float` and `.double`."""
    for operand in split_operands(operands):
        assembly.add(_float_bytes(form, name, operand))


def _float_bytes(form: str, name: str, operand: str) -> bytes:
    bits = _FLOAT_BITS.match(operand)
    size = struct.calcsize(form)
    try:
        if bits:
            return int(bits[1], 16).to_bytes(size, "little")
        match = _FLOAT.match(operand)
        text = match[1].replace(" ", "") if match else operand
        if text.lower().lstrip("+-") in ("nan", "qnan"):
            return _NOT_A_NUMBER[size][text[0] == "-"]
        return struct.pack(form, float(text))
    except (ValueError, OverflowError):
        raise StatementError(f"`{operand}' is not a number that fits {name}", operand) from None


def brain_floats(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.bfloat16`: the upper half of a float, rounded to the nearest even."""
    for operand in split_operands(operands):
        bits = int.from_bytes(_float_bytes("<f", name, operand), "little")
        bits += 0x7FFF + (bits >> 16 & 1)
        assembly.add((bits >> 16).to_bytes(2, "little"))


_EXTENDED_SPECIAL = {
    "nan": b"\xff" * 9 + b"\x7f",
    "-nan": b"\xff" * 10,
    "inf": bytes(7) + b"\x80\xff\x7f",
    "-inf": bytes(7) + b"\x80\xff\xff",
}
_EXTENDED_BIAS, _EXTENDED_BITS = 16383, 64


def extended_floats(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.tfloat`: the ten bytes of the x87's extended format, rounded to the nearest."""
    from fractions import Fraction  # hardly any source needs it

    for operand in split_operands(operands):
        match = _FLOAT.match(operand)
        try:
            text = match[1].replace(" ", "") if match else operand
            special = _EXTENDED_SPECIAL.get(text.lower())
            if special is not None:
                assembly.add(special)
                continue
            if len(text) > 100 or abs(int(text.lower().partition("e")[2] or 0)) > 5000:
                raise OverflowError
            value = Fraction(text)
            sign = text[0] == "-"
            assembly.add(_extended(abs(value), sign))
        except (ValueError, OverflowError):
            raise StatementError(f"`{operand}' is not a number that fits {name}", operand) from None


def _extended(value: Fraction, is_negative: bool) -> bytes:
    """Return a number as 64 bits of mantissa, 15 of exponent and a sign (Intel SDM 1, 4.2.2)."""
    from fractions import Fraction

    exponent = mantissa = 0
    if value:
        power = value.numerator.bit_length() - value.denominator.bit_length()
        power -= value < (Fraction(2) ** power)
        power = max(power, 1 - _EXTENDED_BIAS)
        mantissa = round(value * Fraction(2) ** (_EXTENDED_BITS - 1 - power))
        if mantissa >> _EXTENDED_BITS:
            mantissa >>= 1
            power += 1
        exponent = power + _EXTENDED_BIAS if mantissa >> (_EXTENDED_BITS - 1) else 0
        if exponent >= 0x7FFF:
            raise OverflowError
    return mantissa.to_bytes(8, "little") + (is_negative << 15 | exponent).to_bytes(2, "little")


def incbin(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.incbin "file", skip, count`."""
    parts = split_operands(operands)
    path = unquote(parts[0])
    start = assembly.absolute(parts[1]) if len(parts) > 1 and parts[1] else 0
    data = read_included(assembly, path)
    count = assembly.absolute(parts[2]) if len(parts) > 2 and parts[2] else len(data) - start
    if start < 0 or count < 0 or start + count > len(data):
        raise StatementError(f"`{path}' has only {len(data)} bytes", parts[-1])
    assembly.add(data[start : start + count])


def read_included(assembly: Assembly, path: str) -> bytes:
    """Return the bytes of a file named in the source: beside the caller, then in `-I` folders.

    Raises StatementError where none can be read.
    """
    from pathlib import Path  # only where a source names files

    problem: OSError | None = None
    for folder in (".", *assembly.options.include_path):
        try:
            return (Path(folder) / path).read_bytes()
        except FileNotFoundError as error:
            problem = problem or error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StatementError(f"cannot read `{path}': {reason}", path) from None
    raise StatementError(f"cannot read `{path}': no such file", path, "-I adds folders to look in")


def reloc(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.reloc offset, type, expression`; the offset is a label or counts from the start."""
    from pyldso.arch.x86_64.relocations import RELOCATIONS

    parts = split_operands(operands)
    types = {row.name: row.number for row in RELOCATIONS.values()}
    aliases = {"BFD_RELOC_NONE": 0, "BFD_RELOC_32": 10, "BFD_RELOC_64": 1}
    wanted = parts[1].strip() if len(parts) > 1 else ""
    number = types.get(wanted, aliases.get(wanted))
    if number is None:
        raise StatementError(f"unknown relocation `{wanted}'", wanted)
    at = assembly.expression(parts[0])
    if isinstance(at, int):
        # gas counts from the section's symbol, which so comes into the symbol table.
        assembly.stream.section.symbol.is_used = True
    tree = assembly.expression(parts[2]) if len(parts) > 2 else 0
    assembly.add(Mark(tree, number, at))


_Directive = Callable[[Assembly, str, str], None]

FIELD_SIZES = {
    ".byte": 1, ".short": 2, ".value": 2, ".hword": 2, ".2byte": 2, ".word": 2, ".long": 4,
    ".int": 4, ".4byte": 4, ".quad": 8, ".8byte": 8, ".dc": 2, ".dc.b": 1, ".dc.w": 2, ".dc.l": 4,
    ".dc.a": 8,
}  # fmt: skip
"""Directives of numbers, and the bytes of one."""

LEB_WORDS = {".uleb128": False, ".sleb128": True}
"""Directives of LEB128 numbers, and whether these have a sign."""

DIRECTIVES: dict[str, _Directive] = {
    **{name: partial(numbers, size) for name, size in FIELD_SIZES.items()},
    ".octa": octa,
    ".ascii": partial(strings, b""),
    ".asciz": partial(strings, b"\0"),
    ".string": partial(strings, b"\0"),
    ".string8": partial(strings, b"\0"),
    ".string16": partial(wide_strings, 2),
    ".string32": partial(wide_strings, 4),
    ".string64": partial(wide_strings, 8),
    ".align": partial(align, False, 1),
    ".balign": partial(align, False, 1),
    ".balignw": partial(align, False, 2),
    ".balignl": partial(align, False, 4),
    ".p2align": partial(align, True, 1),
    ".p2alignw": partial(align, True, 2),
    ".p2alignl": partial(align, True, 4),
    ".skip": skip,
    ".space": skip,
    ".zero": skip,
    ".fill": fill,
    ".org": org,
    **{name: partial(leb, is_signed) for name, is_signed in LEB_WORDS.items()},
    ".float": partial(floats, "<f"),
    ".single": partial(floats, "<f"),
    ".double": partial(floats, "<d"),
    ".tfloat": extended_floats,
    ".dc.x": extended_floats,
    ".dc.s": partial(floats, "<f"),
    ".dc.d": partial(floats, "<d"),
    ".hfloat": partial(floats, "<e"),
    ".bfloat16": brain_floats,
    ".dcb": partial(repeated, 2),
    ".dcb.b": partial(repeated, 1),
    ".dcb.w": partial(repeated, 2),
    ".dcb.l": partial(repeated, 4),
    ".dcb.s": partial(repeated_floats, "<f"),
    ".dcb.d": partial(repeated_floats, "<d"),
    ".ds": partial(repeated, 2),
    ".ds.b": partial(repeated, 1),
    ".ds.w": partial(repeated, 2),
    ".ds.l": partial(repeated, 4),
    ".ds.s": partial(repeated, 4),
    ".ds.d": partial(repeated, 8),
    ".ds.p": partial(repeated, 10),
    ".ds.x": partial(repeated, 10),
    ".nops": nops,
    ".incbin": incbin,
    ".reloc": reloc,
}
