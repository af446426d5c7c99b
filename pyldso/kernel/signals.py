"""Signals of the guest: what each does, which wait, and how they come to their handlers.

What other processes send, and what waits for the process to unblock it, is with the host's kernel
(signal_intake.py); here is what only the guest can know: its dispositions, its threads, and what
these send to each other. The host's dispositions and mask follow the guest's.
"""

from __future__ import annotations

import os
import signal
from struct import pack, unpack_from
from typing import TYPE_CHECKING

from pyldso.events import Topic
from pyldso.kernel.events import SignalDelivered
from pyldso.kernel.host import ALL_SIGNALS, signal_mask
from pyldso.kernel.mmu import MemoryFault
from pyldso.kernel.signal_frames import SignalInfo, enter_handler, leave_handler
from pyldso.kernel.signal_queue import FIRST_REAL_TIME, SignalQueue, delivery_order
from pyldso.kernel.status import SI_KERNEL, Killed, ProcessEnded

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.kernel.status import Inherited
    from pyldso.kernel.thread import Thread

SIGNAL_COUNT = 64
SIG_DFL, SIG_IGN = 0, 1
SI_USER, SI_TKILL, _SI_TIMER = 0, -6, -2

_HARMLESS = frozenset((signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH))
"""Signals whose default is to be ignored (signal(7))."""
_STOPPING = frozenset((signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
_FATAL = frozenset(range(1, SIGNAL_COUNT + 1)) - _HARMLESS - _STOPPING
_IGNORED_BY_PYTHON = frozenset((signal.SIGPIPE, signal.SIGXFSZ))
"""Ignored in every Python process, whether they were when it started or not."""
UNBLOCKABLE = 1 << (signal.SIGKILL - 1) | 1 << (signal.SIGSTOP - 1)
_NO_ACTION = bytes(32)


def _ignored_at_start() -> frozenset[int]:
    """Return the signals that were ignored when the host's process started, as far as known."""
    known = {
        number
        for number in range(1, SIGNAL_COUNT + 1)
        if signal.getsignal(number) is signal.SIG_IGN
    }
    return frozenset(known - _IGNORED_BY_PYTHON)


def own_signal(number: int, code: int) -> SignalInfo:
    """Return a signal that comes from the process itself; `code` is siginfo's si_code."""
    siginfo = pack("<iiiiiI", number, 0, code, 0, os.getpid(), os.getuid())
    return SignalInfo(number, siginfo.ljust(128, b"\0"))


class Signals:
    """What all threads of a process share of signals."""

    def __init__(self, process: Process, inherited: Inherited) -> None:
        self._process = process
        self._intake = process.intake
        self.actions: dict[int, bytes] = {}
        """Dispositions by number (struct kernel sigaction, 32 bytes)."""
        self.pending = SignalQueue()
        """Signals sent to the process that all threads block."""
        self.timers: dict[int, int] = {}
        """Timers of timer_create(2), with the thread that they signal or 0 for the process."""
        self._ignored_before = inherited.ignored
        self.kept_defaults = inherited.kept_defaults
        """Signals whose default is done here and not by the host."""

    def handler(self, number: int) -> int:
        """Return the handler's address, SIG_DFL or SIG_IGN."""
        return int.from_bytes(self.actions.get(number, _NO_ACTION)[:8], "little")

    def flags(self, number: int) -> int:
        """Return the sa_flags of a signal's disposition (sigaction(2))."""
        return int.from_bytes(self.actions.get(number, _NO_ACTION)[8:16], "little")

    def mask_of(self, number: int) -> int:
        """Return the sigset_t that is blocked while a signal's handler runs."""
        return int.from_bytes(self.actions.get(number, _NO_ACTION)[24:32], "little")

    def ignored(self) -> frozenset[int]:
        """Return the signals that the guest ignores."""
        return frozenset(number for number in self.actions if self.handler(number) == SIG_IGN)

    def pending_set(self) -> int:
        """Return the sigset_t of the signals that wait for the running thread to unblock them."""
        return self.pending.set() | self._process.thread.pending.set()

    def is_fatal(self, number: int) -> bool:
        """Tell whether a signal that is sent to the process itself now ends it by its default."""
        if number not in _FATAL or self.handler(number) != SIG_DFL:
            return False
        threads = self._process.threads.values()
        is_free = any(not thread.mask >> (number - 1) & 1 for thread in threads)
        return is_free or number == signal.SIGKILL

    # ---- sending -------------------------------------------------------------------------------

    def receive(self, info: SignalInfo) -> None:
        """Send a signal to the process, for a thread that does not block it (signal(7))."""
        process = self._process
        _, _, code, timer = unpack_from("<iii4xi", info.siginfo)
        tid = self.timers.get(timer, 0) if code == _SI_TIMER else 0
        if tid in process.threads:
            self.send(process.threads[tid], info)
            return
        running = process.thread
        threads = [running] if running.tid in process.threads else []
        threads += process.threads.values()
        open_to_it = (thread for thread in threads if not thread.mask >> (info.number - 1) & 1)
        thread = next(open_to_it, None)
        if thread is not None:
            self.send(thread, info)
        elif self.handler(info.number) != SIG_IGN:
            self.pending.add(info)

    def send(self, thread: Thread, info: SignalInfo) -> None:
        """Send a signal to a thread; ProcessEnded where it ends the process."""
        scheduler = self._process.scheduler
        number = info.number
        handler = self.handler(number)
        if number == 0 or handler == SIG_IGN or (handler == SIG_DFL and number in _HARMLESS):
            return
        if thread.mask >> (number - 1) & 1:
            if scheduler is None or not scheduler.is_awaited(thread, info):
                thread.pending.add(info)
        elif handler != SIG_DFL:
            if number < FIRST_REAL_TIME and any(number == other.number for other in thread.waiting):
                return
            thread.waiting.append(info)
            if scheduler is not None:
                scheduler.interrupt(thread)
        elif number in _STOPPING:
            os.kill(os.getpid(), number)
        else:
            code = int.from_bytes(info.siginfo[8:12], "little", signed=True)
            if number != signal.SIGKILL:  # which no process ever sees
                self._tell(info)
            raise ProcessEnded(Killed(number, self._process.cpu.pc, None, code, is_told=True))

    def deliver_pending(self) -> None:
        """Deliver what the running thread blocked and no longer does."""
        thread = self._process.thread
        for pending in (thread.pending, self.pending):
            while (info := pending.take(~thread.mask)) is not None:
                self.send(thread, info)

    def take(self, *, is_running: bool) -> None:
        """Take what the host's kernel has delivered, for a thread that does not block it.

        The running thread, where one is, enters its handlers.
        """
        while self._intake.has_signal:
            self.receive(self._intake.take())
            if is_running:
                self.call_handlers()
            else:
                self.mirror_mask()

    # ---- handlers ------------------------------------------------------------------------------

    def call_handlers(self) -> None:
        """Enter the handlers of the signals that wait; the last is the first to run."""
        thread = self._process.thread
        waiting, thread.waiting = thread.waiting, []
        for info in sorted(waiting, key=delivery_order):
            if thread.mask >> (info.number - 1) & 1:  # by the handler entered before
                thread.pending.add(info)
            else:
                self._enter_handler(info)
        self.mirror_mask()

    def call_handler(self, info: SignalInfo) -> None:
        """Enter the handler of a signal at once, as a fault's."""
        self._enter_handler(info)
        self.mirror_mask()

    def _enter_handler(self, info: SignalInfo) -> None:
        self._tell(info)
        try:
            enter_handler(self._process, info)
        except MemoryFault:  # no room for the frame
            raise self._killed("no stack for a signal handler") from None

    def leave_handler(self) -> None:
        """Go back to where a signal came, and take what waited behind its mask."""
        try:
            leave_handler(self._process)
        except MemoryFault:
            raise self._killed("bad frame in rt_sigreturn") from None
        self.deliver_pending()
        self.call_handlers()

    def _killed(self, reason: str) -> ProcessEnded:
        pc = self._process.cpu.pc
        return ProcessEnded(Killed(signal.SIGSEGV, pc, None, SI_KERNEL, reason))

    def _tell(self, info: SignalInfo) -> None:
        """Tell those who watch of a signal that reaches the guest."""
        events = self._process.events
        if events.wanted & Topic.SYSCALLS:
            events.emit(SignalDelivered(info.number, info.siginfo))

    # ---- the host's dispositions and mask ------------------------------------------------------

    def begin_to_listen(self) -> None:
        """Take over how the host's process was started, and let the host do as the guest says."""
        self._process.thread.mask = signal_mask()
        ignored = self._ignored_before
        if ignored is None:
            ignored = _ignored_at_start()
            for python_ignores in _IGNORED_BY_PYTHON:
                self._intake.set_action(python_ignores, SIG_DFL, 0, is_kept=False)
        for number in ignored:
            self.actions[number] = SIG_IGN.to_bytes(32, "little")
        if self._process.events.wanted & Topic.SYSCALLS:  # to show them
            self.kept_defaults = _FATAL - {signal.SIGKILL}
        for number in self.kept_defaults - ignored:
            self.mirror_action(number)

    def continue_as_child(self) -> None:
        """Go on as the child of a fork: nothing is pending, and timers are not inherited."""
        self.pending.clear()
        self.timers.clear()
        self._intake.continue_as_child()
        if not self._process.events.wanted & Topic.SYSCALLS:
            kept, self.kept_defaults = self.kept_defaults, frozenset()
            for number in kept:
                self.mirror_action(number)

    def mirror_action(self, number: int) -> None:
        """Let the host do with a signal what the guest's disposition says."""
        handler = self.handler(number)
        is_handled = handler not in (SIG_DFL, SIG_IGN)
        is_kept = is_handled or (handler == SIG_DFL and number in self.kept_defaults)
        self._intake.set_action(number, handler, self.flags(number), is_kept=is_kept)

    def set_mask(self, mask: int) -> None:
        """Set the running thread's set of blocked signals, here and on the host."""
        self._process.thread.mask = mask & ~UNBLOCKABLE
        self.mirror_mask()

    def mirror_mask(self) -> None:
        """Block on the host what all threads block, or are about to."""
        mask = ALL_SIGNALS
        for thread in self._process.threads.values():
            blocked = thread.mask
            for info in thread.waiting:
                blocked |= 1 << (info.number - 1) | self.mask_of(info.number)
            mask &= blocked
        self._intake.set_mask(mask)


def signal_name(number: int) -> str:
    """Return a signal's name, as SIGSEGV; real-time signals count from the kernel's first."""
    if number >= FIRST_REAL_TIME:
        offset = number - FIRST_REAL_TIME
        return f"SIGRT_{offset}" if offset else "SIGRTMIN"
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
