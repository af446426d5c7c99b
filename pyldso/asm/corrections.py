"""Where keystone's bytes are not GNU as's: each entry is a measured fault, corrected or refused."""

from __future__ import annotations

import re
from typing import Protocol

_SEGMENT_AND_ADDRESS_PREFIXES = (0x64, 0x65, 0x67)
_EVEX = 0x62

# What only EVEX can express: masks, 512 bits, the upper sixteen registers, typed moves.
_EVEX_ONLY = re.compile(
    r"zmm|\bk[0-7]\b|[xyz]mm(?:1[6-9]|2\d|3[01])\b|\{|vmovdq[au](?:8|16|32|64)\b"
)
_DISPLACEMENT = re.compile(r"(-?0x[0-9a-f]+)\(")
_LONG_DISPLACEMENT = 0x12345678


class RawEncoder(Protocol):
    """What a correction asks when it needs another encoding."""

    def raw(self, text: str, syntax: str) -> bytes | None:
        """Return keystone's bytes for a text."""


def correct(text: str, code: bytes, syntax: str, encoder: RawEncoder) -> bytes | None:
    """Return the bytes that GNU as gives, or None where they are not known."""
    start = 0
    while start < len(code) - 1 and code[start] in _SEGMENT_AND_ADDRESS_PREFIXES:
        start += 1
    first = code[start]
    if first == _EVEX:
        return _correct_evex(text, code, start, syntax, encoder)
    if first in (0x66, 0x0F, 0xCD, 0x8C, 0x48) or code[:2] == b"\x66\x8c":
        return _correct_legacy(text, code)
    return code


def _correct_legacy(text: str, code: bytes) -> bytes:
    mnemonic = text.partition(" ")[0]
    if mnemonic.startswith("nop") and b"\x0f\x18" in code[:4]:
        # nopw/nopl mem comes out as 0f 18 /4, a prefetch.
        place = code.index(b"\x0f\x18")
        modrm = code[place + 2] & 0xC7
        return code[:place] + b"\x0f\x1f" + bytes([modrm]) + code[place + 3 :]
    if code == b"\xcd\x03":
        return b"\xcc"
    if code[:2] == b"\x66\x8c" and code[2] < 0xC0:
        return code[1:]
    return code


def _correct_evex(
    text: str, code: bytes, start: int, syntax: str, encoder: RawEncoder
) -> bytes | None:
    """Demote EVEX to VEX where the source did not ask for it; never trust its short displacement.

    Keystone's AT&T parser picks EVEX for scalar AVX with a memory operand, and does not scale the
    8-bit displacement of EVEX.
    """
    displacement = _DISPLACEMENT.search(text)
    is_short = displacement is not None and "%rip" not in text and syntax == "att"
    value = int(displacement[1], 16) if displacement is not None and is_short else 0
    if value and displacement is not None:
        before, after = text[: displacement.start(1)], text[displacement.end(1) :]
        longer = before + hex(_LONG_DISPLACEMENT) + after
        again = encoder.raw(longer, syntax)
        if again is None:
            return None
        code = again
    if not _EVEX_ONLY.search(text):
        demoted = _evex_to_vex(code[start:])
        if demoted is None:
            return None
        code = code[:start] + demoted
    if value:
        return _put_displacement(code, start, value)
    return code


def _evex_to_vex(evex: bytes) -> bytes | None:
    p0, p1, p2 = evex[1], evex[2], evex[3]
    has_vex_form = p1 & 4 and not p0 & 0x0C and p0 & 0x10 and p2 & 8 and not p2 & 0x97
    if not has_vex_form:
        return None
    length = p2 >> 5 & 3
    if length > 1:
        length = 0  # scalar: keystone leaves junk in L'L
    opcode_map, opcode = p0 & 3, evex[4]
    wide = p1 >> 7
    if opcode_map == 1 and opcode not in (0x2A, 0x2C, 0x2D, 0x6E, 0x7E):
        wide = 0  # W is ignored there, and gas writes 0
    rest = p1 & 0x78 | length << 2 | p1 & 3
    if opcode_map == 1 and p0 & 0x60 == 0x60 and not wide:
        return bytes([0xC5, p0 & 0x80 | rest]) + evex[4:]
    return bytes([0xC4, p0 & 0xE0 | opcode_map, wide << 7 | rest]) + evex[4:]


def _put_displacement(code: bytes, start: int, value: int) -> bytes:
    """Put the wanted displacement for the long placeholder; shorten it where VEX allows."""
    placeholder = _LONG_DISPLACEMENT.to_bytes(4, "little")
    place = code.rindex(placeholder)
    header = {0xC5: 2, 0xC4: 3}.get(code[start])
    if header is not None and -128 <= value <= 127:
        modrm = start + header + 1
        if code[modrm] >> 6 == 2:
            shortened = bytearray(code)
            shortened[modrm] = code[modrm] & 0x3F | 0x40
            shortened[place : place + 4] = bytes([value & 0xFF])
            return bytes(shortened)
    return code[:place] + (value & 0xFFFFFFFF).to_bytes(4, "little") + code[place + 4 :]
