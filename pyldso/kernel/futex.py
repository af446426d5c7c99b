"""Futexes among the threads of one process (futex(2)): who waits at which address, and for what.

What is between processes, in memory that they share, goes to the host's kernel instead
(syscalls_futex.py). Nothing here runs at the same time as the guest, so that every operation is
atomic by itself.
"""

from __future__ import annotations

import errno
import time
from struct import unpack
from typing import TYPE_CHECKING

from pyldso.errors import os_error
from pyldso.kernel.mmu import READ, WRITE
from pyldso.kernel.syscalls_futex import (
    CLOCK_REALTIME,
    CMP_REQUEUE,
    CMP_REQUEUE_PI,
    LOCK_PI,
    OWNER_DIED,
    PRIVATE,
    REQUEUE,
    TID_MASK,
    TIMED,
    TRYLOCK_PI,
    UNLOCK_PI,
    WAIT,
    WAIT_BITSET,
    WAIT_REQUEUE_PI,
    WAITERS,
    WAKE,
    WAKE_BITSET,
    WAKE_OP,
)
from pyldso.kernel.thread import RESTARTED, Thread, ThreadWaits, Wait

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace
    from pyldso.kernel.process import Process
    from pyldso.kernel.scheduler import Scheduler

MATCH_ANY = 0xFFFFFFFF
_OPARG_IS_SHIFT = 8


class FutexWait(Wait):
    """A thread in the queue of an address; `is_owner_next` where it waits for a PI lock."""

    __slots__ = ("_futexes", "address", "bitset", "is_owner_next", "thread")

    def __init__(
        self,
        futexes: Futexes,
        thread: Thread,
        address: int,
        bitset: int,
        deadline: float | None,
        *,
        is_owner_next: bool = False,
    ) -> None:
        super().__init__(deadline)
        self._futexes = futexes
        self.thread = thread
        self.address = address
        self.bitset = bitset
        self.is_owner_next = is_owner_next

    def end(self) -> int:
        """Leave the queue because the thread is woken, and return what its call returns."""
        self._futexes.leave(self)
        return 0

    def expire(self) -> int | None:
        """Leave the queue: ETIMEDOUT."""
        self._futexes.leave(self)
        return super().expire()

    def interrupt(self) -> int | None:
        """Leave the queue: EINTR; the wait for a PI lock, which never ends so, goes on."""
        if self.is_owner_next:
            return None
        self._futexes.leave(self)
        return super().interrupt()


class RequeueWait(FutexWait):
    """A wait that CMP_REQUEUE_PI ends or makes a wait for the PI lock at `target`."""

    __slots__ = ("target",)

    def __init__(
        self, futexes: Futexes, thread: Thread, address: int, target: int, deadline: float | None
    ) -> None:
        super().__init__(futexes, thread, address, MATCH_ANY, deadline)
        self.target = target

    def interrupt(self) -> int | None:
        """Leave the queue: the call begins again, or its caller where the lock is waited for."""
        self._futexes.leave(self)
        return -errno.EAGAIN if self.is_owner_next else RESTARTED


class Futexes:
    """The queues of a process, by address, in the order in which threads came."""

    def __init__(self, memory: AddressSpace, scheduler: Scheduler) -> None:
        self._memory = memory
        self._scheduler = scheduler
        self._queues: dict[int, list[FutexWait]] = {}

    def wait(self, thread: Thread, address: int, bitset: int, deadline: float | None) -> FutexWait:
        """Return the wait of a thread that has joined the queue of an address."""
        return self.join(FutexWait(self, thread, address, bitset, deadline))

    def join(self, wait: FutexWait) -> FutexWait:
        """Add a wait to the queue of its address."""
        self._queues.setdefault(wait.address, []).append(wait)
        return wait

    def leave(self, wait: FutexWait) -> None:
        """Take a wait out of its queue."""
        queue = self._queues.get(wait.address, [])
        if wait in queue:
            queue.remove(wait)
        if not queue:
            self._queues.pop(wait.address, None)

    def wake(self, address: int, count: int, bitset: int = MATCH_ANY) -> int:
        """Wake up to `count` threads that wait at an address, and return how many."""
        woken = 0
        for wait in [wait for wait in self._queues.get(address, ()) if wait.bitset & bitset]:
            if woken >= count:
                break
            self._end(wait)
            woken += 1
        return woken

    def _end(self, wait: FutexWait) -> None:
        self._scheduler.wake(wait.thread, wait.end())

    def has_owner_next(self, address: int) -> bool:
        """Tell whether a thread waits at an address for a PI lock, now or once it is requeued."""
        waits = self._queues.get(address, ())
        return any(wait.is_owner_next or isinstance(wait, RequeueWait) for wait in waits)

    def requeue(self, address: int, wake: int, move: int, target: int) -> int:
        """Wake some threads and let others wait at `target`; return how many in all."""
        done = self.wake(address, wake)
        for wait in self._queues.get(address, [])[: max(move, 0)]:
            self.leave(wait)
            wait.address = target
            self.join(wait)
            done += 1
        return done

    # ---- priority inheritance: the word holds the owner's tid ----------------------------------

    def lock(
        self, thread: Thread, address: int, deadline: float | None, *, waits: bool
    ) -> FutexWait | None:
        """Take a PI lock, or return the wait for it; raises OSError."""
        memory = self._memory
        value = memory.read_u32(address)
        owner = value & TID_MASK
        queue = self._queues.get(address, [])
        if owner == thread.tid:
            raise os_error(errno.EDEADLK)
        if not owner and not queue:
            memory.write_u32(address, thread.tid | value & OWNER_DIED)
            return None
        if not waits:
            raise os_error(errno.EAGAIN)
        if owner and not self._scheduler.has_thread(owner):
            raise os_error(errno.ESRCH)
        memory.write_u32(address, value | WAITERS)
        wait = FutexWait(self, thread, address, MATCH_ANY, deadline, is_owner_next=True)
        return self.join(wait)

    def unlock(self, thread: Thread, address: int) -> None:
        """Give a PI lock to the thread that waits longest; raises OSError."""
        value = self._memory.read_u32(address)
        if value & TID_MASK != thread.tid:
            raise os_error(errno.EPERM)
        self.hand_over(address, 0)

    def hand_over(self, address: int, flags: int) -> None:
        """Let the next thread own a PI lock, and set `flags` beside its tid."""
        queue = self._queues.get(address)
        if not queue:
            self._memory.write_u32(address, flags)
            return
        wait = queue[0]
        self._end(wait)
        left = WAITERS if address in self._queues else 0
        self._memory.write_u32(address, wait.thread.tid | left | flags)

    def requeue_to_lock(self, address: int, move: int, target: int) -> int:
        """Give a PI lock to the first thread that waits at `address`; let others wait for it.

        Where the lock is not free, the first waits, too. Returns how many there were.
        """
        done = 0
        for wait in list(self._queues.get(address, ())):
            if done > move:
                break
            if not isinstance(wait, RequeueWait) or wait.target != target:
                raise os_error(errno.EINVAL)
            waiting = self.lock(wait.thread, target, wait.deadline, waits=True)
            if waiting is None:  # free
                value = self._memory.read_u32(target)
                self._memory.write_u32(target, value | WAITERS if move else value)
                self._end(wait)
            else:
                self.leave(waiting)
                self.leave(wait)
                wait.address, wait.is_owner_next = target, True
                self.join(wait)
            done += 1
        return done


def operate(value: int, operation: int) -> tuple[int, bool]:
    """Return the new value of FUTEX_WAKE_OP, and whether the old one compares as asked.

    `operation` holds operator, comparison and both arguments; raises OSError (ENOSYS).
    """
    operator, comparison = operation >> 28 & 7, operation >> 24 & 15
    argument, compared = (_signed(operation >> shift & 0xFFF, 12) for shift in (12, 0))
    if operation >> 28 & _OPARG_IS_SHIFT:
        argument = 1 << (argument & 31)
    old = _signed(value, 32)
    results = (argument, old + argument, old | argument, old & ~argument, old ^ argument)
    tests = (
        old == compared, old != compared, old < compared,
        old <= compared, old > compared, old >= compared,
    )  # fmt: skip
    if operator >= len(results) or comparison >= len(tests):
        raise os_error(errno.ENOSYS)
    return results[operator] & 0xFFFFFFFF, tests[comparison]


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


# ---- futex(2) --------------------------------------------------------------------------------


def ask_threads(
    process: Process,
    futexes: Futexes,
    uaddr: int,
    operation: int,
    value: int,
    timeout: int,
    uaddr2: int,
    value3: int,
) -> int:
    """Answer a call of futex(2) that no other process can see; raises OSError, ThreadWaits."""
    memory = process.memory
    command = operation & ~(PRIVATE | CLOCK_REALTIME)
    count, second_count = _signed(value, 32), _signed(timeout & 0xFFFFFFFF, 32)
    bitset = value3 if command in (WAIT_BITSET, WAKE_BITSET) else MATCH_ANY
    if not bitset:
        raise os_error(errno.EINVAL)
    if command in (WAIT, WAIT_BITSET):
        deadline = _deadline(process, command, operation, timeout)
        memory.translate(uaddr, 4, READ)
        if memory.read_u32(uaddr) != value:
            raise os_error(errno.EAGAIN)
        raise ThreadWaits(futexes.wait(process.thread, uaddr, bitset, deadline))
    if command == WAIT_REQUEUE_PI:
        return _wait_to_own(process, futexes, uaddr, uaddr2, value, operation, timeout)
    if command in (WAKE, WAKE_BITSET):
        if futexes.has_owner_next(uaddr):
            raise os_error(errno.EINVAL)
        return futexes.wake(uaddr, max(count, 1), bitset)
    if command == CMP_REQUEUE_PI:
        if uaddr == uaddr2 or count != 1 or second_count < 0:
            raise os_error(errno.EINVAL)
        memory.translate(uaddr2, 4, READ | WRITE)
        if memory.read_u32(uaddr) != value3:
            raise os_error(errno.EAGAIN)
        return futexes.requeue_to_lock(uaddr, second_count, uaddr2)
    if command in (REQUEUE, CMP_REQUEUE):
        if count < 0 or second_count < 0:
            raise os_error(errno.EINVAL)
        if command == CMP_REQUEUE and memory.read_u32(uaddr) != value3:
            raise os_error(errno.EAGAIN)
        if futexes.has_owner_next(uaddr):
            raise os_error(errno.EINVAL)
        return futexes.requeue(uaddr, count, second_count, uaddr2)
    if command == WAKE_OP:
        return _operate_and_wake(process, futexes, uaddr, count, uaddr2, second_count, value3)
    memory.translate(uaddr, 4, READ | WRITE)
    if command == UNLOCK_PI:
        futexes.unlock(process.thread, uaddr)
    else:
        deadline = _deadline(process, command, operation, timeout) if command in TIMED else None
        wait = futexes.lock(process.thread, uaddr, deadline, waits=command != TRYLOCK_PI)
        if wait is not None:
            raise ThreadWaits(wait)
    return 0


def _wait_to_own(
    process: Process,
    futexes: Futexes,
    uaddr: int,
    uaddr2: int,
    value: int,
    operation: int,
    timeout: int,
) -> int:
    """Wait to be requeued to the PI lock at `uaddr2`, which the thread has at the end."""
    if uaddr == uaddr2:
        raise os_error(errno.EINVAL)
    deadline = _deadline(process, WAIT_REQUEUE_PI, operation, timeout)
    process.memory.translate(uaddr2, 4, READ | WRITE)
    if process.memory.read_u32(uaddr) != value:
        raise os_error(errno.EAGAIN)
    wait = RequeueWait(futexes, process.thread, uaddr, uaddr2, deadline)
    raise ThreadWaits(futexes.join(wait))


def _operate_and_wake(
    process: Process,
    futexes: Futexes,
    uaddr: int,
    count: int,
    uaddr2: int,
    second_count: int,
    operation: int,
) -> int:
    """Change the second word, wake who waits for the first, and perhaps who for the second."""
    memory = process.memory
    changed, wakes_second = operate(memory.read_u32(uaddr2), operation)
    memory.translate(uaddr2, 4, WRITE)
    memory.write_u32(uaddr2, changed)
    woken = futexes.wake(uaddr, max(count, 1))
    return woken + (futexes.wake(uaddr2, max(second_count, 1)) if wakes_second else 0)


def _deadline(process: Process, command: int, operation: int, timeout: int) -> float | None:
    """Return the time of `time.monotonic` at which a wait ends."""
    if not timeout:
        return None
    process.memory.translate(timeout, 16, READ)
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = unpack("<qq", process.memory.read(timeout, 16))
    if seconds < 0 or not 0 <= nanoseconds < 1_000_000_000:
        raise os_error(errno.EINVAL)
    when = seconds + nanoseconds / 1e9
    if command == WAIT:
        return time.monotonic() + when
    if command == LOCK_PI or operation & CLOCK_REALTIME:
        return time.monotonic() + when - time.time()
    return when
