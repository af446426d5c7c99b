"""Where keystone's bytes are not GNU as's: each entry is a measured fault, corrected or refused."""

from __future__ import annotations

import re
from collections.abc import Callable

from pyldso.asm.evex import RawEncoder, correct_evex

_SEGMENT_AND_ADDRESS_PREFIXES = (0x64, 0x65, 0x67)
_EVEX = 0x62


def correct(text: str, code: bytes, syntax: str, encoder: RawEncoder) -> bytes | None:
    """Return the bytes that GNU as gives, or None where they are not known."""
    start = 0
    while start < len(code) - 1 and code[start] in _SEGMENT_AND_ADDRESS_PREFIXES:
        start += 1
    first = code[start]
    if first == _EVEX:
        return correct_evex(text, code, start, syntax, encoder)
    if code == b"\xcd\x03":
        return b"\xcc"
    mnemonic = text.partition(" ")[0]
    if mnemonic in _LEGACY:
        return _LEGACY[mnemonic](code)
    return code


def _correct_segment_move(code: bytes) -> bytes:
    """Drop the prefixes that mean nothing where a segment register is moved."""
    match = _SEGMENT_MOVE.match(code)
    if match is None:
        return code
    before, data, rex, opcode = match.groups()
    is_register = code[match.end()] >= 0xC0
    if opcode == b"\x8e" or not is_register:
        data = b""
    if rex and (rex[0] & 0xF7) == 0x40:
        rex = b""
    elif rex:
        rex = bytes([rex[0] & 0xF7])
    return before + data + rex + code[match.start(4) :]


def _correct_wide_system_store(code: bytes) -> bytes:
    """Drop REX.W of sldt and str, which store 16 bits and zeros whatever it says."""
    place = code.index(b"\x0f") - 1
    if place < 0 or code[place] & 0xF8 != 0x48 or code[place + 3] < 0xC0:
        return code
    rex = bytes([code[place] & 0xF7]) if code[place] != 0x48 else b""
    return code[:place] + rex + code[place + 1 :]


_SEGMENT_MOVE = re.compile(rb"([\x64\x65\x67]*)(\x66?)([\x40-\x4f]?)([\x8c\x8e])", re.DOTALL)
_LEGACY: dict[str, Callable[[bytes], bytes]] = {
    **dict.fromkeys(("mov", "movw", "movl", "movq"), _correct_segment_move),
    **dict.fromkeys(("sldt", "sldtq", "str", "strq"), _correct_wide_system_store),
}
