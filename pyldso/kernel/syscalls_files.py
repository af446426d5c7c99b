"""System calls on files: those where the path policy or /proc/self matter.

All others of the kind go to the host's kernel as they are (`host` in the table).
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import syscall_numbers
from pyldso.kernel.files import AT_FDCWD
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import READ, WRITE

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_NUMBERS = syscall_numbers()
_NEWFSTATAT, _READLINKAT, _IOCTL = (
    _NUMBERS[name] for name in ("newfstatat", "readlinkat", "ioctl")
)
_FACCESSAT = 269
_AT_SYMLINK_NOFOLLOW = 0x100

# ioctl_tty(2) and ioctl(2): request -> (bytes behind the pointer, what the host's kernel does)
_IOCTLS = {
    0x5401: (36, WRITE),  # TCGETS
    0x5402: (36, READ),  # TCSETS
    0x5403: (36, READ),  # TCSETSW
    0x5404: (36, READ),  # TCSETSF
    0x540F: (4, WRITE),  # TIOCGPGRP
    0x5410: (4, READ),  # TIOCSPGRP
    0x5413: (8, WRITE),  # TIOCGWINSZ
    0x5414: (8, READ),  # TIOCSWINSZ
    0x541B: (4, WRITE),  # FIONREAD
    0x5421: (4, READ),  # FIONBIO
    0x5429: (4, WRITE),  # TIOCGSID
    0x5450: (0, 0),  # FIONCLEX
    0x5451: (0, 0),  # FIOCLEX
}


def sys_open(process: Process, path: bytes, flags: int, mode: int) -> int:
    """open(2)."""
    return sys_openat(process, AT_FDCWD, path, flags, mode)


def sys_openat(process: Process, dirfd: int, path: bytes, flags: int, mode: int) -> int:
    """openat(2)."""
    return process.files.open(dirfd, path, flags & 0xFFFFFFFF, mode & 0o7777)


def sys_stat(process: Process, path: bytes, statbuf: int) -> int:
    """stat(2)."""
    return sys_newfstatat(process, AT_FDCWD, path, statbuf, 0)


def sys_lstat(process: Process, path: bytes, statbuf: int) -> int:
    """lstat(2)."""
    return sys_newfstatat(process, AT_FDCWD, path, statbuf, _AT_SYMLINK_NOFOLLOW)


def sys_newfstatat(process: Process, dirfd: int, path: bytes, statbuf: int, flags: int) -> int:
    """fstatat(2)."""
    if not flags & _AT_SYMLINK_NOFOLLOW:
        path = process.files.own_file(path) or path
    return host_syscall(_NEWFSTATAT, dirfd, path, statbuf, flags)


def sys_access(process: Process, path: bytes, mode: int) -> int:
    """access(2)."""
    path = process.files.own_file(path) or path
    result = host_syscall(_FACCESSAT, AT_FDCWD, path, mode)
    if mode & os.W_OK:
        process.files.check_write(AT_FDCWD, path)
    return result


def sys_readlink(process: Process, path: bytes, buffer: int, size: int) -> int:
    """readlink(2)."""
    return sys_readlinkat(process, AT_FDCWD, path, buffer, size)


def sys_readlinkat(process: Process, dirfd: int, path: bytes, buffer: int, size: int) -> int:
    """readlinkat(2)."""
    own = process.files.own_file(path)
    if own is None:
        return host_syscall(_READLINKAT, dirfd, path, buffer, size)
    length = min(len(own), size)
    ctypes.memmove(buffer, own, length)
    return length


def sys_ioctl(process: Process, fd: int, request: int, argument: int) -> int:
    """ioctl(2), for terminals and the requests that every descriptor knows."""
    request &= 0xFFFFFFFF
    known = _IOCTLS.get(request)
    if known is None:
        os.fstat(fd)  # EBADF comes first
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    size, need = known
    pointer = process.memory.host_pointer(argument, size, need) if size else argument
    return host_syscall(_IOCTL, fd, request, pointer)
