"""Prefixes that the source writes, put where gas puts them among an instruction's own.

gas keeps one place for each kind and writes them in a fixed order, whatever the order in the source
(gas/config/tc-i386.c, add_prefix).
"""

from __future__ import annotations

from pyldso.asm.errors import StatementError

_SEGMENT, _ADDRESS, _DATA, _REPEAT, _LOCK, _REX = range(6)
_PLACES = {
    **dict.fromkeys((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65), _SEGMENT),
    0x67: _ADDRESS,
    0x66: _DATA,
    **dict.fromkeys((0xF2, 0xF3), _REPEAT),
    0xF0: _LOCK,
    **dict.fromkeys(range(0x40, 0x50), _REX),
}
_WAIT = 0x9B
_VEX_AND_EVEX = (0xC4, 0xC5, 0x62)


def with_prefixes(written: bytes, code: bytes) -> bytes:
    """Return the code of an instruction with the prefixes that were written before it.

    Raises StatementError where two of one kind meet, or where the encoding allows none.
    """
    if not code:
        return _joined(_placed(written, {}))
    wait = code[:1] if code[0] == _WAIT and len(code) > 1 else b""
    start = len(wait)
    places: dict[int, int] = {}
    while code[start] in _PLACES and _REX not in places and start < len(code) - 1:
        places[_PLACES[code[start]]] = code[start]
        start += 1
    places = _placed(written, places)
    if code[start] in _VEX_AND_EVEX and places.keys() - {_SEGMENT, _ADDRESS}:
        raise StatementError("this instruction takes no such prefix")
    return wait + _joined(places) + code[start:]


def _placed(written: bytes, places: dict[int, int]) -> dict[int, int]:
    for prefix in written:
        place = _PLACES[prefix]
        if place == _REX and place in places:
            places[place] |= prefix
        elif place in places:
            raise StatementError("the same kind of prefix is used twice")
        else:
            places[place] = prefix
    return places


def _joined(places: dict[int, int]) -> bytes:
    return bytes(places[place] for place in sorted(places))
