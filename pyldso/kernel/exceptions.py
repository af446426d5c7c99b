"""Exceptions of the processor as Linux delivers them: signals that name the place and the cause.

arch/x86/kernel/traps.c and arch/x86/mm/fault.c.
"""

from __future__ import annotations

import signal
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from pyldso.kernel import cpu
from pyldso.kernel.faults import is_canonical, true_fault
from pyldso.kernel.mmu import EXECUTE, PAST_EOF, READ, WRITE
from pyldso.kernel.signal_frames import SignalInfo
from pyldso.kernel.signals import SIG_DFL, SIG_IGN
from pyldso.kernel.status import SI_KERNEL, Killed, ProcessEnded

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, BUS_ADRERR = 1, 2, 1, 2
ILL_ILLOPN, FPE_INTDIV, FPE_FLTDIV, FPE_FLTINV, TRAP_TRACE = 2, 1, 3, 7, 2


class _Exception(NamedTuple):
    signal: int
    code: int
    tells_address: bool


# What Linux makes of an x86 exception (arch/x86/kernel/traps.c).
_EXCEPTIONS = {
    cpu.DIVIDE_ERROR: _Exception(signal.SIGFPE, FPE_INTDIV, True),
    cpu.DEBUG: _Exception(signal.SIGTRAP, TRAP_TRACE, True),
    cpu.BREAKPOINT: _Exception(signal.SIGTRAP, SI_KERNEL, False),
    cpu.INVALID_OPCODE: _Exception(signal.SIGILL, ILL_ILLOPN, True),
    cpu.STACK_FAULT: _Exception(signal.SIGBUS, SI_KERNEL, False),
    cpu.X87_ERROR: _Exception(signal.SIGFPE, FPE_FLTDIV, True),
    cpu.ALIGNMENT_CHECK: _Exception(signal.SIGBUS, BUS_ADRALN, False),
    cpu.SIMD_ERROR: _Exception(signal.SIGFPE, FPE_FLTINV, True),
}
_PF_PRESENT, _PF_WRITE, _PF_USER, _PF_FETCH = 1, 2, 4, 16
_FIRST_INTERRUPT = 32
_LENGTH_OF_INT = 2
_NEAR_STACK_POINTER = 1 << 20


def killed_by(process: Process, fault: cpu.Fault) -> Killed:
    """Return how Linux ends a process that caused `fault`."""
    pc = process.cpu.pc
    fault = true_fault(process.memory, pc, fault)
    if fault.vector == cpu.PAGE_FAULT:
        return _killed_by_access(process, fault, pc)
    known = _EXCEPTIONS.get(fault.vector)
    if known is not None:
        address = pc if known.tells_address else None
        return Killed(known.signal, pc, address, known.code, fault.reason)
    if fault.vector >= _FIRST_INTERRUPT:  # `int n`, which leaves RIP behind itself
        return Killed(
            signal.SIGSEGV,
            pc - _LENGTH_OF_INT,
            None,
            SI_KERNEL,
            f"interrupt {fault.vector:#x} is not for programs",
        )
    reason = fault.reason or "privileged instruction or bad segment"
    return Killed(signal.SIGSEGV, pc, None, SI_KERNEL, reason)


def answer_fault(process: Process, fault: cpu.Fault) -> int:
    """Return where the guest's handler of a fault begins; ProcessEnded where it has none."""
    killed = killed_by(process, fault)
    info = _handled(process, fault, killed)
    if info is None:
        raise ProcessEnded(killed)
    process.cpu.pc = killed.pc
    process.signals.call_handler(info)
    return process.cpu.pc


def _handled(process: Process, fault: cpu.Fault, killed: Killed) -> SignalInfo | None:
    """Return the signal of a fault where the guest has a handler for it, else None."""
    signals = process.signals
    is_blocked = process.thread.mask >> (killed.signal - 1) & 1
    if is_blocked or signals.handler(killed.signal) in (SIG_DFL, SIG_IGN):
        return None
    address = killed.address or 0
    error = 0
    if fault.vector == cpu.PAGE_FAULT:
        error = _PF_USER | (_PF_WRITE if fault.access == WRITE else 0)
        error |= _PF_FETCH if fault.access == EXECUTE else 0
        is_open = process.memory.arena.permission(address) & (READ | WRITE | EXECUTE)
        error |= _PF_PRESENT if is_open and killed.code == SEGV_ACCERR else 0
    siginfo = pack("<iiiiQ", killed.signal, 0, killed.code, 0, address).ljust(128, b"\0")
    return SignalInfo(killed.signal, siginfo, error, fault.vector, address)


def _killed_by_access(process: Process, fault: cpu.Fault, pc: int) -> Killed:
    address = fault.address or 0
    if fault.access == EXECUTE:
        pc = address
    if not is_canonical(address):
        # Not a canonical address: a general protection fault, which tells no address.
        reason = f"{address:#x} is not a canonical address"
        return Killed(signal.SIGSEGV, pc, None, SI_KERNEL, reason)
    permission = process.memory.arena.permission(address)
    if permission & PAST_EOF:
        reason = "beyond the end of the mapped file"
        return Killed(signal.SIGBUS, pc, address, BUS_ADRERR, reason)
    code = SEGV_ACCERR if process.memory.find(address) else SEGV_MAPERR
    reason = _explain(fault, permission)
    if not permission and _is_beyond_stack(process, address):
        reason = f"stack overflow, beyond {process.memory.stack_limit >> 10} KiB"
    return Killed(signal.SIGSEGV, pc, address, code, reason)


def _explain(fault: cpu.Fault, permission: int) -> str:
    if fault.access == EXECUTE:
        return "the page is not executable" if permission else "jump to unmapped memory"
    verb = "read of" if fault.access == READ else "write to"
    if not permission:
        return f"{verb} unmapped memory"
    return f"{verb} {'read-only' if permission & READ else 'inaccessible'} memory"


def _is_beyond_stack(process: Process, address: int) -> bool:
    """Tell whether an access near the stack pointer lies below what the stack may grow to."""
    stack = next((vma for vma in process.memory.vmas if vma.grows_down), None)
    if stack is None or abs(address - process.cpu.sp) >= _NEAR_STACK_POINTER:
        return False
    return address < stack.start and stack.end - address > process.memory.stack_limit
