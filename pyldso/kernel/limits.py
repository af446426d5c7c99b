"""What a program may use, and what it has used: time, memory, instructions and output.

All processes of a program use up one budget: its counters stand in memory that a fork shares, and
execve(2) carries them on. Memory is each process's own, as for `ulimit -v`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from signal import SIGCONT
from struct import pack
from time import monotonic, sleep
from typing import NamedTuple

from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_SIZE
from pyldso.kernel.status import Exhausted, ProcessEnded

_NO_LIMIT = 1 << 62
_LOOK_SECONDS, _AGAIN_SECONDS = 0.02, 0.002
_CONTINUE_NANOSECONDS = 100_000_000


class Limits(NamedTuple):
    """What a program may use; None is no limit. Memory and output are counted in bytes."""

    seconds: float | None = None
    memory: int | None = None
    instructions: int | None = None
    output: int | None = None


class LimitStatus(IntEnum):
    """The exit statuses of a program that has reached a limit; 124 is that of timeout(1)."""

    INSTRUCTIONS = 121
    OUTPUT = 122
    MEMORY = 123
    TIME = 124


class Budget:
    """The limits of a program and what is left of them, in all of its processes."""

    __slots__ = ("_counters", "_deadline", "instructions_address", "limits", "owner")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.owner = os.getpid()
        """The first process: the one that tells of a limit that was reached."""
        self._deadline = None if limits.seconds is None else monotonic() + limits.seconds
        flags = host.MAP_SHARED | host.MAP_ANONYMOUS
        writable = host.PROT_READ | host.PROT_WRITE
        self.instructions_address = host.map_memory(0, PAGE_SIZE, writable, flags, -1, 0)
        """The host address of the 64-bit number of instructions that are left."""
        # Instructions and bytes of output that are left, and the LimitStatus that was reached.
        self._counters = (ctypes.c_int64 * 3).from_address(self.instructions_address)
        for index, limit in enumerate((limits.instructions, limits.output)):
            self._counters[index] = _NO_LIMIT if limit is None else limit

    @property
    def output_left(self) -> int:
        """How many bytes may still be written."""
        return max(self._counters[1], 0)

    def use_output(self, count: int) -> None:
        """Note that `count` bytes were written."""
        self._counters[1] -= count

    @property
    def deadline(self) -> float | None:
        """The time of `monotonic` at which all is over, where there is one."""
        return self._deadline

    def reached(self) -> int:
        """Return the LimitStatus of a limit that any of the processes has reached, or 0."""
        if not self._counters[2]:
            if self._deadline is not None and monotonic() >= self._deadline:
                self._counters[2] = LimitStatus.TIME
            elif self._counters[0] < 0:
                self._counters[2] = LimitStatus.INSTRUCTIONS
        return self._counters[2]

    def check(self) -> None:
        """Raise the end of the process where a limit was reached."""
        if status := self.reached():
            raise self.end(LimitStatus(status))

    def end(self, status: LimitStatus) -> ProcessEnded:
        """Return the end of a process for a limit, which is the end of all the others, too."""
        self._counters[2] = status
        limits = self.limits
        reason = {
            LimitStatus.TIME: f"it has run for {limits.seconds} seconds (--timeout)",
            LimitStatus.MEMORY: f"it needs more than {limits.memory} bytes (--max-memory)",
            LimitStatus.INSTRUCTIONS: f"it has run {limits.instructions} instructions"
            " (--max-insns)",
            LimitStatus.OUTPUT: f"it writes more than {limits.output} bytes (--max-output)",
        }[status]
        return ProcessEnded(Exhausted(status, reason if os.getpid() == self.owner else ""))


class Clock:
    """Calls `stop` when a limit is reached, until `rest`; it has to interrupt waits, too.

    A process that a signal has stopped is continued by the host's kernel when its time is over.
    """

    __slots__ = ("_budget", "_round", "_stop", "_timer")

    def __init__(self, budget: Budget, stop: Callable[[], None]) -> None:
        self._budget = budget
        self._stop = stop
        self._round = 0
        self._timer: int | None = None

    def watch(self) -> None:
        """Begin to watch; the child of a fork has to call it again. Raises OSError."""
        self._round += 1
        self._timer = None  # a fork does not inherit it
        host.start_deaf_thread(self._wait, self._round)
        if self._budget.deadline is not None:
            self._plan_to_continue(self._budget.deadline)

    def rest(self) -> None:
        """Stop nothing any more."""
        self._round += 1
        if self._timer is not None:
            host.delete_timer(self._timer)
            self._timer = None

    def _plan_to_continue(self, deadline: float) -> None:
        """Have SIGCONT come from `deadline` on, which ends a stop whatever it does else.

        No thread of a stopped process runs, so only a timer of the kernel's can (signal(7)).
        """
        event = host.SIGEVENT.pack(0, SIGCONT, host.SIGEV_SIGNAL, 0)
        seconds, fraction = divmod(deadline, 1)
        times = pack("<4q", 0, _CONTINUE_NANOSECONDS, int(seconds), int(fraction * 1e9))
        with suppress(OSError):  # `ulimit -i 0`: there are no timers
            self._timer = host.create_timer(host.CLOCK_MONOTONIC, event)
            host.host_syscall(host.TIMER_SETTIME, self._timer, host.TIMER_ABSTIME, times, 0)

    def _wait(self, number: int) -> None:
        while number == self._round and not self._budget.reached():
            sleep(_LOOK_SECONDS)
        while number == self._round:
            self._stop()
            sleep(_AGAIN_SECONDS)
