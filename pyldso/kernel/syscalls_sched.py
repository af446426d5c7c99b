"""System calls on how processes are scheduled: the host's kernel does it.

All guest threads run on the host's first thread, which has the affinity of the one that runs.
"""

from __future__ import annotations

import ctypes
import errno
from struct import pack, unpack_from
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.family import is_family
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import PAGE_SIZE, READ
from pyldso.kernel.syscalls_process import refuse_others
from pyldso.kernel.syscalls_rseq import show_processor

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_SCHED_SETPARAM, _SCHED_SETSCHEDULER, _SCHED_SETATTR = numbers_of(
    "sched_setparam", "sched_setscheduler", "sched_setattr"
)
_SCHED_SETAFFINITY, _SCHED_GETAFFINITY = numbers_of("sched_setaffinity", "sched_getaffinity")
_SETPRIORITY, _IOPRIO_SET = numbers_of("setpriority", "ioprio_set")
_REAL_TIME_POLICIES, _SCHED_RESET_ON_FORK = frozenset((1, 2, 6)), 0x40000000
"""SCHED_FIFO, SCHED_RR and SCHED_DEADLINE."""
_SCHED_ATTR_LEAST, _SCHED_ATTR_SIZE = 48, 56
_IOPRIO_WHO_PROCESS, _IOPRIO_CLASS_SHIFT, _IOPRIO_CLASS_RT = 1, 13, 1
_MOST_CPUS_SIZE = 1024


def _own_or_family(process: Process, pid: int) -> int:
    """Return the id by which the host knows a thread or process of the program's."""
    if not pid:
        return process.thread.tid
    if not is_family(process, pid):
        refuse_others(process, pid)
    return pid


def sys_setpriority(process: Process, which: int, who: int, priority: int) -> int:
    """setpriority(2)."""
    if which:
        raise os_error(errno.EPERM)
    return host_syscall(_SETPRIORITY, which, _own_or_family(process, who), priority)


def sys_ioprio_set(process: Process, which: int, who: int, priority: int) -> int:
    """ioprio_set(2): the classes that take no disk from others."""
    if not 1 <= which <= 3:
        raise os_error(errno.EINVAL)
    if which != _IOPRIO_WHO_PROCESS or priority >> _IOPRIO_CLASS_SHIFT == _IOPRIO_CLASS_RT:
        raise os_error(errno.EPERM)
    return host_syscall(_IOPRIO_SET, which, _own_or_family(process, who), priority)


def sys_sched_setaffinity(process: Process, pid: int, size: int, mask: int) -> int:
    """sched_setaffinity(2)."""
    thread = process.threads.get(pid) if pid else process.thread
    if thread is None:
        return host_syscall(_SCHED_SETAFFINITY, _own_or_family(process, pid), size, mask)
    before = affinity()
    host_syscall(_SCHED_SETAFFINITY, 0, size, mask)
    if len(process.threads) == 1:
        thread.affinity = b""
    else:
        for other in process.threads.values():
            other.affinity = other.affinity or before
        thread.affinity = affinity()
    if thread is not process.thread:
        set_affinity(before)
    elif thread.rseq is not None:
        show_processor(process)
    return 0


def sys_sched_getaffinity(process: Process, pid: int, size: int, mask: int) -> int:
    """sched_getaffinity(2)."""
    thread = process.threads.get(pid)
    if thread is None or not thread.affinity:
        return host_syscall(_SCHED_GETAFFINITY, 0 if thread else pid, size, mask)
    length = host_syscall(_SCHED_GETAFFINITY, 0, size, mask)
    ctypes.memmove(mask, thread.affinity, length)
    return length


def affinity() -> bytes:
    """Return the set of processors that the running thread may use, as a mask."""
    mask = ctypes.create_string_buffer(_MOST_CPUS_SIZE)
    length = host_syscall(_SCHED_GETAFFINITY, 0, _MOST_CPUS_SIZE, ctypes.addressof(mask))
    return mask.raw[:length]


def set_affinity(mask: bytes) -> None:
    """Set the processors that the running thread may use."""
    host_syscall(_SCHED_SETAFFINITY, 0, len(mask), mask)


def sys_sched_setscheduler(process: Process, pid: int, policy: int, param: int) -> int:
    """sched_setscheduler(2): the policies that take no processor from others."""
    thread = _own_or_family(process, pid)
    if policy & ~_SCHED_RESET_ON_FORK in _REAL_TIME_POLICIES:
        raise os_error(errno.EPERM)
    return host_syscall(_SCHED_SETSCHEDULER, thread, policy, param)


def sys_sched_setparam(process: Process, pid: int, param: int) -> int:
    """sched_setparam(2): the priority can be but 0, as real-time policies are not there."""
    return host_syscall(_SCHED_SETPARAM, _own_or_family(process, pid), param)


def sys_sched_setattr(process: Process, pid: int, attr: int, flags: int) -> int:
    """sched_setattr(2): the policies that take no processor from others."""
    if not attr or pid < 0 or flags & 0xFFFFFFFF:
        raise os_error(errno.EINVAL)
    memory = process.memory
    size = memory.read_u32(attr) or _SCHED_ATTR_LEAST
    fields = b""
    if _SCHED_ATTR_LEAST <= size <= PAGE_SIZE:
        fields = bytes(memory.view(attr, size, READ))
    if not fields or any(fields[_SCHED_ATTR_SIZE:]):
        memory.write_u32(attr, _SCHED_ATTR_SIZE)
        raise os_error(errno.E2BIG)
    thread = _own_or_family(process, pid)
    if unpack_from("<I", fields, 4)[0] in _REAL_TIME_POLICIES:
        raise os_error(errno.EPERM)
    size = min(size, _SCHED_ATTR_SIZE)
    return host_syscall(_SCHED_SETATTR, thread, pack("<I", size) + fields[4:size], 0)
