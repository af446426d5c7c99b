"""futex(2): by the host's kernel, or among the threads of the process.

A program with one thread asks the host's kernel; so does every program about futexes in memory
that processes share, which the host's memory is shared for, too. All others are futex.py's.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.errors import os_error
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import READ, WRITE

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

FUTEX = NUMBERS["futex"]
# linux/futex.h
WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, LOCK_PI, UNLOCK_PI = 0, 1, 3, 4, 5, 6, 7
TRYLOCK_PI, WAIT_BITSET, WAKE_BITSET, LOCK_PI2 = 8, 9, 10, 13
WAIT_REQUEUE_PI, CMP_REQUEUE_PI = 11, 12
PRIVATE, CLOCK_REALTIME = 128, 256
TID_MASK, OWNER_DIED, WAITERS = 0x3FFFFFFF, 0x40000000, 0x80000000
TIMED = frozenset((WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2, WAIT_REQUEUE_PI))
"""Commands that wait, for a time if they are given one."""
TWO_PLACES = frozenset((REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_REQUEUE_PI, CMP_REQUEUE_PI))
_OF_EITHER_CLOCK = frozenset((WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2))
_BY_OWNER = frozenset((UNLOCK_PI, TRYLOCK_PI))
"""Commands that ask who makes the call: the thread of the host with the thread's id."""
_KNOWN = TIMED | TWO_PLACES | {WAKE, UNLOCK_PI, TRYLOCK_PI, WAKE_BITSET}


def is_shared(process: Process, address: int) -> bool:
    """Tell whether other processes may share the memory at an address."""
    vma = process.memory.find(address)
    return vma is not None and vma.is_shared


def is_timed(operation: int, timeout: int) -> bool:
    """Tell whether a call waits, and only for a time: no handler's SA_RESTART restarts it."""
    return bool(timeout) and operation & ~(PRIVATE | CLOCK_REALTIME) in TIMED


def sys_futex(
    process: Process, uaddr: int, operation: int, value: int, timeout: int, uaddr2: int, value3: int
) -> int:
    """futex(2)."""
    command = operation & ~(PRIVATE | CLOCK_REALTIME)
    if command not in _KNOWN or (operation & CLOCK_REALTIME and command not in _OF_EITHER_CLOCK):
        raise os_error(errno.ENOSYS)
    if uaddr & 3 or (command in TWO_PLACES and uaddr2 & 3):
        raise os_error(errno.EINVAL)
    is_private = operation & PRIVATE or not is_shared(process, uaddr)
    if command in (WAIT, WAIT_BITSET) and value & WAITERS and not is_private:
        _bury(process, uaddr, value)
    if process.futexes is None or len(process.threads) == 1 or not is_private:
        return _ask_host(process, uaddr, operation, value, timeout, uaddr2, value3)
    # start-up: only where there are threads
    from pyldso.kernel.futex import ask_threads

    return ask_threads(process, process.futexes, uaddr, operation, value, timeout, uaddr2, value3)


def _bury(process: Process, uaddr: int, value: int) -> None:
    """Mark a robust futex whose owner was killed, and the emulator with it: EAGAIN where it is one.

    The kernel would have done so by the owner's list of robust futexes, which is gone.
    """
    from pyldso.kernel.family import is_running  # start-up: seldom needed
    from pyldso.kernel.host import compare_exchange

    owner = value & TID_MASK
    if owner and owner not in process.threads and not is_running(owner):
        place = process.memory.host_pointer(uaddr, 4, READ | WRITE)
        if compare_exchange(place, value, WAITERS | OWNER_DIED):
            raise os_error(errno.EAGAIN)


def _ask_host(
    process: Process, uaddr: int, operation: int, value: int, timeout: int, uaddr2: int, value3: int
) -> int:
    """Let the host's kernel do it: waiting threads are those of the host."""
    memory, command = process.memory, operation & ~(PRIVATE | CLOCK_REALTIME)
    pointer = memory.host_pointer(uaddr, 4, READ)
    other = memory.host_pointer(uaddr2, 4, READ) if command in TWO_PLACES else 0
    if is_timed(operation, timeout):
        timeout = memory.host_pointer(timeout, 16, READ)
    arguments = (pointer, operation, value, timeout, other, value3)
    if command in TIMED or command in _BY_OWNER:
        return process.call_host(FUTEX, arguments)
    return host_syscall(FUTEX, *arguments)
