"""Signals of the guest: what a process remembers about them, and which end it.

What other processes send, and what waits for the process to unblock it, is with the host's kernel
(signal_intake.py); here is what only the guest can know: its faults, and its threads.
"""

from __future__ import annotations

import os
import signal
from struct import pack, unpack_from
from typing import TYPE_CHECKING, NamedTuple

from pyldso.kernel import cpu
from pyldso.kernel.faults import is_canonical, true_fault
from pyldso.kernel.mmu import EXECUTE, PAST_EOF, READ, WRITE
from pyldso.kernel.signal_frames import SignalInfo
from pyldso.kernel.status import Killed, ProcessEnded

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.kernel.thread import Thread

SIGNAL_COUNT = 64
_FIRST_REAL_TIME = 32
SIG_DFL, SIG_IGN = 0, 1
SI_KERNEL, SI_USER, SI_TKILL, _SI_TIMER = 0x80, 0, -6, -2
SEGV_MAPERR, SEGV_ACCERR, BUS_ADRALN, BUS_ADRERR = 1, 2, 1, 2
ILL_ILLOPN, FPE_INTDIV, FPE_FLTDIV, FPE_FLTINV, TRAP_TRACE = 2, 1, 3, 7, 2

_HARMLESS = frozenset((signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH))
"""Signals whose default is to be ignored (signal(7))."""
_STOPPING = frozenset((signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
NOT_FATAL = _HARMLESS | _STOPPING
IGNORED_BY_PYTHON = frozenset((signal.SIGPIPE, signal.SIGXFSZ))
"""Ignored in every Python process, whether they were when it started or not."""
UNBLOCKABLE = 1 << (signal.SIGKILL - 1) | 1 << (signal.SIGSTOP - 1)


def ignored_at_start() -> frozenset[int]:
    """Return the signals that were ignored when the host's process started, as far as known."""
    known = {
        number
        for number in range(1, SIGNAL_COUNT + 1)
        if signal.getsignal(number) is signal.SIG_IGN
    }
    return frozenset(known - IGNORED_BY_PYTHON)


class SignalState:
    """What all threads of a process share of signals: dispositions, and what was sent to it."""

    __slots__ = ("actions", "pending", "timers")

    def __init__(self) -> None:
        self.actions: dict[int, bytes] = {}
        """Dispositions by number (struct kernel sigaction, 32 bytes)."""
        self.pending: dict[int, SignalInfo] = {}
        """Signals sent to the process that all threads block: of one sent twice, the first."""
        self.timers: dict[int, int] = {}
        """Timers of timer_create(2), with the thread that they signal or 0 for the process."""

    def handler(self, number: int) -> int:
        """Return the handler's address, SIG_DFL or SIG_IGN."""
        return int.from_bytes(self.actions.get(number, bytes(8))[:8], "little")

    def mask_of(self, number: int) -> int:
        """Return the sigset_t that is blocked while a signal's handler runs."""
        return int.from_bytes(self.actions.get(number, bytes(32))[24:32], "little")


def pending_set(process: Process) -> int:
    """Return the sigset_t of the signals that wait for the running thread to unblock them."""
    numbers = process.signals.pending.keys() | process.thread.pending.keys()
    return sum(1 << (number - 1) for number in numbers)


def is_fatal(process: Process, number: int) -> bool:
    """Tell whether a signal that is sent to the process itself now ends it by its default."""
    if number == 0 or number in NOT_FATAL or process.signals.handler(number) != SIG_DFL:
        return False
    is_free = any(not thread.mask >> (number - 1) & 1 for thread in process.threads.values())
    return is_free or number == signal.SIGKILL


def own_signal(number: int, code: int) -> SignalInfo:
    """Return a signal that comes from the process itself; `code` is siginfo's si_code."""
    siginfo = pack("<iiiiiI", number, 0, code, 0, os.getpid(), os.getuid())
    return SignalInfo(number, siginfo.ljust(128, b"\0"))


def receive_signal(process: Process, info: SignalInfo) -> None:
    """Send a signal to the process, for a thread that does not block it (signal(7))."""
    _, _, code, timer = unpack_from("<iii4xi", info.siginfo)
    tid = process.signals.timers.get(timer, 0) if code == _SI_TIMER else 0
    if tid in process.threads:
        send(process, process.threads[tid], info)
        return
    running = process.thread
    threads = [running] if running.tid in process.threads else []
    threads += process.threads.values()
    open_to_it = (thread for thread in threads if not thread.mask >> (info.number - 1) & 1)
    thread = next(open_to_it, None)
    if thread is not None:
        send(process, thread, info)
    elif process.signals.handler(info.number) != SIG_IGN:
        process.signals.pending.setdefault(info.number, info)


def send(process: Process, thread: Thread, info: SignalInfo) -> None:
    """Send a signal to a thread; ProcessEnded where it ends the process."""
    number = info.number
    handler = process.signals.handler(number)
    if number == 0 or handler == SIG_IGN or (handler == SIG_DFL and number in _HARMLESS):
        return
    if thread.mask >> (number - 1) & 1:
        if process.scheduler is None or not process.scheduler.is_awaited(thread, info):
            thread.pending.setdefault(number, info)
    elif handler != SIG_DFL:
        thread.waiting.append(info)
        if process.scheduler is not None:
            process.scheduler.interrupt(thread)
    elif number in _STOPPING:
        os.kill(os.getpid(), number)
    else:
        code = int.from_bytes(info.siginfo[8:12], "little", signed=True)
        if number != signal.SIGKILL:  # which no process ever sees
            process.tell_of_signal(info)
        raise ProcessEnded(Killed(number, process.cpu.pc, None, code, is_told=True))


def deliver_pending(process: Process) -> None:
    """Deliver what the running thread blocked and no longer does."""
    thread = process.thread
    for pending in (thread.pending, process.signals.pending):
        for number in sorted(pending):
            if not thread.mask >> (number - 1) & 1:
                send(process, thread, pending.pop(number))


def signal_name(number: int) -> str:
    """Return a signal's name, as SIGSEGV; real-time signals count from the kernel's first."""
    if number >= _FIRST_REAL_TIME:
        offset = number - _FIRST_REAL_TIME
        return f"SIGRT_{offset}" if offset else "SIGRTMIN"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


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
    return Killed(signal.SIGSEGV, pc, None, SI_KERNEL, "privileged instruction or bad segment")


def handled(process: Process, fault: cpu.Fault, killed: Killed) -> SignalInfo | None:
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
