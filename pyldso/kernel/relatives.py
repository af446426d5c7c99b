"""What processes of a program see of each other in /proc: the guest's program, not the emulator.

Each publishes it in a nameless file of its own, among pyldso's descriptors, from the program's
first fork on. A guest that has a file with such a name tells but of itself.
"""

from __future__ import annotations

import ctypes
import os
from struct import Struct, error
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.kernel.family import is_family
from pyldso.kernel.host import host_syscall

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_PRCTL, _PR_SET_NAME = NUMBERS["prctl"], 15
_NAME = "pyldso-process"
_LINK = f"/memfd:{_NAME} (deleted)"
_HEAD = Struct("<4I")
"""The lengths of what follows."""
_LARGEST_RECORD = 16 << 20


class Record(NamedTuple):
    """What /proc shows of a process under these names."""

    exe: bytes
    cmdline: bytes
    environ: bytes
    auxv: bytes


def publish(process: Process) -> None:
    """Show the other processes of the program what this one is now."""
    exe = os.fsencode(process.files.program_path)
    record = Record(exe, process.cmdline, process.environ, process.auxv)
    fd = os.memfd_create(_NAME, os.MFD_CLOEXEC)
    os.write(fd, _HEAD.pack(*map(len, record)) + b"".join(record))
    process.files.keep_until_discard(fd)
    show_name(process)


def show_name(process: Process) -> None:
    """Let the host call the process as the guest does."""
    name = ctypes.create_string_buffer(process.command_name, 16)
    host_syscall(_PRCTL, _PR_SET_NAME, ctypes.addressof(name))


def record_of(process: Process, pid: int) -> Record | None:
    """Return what a process of the program shows; None of others, and of one that has ended."""
    if not is_family(process, pid):
        return None
    folder, lowest = f"/proc/{pid}/fd", process.files.lowest_foreign_private()
    try:
        for number in sorted(map(int, os.listdir(folder)), reverse=True):
            if number >= lowest and os.readlink(f"{folder}/{number}") == _LINK:
                with open(f"{folder}/{number}", "rb") as file:
                    return _parse(file.read(_LARGEST_RECORD))
    except OSError:
        return None
    return None


def _parse(data: bytes) -> Record | None:
    try:
        lengths = _HEAD.unpack_from(data)
    except error:
        return None
    fields, at = [], _HEAD.size
    for length in lengths:
        fields.append(data[at : at + length])
        at += length
    return Record(*fields) if len(data) == at else None
