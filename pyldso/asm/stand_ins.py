"""Instructions that keystone lacks, encoded as others of the same shape whose opcode is replaced.

A stand-in takes the same operands in the same order, so that registers, addresses and prefixes of
size come out right; prefix, opcode and the digit in ModRM are then this instruction's own
(Intel SDM 2, appendix A).
"""

from __future__ import annotations

from typing import NamedTuple

_LEGACY_PREFIXES = b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf2\xf3"
_MANDATORY = b"\x66\xf2\xf3"
_OPCODE_MAPS = {b"\x0f": 1, b"\x0f\x38": 2, b"\x0f\x3a": 3}
_VEX_PREFIXES = {b"": 0, b"\x66": 1, b"\xf3": 2, b"\xf2": 3}
VEX = "vex."
"""Stands before a mnemonic here where the source has {vex} before it."""

_TWO_BYTE_VEX, _THREE_BYTE_VEX = 0xC5, 0xC4


class StandIn(NamedTuple):
    """What keystone is asked for, its opcode, and what stands in its place.

    `digit` replaces the reg field of ModRM; `keeps_size` tells that REX.W and 66 for the operand
    size stay as they are. With `is_vex`, `wide` is VEX.W.
    """

    mnemonic: str
    replaced: bytes
    prefix: bytes
    opcode: bytes
    digit: int | None = None
    keeps_size: bool = True
    is_vex: bool = False
    wide: int = 0

    def put(self, code: bytes) -> bytes | None:
        """Return this instruction's code, given the stand-in's; None where they do not fit."""
        return self._put_vex(code) if self.is_vex else self._put_legacy(code)

    def _put_legacy(self, code: bytes) -> bytes | None:
        start = 0
        while code[start] in _LEGACY_PREFIXES:
            start += 1
        before, rex = code[:start], b""
        if code[start] & 0xF0 == 0x40:
            rex = code[start : start + 1]
        start += len(rex)
        if not code.startswith(self.replaced, start):
            return None
        rest = code[start + len(self.replaced) :]
        if self.digit is not None:
            rest = bytes([rest[0] & 0xC7 | self.digit << 3]) + rest[1:]
        if not self.keeps_size:
            before = bytes(byte for byte in before if byte not in _MANDATORY)
            rex = bytes([rex[0] & 0xF7]) if rex not in (b"", b"\x48") else b""
        return before + self.prefix + rex + self.opcode + rest

    def _put_vex(self, code: bytes) -> bytes | None:
        start = 0
        while code[start] in _LEGACY_PREFIXES:
            start += 1
        if code[start] == _TWO_BYTE_VEX:
            inverted, second, place = code[start + 1] & 0x80 | 0x60, code[start + 1], start + 2
        elif code[start] == _THREE_BYTE_VEX:
            inverted, second, place = code[start + 1] & 0xE0, code[start + 2], start + 3
        else:
            return None
        if code[place : place + 1] != self.replaced:
            return None
        opcode_map = _OPCODE_MAPS[self.opcode[:-1]]
        second = self.wide << 7 | second & 0x7C | _VEX_PREFIXES[self.prefix]
        head = bytes([_THREE_BYTE_VEX, inverted | opcode_map, second])
        return code[:start] + head + self.opcode[-1:] + code[place + 1 :]


def _of_one_operand(prefix: bytes, opcode: bytes, digit: int, *, keeps_size: bool) -> StandIn:
    return StandIn("not", b"\xf7", prefix, opcode, digit, keeps_size)


def _of_memory(prefix: bytes, opcode: bytes, digit: int) -> StandIn:
    return StandIn("prefetchnta", b"\x0f\x18", prefix, opcode, digit)


def _vex(prefix: bytes, opcode: bytes, wide: int = 0, *, has_immediate: bool = False) -> StandIn:
    mnemonic, replaced = ("vmpsadbw", b"\x42") if has_immediate else ("vpshufb", b"\x00")
    return StandIn(mnemonic, replaced, prefix, opcode, is_vex=True, wide=wide)


def _sized(name: str, row: StandIn) -> dict[str, StandIn]:
    """Return a row for a mnemonic and for it with each AT&T suffix."""
    return {name + size: row._replace(mnemonic=row.mnemonic + size) for size in ("", "w", "l", "q")}


_NOP = _of_one_operand(b"", b"\x0f\x1f", 0, keeps_size=True)
_PTWRITE = _of_one_operand(b"\xf3", b"\x0f\xae", 4, keeps_size=True)
_STORE = StandIn("movnti", b"\x0f\xc3", b"", b"")
_LOAD_ADDRESS = StandIn("lea", b"\x8d", b"", b"\x0f\x38\xf8", keeps_size=False)
_SHUFFLE = StandIn("pshufb", b"\x0f\x38\x00", b"\x66", b"", keeps_size=False)
_ALIGN = StandIn("palignr", b"\x0f\x3a\x0f", b"\x66", b"", keeps_size=False)
_KEY_LOAD = StandIn("lddqu", b"\x0f\xf0", b"\xf3", b"", keeps_size=False)
_MULTIPLY = StandIn("imul", b"\x0f\xaf", b"", b"")

STAND_INS: dict[str, StandIn] = {
    **_sized("nop", _NOP),
    **_sized("ptwrite", _PTWRITE),
    **_sized("ud0", _MULTIPLY._replace(opcode=b"\x0f\xff")),
    **_sized("ud1", _MULTIPLY._replace(opcode=b"\x0f\xb9")),
    "rdpid": _of_one_operand(b"\xf3", b"\x0f\xc7", 7, keeps_size=False),
    "senduipi": _of_one_operand(b"\xf3", b"\x0f\xc7", 6, keeps_size=False),
    "cldemote": _of_memory(b"", b"\x0f\x1c", 0),
    "prefetchwt1": _of_memory(b"", b"\x0f\x0d", 2),
    "clrssbsy": _of_memory(b"\xf3", b"\x0f\xae", 6),
    "rstorssp": _of_memory(b"\xf3", b"\x0f\x01", 5),
    "movdiri": _STORE._replace(opcode=b"\x0f\x38\xf9"),
    "wrssd": _STORE._replace(opcode=b"\x0f\x38\xf6"),
    "wrssq": _STORE._replace(opcode=b"\x0f\x38\xf6"),
    "wrussd": _STORE._replace(prefix=b"\x66", opcode=b"\x0f\x38\xf5"),
    "wrussq": _STORE._replace(prefix=b"\x66", opcode=b"\x0f\x38\xf5"),
    "aadd": _STORE._replace(opcode=b"\x0f\x38\xfc"),
    "aand": _STORE._replace(prefix=b"\x66", opcode=b"\x0f\x38\xfc"),
    "aor": _STORE._replace(prefix=b"\xf2", opcode=b"\x0f\x38\xfc"),
    "axor": _STORE._replace(prefix=b"\xf3", opcode=b"\x0f\x38\xfc"),
    "movdir64b": _LOAD_ADDRESS._replace(prefix=b"\x66"),
    "enqcmd": _LOAD_ADDRESS._replace(prefix=b"\xf2"),
    "enqcmds": _LOAD_ADDRESS._replace(prefix=b"\xf3"),
    "gf2p8mulb": _SHUFFLE._replace(opcode=b"\x0f\x38\xcf"),
    "gf2p8affineqb": _ALIGN._replace(opcode=b"\x0f\x3a\xce"),
    "gf2p8affineinvqb": _ALIGN._replace(opcode=b"\x0f\x3a\xcf"),
    "aesenc128kl": _KEY_LOAD._replace(opcode=b"\x0f\x38\xdc"),
    "aesdec128kl": _KEY_LOAD._replace(opcode=b"\x0f\x38\xdd"),
    "aesenc256kl": _KEY_LOAD._replace(opcode=b"\x0f\x38\xde"),
    "aesdec256kl": _KEY_LOAD._replace(opcode=b"\x0f\x38\xdf"),
    "aesencwide128kl": _of_memory(b"\xf3", b"\x0f\x38\xd8", 0),
    "aesdecwide128kl": _of_memory(b"\xf3", b"\x0f\x38\xd8", 1),
    "aesencwide256kl": _of_memory(b"\xf3", b"\x0f\x38\xd8", 2),
    "aesdecwide256kl": _of_memory(b"\xf3", b"\x0f\x38\xd8", 3),
    "encodekey128": _MULTIPLY._replace(prefix=b"\xf3", opcode=b"\x0f\x38\xfa"),
    "encodekey256": _MULTIPLY._replace(prefix=b"\xf3", opcode=b"\x0f\x38\xfb"),
    "vaesenc": _vex(b"\x66", b"\x0f\x38\xdc"),
    "vaesenclast": _vex(b"\x66", b"\x0f\x38\xdd"),
    "vaesdec": _vex(b"\x66", b"\x0f\x38\xde"),
    "vaesdeclast": _vex(b"\x66", b"\x0f\x38\xdf"),
    "vpclmulqdq": _vex(b"\x66", b"\x0f\x3a\x44", has_immediate=True),
    "vgf2p8mulb": _vex(b"\x66", b"\x0f\x38\xcf"),
    "vgf2p8affineqb": _vex(b"\x66", b"\x0f\x3a\xce", 1, has_immediate=True),
    "vgf2p8affineinvqb": _vex(b"\x66", b"\x0f\x3a\xcf", 1, has_immediate=True),
    "vpdpbssd": _vex(b"\xf2", b"\x0f\x38\x50"),
    "vpdpbssds": _vex(b"\xf2", b"\x0f\x38\x51"),
    "vpdpbsud": _vex(b"\xf3", b"\x0f\x38\x50"),
    "vpdpbsuds": _vex(b"\xf3", b"\x0f\x38\x51"),
    "vpdpbuud": _vex(b"", b"\x0f\x38\x50"),
    "vpdpbuuds": _vex(b"", b"\x0f\x38\x51"),
    # gas writes these as EVEX unless {vex} stands before them.
    f"{VEX}vpdpbusd": _vex(b"\x66", b"\x0f\x38\x50"),
    f"{VEX}vpdpbusds": _vex(b"\x66", b"\x0f\x38\x51"),
    f"{VEX}vpdpwssd": _vex(b"\x66", b"\x0f\x38\x52"),
    f"{VEX}vpdpwssds": _vex(b"\x66", b"\x0f\x38\x53"),
}
