"""System calls on the process itself: its end, its limits, its thread registers."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from struct import unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64 import registers
from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import WRITE
from pyldso.kernel.procfs import set_thread_name, thread_name
from pyldso.kernel.status import Exited, ProcessEnded

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_ARCH_SET_GS, _ARCH_SET_FS, _ARCH_GET_FS, _ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004
_PRLIMIT64, _GETGROUPS, _PRCTL = numbers_of("prlimit64", "getgroups", "prctl")
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME = 3, 4, 15, 16
_NUMBER_PRCTLS = frozenset((1, 7, 21, 23, 27, 29, 30, 36, 38, 39))
"""PR_SET_PDEATHSIG, PR_GET_KEEPCAPS, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_SECUREBITS,
PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS and its GET."""
_POINTER_PRCTLS = frozenset((2, 25, 37))
"""PR_GET_PDEATHSIG, PR_GET_TSC and PR_GET_CHILD_SUBREAPER."""
_RLIMIT_FSIZE, _RLIMIT_STACK = 1, 3
_HOST_LIMITS = frozenset((0, 1, 10, 12, 13, 14, 15))
"""RLIMIT_CPU, FSIZE, LOCKS, MSGQUEUE, NICE, RTPRIO and RTTIME."""
_LEAST = {7: 1024, 11: 64}
"""What pyldso itself needs of RLIMIT_NOFILE and of RLIMIT_SIGPENDING, which counts timers, too."""
_NEVER = 1 << 64
_LARGEST_STACK = 1 << 30
_ROBUST_LIST_HEAD_SIZE = 24
_NGROUPS_MAX = 65536
_PERSONALITY_QUERY = 0xFFFFFFFF
_ADDR_NO_RANDOMIZE = 0x40000


def sys_exit(process: Process, status: int) -> int:
    """exit(2): the last thread ends the process."""
    if process.scheduler is None:
        raise ProcessEnded(Exited(status & 0xFF))
    from pyldso.kernel.syscalls_threads import end_thread  # start-up: only where there are threads

    return end_thread(process, status)


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
        raise os_error(errno.EINVAL)
    return 0


def sys_set_tid_address(process: Process, address: int) -> int:
    """set_tid_address(2)."""
    process.thread.clear_child_tid = address
    return process.thread.tid


def sys_gettid(process: Process) -> int:
    """gettid(2)."""
    return process.thread.tid


def sys_set_robust_list(process: Process, head: int, length: int) -> int:
    """set_robust_list(2)."""
    if length != _ROBUST_LIST_HEAD_SIZE:
        raise os_error(errno.EINVAL)
    process.thread.robust_list = head
    return 0


def sys_sched_yield(process: Process) -> int:
    """sched_yield(2)."""
    if process.scheduler is not None and not process.runs_alone:
        process.after_system_call(process.scheduler.rotate)
    return 0


def sys_prlimit64(process: Process, pid: int, resource: int, new: int, old: int) -> int:
    """prlimit(2) on the process itself: the host's, but for what pyldso itself would not survive.

    Limits of the address space, data and stack are those of the guest's memory. Others of memory,
    of processes, of few descriptors, of few pending signals and of core files, which would be the
    emulator's, are kept and shown, without effect.
    """
    refuse_others(process, pid)
    current = ctypes.create_string_buffer(16)
    host_syscall(_PRLIMIT64, 0, resource, 0, ctypes.addressof(current))
    shown = process.resource_limits.get(resource, current.raw)
    if new:
        wanted = ctypes.string_at(new, 16)
        soft, hard = unpack("<QQ", wanted)
        if soft > hard:
            raise os_error(errno.EINVAL)
        if hard > unpack("<QQ", shown)[1] and os.geteuid():
            raise os_error(errno.EPERM)
        if resource in _HOST_LIMITS or soft >= _LEAST.get(resource, _NEVER):
            if resource == _RLIMIT_FSIZE:
                sys.dont_write_bytecode = True  # Python would leave modules cut off in its cache
            host_syscall(_PRLIMIT64, 0, resource, new, 0)
            process.resource_limits.pop(resource, None)
        else:
            process.resource_limits[resource] = wanted
        if resource == _RLIMIT_STACK:
            process.memory.stack_limit = min(soft, _LARGEST_STACK)
    if old:
        ctypes.memmove(old, shown, 16)
    return 0


def sys_getrlimit(process: Process, resource: int, limit: int) -> int:
    """getrlimit(2)."""
    return sys_prlimit64(process, 0, resource, 0, limit)


def sys_setrlimit(process: Process, resource: int, limit: int) -> int:
    """setrlimit(2)."""
    return sys_prlimit64(process, 0, resource, limit, 0)


def sys_not_permitted(process: Process, *_arguments: int | bytes) -> int:
    """Answer calls that need a privilege which no guest has."""
    raise os_error(errno.EPERM)


def sys_restart_syscall(_process: Process) -> int:
    """restart_syscall(2), which only the kernel itself calls where there is something to do."""
    raise os_error(errno.EINTR)


def sys_set_uids(_process: Process, *wanted: int) -> int:
    """setuid(2), setreuid(2) and setresuid(2): a guest stays who it is."""
    return _keep_ids(wanted, os.getresuid())


def sys_set_gids(_process: Process, *wanted: int) -> int:
    """setgid(2), setregid(2) and setresgid(2): a guest stays who it is."""
    return _keep_ids(wanted, os.getresgid())


def sys_setgroups(process: Process, size: int, groups: int) -> int:
    """setgroups(2): a guest may leave groups, and joins none but its own."""
    if size > _NGROUPS_MAX:
        raise os_error(errno.EINVAL)
    wanted = unpack(f"<{size}I", process.memory.read(groups, 4 * size)) if size else ()
    if not {*os.getgroups(), *os.getresgid()}.issuperset(wanted):
        raise os_error(errno.EPERM)
    os.setgroups(wanted)
    return 0


def _keep_ids(wanted: tuple[int, ...], current: tuple[int, int, int]) -> int:
    if len(wanted) == 1:  # the effective one
        current = (current[1],) * 3
    if any(new not in (-1, old) for new, old in zip(wanted, current, strict=False)):
        raise os_error(errno.EPERM)
    return 0


def refuse_others(process: Process, pid: int) -> None:
    """Raise EPERM, or ESRCH, for what is not the process itself."""
    if pid and pid not in process.threads:
        os.getpgid(pid)  # ESRCH where there is none
        process.refuse(f"process {pid}", "other processes are out of reach")
        raise os_error(errno.EPERM)


def sys_getgroups(process: Process, size: int, groups: int) -> int:
    """getgroups(2)."""
    pointer = process.memory.host_pointer(groups, 4 * size, WRITE) if size > 0 else 0
    return host_syscall(_GETGROUPS, size, pointer)


def sys_capget(process: Process, header: int, data: int) -> int:
    """capget(2) of the process itself: a guest has no capabilities."""
    version = process.memory.read_u32(header)
    if version not in (0x19980330, 0x20071026, 0x20080522):
        process.memory.write_u32(header, 0x20080522)
        raise os_error(errno.EINVAL)
    if data:
        size = 12 if version == 0x19980330 else 24
        process.memory.view(data, size, WRITE)[:] = bytes(size)
    return 0


def sys_personality(_process: Process, persona: int) -> int:
    """personality(2): asked for, or set to what it is."""
    if persona & 0xFFFFFFFF not in (_PERSONALITY_QUERY, 0, _ADDR_NO_RANDOMIZE):
        raise os_error(errno.EINVAL)
    return 0


def sys_prctl(process: Process, option: int, arg2: int, arg3: int, arg4: int, arg5: int) -> int:
    """prctl(2)."""
    if option == _PR_SET_NAME:
        name = process.memory.read_cstring(arg2)
        set_thread_name(process, process.thread.tid, name)
        return 0
    if option == _PR_GET_NAME:
        name = thread_name(process, process.thread.tid)
        process.memory.view(arg2, 16, WRITE)[:] = name.ljust(16, b"\0")
        return 0
    if option in _NUMBER_PRCTLS:
        return host_syscall(_PRCTL, option, arg2, arg3, arg4, arg5)
    if option in _POINTER_PRCTLS:
        return host_syscall(_PRCTL, option, process.memory.host_pointer(arg2, 4, WRITE))
    if option == _PR_GET_DUMPABLE:
        return int(process.is_dumpable)
    if option == _PR_SET_DUMPABLE and arg2 in (0, 1):
        process.is_dumpable = bool(arg2)  # the host's own would take /proc/self from pyldso, too
        return 0
    process.refuse(f"prctl option {option}", "not supported")
    raise os_error(errno.EINVAL)


def sys_membarrier(_process: Process, command: int, _flags: int, _cpu: int) -> int:
    """membarrier(2): one thread runs at a time, so that every order is kept."""
    if command == 0:
        return 0x1FF
    return 0
