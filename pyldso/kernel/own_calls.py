"""System calls that pyldso makes itself, as ld.so does: they show in the guest's traces and maps.

Most go through the handlers of the guest's own calls. Those that fill a buffer are made of the
host, because no guest memory is behind them, and told as the guest's.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from struct import pack
from typing import TYPE_CHECKING, TypeVar

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.events import EventStream, Topic
from pyldso.kernel.events import SyscallExited
from pyldso.kernel.paths import AT_FDCWD

if TYPE_CHECKING:
    from pyldso.kernel.binding import Argument
    from pyldso.kernel.files import Files

_PATH_MAX = 4096
_SIZE_OF_ROBUST_LIST_HEAD = 24

T = TypeVar("T")


class OwnCalls:
    """What the dynamic linker asks a process's kernel for."""

    events: EventStream
    files: Files

    def answer_own(self, number: int, arguments: tuple[Argument, ...]) -> int:
        """Answer a system call whose arguments need no decoding; raises OSError."""
        raise NotImplementedError

    def open(self, path: str, flags: int = os.O_RDONLY | os.O_CLOEXEC) -> int:
        """Open a file as the guest does and return the descriptor; raises OSError."""
        return self._call("openat", AT_FDCWD, os.fsencode(path), flags, 0)

    def close(self, fd: int) -> None:
        """Close a descriptor; raises OSError."""
        self._call("close", fd)

    def fstat(self, fd: int) -> os.stat_result:
        """Return a descriptor's status; raises OSError."""

        def ask() -> tuple[os.stat_result, int, bytes]:
            status = os.fstat(fd)
            shown = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev, status.st_size)
            return status, 0, pack("<24xIII4xQQ88x", *shown)

        return self._observe("fstat", (fd, b""), ask)

    def pread(self, fd: int, count: int, offset: int) -> bytes:
        """Return up to `count` bytes at `offset` of the file; raises OSError."""

        def read() -> tuple[bytes, int, bytes]:
            data = os.pread(fd, count, offset)
            return data, len(data), data

        return self._observe("pread64", (fd, b"", count, offset), read)

    def getcwd(self) -> str:
        """Return the current folder; raises OSError."""

        def ask() -> tuple[str, int, bytes]:
            path = self.files.getcwd()
            name = os.fsencode(path)
            return path, len(name) + 1, name + b"\0"

        return self._observe("getcwd", (b"", _PATH_MAX), ask)

    def readlink(self, path: str) -> str:
        """Return where a symbolic link points; raises OSError."""

        def read() -> tuple[str, int, bytes]:
            target = self.files.readlink(AT_FDCWD, os.fsencode(path))
            return os.fsdecode(target), len(target), target

        return self._observe("readlink", (os.fsencode(path), b"", _PATH_MAX), read)

    def mmap(
        self, address: int, length: int, prot: int, flags: int, fd: int = -1, offset: int = 0
    ) -> int:
        """Map memory (mmap(2)) and return its address; raises OSError."""
        return self._call("mmap", address, length, prot, flags, fd, offset)

    def mprotect(self, address: int, length: int, prot: int) -> None:
        """Change the protection of memory (mprotect(2)); raises OSError."""
        self._call("mprotect", address, length, prot)

    def set_tid_address(self, address: int) -> None:
        """Let the kernel clear the first thread's id at its end (set_tid_address(2))."""
        self._call("set_tid_address", address)

    def set_robust_list(self, head: int) -> None:
        """Name the running thread's list of robust futexes (set_robust_list(2))."""
        self._call("set_robust_list", head, _SIZE_OF_ROBUST_LIST_HEAD)

    def register_rseq(self, area: int, length: int, signature: int) -> None:
        """Register the running thread's area for restartable sequences (rseq(2))."""
        self._call("rseq", area, length, 0, signature)

    def munmap(self, address: int, length: int) -> None:
        """Unmap memory (munmap(2)); raises OSError."""
        self._call("munmap", address, length)

    def _call(self, name: str, *arguments: Argument) -> int:
        def ask() -> tuple[int, int, bytes]:
            result = self.answer_own(NUMBERS[name], arguments)
            return result, result, b""

        return self._observe(name, arguments, ask)

    def _observe(
        self, name: str, arguments: tuple[Argument, ...], ask: Callable[[], tuple[T, int, bytes]]
    ) -> T:
        """Do a call of pyldso's own and tell those who watch.

        `ask` gives the answer, the call's result, and what stands then in its buffer, the place of
        which is b"" in `arguments`.
        """
        if not self.events.wanted & Topic.SYSCALLS:
            return ask()[0]
        number = NUMBERS[name]
        try:
            answer, result, filled = ask()
        except OSError as error:
            self.events.emit(SyscallExited(number, arguments, -(error.errno or errno.EIO)))
            raise
        arguments = tuple(argument if argument != b"" else filled for argument in arguments)
        self.events.emit(SyscallExited(number, arguments, result))
        return answer
