"""Opening a FIFO in a process with threads: one waits for the other end, the others go on."""

from __future__ import annotations

import errno
import fcntl
import os
from stat import S_ISFIFO
from time import monotonic
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.kernel.paths import AT_FDCWD
from pyldso.kernel.thread import RESTARTED, ThreadWaits, Wait

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_OPENAT = NUMBERS["openat"]
_AGAIN_SECONDS = 0.002


class RetryWait(Wait):
    """A wait after which the system call is made again."""

    __slots__ = ()

    def expire(self) -> int | None:
        """Let the call be made again."""
        return RESTARTED


def open_fifo(process: Process, dirfd: int, path: bytes, flags: int, mode: int) -> int | None:
    """Open a FIFO for reading or for writing alone; None where it is something else."""
    access = flags & os.O_ACCMODE
    if flags & (os.O_NONBLOCK | os.O_PATH) or access == os.O_RDWR or process.files.paths.root:
        return None
    try:
        status = os.stat(path, dir_fd=None if dirfd == AT_FDCWD else dirfd)
    except (OSError, ValueError):
        return None
    if not S_ISFIFO(status.st_mode):
        return None
    if access == os.O_RDONLY:
        return _open_for_reading(process, dirfd, path, flags)
    try:
        fd = process.files.open(dirfd, path, flags | os.O_NONBLOCK, mode)
    except OSError as refusal:
        if refusal.errno != errno.ENXIO:
            raise
        raise ThreadWaits(RetryWait(monotonic() + _AGAIN_SECONDS)) from None
    fcntl.fcntl(fd, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
    return fd


def _open_for_reading(process: Process, dirfd: int, path: bytes, flags: int) -> int:
    """Wait in the host's kernel, where a writer sees that there is a reader."""

    def finish(fd: int) -> int:
        os.set_inheritable(fd, not flags & os.O_CLOEXEC)
        return fd

    return process.call_host(_OPENAT, (dirfd, path, flags | os.O_CLOEXEC, 0), finish)
