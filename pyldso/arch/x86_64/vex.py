"""Machine code to the first instruction that the emulated processor would get wrong.

The emulator has no AVX: it takes VEX and EVEX instructions for others. Only those of BMI1 and BMI2
are right. To find them among bytes, instructions are measured one after the other, as their
lengths follow from prefixes, opcode map and ModRM byte (Intel SDM volume 2, 2.1 and appendix A).
"""

from __future__ import annotations

LONGEST_INSTRUCTION = 15
_PREFIXES = frozenset((0x66, 0xF2, 0xF3, 0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0x67))
_OPERAND_SIZE, _ADDRESS_SIZE = 0x66, 0x67
_VEX3, _VEX2, _EVEX = 0xC4, 0xC5, 0x62
_BMI = frozenset(((2, 0xF2), (2, 0xF3), (2, 0xF5), (2, 0xF6), (2, 0xF7), (3, 0xF0)))
"""(map, opcode) of ANDN, BLS*, BZHI, PDEP, PEXT, MULX, BEXTR, SHLX, SARX, SHRX and RORX."""


def _opcodes(*parts: int | tuple[int, int]) -> frozenset[int]:
    """Return single opcodes and whole ranges, ends included, as a set."""
    found: set[int] = set()
    for part in parts:
        found.update(range(part[0], part[1] + 1) if isinstance(part, tuple) else (part,))
    return frozenset(found)


_ARITHMETIC = tuple(row + offset for row in range(0, 0x40, 8) for offset in range(6))
# The one-byte map: which opcodes have a ModRM byte, and which an immediate of which size. The
# operand size chooses between 2 and 4 bytes for `Z`.
_MODRM = _opcodes(
    *(opcode for opcode in _ARITHMETIC if opcode & 7 < 4),
    0x63, 0x69, 0x6B, (0x80, 0x8F), 0xC0, 0xC1, 0xC6, 0xC7, (0xD0, 0xD3), (0xD8, 0xDF),
    0xF6, 0xF7, 0xFE, 0xFF,
)  # fmt: skip
_IMMEDIATE_8 = _opcodes(
    *(opcode for opcode in _ARITHMETIC if opcode & 7 == 4),
    0x6A, 0x6B, (0x70, 0x7F), 0x80, 0x82, 0x83, 0xA8, (0xB0, 0xB7), 0xC0, 0xC1, 0xC6, 0xC8, 0xCD,
    (0xE0, 0xE7), 0xEB,
)  # fmt: skip
_IMMEDIATE_16 = _opcodes(0xC2, 0xC8, 0xCA)
_IMMEDIATE_32 = _opcodes(0xE8, 0xE9)
_IMMEDIATE_Z = _opcodes(
    *(opcode for opcode in _ARITHMETIC if opcode & 7 == 5),
    0x68, 0x69, 0x81, 0xA9, (0xB8, 0xBF), 0xC7,
)  # fmt: skip
_MOV_IMMEDIATE = _opcodes((0xB8, 0xBF))
_MOV_OFFSET = _opcodes((0xA0, 0xA3))
_BRANCHES = _opcodes(
    (0x70, 0x7F), 0xC2, 0xC3, 0xCA, 0xCB, 0xCC, 0xCD, 0xCF, (0xE0, 0xE3), 0xE8, 0xE9, 0xEB, 0xF1,
    0xF4,
)  # fmt: skip
# The 0F map.
_MODRM_NOT_0F = _opcodes(
    (0x05, 0x09), 0x0B, 0x0E, (0x30, 0x37), 0x77, (0x80, 0x8F), (0xA0, 0xA2), (0xA8, 0xAA),
    (0xC8, 0xCF),
)  # fmt: skip
_IMMEDIATE_8_0F = _opcodes(0x0F, (0x70, 0x73), 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6)
_BRANCHES_0F = _opcodes(0x05, 0x07, 0x0B, 0x34, 0x35, (0x80, 0x8F))

VEX2_OPCODES = _opcodes(
    (0x10, 0x17), (0x28, 0x2F), (0x41, 0x4B), (0x50, 0x7F), (0x90, 0x99), 0xAE, (0xC2, 0xC6),
    (0xD0, 0xFF),
)  # fmt: skip
"""Opcodes of the 0F map that have a VEX form; another byte there is no VEX instruction's."""


_PREFIX, _HAS_MODRM, _IS_BRANCH, _IS_SPECIAL = 1, 2, 4, 8
_SPECIAL = _opcodes(
    0x0F, _EVEX, _VEX3, _VEX2, (0x40, 0x4F), 0xF6, 0xF7, 0xFF, *_IMMEDIATE_Z, *_MOV_OFFSET
)
"""Opcodes whose length depends on more than the opcode, and REX prefixes."""


def _attributes(opcode: int) -> int:
    return (
        _PREFIX * (opcode in _PREFIXES)
        | _HAS_MODRM * (opcode in _MODRM)
        | _IS_BRANCH * (opcode in _BRANCHES)
        | _IS_SPECIAL * (opcode in _SPECIAL)
    )


def _immediate_size(opcode: int) -> int:
    """Return the bytes of the immediate; those that the operand size chooses are not counted."""
    size = (opcode in _IMMEDIATE_8) + 2 * (opcode in _IMMEDIATE_16)
    return size + 4 * (opcode in _IMMEDIATE_32)


_ATTRIBUTES = bytes(map(_attributes, range(256)))
_IMMEDIATES = bytes(map(_immediate_size, range(256)))

Measures = tuple[int, bool, bool]
"""An instruction's length, whether it is a branch, and whether it is supported."""


def find_unsupported(code: bytes, *, stop_at_branch: bool = False) -> int | None:
    """Return where in `code` the first unsupported VEX or EVEX instruction begins, else None.

    The search ends where the code does, or at the first branch where asked for.
    """
    last = max(code.rfind(byte) for byte in (_VEX3, _VEX2, _EVEX))
    at = 0
    try:
        while at <= last:
            length, is_branch, is_supported = measure(code, at)
            if not is_supported:
                return at
            if stop_at_branch and is_branch:
                break
            at += length
    except IndexError:
        pass  # the last instruction is cut
    return None


def count_instructions(code: bytes) -> int:
    """Return how many instructions `code` holds; what is not understood counts as one."""
    at = count = 0
    try:
        while at < len(code):
            at += max(measure(code, at)[0], 1)
            count += 1
    except IndexError:
        count += 1  # the last instruction is cut
    return count


def measure(code: bytes, start: int) -> Measures:
    """Return the measures of the instruction at `start`; raises IndexError where it is cut."""
    at = start
    rex = 0
    has_operand_size = has_address_size = False
    opcode = code[at]
    attributes = _ATTRIBUTES[opcode]
    while attributes & _PREFIX:
        has_operand_size |= opcode == _OPERAND_SIZE
        has_address_size |= opcode == _ADDRESS_SIZE
        at += 1
        opcode = code[at]
        attributes = _ATTRIBUTES[opcode]
    if opcode & 0xF0 == 0x40:
        rex = opcode
        at += 1
        opcode = code[at]
        attributes = _ATTRIBUTES[opcode]
    elif opcode in (_VEX2, _VEX3, _EVEX):
        return _measure_vex(code, start, at)
    at += 1
    if opcode == 0x0F:
        return _measure_0f(code, start, at)
    immediate = _IMMEDIATES[opcode]
    is_branch = bool(attributes & _IS_BRANCH)
    if attributes & _IS_SPECIAL:
        if opcode in _IMMEDIATE_Z:
            immediate = 2 if has_operand_size else 4
            if opcode in _MOV_IMMEDIATE and rex & 8:
                immediate = 8
        elif opcode in _MOV_OFFSET:
            immediate = 4 if has_address_size else 8
        elif opcode in (0xF6, 0xF7) and code[at] >> 3 & 7 < 2:  # TEST
            immediate = 1 if opcode == 0xF6 else 2 if has_operand_size else 4
        elif opcode == 0xFF:
            is_branch = 2 <= code[at] >> 3 & 7 <= 5
    if attributes & _HAS_MODRM:
        at += _modrm_length(code, at)
    return at + immediate - start, is_branch, True


def _measure_0f(code: bytes, start: int, at: int) -> Measures:
    opcode = code[at]
    at += 1
    if opcode in (0x38, 0x3A):
        at += 1
        return at + _modrm_length(code, at) + (opcode == 0x3A) - start, False, True
    if opcode not in _MODRM_NOT_0F:
        at += _modrm_length(code, at)
    immediate = 4 if 0x80 <= opcode <= 0x8F else int(opcode in _IMMEDIATE_8_0F)
    return at + immediate - start, opcode in _BRANCHES_0F, True


def _measure_vex(code: bytes, start: int, at: int) -> Measures:
    if code[at] == _VEX3:
        opcode_map, opcode = code[at + 1] & 0x1F, code[at + 3]
        if (opcode_map, opcode) in _BMI:
            at += 4
            return at + _modrm_length(code, at) + (opcode_map == 3) - start, False, True
    return 0, False, False


def _modrm_length(code: bytes, at: int) -> int:
    """Return the length of the ModRM byte at `at`, with SIB byte and displacement."""
    modrm = code[at]
    mode, base = modrm >> 6, modrm & 7
    if mode == 3:
        return 1
    length = 1
    if base == 4:
        length = 2
        base = code[at + 1] & 7
    if mode == 1:
        return length + 1
    if mode == 2 or base == 5:
        return length + 4
    return length
