"""System calls of threads: their begin and end, and the lists of their robust futexes."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from struct import unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64 import registers
from pyldso.errors import os_error
from pyldso.kernel.host import compare_exchange, host_syscall
from pyldso.kernel.mmu import READ, WRITE, MemoryFault
from pyldso.kernel.status import Exited, ProcessEnded
from pyldso.kernel.syscalls_futex import FUTEX, OWNER_DIED, TID_MASK, WAITERS, WAKE, is_shared

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.kernel.thread import Thread

_HEAD_SIZE, _MOST_ROBUST, _IS_PI = 24, 2048, 1

# sched.h
_CLONE_VM, _CLONE_SIGHAND, _CLONE_THREAD = 0x100, 0x800, 0x10000
_CLONE_SETTLS, _CLONE_PARENT_SETTID = 0x80000, 0x100000
_CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x200000, 0x1000000


def start_thread(
    process: Process, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int
) -> int:
    """Start a thread (clone(2) with CLONE_THREAD) and return its id."""
    if not flags & _CLONE_SIGHAND or not flags & _CLONE_VM:
        raise os_error(errno.EINVAL)
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
        place = (pending & ~_IS_PI) + offset
        if not pending & _IS_PI and memory.read_u32(place) == 0:
            _wake(process, place, 1)  # unlocked, but nobody was told yet
        _mark_dead(process, thread, place, pending & _IS_PI)


def _mark_dead(process: Process, thread: Thread, address: int, is_pi: int) -> None:
    value = process.memory.read_u32(address)
    if value & TID_MASK != thread.tid:
        return
    if is_pi and process.futexes is not None and not is_shared(process, address):
        process.futexes.hand_over(address, OWNER_DIED)
        return
    # Another process may come to wait meanwhile, which it says by a bit.
    place = process.memory.host_pointer(address, 4, READ | WRITE)
    while not compare_exchange(place, value, value & WAITERS | OWNER_DIED):
        value = process.memory.read_u32(address)
    if value & WAITERS:
        _wake(process, address, 1)


def _wake(process: Process, address: int, count: int) -> int:
    """Wake threads, of other processes as well where they share the memory."""
    woken = process.futexes.wake(address, count) if process.futexes is not None else 0
    if woken < count and is_shared(process, address):
        pointer = process.memory.host_pointer(address, 4, READ)
        woken += host_syscall(FUTEX, pointer, WAKE, count - woken)
    return woken


def sys_get_robust_list(process: Process, tid: int, head: int, length: int) -> int:
    """get_robust_list(2) of the process's own threads."""
    thread = process.threads.get(tid) if tid else process.thread
    if thread is None:
        raise os_error(errno.EPERM)
    process.memory.write_u64(length, _HEAD_SIZE)
    process.memory.write_u64(head, thread.robust_list)
    return 0
