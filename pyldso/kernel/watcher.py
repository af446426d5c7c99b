"""Stops a running guest from outside: Ctrl-C.

A Python signal handler does not run while libunicorn runs. The interpreter's C handler writes to a
wake-up pipe instead, on which a thread waits that stops the machine.
"""

from __future__ import annotations

import _thread
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyldso.kernel.files import Files

_AGAIN_SECONDS = 0.002


class Watcher:
    """Calls `stop` when the run must end, and keeps the signal that ended it."""

    def __init__(self, stop: Callable[[], None], files: Files) -> None:
        self._stop = stop
        self._files = files
        self._signal = 0
        self._run = 0
        self._reading = self._writing = -1

    @property
    def has_fired(self) -> bool:
        """Tell whether a signal waits to be taken."""
        return self._signal != 0

    def take(self) -> int:
        """Return the signal that must end the process, or 0, and forget it."""
        number, self._signal = self._signal, 0
        return number

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the body runs."""
        self._run += 1
        # Only the main thread, whose id is the process's on Linux, hears of signals.
        is_main = _thread.get_native_id() == os.getpid()
        if not is_main or signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
            yield
            self._run += 1
            return
        previous_fd = self._open_pipe()
        previous = signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            self._run += 1
            signal.signal(signal.SIGINT, previous)
            signal.set_wakeup_fd(previous_fd)
            self._files.close_private(self._writing)  # ends the thread
            self._writing = -1

    def restart(self) -> None:
        """Watch again in the child of a fork, to which threads are not handed down."""
        if self._writing >= 0:
            self._files.close_private(self._reading)
            self._files.close_private(self._writing)
            self._open_pipe()

    def _open_pipe(self) -> int:
        """Let signals write to a pipe and start the thread that reads it; return the former fd."""
        self._reading, self._writing = (self._files.keep_private(fd) for fd in os.pipe())
        os.set_blocking(self._writing, False)
        previous_fd = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        _thread.start_new_thread(self._wait_for_signal, (self._reading,))
        return previous_fd

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signal = number

    def _wait_for_signal(self, reading: int) -> None:
        while numbers := os.read(reading, 16):
            if signal.SIGINT in numbers:
                self._fire(signal.SIGINT)
        self._files.close_private(reading)

    def _fire(self, number: int) -> None:
        """Stop the machine, again until the stop was seen: it is lost between two runs."""
        self._signal = number
        run = self._run
        while self._signal and run == self._run:
            self._stop()
            time.sleep(_AGAIN_SECONDS)
