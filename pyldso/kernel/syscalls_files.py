"""System calls on files: those where the path policy or /proc/self matter.

All others of the kind go to the host's kernel as they are (`host` in the table).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from stat import S_IFIFO, S_IFMT, S_IFREG
from struct import unpack_from
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.binding import IOV_MAX, iovec_of
from pyldso.kernel.family import is_family
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import PAGE_SIZE, READ, WRITE
from pyldso.kernel.paths import AT_FDCWD, VALID_FLAGS
from pyldso.kernel.policy import PathUse

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_FACCESSAT, _FACCESSAT2 = numbers_of("faccessat", "faccessat2")
_IOCTL, _FCNTL, _GETDENTS64, _MKNODAT = numbers_of("ioctl", "fcntl", "getdents64", "mknodat")
_VMSPLICE, _NAME_TO_HANDLE_AT, _SYSFS = numbers_of("vmsplice", "name_to_handle_at", "sysfs")
_MAX_HANDLE_SIZE, _HANDLE_HEAD_SIZE = 128, 8
_AT_SYMLINK_FOLLOW, _AT_HANDLE_MNT_ID_UNIQUE = 0x400, 1
_SYSFS_NUMBER, _SYSFS_NAME = 1, 2
_OPEN_HOW_SIZE, _RESOLVE_CACHED, _RESOLVE_ALL = 24, 0x20, 0x3F
_D_RECLEN, _D_NAME = 16, 19
_AT_SYMLINK_NOFOLLOW = 0x100
_TIOCSCTTY, _TIOCSTI = 0x540E, 0x5412
_CLOSE_RANGE_CLOEXEC = 4
_STRUCT_FLOCK_SIZE = 32

# fcntl(2): commands that take no pointer, those with a struct flock, and with a struct f_owner_ex
_PLAIN_FCNTLS = frozenset(
    (0, 1, 2, 3, 4, 9, 10, 11, 1024, 1025, 1026, 1030, 1031, 1032, 1033, 1034)
)
_LOCK_FCNTLS = frozenset((5, 6, 7, 36, 37, 38))
_F_GETFL = 3
_F_SETOWN, _F_SETOWN_EX, _F_GETOWN_EX, _F_OWNER_PGRP = 8, 15, 16, 2
_WAITING_FCNTLS = frozenset((7, 38))
"""F_SETLKW and F_OFD_SETLKW."""

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
    0x5409: (0, 0),  # TCSBRK
    0x540A: (0, 0),  # TCXONC
    0x540B: (0, 0),  # TCFLSH
    0x540C: (0, 0),  # TIOCEXCL
    0x540D: (0, 0),  # TIOCNXCL
    0x540E: (0, 0),  # TIOCSCTTY
    0x5411: (4, WRITE),  # TIOCOUTQ
    0x5420: (4, READ),  # TIOCPKT
    0x5422: (0, 0),  # TIOCNOTTY
    0x5424: (4, WRITE),  # TIOCGETD
    0x5425: (0, 0),  # TCSBRKP
    0x5441: (0, 0),  # TIOCGPTPEER
    0x80045430: (4, WRITE),  # TIOCGPTN
    0x40045431: (4, READ),  # TIOCSPTLCK
    0x80045438: (4, WRITE),  # TIOCGPKT
    0x80045439: (4, WRITE),  # TIOCGPTLCK
    0x80045440: (4, WRITE),  # TIOCGEXCL
    0x802C542A: (44, WRITE),  # TCGETS2
    0x402C542B: (44, READ),  # TCSETS2
    0x402C542C: (44, READ),  # TCSETSW2
    0x402C542D: (44, READ),  # TCSETSF2
    0x541B: (4, WRITE),  # FIONREAD
    0x5421: (4, READ),  # FIONBIO
    0x5429: (4, WRITE),  # TIOCGSID
    0x5450: (0, 0),  # FIONCLEX
    0x5451: (0, 0),  # FIOCLEX
    0x5452: (4, READ),  # FIOASYNC
    0x80086601: (4, WRITE),  # FS_IOC_GETFLAGS
    0x8905: (4, WRITE),  # SIOCATMARK
    0x8910: (40, READ | WRITE),  # SIOCGIFNAME
    0x8913: (40, READ | WRITE),  # SIOCGIFFLAGS
    0x8915: (40, READ | WRITE),  # SIOCGIFADDR
    0x8919: (40, READ | WRITE),  # SIOCGIFBRDADDR
    0x891B: (40, READ | WRITE),  # SIOCGIFNETMASK
    0x8921: (40, READ | WRITE),  # SIOCGIFMTU
    0x8927: (40, READ | WRITE),  # SIOCGIFHWADDR
    0x8933: (40, READ | WRITE),  # SIOCGIFINDEX
}


def sys_open(process: Process, path: bytes, flags: int, mode: int) -> int:
    """open(2)."""
    return sys_openat(process, AT_FDCWD, path, flags, mode)


def sys_openat(process: Process, dirfd: int, path: bytes, flags: int, mode: int) -> int:
    """openat(2)."""
    if len(process.threads) > 1 and not process.intake.is_patient:
        from pyldso.kernel.fifo import open_fifo  # start-up: only where there are threads

        fd = open_fifo(process, dirfd, path, flags & 0xFFFFFFFF, mode)
        if fd is not None:
            return fd
    return process.files.open(dirfd, path, flags & 0xFFFFFFFF, mode & 0o7777)


_WRITE = PathUse(follow=True, creates=False, replaces=False, keeps_file=True)
_CREATE = PathUse(follow=False, creates=True, replaces=False)


def sys_creat(process: Process, path: bytes, mode: int) -> int:
    """creat(2)."""
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
    return sys_openat(process, AT_FDCWD, path, flags, mode)


def sys_access(process: Process, path: bytes, mode: int) -> int:
    """access(2)."""
    return sys_faccessat(process, AT_FDCWD, path, mode)


def sys_faccessat(process: Process, dirfd: int, path: bytes, mode: int) -> int:
    """faccessat(2) without flags."""
    return _ask_access(process, dirfd, path, mode, _FACCESSAT)


def sys_faccessat2(process: Process, dirfd: int, path: bytes, mode: int, flags: int) -> int:
    """faccessat(2)."""
    return _ask_access(process, dirfd, path, mode, _FACCESSAT2, flags)


def _ask_access(
    process: Process, dirfd: int, path: bytes, mode: int, number: int, flags: int = 0
) -> int:
    files = process.files
    follow = not flags & _AT_SYMLINK_NOFOLLOW
    place = files.place(dirfd, path, follow=follow)
    result = host_syscall(number, dirfd, place, mode, *([flags] if flags else []))
    if mode & os.W_OK:
        files.place_for_change(dirfd, path, _WRITE._replace(follow=follow))
    return result


def sys_readlink(process: Process, path: bytes, buffer: int, size: int) -> int:
    """readlink(2)."""
    return sys_readlinkat(process, AT_FDCWD, path, buffer, size)


def sys_readlinkat(process: Process, dirfd: int, path: bytes, buffer: int, size: int) -> int:
    """readlinkat(2)."""
    target = process.files.readlink(dirfd, path)
    if size <= 0:
        raise os_error(errno.EINVAL)
    length = min(len(target), size)
    ctypes.memmove(buffer, target, length)
    return length


def sys_getcwd(process: Process, buffer: int, size: int) -> int:
    """getcwd(2)."""
    path = os.fsencode(process.files.getcwd()) + b"\0"
    if len(path) > size:
        raise os_error(errno.ERANGE)
    ctypes.memmove(buffer, path, len(path))
    return len(path)


def sys_getdents64(process: Process, fd: int, buffer: int, size: int) -> int:
    """getdents64(2); folders of /proc/self do not show what is pyldso's own."""
    length = host_syscall(_GETDENTS64, fd, buffer, size)
    hidden = process.files.hidden_names(fd)
    while length and hidden is not None:
        kept = _without(ctypes.string_at(buffer, length), hidden)
        ctypes.memmove(buffer, kept, len(kept))
        if kept:
            return len(kept)
        length = host_syscall(_GETDENTS64, fd, buffer, size)
    return length


def _without(entries: bytes, hidden: Callable[[bytes], bool]) -> bytes:
    """Return struct linux_dirent64's without those of hidden names."""
    kept, at = [], 0
    while at < len(entries):
        (length,) = unpack_from("<H", entries, at + _D_RECLEN)
        entry = entries[at : at + length]
        if not hidden(entry[_D_NAME : entry.index(0, _D_NAME)]):
            kept.append(entry)
        at += length
    return b"".join(kept)


def sys_ioctl(process: Process, fd: int, request: int, argument: int) -> int:
    """ioctl(2), for terminals and the requests that every descriptor knows."""
    request &= 0xFFFFFFFF
    known = _IOCTLS.get(request)
    if request == _TIOCSTI:  # types into the terminal of whoever started pyldso
        process.refuse("ioctl TIOCSTI", "input for other programs")
        raise os_error(errno.EPERM)
    if request == _TIOCSCTTY:
        argument = 0  # with 1, root would take another session's terminal away
    if known is None:
        os.fstat(fd)  # EBADF comes first
        raise os_error(errno.ENOTTY)
    size, need = known
    pointer = process.memory.host_pointer(argument, size, need) if size else argument
    return process.intake.call(_IOCTL, fd, request, pointer)


def sys_fcntl(process: Process, fd: int, command: int, argument: int) -> int:
    """fcntl(2)."""
    command &= 0xFFFFFFFF
    if command in _LOCK_FCNTLS:
        argument = process.memory.host_pointer(argument, _STRUCT_FLOCK_SIZE, READ | WRITE)
    elif command == _F_SETOWN:
        argument = ctypes.c_int(argument).value
        _check_owner(process, abs(argument), is_group=argument < 0)
    elif command in (_F_SETOWN_EX, _F_GETOWN_EX):
        need = READ if command == _F_SETOWN_EX else WRITE
        argument = process.memory.host_pointer(argument, 8, need)
        if command == _F_SETOWN_EX:
            kind, owner = unpack_from("<ii", ctypes.string_at(argument, 8))
            _check_owner(process, owner, is_group=kind == _F_OWNER_PGRP)
    elif command not in _PLAIN_FCNTLS:
        os.fstat(fd)
        process.refuse(f"fcntl command {command}", "not supported")
        raise os_error(errno.EINVAL)
    if command in _WAITING_FCNTLS:
        return process.call_host(_FCNTL, (fd, command, argument))
    return process.intake.call(_FCNTL, fd, command, argument)


def _check_owner(process: Process, owner: int, *, is_group: bool) -> None:
    """Refuse that SIGIO goes to what the guest may not signal itself."""
    is_own = owner == 0 or (
        not is_group and (owner in process.threads or is_family(process, owner))
    )
    if not is_own:
        process.refuse(f"signals to process {owner}", "other processes are out of reach")
        raise os_error(errno.EPERM)


def sys_openat2(process: Process, dirfd: int, path: bytes, how: int, size: int) -> int:
    """openat2(2)."""
    if size < _OPEN_HOW_SIZE:
        raise os_error(errno.EINVAL)
    if size > PAGE_SIZE:
        raise os_error(errno.E2BIG)
    fields = ctypes.string_at(how, size)
    if any(fields[_OPEN_HOW_SIZE:]):
        raise os_error(errno.E2BIG)
    flags, mode, resolve = unpack_from("<3Q", fields)
    creates = flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE
    if flags & ~VALID_FLAGS or mode & ~(0o7777 if creates else 0) or resolve & ~_RESOLVE_ALL:
        raise os_error(errno.EINVAL)
    if resolve & _RESOLVE_CACHED and (creates or flags & os.O_TRUNC):
        raise os_error(errno.EAGAIN)
    return process.files.open(dirfd, path, flags, mode, resolve)


def sys_close_range(process: Process, first: int, last: int, flags: int) -> int:
    """close_range(2), which leaves pyldso's own descriptors alone."""
    first, last = first & 0xFFFFFFFF, last & 0xFFFFFFFF
    if first > last or flags & ~_CLOSE_RANGE_CLOEXEC:
        raise os_error(errno.EINVAL)
    for fd in process.files.open_fds():
        if first <= fd <= last:
            if flags & _CLOSE_RANGE_CLOEXEC:
                os.set_inheritable(fd, False)
            else:
                os.close(fd)
    return 0


def sys_mknod(process: Process, path: bytes, mode: int, device: int) -> int:
    """mknod(2)."""
    return sys_mknodat(process, AT_FDCWD, path, mode, device)


def sys_mknodat(process: Process, dirfd: int, path: bytes, mode: int, _device: int) -> int:
    """mknodat(2), for what needs no privilege."""
    if S_IFMT(mode) not in (0, S_IFREG, S_IFIFO):
        process.refuse("mknod", "devices are not for programs")
        raise os_error(errno.EPERM)
    return host_syscall(_MKNODAT, dirfd, path, mode, 0)


def sys_vmsplice(process: Process, fd: int, vector: int, count: int, flags: int) -> int:
    """vmsplice(2): what is written stays the guest's memory until it is read."""
    if not 0 <= count <= IOV_MAX:
        raise os_error(errno.EINVAL)
    is_reading = host_syscall(_FCNTL, fd, _F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    array = bytes(iovec_of(process, vector, count, WRITE if is_reading else READ))
    return process.call_host(_VMSPLICE, (fd, array, count, flags))


def sys_name_to_handle_at(
    process: Process, dirfd: int, path: bytes, handle: int, mount: int, flags: int
) -> int:
    """name_to_handle_at(2)."""
    memory = process.memory
    size = int.from_bytes(memory.view(handle, 4, READ), "little")
    if size > _MAX_HANDLE_SIZE:
        raise os_error(errno.EINVAL)
    place = process.files.place(dirfd, path, follow=bool(flags & _AT_SYMLINK_FOLLOW))
    pointer = memory.host_pointer(handle, _HANDLE_HEAD_SIZE + size, READ | WRITE)
    mount = memory.host_pointer(mount, 8 if flags & _AT_HANDLE_MNT_ID_UNIQUE else 4, WRITE)
    return host_syscall(_NAME_TO_HANDLE_AT, dirfd, place, pointer, mount, flags)


def sys_sysfs(process: Process, option: int, first: int, second: int) -> int:
    """sysfs(2): the numbers and names of the kinds of file systems."""
    if option == _SYSFS_NUMBER:
        name = process.memory.read_cstring(first)
        return host_syscall(_SYSFS, option, name)
    if option == _SYSFS_NAME:
        buffer = ctypes.create_string_buffer(PAGE_SIZE)
        host_syscall(_SYSFS, option, first, ctypes.addressof(buffer))
        process.memory.view(second, len(buffer.value) + 1, WRITE)[:] = buffer.value + b"\0"
        return 0
    return host_syscall(_SYSFS, option)
