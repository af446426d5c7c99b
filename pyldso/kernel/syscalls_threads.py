"""System calls of threads: their begin and end, futexes, and the lists of robust ones.

A program with one thread asks the host's kernel about its futexes; so does every program about
those in memory that processes share, which the host's memory is shared for, too.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from struct import unpack
from time import CLOCK_REALTIME, clock_gettime, monotonic
from typing import TYPE_CHECKING

from pyldso.arch.x86_64 import registers
from pyldso.kernel.futex import (
    MATCH_ANY,
    OWNER_DIED,
    TID_MASK,
    WAITERS,
    Futexes,
    operate,
)
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import READ, WRITE, MemoryFault
from pyldso.kernel.status import Exited, ProcessEnded
from pyldso.kernel.thread import ThreadWaits

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.kernel.thread import Thread

_FUTEX = 202
# linux/futex.h
_WAIT, _WAKE, _REQUEUE, _CMP_REQUEUE, _WAKE_OP, _LOCK_PI, _UNLOCK_PI = 0, 1, 3, 4, 5, 6, 7
_TRYLOCK_PI, _WAIT_BITSET, _WAKE_BITSET, _LOCK_PI2 = 8, 9, 10, 13
_PRIVATE, _CLOCK_REALTIME = 128, 256
_TIMED = frozenset((_WAIT, _LOCK_PI, _WAIT_BITSET, _LOCK_PI2))
_TWO_PLACES = frozenset((_REQUEUE, _CMP_REQUEUE, _WAKE_OP))
_KNOWN = _TIMED | _TWO_PLACES | {_WAKE, _UNLOCK_PI, _TRYLOCK_PI, _WAKE_BITSET}
_HEAD_SIZE, _MOST_ROBUST, _IS_PI = 24, 2048, 1

# sched.h
_CLONE_VM, _CLONE_SIGHAND, _CLONE_THREAD = 0x100, 0x800, 0x10000
_CLONE_SETTLS, _CLONE_PARENT_SETTID = 0x80000, 0x100000
_CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x200000, 0x1000000


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


# ---- begin and end -----------------------------------------------------------------------------


def start_thread(
    process: Process, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int
) -> int:
    """Start a thread (clone(2) with CLONE_THREAD) and return its id."""
    if not flags & _CLONE_SIGHAND or not flags & _CLONE_VM:
        raise _error(errno.EINVAL)
    scheduler = process.start_scheduler()
    thread = scheduler.new_thread()
    if flags & _CLONE_PARENT_SETTID:
        process.memory.write_u32(parent_tid, thread.tid)
    if flags & _CLONE_CHILD_SETTID:
        process.memory.write_u32(child_tid, thread.tid)
    if flags & _CLONE_CHILD_CLEARTID:
        thread.clear_child_tid = child_tid

    def set_registers() -> None:
        process.cpu.set(registers.RAX, 0)
        if flags & _CLONE_SETTLS:
            process.cpu.set(registers.FS_BASE, tls)

    process.after_system_call(lambda: scheduler.begin(thread, stack, set_registers))
    return thread.tid


def end_thread(process: Process, status: int) -> int:
    """End the running thread (exit(2)); the process ends with its last one."""
    thread, scheduler = process.thread, process.scheduler
    release_thread(process, thread)
    if thread.tid == os.getpid():
        process.first_thread_status = status
    if scheduler is None or len(process.threads) == 1:
        raise ProcessEnded(Exited(process.first_thread_status & 0xFF))
    scheduler.end_running()
    process.after_system_call(scheduler.switch)
    return 0


def release_thread(process: Process, thread: Thread) -> None:
    """Let go of what a thread that ends holds: its robust futexes, and who waits for its end."""
    with suppress(MemoryFault):  # the kernel, too, stops at what it cannot access
        if thread.robust_list:
            release_robust_list(process, thread)
    thread.robust_list = 0
    with suppress(MemoryFault):
        if thread.clear_child_tid:
            process.memory.write_u32(thread.clear_child_tid, 0)
            _wake(process, thread.clear_child_tid, 1)


def release_robust_list(process: Process, thread: Thread) -> None:
    """Walk a robust list (struct robust_list_head) and mark the futexes that the thread owned.

    Raises MemoryFault where the list leads to memory that is not there.
    """
    memory, head = process.memory, thread.robust_list
    first, offset, pending = unpack("<QqQ", memory.read(head, _HEAD_SIZE))
    entry = first
    for _ in range(_MOST_ROBUST):
        if entry & ~_IS_PI == head:
            break
        following = memory.read_u64(entry & ~_IS_PI)
        if entry != pending:
            _mark_dead(process, thread, (entry & ~_IS_PI) + offset, entry & _IS_PI)
        entry = following
    if pending:
        _mark_dead(process, thread, (pending & ~_IS_PI) + offset, pending & _IS_PI)


def _mark_dead(process: Process, thread: Thread, address: int, is_pi: int) -> None:
    value = process.memory.read_u32(address)
    if value & TID_MASK != thread.tid:
        return
    if is_pi and process.futexes is not None and not _is_shared(process, address):
        process.futexes.hand_over(address, OWNER_DIED)
        return
    process.memory.write_u32(address, value & WAITERS | OWNER_DIED)
    if value & WAITERS:
        _wake(process, address, 1)


def _wake(process: Process, address: int, count: int) -> int:
    """Wake threads, of other processes as well where they share the memory."""
    woken = process.futexes.wake(address, count) if process.futexes is not None else 0
    if woken < count and _is_shared(process, address):
        pointer = process.memory.host_pointer(address, 4, READ)
        woken += host_syscall(_FUTEX, pointer, _WAKE, count - woken)
    return woken


def sys_get_robust_list(process: Process, tid: int, head: int, length: int) -> int:
    """get_robust_list(2) of the process's own threads."""
    thread = process.threads.get(tid) if tid else process.thread
    if thread is None:
        raise _error(errno.EPERM)
    process.memory.write_u64(length, _HEAD_SIZE)
    process.memory.write_u64(head, thread.robust_list)
    return 0


# ---- futexes -----------------------------------------------------------------------------------


def _is_shared(process: Process, address: int) -> bool:
    vma = process.memory.find(address)
    return vma is not None and vma.is_shared


def sys_futex(
    process: Process, uaddr: int, operation: int, value: int, timeout: int, uaddr2: int, value3: int
) -> int:
    """futex(2)."""
    command = operation & ~(_PRIVATE | _CLOCK_REALTIME)
    if command not in _KNOWN:
        raise _error(errno.ENOSYS)
    if uaddr & 3 or (command in _TWO_PLACES and uaddr2 & 3):
        raise _error(errno.EINVAL)
    is_private = operation & _PRIVATE or not _is_shared(process, uaddr)
    if process.futexes is None or len(process.threads) == 1 or not is_private:
        return _ask_host(process, uaddr, operation, value, timeout, uaddr2, value3)
    return _among_threads(
        process, process.futexes, uaddr, operation, value, timeout, uaddr2, value3
    )


def _ask_host(
    process: Process, uaddr: int, operation: int, value: int, timeout: int, uaddr2: int, value3: int
) -> int:
    """Let the host's kernel do it: waiting threads are those of the host."""
    memory, command = process.memory, operation & ~(_PRIVATE | _CLOCK_REALTIME)
    pointer = memory.host_pointer(uaddr, 4, READ)
    other = memory.host_pointer(uaddr2, 4, READ) if command in _TWO_PLACES else 0
    if command in _TIMED and timeout:
        timeout = memory.host_pointer(timeout, 16, READ)
    arguments = (pointer, operation, value, timeout, other, value3)
    if command in _TIMED:
        return process.call_host(_FUTEX, arguments)
    return host_syscall(_FUTEX, *arguments)


def _among_threads(
    process: Process,
    futexes: Futexes,
    uaddr: int,
    operation: int,
    value: int,
    timeout: int,
    uaddr2: int,
    value3: int,
) -> int:
    memory, thread = process.memory, process.thread
    command = operation & ~(_PRIVATE | _CLOCK_REALTIME)
    count, second_count = _signed(value), _signed(timeout)
    if command in (_WAIT, _WAIT_BITSET):
        bitset = value3 if command == _WAIT_BITSET else MATCH_ANY
        deadline = _deadline(process, command, operation, timeout)
        if not bitset:
            raise _error(errno.EINVAL)
        memory.translate(uaddr, 4, READ)
        if memory.read_u32(uaddr) != value:
            raise _error(errno.EAGAIN)
        raise ThreadWaits(futexes.wait(thread, uaddr, bitset, deadline))
    if command in (_WAKE, _WAKE_BITSET):
        if command == _WAKE_BITSET and not value3:
            raise _error(errno.EINVAL)
        return futexes.wake(uaddr, count, value3 if command == _WAKE_BITSET else MATCH_ANY)
    if command in (_REQUEUE, _CMP_REQUEUE):
        if count < 0 or second_count < 0:
            raise _error(errno.EINVAL)
        if command == _CMP_REQUEUE and memory.read_u32(uaddr) != value3:
            raise _error(errno.EAGAIN)
        return futexes.requeue(uaddr, count, second_count, uaddr2)
    if command == _WAKE_OP:
        changed, wakes_second = operate(memory.read_u32(uaddr2), value3)
        memory.translate(uaddr2, 4, WRITE)
        memory.write_u32(uaddr2, changed)
        woken = futexes.wake(uaddr, count)
        return woken + (futexes.wake(uaddr2, second_count) if wakes_second else 0)
    memory.translate(uaddr, 4, READ | WRITE)
    if command == _UNLOCK_PI:
        futexes.unlock(thread, uaddr)
        return 0
    deadline = _deadline(process, command, operation, timeout) if command in _TIMED else None
    wait = futexes.lock(thread, uaddr, deadline, waits=command != _TRYLOCK_PI)
    if wait is not None:
        raise ThreadWaits(wait)
    return 0


def _deadline(process: Process, command: int, operation: int, timeout: int) -> float | None:
    """Return the time of `time.monotonic` at which a wait ends."""
    if not timeout:
        return None
    process.memory.translate(timeout, 16, READ)
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = unpack("<qq", process.memory.read(timeout, 16))
    if seconds < 0 or not 0 <= nanoseconds < 1_000_000_000:
        raise _error(errno.EINVAL)
    time = seconds + nanoseconds / 1e9
    if command == _WAIT:
        return monotonic() + time
    if command == _LOCK_PI or operation & _CLOCK_REALTIME:
        return monotonic() + time - clock_gettime(CLOCK_REALTIME)
    return time


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
