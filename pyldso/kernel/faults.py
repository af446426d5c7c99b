"""From the exception that libunicorn reports to the one that the processor would raise.

Some it does not tell apart: `int 0` and a division by zero, privileged instructions that it does
not know and invalid ones, a stack fault and others at an address that is not canonical. The bytes
of the instruction tell (Intel SDM volume 2, 2.1; volume 3, 6.15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyldso.kernel import cpu
from pyldso.kernel.mmu import MAPPED, PAGE_MASK, MemoryFault

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace

_LONGEST_INSTRUCTION = 15
_PREFIXES = frozenset((0x66, 0xF2, 0xF3, 0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0x67))
_OTHER_SEGMENTS = frozenset((0x64, 0x65))
_DIVISIONS = frozenset((0xF6, 0xF7))
_ICEBP = 0xF1
_SYSRET, _RDPMC = 0x07, 0x33
_USES_STACK = frozenset((*range(0x50, 0x60), 0x68, 0x6A, 0x8F, 0x9C, 0x9D, 0xC2, 0xC3, 0xC8, 0xC9,
                         0xE8))  # fmt: skip
"""PUSH, POP, RET, ENTER, LEAVE and CALL."""


def is_canonical(address: int) -> bool:
    """Tell whether bits 47 to 63 of an address are equal."""
    return not (address + (1 << 47)) >> 48 & 0xFFFF


def true_fault(memory: AddressSpace, pc: int, fault: cpu.Fault) -> cpu.Fault:
    """Return what the processor would have raised at `pc` for what libunicorn says."""
    if fault.vector == cpu.DIVIDE_ERROR:
        prefixes, code = _instruction(memory, pc)
        if code and code[0] not in _DIVISIONS:  # `int 0`, which leaves RIP behind itself
            return cpu.Fault(cpu.GENERAL_PROTECTION)
    elif fault.vector == cpu.INVALID_OPCODE and not fault.reason:
        prefixes, code = _instruction(memory, pc)
        if code[:1] == bytes((_ICEBP,)):
            return cpu.Fault(cpu.DEBUG)
        if code[:1] == b"\x0f" and code[1:2] in (bytes((_SYSRET,)), bytes((_RDPMC,))):
            return cpu.Fault(cpu.GENERAL_PROTECTION)
    elif fault.vector == cpu.PAGE_FAULT and not is_canonical(fault.address or 0):
        prefixes, code = _instruction(memory, pc)
        if pc != fault.address and not prefixes & _OTHER_SEGMENTS and _is_on_stack(code):
            return cpu.Fault(cpu.STACK_FAULT, fault.address, fault.access)
    return fault


def _instruction(memory: AddressSpace, pc: int) -> tuple[frozenset[int], bytes]:
    """Return the prefixes of an instruction, and its code behind them and REX."""
    prefixes: set[int] = set()
    try:
        code = memory.read(pc, min(_LONGEST_INSTRUCTION, PAGE_MASK + 1 - (pc & PAGE_MASK)))
        if len(code) < _LONGEST_INSTRUCTION and memory.arena.permission(pc + len(code)) & MAPPED:
            code += memory.read(pc + len(code), _LONGEST_INSTRUCTION - len(code))
    except MemoryFault:
        return frozenset(), b""
    while code and code[0] in _PREFIXES:
        prefixes.add(code[0])
        code = code[1:]
    if code and code[0] & 0xF0 == 0x40:
        code = code[1:]
    return frozenset(prefixes), code


def _is_on_stack(code: bytes) -> bool:
    """Tell whether an instruction accesses memory by RSP or RBP, whose segment is SS."""
    if not code:
        return False
    if code[0] in _USES_STACK:
        return True
    modrm_at = 2 if code[0] == 0x0F else 1
    if len(code) <= modrm_at + 1:
        return False
    modrm, sib = code[modrm_at], code[modrm_at + 1]
    mode, base = modrm >> 6, modrm & 7
    if mode == 3:
        return False
    if base == 4:
        return sib & 7 == 4 or (sib & 7 == 5 and mode != 0)
    return base == 5 and mode != 0
