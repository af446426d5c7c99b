"""Signals of the guest: what a process remembers about them, and which end it.

Delivery to the guest's own handlers is not there yet; a signal that the guest handles itself is
reported once as unsupported and takes its default effect.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NamedTuple

from pyldso.kernel import cpu
from pyldso.kernel.mmu import EXECUTE, PAST_EOF, READ
from pyldso.kernel.status import Killed, ProcessEnded

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

SIGNAL_COUNT = 64
SIG_DFL, SIG_IGN = 0, 1
SI_KERNEL, SI_USER, SI_TKILL = 0x80, 0, -6
SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR = 1, 2, 2
ILL_ILLOPN, FPE_INTDIV, FPE_FLTDIV, TRAP_BRKPT = 2, 1, 3, 1

_HARMLESS = frozenset((signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH))
"""Signals whose default is to be ignored (signal(7))."""


class SignalState:
    """Dispositions by number (struct kernel sigaction, 32 bytes) and the mask of blocked ones."""

    __slots__ = ("actions", "alternate_stack", "mask", "pending")

    def __init__(self) -> None:
        self.actions: dict[int, bytes] = {}
        self.mask = 0
        self.pending = 0
        self.alternate_stack = bytes(8) + (2).to_bytes(8, "little") + bytes(8)
        """struct stack_t: SS_DISABLE until the guest sets one."""

    def handler(self, number: int) -> int:
        """Return the handler's address, SIG_DFL or SIG_IGN."""
        return int.from_bytes(self.actions.get(number, bytes(8))[:8], "little")


def raise_signal(process: Process, number: int) -> int:
    """Send a signal to the process itself: 0 where it goes on."""
    signals = process.signals
    handler = signals.handler(number)
    if number == 0 or handler == SIG_IGN or (handler == SIG_DFL and number in _HARMLESS):
        return 0
    if signals.mask >> (number - 1) & 1:
        signals.pending |= 1 << (number - 1)
        return 0
    if handler != SIG_DFL:
        process.refuse(f"signal handler of {signal_name(number)}", "handlers are not called yet")
    raise ProcessEnded(Killed(number, process.cpu.pc, None, SI_TKILL))


def deliver_pending(process: Process) -> int:
    """Deliver what was blocked and no longer is."""
    signals = process.signals
    ready = signals.pending & ~signals.mask
    for number in range(1, SIGNAL_COUNT + 1):
        if ready >> (number - 1) & 1:
            signals.pending &= ~(1 << (number - 1))
            raise_signal(process, number)
    return 0


def signal_name(number: int) -> str:
    """Return a signal's name, as SIGSEGV."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRT_{number - 32}" if number >= 32 else f"signal {number}"


class _Exception(NamedTuple):
    signal: int
    code: int
    pc_is_after: bool = False


# What Linux makes of an x86 exception (arch/x86/kernel/traps.c).
_EXCEPTIONS = {
    0: _Exception(signal.SIGFPE, FPE_INTDIV),
    1: _Exception(signal.SIGTRAP, TRAP_BRKPT),
    3: _Exception(signal.SIGTRAP, SI_KERNEL),
    6: _Exception(signal.SIGILL, ILL_ILLOPN),
    16: _Exception(signal.SIGFPE, FPE_FLTDIV),
    17: _Exception(signal.SIGBUS, 1),
    19: _Exception(signal.SIGFPE, FPE_FLTDIV),
}


def killed_by(process: Process, fault: cpu.Fault) -> Killed:
    """Return how Linux ends a process that caused `fault`."""
    pc = process.cpu.pc
    if fault.vector == cpu.PAGE_FAULT:
        return _killed_by_access(process, fault, pc)
    known = _EXCEPTIONS.get(fault.vector)
    if known is None:  # general protection, and interrupts that a program may not raise
        return Killed(signal.SIGSEGV, pc, None, SI_KERNEL)
    address = pc if known.signal in (signal.SIGFPE, signal.SIGILL) else None
    return Killed(known.signal, pc, address, known.code)


def _killed_by_access(process: Process, fault: cpu.Fault, pc: int) -> Killed:
    address = fault.address or 0
    if fault.access == EXECUTE:
        pc = address
    if address >> 47:
        # Not a canonical address: a general protection fault, which tells no address.
        return Killed(signal.SIGSEGV, pc, None, SI_KERNEL)
    permission = process.memory.arena.permission(address)
    if permission & PAST_EOF:
        return Killed(signal.SIGBUS, pc, address, BUS_ADRERR)
    code = SEGV_ACCERR if process.memory.find(address) else SEGV_MAPERR
    return Killed(signal.SIGSEGV, pc, address, code, _explain(fault, permission))


def _explain(fault: cpu.Fault, permission: int) -> str:
    if fault.access == EXECUTE:
        return "the page is not executable" if permission else "jump to unmapped memory"
    verb = "read" if fault.access == READ else "write"
    if not permission:
        return f"{verb} of unmapped memory"
    return f"{verb} of memory that does not allow it"
