"""A thread of the host for each of the guest's: its id is the guest thread's, and it makes the
system calls that wait, so that the others can run meanwhile.
"""

from __future__ import annotations

import _thread
import os
from collections.abc import Callable
from typing import NamedTuple

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.kernel.host import ALL_SIGNALS, host_syscall, set_signal_mask, start_deaf_thread
from pyldso.kernel.signal_intake import WAKE

_TGKILL = NUMBERS["tgkill"]
_STACK_SIZE = 256 << 10


class HostCall(NamedTuple):
    """A system call of the host; all pointers among its arguments were checked."""

    number: int
    arguments: tuple[int | bytes, ...]


class HostThread:
    """Makes one call after the other; `answer(thread, result)` is called from the host thread."""

    __slots__ = ("_answer", "_call", "_go", "_is_interruptible", "tid")

    def __init__(
        self, answer: Callable[[HostThread, int], None], *, is_interruptible: bool
    ) -> None:
        self._answer = answer
        self._is_interruptible = is_interruptible
        self._call: HostCall | None = None
        self._go = _thread.allocate_lock()
        self._go.acquire()
        self.tid = 0
        started = _thread.allocate_lock()
        started.acquire()
        _thread.stack_size(_STACK_SIZE)
        start_deaf_thread(self._serve, started)
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
        if self._is_interruptible:
            host_syscall(_TGKILL, os.getpid(), self.tid, WAKE)

    def _serve(self, started: _thread.LockType) -> None:
        set_signal_mask(ALL_SIGNALS & ~(1 << (WAKE - 1)))
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
