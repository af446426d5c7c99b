"""What Linux keeps for one thread beside what all threads of its process share."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from pyldso.kernel.signal_queue import SignalQueue
from pyldso.kernel.status import Unwound

if TYPE_CHECKING:
    import ctypes

    from pyldso.kernel.guest_calls import Unfinished
    from pyldso.kernel.host_thread import HostThread
    from pyldso.kernel.process import Process
    from pyldso.kernel.signal_frames import SignalInfo
    from pyldso.kernel.stubs import TrapHandler
    from pyldso.kernel.syscalls_rseq import Registration


RESTARTED = -512
"""In place of a system call's result: it is made again (Linux's ERESTARTSYS)."""


class Wait:
    """What a thread waits for, until the scheduler's `wake`, its deadline, or a signal.

    `deadline` is a time of `time.monotonic`. `expire` and `interrupt` return the result of the
    system call that waits, or None where the thread has to wait on.
    """

    __slots__ = ("deadline",)

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline

    def expire(self) -> int | None:
        """End the wait because its deadline has come."""
        return -errno.ETIMEDOUT

    def interrupt(self) -> int | None:
        """End the wait because a handler of a signal has to run."""
        return -errno.EINTR


class LockWait(Wait):
    """A wait within a trap, which handlers of signals have to wait for, too."""

    __slots__ = ()

    def interrupt(self) -> int | None:
        """Wait on: no system call is interrupted."""
        return None


class ThreadWaits(Exception):  # noqa: N818 - no error: it unwinds to where threads are switched
    """The system call, or the trap, at hand has no answer yet: the thread waits."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait)
        self.wait = wait


class TrapLock:
    """A lock that threads hold while a trap's handler runs guest code for them.

    Entering it raises ThreadWaits where another thread has it, which begins the trap again later.
    A handler that the guest has left by longjmp(3) still has it, as in ld.so; one that is left by
    an exception, only if not `is_released_by_exceptions`.
    """

    __slots__ = ("_depth", "_is_released", "_owner", "_process", "_waiting")

    def __init__(self, process: Process, *, is_released_by_exceptions: bool = False) -> None:
        self._is_released = is_released_by_exceptions
        self._process = process
        self._owner: Thread | None = None
        self._depth = 0
        self._waiting: list[Thread] = []

    def __enter__(self) -> None:
        process = self._process
        owner, thread = self._owner, process.thread
        if owner is None or owner is thread or process.threads.get(owner.tid) is not owner:
            self._depth = self._depth + 1 if owner is thread else 1
            self._owner = thread
            return
        self._waiting.append(thread)
        raise ThreadWaits(LockWait())

    def __exit__(self, kind: object, *_exception: object) -> None:
        if kind is GeneratorExit or (kind is Unwound and not self._is_released):
            return
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            waiting, self._waiting = self._waiting, []
            if self._process.scheduler is not None:
                for thread in waiting:
                    self._process.scheduler.wake(thread, 0)


class Thread:
    """One thread: its registers while another runs, and its own part of the signals.

    `registers` is what `Cpu.save` returned, the program counter included, or None for the thread
    that runs; all other numbers are the guest's.
    """

    __slots__ = (
        "affinity",
        "alternate_stack",
        "call",
        "clear_child_tid",
        "host",
        "mask",
        "pending",
        "registers",
        "restored_mask",
        "result",
        "robust_list",
        "rseq",
        "tid",
        "trap",
        "unfinished",
        "wait",
        "waiting",
    )

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self.registers: ctypes.c_void_p | None = None
        self.mask = 0
        """The sigset_t of blocked signals."""
        self.restored_mask: int | None = None
        """What `mask` was before a call that sets it for the time of its wait."""
        self.pending = SignalQueue()
        """Blocked signals that were sent to this thread."""
        self.waiting: list[SignalInfo] = []
        """Signals whose handlers are to be called before the thread goes on."""
        self.alternate_stack = bytes(24)
        """struct stack_t; of size zero until the guest sets one."""
        self.clear_child_tid = self.robust_list = 0
        self.rseq: Registration | None = None
        """Its area for restartable sequences (rseq(2))."""
        self.affinity = b""
        """The mask of processors that it may use, where threads may differ in that."""
        self.wait: Wait | None = None
        """What it waits for, where it can not run."""
        self.call: tuple[int, list[int]] | None = None
        """Number and arguments of the system call that waits or has waited, until it is over."""
        self.result = 0
        """The result of that call."""
        self.trap: TrapHandler | None = None
        """The handler of a trap that waits, to be begun again."""
        self.unfinished: list[Unfinished] = []
        """Handlers of traps whose calls of guest functions are not over, the latest last."""
        self.host: HostThread | None = None
        """The thread of the host that makes its waiting system calls."""
