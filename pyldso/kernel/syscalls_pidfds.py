"""System calls on other processes of the program, which the host's kernel knows as its own."""

from __future__ import annotations

import errno
import os
from struct import unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.binding import IOV_MAX
from pyldso.kernel.family import is_family
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import READ
from pyldso.kernel.syscalls_memory import sys_madvise
from pyldso.kernel.syscalls_signals import process_of

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_PIDFD_GETFD, _PROCESS_MRELEASE, _KCMP = numbers_of("pidfd_getfd", "process_mrelease", "kcmp")
_KCMP_EPOLL_TFD, _KCMP_EPOLL_SLOT_SIZE = 7, 12


def _check_reach(process: Process, pid: int) -> None:
    if pid not in process.threads and not is_family(process, pid):
        os.getpgid(pid)  # ESRCH where there is none
        process.refuse(f"process {pid}", "other processes are out of reach")
        raise os_error(errno.EPERM)


def sys_pidfd_getfd(process: Process, pidfd: int, target: int, flags: int) -> int:
    """pidfd_getfd(2), of processes of the program; pyldso's own descriptors are none of theirs."""
    if flags:
        raise os_error(errno.EINVAL)
    pid = process_of(pidfd)
    _check_reach(process, pid)
    files = process.files
    is_private = target in files.private_fds
    if pid != os.getpid():  # whose own ones are not known here, but that they are as high
        is_private = target >= min(files.lowest_private(), *files.private_fds)
    if is_private:
        raise os_error(errno.EBADF)
    return host_syscall(_PIDFD_GETFD, pidfd, target, 0)


def sys_process_mrelease(process: Process, pidfd: int, flags: int) -> int:
    """process_mrelease(2)."""
    if flags:
        raise os_error(errno.EINVAL)
    _check_reach(process, process_of(pidfd))
    return host_syscall(_PROCESS_MRELEASE, pidfd, 0)


def sys_process_madvise(
    process: Process, pidfd: int, vector: int, count: int, advice: int, flags: int
) -> int:
    """process_madvise(2) on the process itself."""
    if flags or count > IOV_MAX:
        raise os_error(errno.EINVAL)
    memory = process.memory
    fields = unpack(f"<{2 * count}Q", memory.view(vector, 16 * count, READ) if count else b"")
    if process_of(pidfd) != os.getpid():
        _check_reach(process, process_of(pidfd))
        process.refuse("process_madvise", "memory of other processes is out of reach")
        raise os_error(errno.EPERM)
    done = 0
    for address, length in zip(fields[::2], fields[1::2], strict=True):
        try:
            sys_madvise(process, address, length, advice)
        except OSError:
            if not done:
                raise
            break
        done += length
    return done


def sys_kcmp(process: Process, first: int, second: int, kind: int, index: int, other: int) -> int:
    """kcmp(2), of processes of the program."""
    for pid in (first, second):
        _check_reach(process, pid)
    if kind == _KCMP_EPOLL_TFD:
        other = process.memory.host_pointer(other, _KCMP_EPOLL_SLOT_SIZE, READ)
    return host_syscall(_KCMP, first, second, kind, index, other)
