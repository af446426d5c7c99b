"""A thread of the host for each of the guest's: its id is the guest thread's, and it makes the
system calls that wait, so that the others can run meanwhile.
"""

from __future__ import annotations

import _thread
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from pyldso.kernel.host import host_syscall
from pyldso.kernel.signals import INTERRUPT

_TGKILL = 234
_STACK_SIZE = 256 << 10


class HostCall(NamedTuple):
    """A system call of the host; all pointers among its arguments were checked."""

    number: int
    arguments: tuple[int | bytes, ...]


class HostThread:
    """Makes one call after the other; `answer(thread, result)` is called from the host thread."""

    __slots__ = ("_answer", "_call", "_go", "tid")

    def __init__(self, answer: Callable[[HostThread, int], None]) -> None:
        self._answer = answer
        self._call: HostCall | None = None
        self._go = _thread.allocate_lock()
        self._go.acquire()
        self.tid = 0
        started = _thread.allocate_lock()
        started.acquire()
        _thread.stack_size(_STACK_SIZE)
        _thread.start_new_thread(self._serve, (started,))
        started.acquire()

    def ask(self, call: HostCall) -> None:
        """Begin a call; the one before was answered."""
        self._call = call
        self._go.release()

    def end(self) -> None:
        """Let the thread end, which makes no call now."""
        self._call = None
        self._go.release()

    def interrupt(self) -> None:
        """Let the call at hand end with EINTR: without effect where it has not begun to wait."""
        if signal.getsignal(INTERRUPT) is not signal.SIG_DFL:
            host_syscall(_TGKILL, os.getpid(), self.tid, INTERRUPT)

    def _serve(self, started: _thread.LockType) -> None:
        # Signals are for the main thread, in which Python handles them.
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals() - {INTERRUPT})
        self.tid = _thread.get_native_id()
        started.release()
        while True:
            self._go.acquire()
            call = self._call
            if call is None:
                return
            try:
                result = host_syscall(call.number, *call.arguments)
            except OSError as error:
                result = -(error.errno or 0)
            self._answer(self, result)
