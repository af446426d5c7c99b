"""EVEX code as gas writes it: VEX where that is enough, short displacements in their own unit.

Keystone picks EVEX for scalar AVX with a memory operand, and its 8-bit displacements are not scaled
(Intel SDM 2, 2.7.5): both are put right here, and what is not known is refused.
"""

from __future__ import annotations

import re
from typing import Protocol

# What only EVEX can express: masks, 512 bits, the upper sixteen registers, typed moves.
_EVEX_ONLY = re.compile(
    r"zmm|\bk[0-7]\b|[xyz]mm(?:1[6-9]|2\d|3[01])\b|\{|vmovdq[au](?:8|16|32|64)\b"
)
_HAS_VEX_FORM = re.compile(
    r"v(?:add|sub|mul|div|min|max|sqrt|f(?:n?madd|n?msub)(?:132|213|231))s[sd]\Z"
    r"|vcvt(?:sd2ss|ss2sd|t?s[sd]2si[lq]?)\Z|vextractps\Z"
)
_SCALAR = re.compile(r"v(?!p|broadcast).*s[sd]\Z|vcvtt?s[sd]2u?si[lq]?\Z|vcvtu?si2s[sd][lq]?\Z")

_LONG_DISPLACEMENT = 0x12345678
_DISPLACEMENT = {
    "att": re.compile(r"(-?0x[0-9a-f]+)(?=\()"),
    "intel": re.compile(r"([-+]0x[0-9a-f]+)(?=\])"),
}
_RELATIVE = re.compile(r"[%\[]rip\b")

# The bytes that an 8-bit displacement counts by, where they are not those of the whole vector:
# those of what is moved to or from memory.
_UNITS: dict[str, int] = {
    name: unit
    for unit, names in {
        4: """vcvtss2sd vcvtss2usi vcvttss2usi vcvtss2si vcvttss2si vextractps vinsertps vmovd
            vbroadcastss vcompressps vexpandps vpbroadcastd vpcompressd vpexpandd""",
        8: """vcvtsd2ss vcvtsd2usi vcvttsd2usi vcvtsd2si vcvttsd2si vmovhpd vmovhps vmovlpd vmovlps
            vmovq vbroadcastsd vcompresspd vexpandpd vpbroadcastq vpcompressq vpexpandq vpmovqb
            vpmovsqb vpmovsxbq vpmovusqb vpmovzxbq""",
        16: """vbroadcastf32x4 vbroadcasti32x4 vextractf32x4 vextracti32x4 vinsertf32x4
            vinserti32x4 vpmovdb vpmovqw vpmovsdb vpmovsqw vpmovsxbd vpmovsxwq vpmovusdb vpmovusqw
            vpmovzxbd vpmovzxwq""",
        32: """vbroadcastf64x4 vbroadcasti64x4 vcvtdq2pd vcvtph2ps vcvtps2pd vcvtps2ph vcvtudq2pd
            vextractf64x4 vextracti64x4 vinsertf64x4 vinserti64x4 vpmovdw vpmovqd vpmovsdw
            vpmovsqd vpmovsxdq vpmovsxwd vpmovusdw vpmovusqd vpmovzxdq vpmovzxwd""",
    }.items()
    for name in names.split()
}
_INTEGER_TO_SCALAR = re.compile(r"vcvtu?si2s[sd][lq]?\Z")
_SHIFTS_BY_REGISTER = (0xD2, 0xD3, 0xE2, 0xF2, 0xF3)
_WHOLE_VECTOR, _MAP_0F, _FULL_LENGTH = 64, 1, 2


class RawEncoder(Protocol):
    """What a correction asks when it needs another encoding."""

    def raw(self, text: str, syntax: str) -> bytes | None:
        """Return keystone's bytes for a text."""


def needs_evex(operands: str) -> bool:
    """Tell whether operands can only be encoded by EVEX."""
    return _EVEX_ONLY.search(operands) is not None


def correct_evex(
    text: str, code: bytes, start: int, syntax: str, encoder: RawEncoder
) -> bytes | None:
    """Return the bytes that gas gives where keystone gives EVEX, or None where they are not known.

    `start` is the place of the first byte of EVEX, after other prefixes.
    """
    mnemonic = text.partition(" ")[0]
    displacement = None if _RELATIVE.search(text) else _DISPLACEMENT[syntax].search(text)
    value = int(displacement[1], 16) if displacement is not None else 0
    if displacement is not None and value:
        # Only of a long displacement is it sure that all of it is there.
        mark = "+" if syntax == "intel" else ""
        longer = f"{mark}{_LONG_DISPLACEMENT:#x}"
        again = encoder.raw(
            text[: displacement.start()] + longer + text[displacement.end() :], syntax
        )
        if again is None:
            return None
        code = again
    head, code = code[:start], code[start:]
    if _SCALAR.match(mnemonic) and not re.search(r"\{r[nudz]|sae\}", text):
        # Keystone leaves junk in the vector length of scalars.
        code = code[:3] + bytes([code[3] & 0x9F]) + code[4:]
    if _EVEX_ONLY.search(text) or not _HAS_VEX_FORM.match(mnemonic):
        unit = _unit(mnemonic, code)
        modrm = 5
    else:
        demoted = _to_vex(code)
        if demoted is None:
            return None
        code, unit = demoted, 1
        modrm = 3 if code[0] == 0xC5 else 4
    if not value:
        return head + code
    placed = _put_displacement(code, modrm, value, unit)
    return None if placed is None else head + placed


def _unit(mnemonic: str, code: bytes) -> int | None:
    """Return what an 8-bit displacement of EVEX code counts by; None where that is not known."""
    opcode_map, is_wide, p2 = code[1] & 3, code[2] >> 7, code[3]
    if p2 & 0x10 or _INTEGER_TO_SCALAR.match(mnemonic):
        return 8 if is_wide else 4  # one element, which is broadcast or converted
    if mnemonic in _UNITS:
        return _UNITS[mnemonic]
    if _SCALAR.match(mnemonic):
        return 4 if mnemonic.endswith("ss") else 8
    if opcode_map == _MAP_0F and code[4] in _SHIFTS_BY_REGISTER:
        return 16
    return _WHOLE_VECTOR if p2 >> 5 & 3 == _FULL_LENGTH else None


def _to_vex(evex: bytes) -> bytes | None:
    p0, p1, p2 = evex[1], evex[2], evex[3]
    has_vex_form = p1 & 4 and not p0 & 0x0C and p0 & 0x10 and p2 & 8 and not p2 & 0x97
    if not has_vex_form:
        return None
    length = p2 >> 5 & 3
    if length > 1:
        return None
    opcode_map, opcode = p0 & 3, evex[4]
    wide = p1 >> 7
    if opcode_map == _MAP_0F and opcode not in (0x2A, 0x2C, 0x2D, 0x6E, 0x7E):
        wide = 0  # W is ignored there, and gas writes 0
    rest = p1 & 0x78 | length << 2 | p1 & 3
    if opcode_map == _MAP_0F and p0 & 0x60 == 0x60 and not wide:
        return bytes([0xC5, p0 & 0x80 | rest]) + evex[4:]
    return bytes([0xC4, p0 & 0xE0 | opcode_map, wide << 7 | rest]) + evex[4:]


def _put_displacement(code: bytes, modrm: int, value: int, unit: int | None) -> bytes | None:
    """Put the wanted displacement for the long placeholder, in 8 bits where it goes."""
    place = code.find(_LONG_DISPLACEMENT.to_bytes(4, "little"), modrm)
    if place < 0:
        return None
    if code[modrm] >> 6 == 2:
        if unit is None:
            return None
        if value % unit == 0 and -128 <= value // unit <= 127:
            short = bytes([code[modrm] & 0x3F | 0x40])
            middle = code[modrm + 1 : place]
            return code[:modrm] + short + middle + bytes([value // unit & 0xFF]) + code[place + 4 :]
    return code[:place] + (value & 0xFFFFFFFF).to_bytes(4, "little") + code[place + 4 :]
