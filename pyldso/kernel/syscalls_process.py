"""System calls on the process itself: its end, its limits, its thread registers."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

from pyldso.arch.x86_64 import registers
from pyldso.kernel.host import host_syscall
from pyldso.kernel.status import Exited, ProcessEnded

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_ARCH_SET_GS, _ARCH_SET_FS, _ARCH_GET_FS, _ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004
_FUTEX_COMMAND_MASK, _FUTEX_WAIT, _FUTEX_WAKE, _FUTEX_WAIT_BITSET = 0x7F, 0, 1, 9
_FUTEX_WAKE_BITSET = 10
_PRLIMIT64 = 302


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def sys_exit(process: Process, status: int) -> int:
    """exit(2): the last thread ends the process."""
    raise ProcessEnded(Exited(status & 0xFF))


def sys_exit_group(process: Process, status: int) -> int:
    """exit_group(2)."""
    raise ProcessEnded(Exited(status & 0xFF))


def sys_arch_prctl(process: Process, code: int, address: int) -> int:
    """arch_prctl(2)."""
    if code == _ARCH_SET_FS:
        process.cpu.set(registers.FS_BASE, address)
    elif code == _ARCH_SET_GS:
        process.cpu.set(registers.GS_BASE, address)
    elif code == _ARCH_GET_FS:
        process.memory.write_u64(address, process.cpu.get(registers.FS_BASE))
    elif code == _ARCH_GET_GS:
        process.memory.write_u64(address, process.cpu.get(registers.GS_BASE))
    else:
        raise _error(errno.EINVAL)
    return 0


def sys_set_tid_address(process: Process, address: int) -> int:
    """set_tid_address(2)."""
    process.clear_child_tid = address
    return os.getpid()


def sys_set_robust_list(process: Process, head: int, length: int) -> int:
    """set_robust_list(2)."""
    if length != 24:
        raise _error(errno.EINVAL)
    process.robust_list = head
    return 0


def sys_futex(
    process: Process, uaddr: int, operation: int, value: int, timeout: int, _a: int, _b: int
) -> int:
    """futex(2) with one thread: nobody else can wait or wake."""
    command = operation & _FUTEX_COMMAND_MASK
    if command in (_FUTEX_WAKE, _FUTEX_WAKE_BITSET):
        return 0
    if command in (_FUTEX_WAIT, _FUTEX_WAIT_BITSET):
        if process.memory.read_u32(uaddr) != value & 0xFFFFFFFF:
            raise _error(errno.EAGAIN)
        if timeout:
            raise _error(errno.ETIMEDOUT)
        raise _error(errno.EDEADLK)
    raise _error(errno.ENOSYS)


def sys_prlimit64(process: Process, pid: int, resource: int, new: int, old: int) -> int:
    """prlimit(2) on the process itself; new limits hold for the guest alone."""
    if pid not in (0, os.getpid()):
        raise _error(errno.EPERM)
    remembered = process.resource_limits.get(resource)
    current = ctypes.create_string_buffer(16)
    host_syscall(_PRLIMIT64, 0, resource, 0, ctypes.addressof(current))
    if old:
        ctypes.memmove(old, remembered or current.raw, 16)
    if new:
        process.resource_limits[resource] = ctypes.string_at(new, 16)
    return 0


def sys_getrlimit(process: Process, resource: int, limit: int) -> int:
    """getrlimit(2)."""
    return sys_prlimit64(process, 0, resource, 0, limit)
