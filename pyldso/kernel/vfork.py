"""vfork(2) without shared memory: the parent waits, and then finds what the child has left it.

The child has a copy of the parent's memory, but programs count on two things: that the parent goes
on only when the child has executed a program or ended, and that it then finds in its local
variables what the child wrote there, such as the errno of an execve that failed (posix_spawn of
glibc, gcc's libiberty). So the child sends what has changed on the parent's stack through a pipe.
"""

from __future__ import annotations

import os
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

REACH = 64 << 10
"""Bytes above the stack pointer in which local variables are looked for."""
_HEADER = Struct("<Q")
_STEP = 64


class VforkChild:
    """What the child of vfork(2) owes its parent: the end of the pipe, and the stack as it was."""

    __slots__ = ("_fd", "_sp", "_stack")

    def __init__(self, process: Process, fd: int, sp: int) -> None:
        self._fd = fd
        self._sp = sp
        self._stack = _stack(process, sp)

    def release_parent(self, process: Process) -> None:
        """Let the parent go on: the child executes a program or ends."""
        now = _stack(process, self._sp)
        if now != self._stack and len(now) == len(self._stack):
            start, end = _difference(self._stack, now)
            with suppress(OSError):  # the parent is gone
                os.write(self._fd, _HEADER.pack(self._sp + start) + now[start:end])
        self.forget(process)

    def forget(self, process: Process) -> None:
        """Close the pipe: another process, or none, has to release the parent."""
        process.files.close_private(self._fd)


def _stack(process: Process, sp: int) -> bytes:
    vma = process.memory.find(sp)
    return process.memory.read(sp, min(vma.end - sp, REACH)) if vma is not None else b""


def _difference(before: bytes, after: bytes) -> tuple[int, int]:
    """Return a range that holds all in which two strings of the same length differ."""
    starts = range(0, len(after), _STEP)
    changed = [at for at in starts if before[at : at + _STEP] != after[at : at + _STEP]]
    return changed[0], changed[-1] + _STEP


def take_changes(process: Process, fd: int, data: bytes) -> None:
    """Store what the child has changed, which begins with `data`, and close the pipe."""
    while data and (more := os.read(fd, REACH)):
        data += more
    process.files.close_private(fd)
    if data:
        (address,) = _HEADER.unpack_from(data)
        with suppress(OSError):
            process.memory.write(address, data[_HEADER.size :])
