"""The later calls on futexes: futex_waitv, futex_wake, futex_wait, futex_requeue.

They are answered where futex(2) is: by the host's kernel, or among the threads of the process.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from struct import Struct, unpack
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.errors import os_error
from pyldso.kernel.futex import MATCH_ANY, Futexes, FutexWait
from pyldso.kernel.mmu import READ
from pyldso.kernel.syscalls_futex import (
    CLOCK_REALTIME,
    CMP_REQUEUE,
    PRIVATE,
    WAIT_BITSET,
    WAKE_BITSET,
    is_shared,
    sys_futex,
)
from pyldso.kernel.thread import Thread, ThreadWaits, Wait

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_FUTEX_WAITV = NUMBERS["futex_waitv"]
_WAITER = Struct("<QQII")
"""struct futex_waitv: value, address, flags, and what must be 0."""
_MOST_WAITERS = 128
_SIZE_U32, _SIZE_MASK = 2, 3
_CLOCK_REALTIME, _CLOCK_MONOTONIC = 0, 1


class _Waiter(NamedTuple):
    value: int
    address: int
    flags: int


class WaitForAny(Wait):
    """A thread in several queues at once: the first that it is woken from is its call's result."""

    __slots__ = ("places",)

    def __init__(self, deadline: float | None) -> None:
        super().__init__(deadline)
        self.places: list[_PlaceOfMany] = []

    def leave(self) -> None:
        """Leave all queues."""
        for place in self.places:
            place.leave()

    def expire(self) -> int | None:
        """Leave all queues: ETIMEDOUT."""
        self.leave()
        return super().expire()

    def interrupt(self) -> int | None:
        """Leave all queues: EINTR."""
        self.leave()
        return super().interrupt()


class _PlaceOfMany(FutexWait):
    """A place in one of the queues."""

    __slots__ = ("_whole",)

    def __init__(self, whole: WaitForAny, futexes: Futexes, thread: Thread, address: int) -> None:
        super().__init__(futexes, thread, address, MATCH_ANY, None)
        self._whole = whole

    def leave(self) -> None:
        """Leave this queue."""
        self._futexes.leave(self)

    def end(self) -> int:
        """Leave all queues, and return which of them woke the thread."""
        self._whole.leave()
        return self._whole.places.index(self)


def sys_futex_waitv(
    process: Process, waiters: int, count: int, flags: int, timeout: int, clock: int
) -> int:
    """futex_waitv(2)."""
    if flags or not 0 < count <= _MOST_WAITERS or not waiters:
        raise os_error(errno.EINVAL)
    deadline = _deadline(process, timeout, clock)
    wanted = _read_waiters(process, waiters, count)
    shared = [not w.flags & PRIVATE and is_shared(process, w.address) for w in wanted]
    if process.futexes is None or len(process.threads) == 1 or all(shared):
        return _ask_host(process, wanted, timeout, clock)
    if any(shared):
        process.refuse("futex_waitv", "futexes of several processes and of one in the same call")
        raise os_error(errno.ENOSYS)
    memory = process.memory
    for waiter in wanted:
        memory.translate(waiter.address, 4, READ)
        if memory.read_u32(waiter.address) != waiter.value & 0xFFFFFFFF:
            raise os_error(errno.EAGAIN)
    whole = WaitForAny(deadline)
    for waiter in wanted:
        place = _PlaceOfMany(whole, process.futexes, process.thread, waiter.address)
        whole.places.append(place)
        process.futexes.join(place)
    raise ThreadWaits(whole)


def _read_waiters(process: Process, waiters: int, count: int) -> list[_Waiter]:
    size = _WAITER.size * count
    wanted = []
    array = process.memory.view(waiters, size, READ)
    for value, address, flags, reserved in _WAITER.iter_unpack(array):
        _check_flags(flags)
        if reserved or value >> 32:
            raise os_error(errno.EINVAL)
        if address & 3:
            raise os_error(errno.EINVAL)
        wanted.append(_Waiter(value, address, flags))
    return wanted


def _ask_host(process: Process, wanted: Sequence[_Waiter], timeout: int, clock: int) -> int:
    memory = process.memory
    array = b"".join(
        _WAITER.pack(w.value, memory.host_pointer(w.address, 4, READ), w.flags, 0) for w in wanted
    )
    pointer = memory.host_pointer(timeout, 16, READ) if timeout else 0
    return process.call_host(_FUTEX_WAITV, (array, len(wanted), 0, pointer, clock))


def _check_flags(flags: int) -> None:
    if flags & ~(_SIZE_MASK | PRIVATE) or flags & _SIZE_MASK != _SIZE_U32:
        raise os_error(errno.EINVAL)


def _check_mask(mask: int) -> None:
    if mask >> 32:
        raise os_error(errno.EINVAL)


def _deadline(process: Process, timeout: int, clock: int) -> float | None:
    """Return the time of `time.monotonic` for an absolute time of a clock."""
    if not timeout:
        return None
    if clock not in (_CLOCK_REALTIME, _CLOCK_MONOTONIC):
        raise os_error(errno.EINVAL)
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = unpack("<qq", process.memory.view(timeout, 16, READ))
    if seconds < 0 or not 0 <= nanoseconds < 1_000_000_000:
        raise os_error(errno.EINVAL)
    when = seconds + nanoseconds / 1e9
    return when if clock == _CLOCK_MONOTONIC else monotonic() + when - time()


def sys_futex_wake(process: Process, uaddr: int, mask: int, count: int, flags: int) -> int:
    """futex_wake(2)."""
    _check_flags(flags)
    _check_mask(mask)
    operation = WAKE_BITSET | flags & PRIVATE
    if not count and mask and not uaddr & 3:
        process.memory.translate(uaddr, 4, READ)
        return 0
    return sys_futex(process, uaddr, operation, count & 0xFFFFFFFF, 0, 0, mask)


def sys_futex_wait(
    process: Process, uaddr: int, value: int, mask: int, flags: int, timeout: int, clock: int
) -> int:
    """futex_wait(2)."""
    _check_flags(flags)
    _check_mask(mask)
    if value >> 32:
        raise os_error(errno.EINVAL)
    operation = WAIT_BITSET | flags & PRIVATE
    if timeout and _deadline(process, timeout, clock) is not None and clock == _CLOCK_REALTIME:
        operation |= CLOCK_REALTIME
    return sys_futex(process, uaddr, operation, value, timeout, 0, mask)


def sys_futex_requeue(process: Process, waiters: int, flags: int, wake: int, move: int) -> int:
    """futex_requeue(2)."""
    if flags or not waiters:
        raise os_error(errno.EINVAL)
    source, target = _read_waiters(process, waiters, 2)
    if (source.flags ^ target.flags) & PRIVATE:
        process.refuse("futex_requeue", "between futexes of several processes and of one")
        raise os_error(errno.ENOSYS)
    operation = CMP_REQUEUE | source.flags & PRIVATE
    value = source.value & 0xFFFFFFFF
    return sys_futex(
        process, source.address, operation, wake & 0xFFFFFFFF, move, target.address, value
    )
