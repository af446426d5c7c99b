"""Instructions that never reach keystone: branches, prefixes, and those it lacks or gets wrong."""

from __future__ import annotations

import re
from typing import NamedTuple

_CONDITIONS = "o|no|b c nae|ae nb nc|e z|ne nz|be na|a nbe|s|ns|p pe|np po|l nge|ge nl|le ng|g nle"

CONDITION_CODES: dict[str, int] = {
    name: code for code, names in enumerate(_CONDITIONS.split("|")) for name in names.split()
}


class Jump(NamedTuple):
    """How a jump is written: the opcodes with rel8 and rel32, and the relocation word."""

    short: bytes
    near: bytes
    modifier: str = ""


BRANCHES: dict[str, Jump] = {
    "jmp": Jump(b"\xeb", b"\xe9"),
    "jmpq": Jump(b"\xeb", b"\xe9"),
    **{
        "j" + name: Jump(bytes([0x70 + code]), bytes([0x0F, 0x80 + code]))
        for name, code in CONDITION_CODES.items()
    },
}

# Branches of one form only: opcode, and the width of its displacement.
FIXED_BRANCHES: dict[str, tuple[bytes, int]] = {
    "loop": (b"\xe2", 1),
    "loopq": (b"\xe2", 1),
    "loope": (b"\xe1", 1),
    "loopz": (b"\xe1", 1),
    "loopne": (b"\xe0", 1),
    "loopnz": (b"\xe0", 1),
    "jrcxz": (b"\xe3", 1),
    "jecxz": (b"\x67\xe3", 1),
    "call": (b"\xe8", 4),
    "callq": (b"\xe8", 4),
    "xbegin": (b"\xc7\xf8", 4),
}

PREFIXES: dict[str, int] = {
    "lock": 0xF0,
    "rep": 0xF3,
    "repe": 0xF3,
    "repz": 0xF3,
    "repne": 0xF2,
    "repnz": 0xF2,
    "data16": 0x66,
    "addr32": 0x67,
    "notrack": 0x3E,
    "bnd": 0xF2,
    "cs": 0x2E,
    "ds": 0x3E,
    "es": 0x26,
    "ss": 0x36,
    "fs": 0x64,
    "gs": 0x65,
    "xacquire": 0xF2,
    "xrelease": 0xF3,
    **{
        "rex" + ("." + letters if letters else ""): 0x40 | bits
        for bits, letters in enumerate(
            [
                "",
                "b",
                "x",
                "xb",
                "r",
                "rb",
                "rx",
                "rxb",
                "w",
                "wb",
                "wx",
                "wxb",
                "wr",
                "wrb",
                "wrx",
                "wrxb",
            ]
        )
    },
    "rex64": 0x48,
}

# How `vcmp` compares, by the name between it and the type (Intel SDM 2, VCMPPD).
_COMPARISONS = """
eq eq_oq|lt lt_os|le le_os|unord unord_q|neq neq_uq|nlt nlt_us|nle nle_us|ord ord_q
|eq_uq|nge nge_us|ngt ngt_us|false false_oq|neq_oq|ge ge_os|gt gt_os|true true_uq
|eq_os|lt_oq|le_oq|unord_s|neq_us|nlt_uq|nle_uq|ord_s
|eq_us|nge_uq|ngt_uq|false_os|neq_os|ge_oq|gt_oq|true_us
"""
COMPARISONS: dict[str, int] = {
    name: number for number, names in enumerate(_COMPARISONS.split("|")) for name in names.split()
}

# Whole instruction as written (operands without blanks) -> its bytes.
FIXED: dict[str, bytes] = {
    "endbr64": b"\xf3\x0f\x1e\xfa",
    "endbr32": b"\xf3\x0f\x1e\xfb",
    "xchgq %rax,%rax": b"\x90",
    "xchg %rax,%rax": b"\x90",
    "xchg rax,rax": b"\x90",
    "xchgw %ax,%ax": b"\x66\x90",
    "xchg %ax,%ax": b"\x66\x90",
    "xchg ax,ax": b"\x66\x90",
    "pushf": b"\x9c",
    "popf": b"\x9d",
    "pushfw": b"\x66\x9c",
    "popfw": b"\x66\x9d",
    "pushfq": b"\x9c",
    "popfq": b"\x9d",
    "leavew": b"\x66\xc9",
    "iret": b"\xcf",
    "iretw": b"\x66\xcf",
    "sysretd": b"\x0f\x07",
    "sysretl": b"\x0f\x07",
    "sysretq": b"\x48\x0f\x07",
    "sysexitd": b"\x0f\x35",
    "sysexitl": b"\x0f\x35",
    "sysexitq": b"\x48\x0f\x35",
    "xsha1": b"\xf3\x0f\xa6\xc8",
    "xsha256": b"\xf3\x0f\xa6\xd0",
    "montmul": b"\xf3\x0f\xa6\xc0",
    "xstore": b"\x0f\xa7\xc0",
    "xcryptecb": b"\xf3\x0f\xa7\xc8",
    "xcryptcbc": b"\xf3\x0f\xa7\xd0",
    "xcryptctr": b"\xf3\x0f\xa7\xd8",
    "xcryptcfb": b"\xf3\x0f\xa7\xe0",
    "xcryptofb": b"\xf3\x0f\xa7\xe8",
    "clui": b"\xf3\x0f\x01\xee",
    "stui": b"\xf3\x0f\x01\xef",
    "testui": b"\xf3\x0f\x01\xed",
    "uiret": b"\xf3\x0f\x01\xec",
    "serialize": b"\x0f\x01\xe8",
    "setssbsy": b"\xf3\x0f\x01\xe8",
    "saveprevssp": b"\xf3\x0f\x01\xea",
    "xsusldtrk": b"\xf2\x0f\x01\xe8",
    "xresldtrk": b"\xf2\x0f\x01\xe9",
    "wbnoinvd": b"\xf3\x0f\x09",
    "ud2": b"\x0f\x0b",
    "ud2a": b"\x0f\x0b",
    "fwait": b"\x9b",
    "wait": b"\x9b",
    "movsd": b"\xa5",
    "cmpsd": b"\xa7",
    "stosd": b"\xab",
    "lodsd": b"\xad",
    "scasd": b"\xaf",
    "icebp": b"\xf1",
    "int1": b"\xf1",
}

_NUMBERS = {
    name: number for number, name in enumerate(["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"])
}


def _number(register: str) -> tuple[int, bool] | None:
    """Return (number, is 64 bits wide) of a general register of 32 or 64 bits."""
    name = register.lstrip("%")
    if name[:1] in ("e", "r") and name[1:] in _NUMBERS:
        return _NUMBERS[name[1:]], name[0] == "r"
    if name[:1] == "r" and name[1:].rstrip("d").isdecimal():
        number = int(name[1:].rstrip("d"))
        return (number, not name.endswith("d")) if 8 <= number < 16 else None
    return None


# One-register instructions that keystone lacks: prefix, opcode, /digit in ModRM.
_ONE_REGISTER = {
    "rdsspd": (b"\xf3", b"\x0f\x1e", 1),
    "rdsspq": (b"\xf3", b"\x0f\x1e", 1),
    "incsspd": (b"\xf3", b"\x0f\xae", 5),
    "incsspq": (b"\xf3", b"\x0f\xae", 5),
    "ptwritel": (b"\xf3", b"\x0f\xae", 4),
    "ptwriteq": (b"\xf3", b"\x0f\xae", 4),
    "umonitor": (b"\xf3", b"\x0f\xae", 6),
    "umwait": (b"\xf2", b"\x0f\xae", 6),
    "tpause": (b"\x66", b"\x0f\xae", 6),
}


_STRING_OPCODES = {
    "movs": 0xA4,
    "cmps": 0xA6,
    "stos": 0xAA,
    "lods": 0xAC,
    "scas": 0xAE,
    "ins": 0x6C,
    "outs": 0x6E,
}
_STRING_SIZES = {
    **dict.fromkeys(("b", "byte", "al"), "b"),
    **dict.fromkeys(("w", "word", "ax"), "w"),
    **dict.fromkeys(("l", "d", "dword", "eax"), "l"),
    **dict.fromkeys(("q", "qword", "rax"), "q"),
}
_STRING_PREFIXES = {"b": b"", "w": b"\x66", "l": b"", "q": b"\x48"}
_STRING_OPERAND = re.compile(
    r"(?:(?:byte|word|dword|qword)ptr)?(?:%?([c-gs]s):)?"
    r"(?:[(\[]%?([re])(di|si|bx)[)\]]|[(\[]%?dx[)\]]|%?(?:[re]?ax|al|dx)\Z)"
    r"|(?:(?:byte|word|dword|qword)ptr)?(?:%?([c-gs]s):)\[([re])(di|si|bx)\]"
)
_POINTERS = {
    "movs": "si di",
    "cmps": "si di",
    "stos": "di",
    "scas": "di",
    "ins": "di",
    "lods": "si",
    "outs": "si",
    "xlat": "bx",
}


def is_string_with_operands(mnemonic: str, operands: str) -> bool:
    """Tell whether keystone would corrupt its memory: a string instruction with operands."""
    name = mnemonic if mnemonic in _STRING_OPCODES else mnemonic[:-1]
    is_string = name in _STRING_OPCODES and mnemonic[len(name) :] in ("", "b", "w", "l", "q", "d")
    if mnemonic in ("movsd", "cmpsd") and re.search(r"\bxmm\d", operands):
        return False
    return bool(operands) and (is_string or mnemonic.startswith("xlat"))


def _string_code(mnemonic: str, compact: str) -> bytes | None:
    """Return a string instruction whose operands are written out, though they are fixed."""
    name = "xlat" if mnemonic in ("xlat", "xlatb") else mnemonic
    name = name if name in _POINTERS else mnemonic[:-1]
    parts = compact.split(",")
    prefixes = _string_prefixes(name, parts) if name in _POINTERS else None
    if prefixes is None:
        return None
    if name == "xlat":
        return prefixes + b"\xd7"
    size = _STRING_SIZES.get(mnemonic[len(name) :])
    for part in parts:
        size = size or _STRING_SIZES.get(part.partition("ptr")[0].lstrip("%"))
    if size is None or (size == "q" and name in ("ins", "outs")):
        return None
    return prefixes + _STRING_PREFIXES[size] + bytes([_STRING_OPCODES[name] | (size != "b")])


def _string_prefixes(name: str, parts: list[str]) -> bytes | None:
    """Return the prefixes for the segment and the width of a string instruction's pointers."""
    segments, widths, pointers = set(), set(), set()
    for part in parts:
        match = _STRING_OPERAND.fullmatch(part)
        if match is None:
            return None
        segment, width, pointer = match[1] or match[4], match[2] or match[5], match[3] or match[6]
        if pointer is None:
            continue
        pointers.add(pointer)
        widths.add(width)
        if pointer == "di":
            if segment not in (None, "es"):
                return None
        elif segment not in (None, "ds"):
            segments.add(segment)
    if (
        pointers - set(_POINTERS[name].split())
        or len(widths) > 1
        or (len(parts) > 1 and not pointers)
    ):
        return None
    return bytes([PREFIXES[segment] for segment in segments]) + b"\x67" * ("e" in widths)


def special_code(mnemonic: str, operands: str) -> bytes | None:
    """Return the bytes of an instruction that is known without keystone."""
    compact = operands.replace(" ", "").replace("\t", "").lower()
    fixed = FIXED.get(f"{mnemonic} {compact}" if compact else mnemonic)
    if fixed is not None:
        return fixed
    if is_string_with_operands(mnemonic, compact):
        return _string_code(mnemonic, compact)
    row = _ONE_REGISTER.get(mnemonic)
    register = _number(compact) if row else None
    if row is None or register is None:
        return None
    prefix, opcode, digit = row
    number, is_wide = register
    if mnemonic in ("umwait", "tpause"):
        is_wide = False
    rex = (0x48 if is_wide and mnemonic != "umonitor" else 0x40) | number >> 3
    rex_byte = bytes([rex]) if rex != 0x40 else b""
    return prefix + rex_byte + opcode + bytes([0xC0 | digit << 3 | number & 7])
