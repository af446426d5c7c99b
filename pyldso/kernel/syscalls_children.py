"""fork(2), execve(2) and their kin: the guest's processes are processes of the host.

A fork of the host process forks the emulated machine with it: its memory is private and copied on
write, its open files are shared, as Linux has it. execve unwinds to whoever runs programs, who
starts the new one in the same host process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from signal import SIGKILL
from struct import Struct
from typing import TYPE_CHECKING

from pyldso.arch.x86_64 import registers
from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.errors import os_error
from pyldso.kernel.exec import (
    AT_EXECVE_CHECK,
    MAX_ARG_STRLEN,
    check_executable,
    open_executable,
    room_for_strings,
    size_of_strings,
)
from pyldso.kernel.family import prepare_family
from pyldso.kernel.mmu import READ
from pyldso.kernel.paths import AT_FDCWD
from pyldso.kernel.signal_intake import Interrupted
from pyldso.kernel.status import Killed, ProcessEnded, ProcessReplaced

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_READ = NUMBERS["read"]
# clone(2)
_CLONE_VM, _CLONE_VFORK, _CLONE_THREAD = 0x100, 0x4000, 0x10000
_CLONE_SETTLS, _CLONE_PARENT_SETTID = 0x80000, 0x100000
_CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x200000, 0x1000000
_CLONE_ARGS = Struct("<8Q")
"""struct clone_args as it was first: flags, pidfd, child_tid, parent_tid, exit_signal, stack,
stack_size, tls."""
_LARGEST_CLONE_ARGS = 4096
_CLONE3_FLAGS = (
    _CLONE_VM | 0x200 | 0x400 | 0x800 | _CLONE_VFORK | _CLONE_THREAD | 0x40000
    | _CLONE_SETTLS | _CLONE_PARENT_SETTID | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID
)  # fmt: skip
"""Beside those of this file CLONE_FS, CLONE_FILES, CLONE_SIGHAND and CLONE_SYSVSEM."""


def sys_fork(process: Process) -> int:
    """fork(2)."""
    return _fork(process)


def sys_vfork(process: Process) -> int:
    """vfork(2)."""
    return _vfork(process)


def sys_clone(
    process: Process, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int
) -> int:
    """clone(2): threads, and processes by fork."""
    if flags & _CLONE_THREAD:
        # start-up: only where there are threads
        from pyldso.kernel.syscalls_threads import start_thread

        return start_thread(process, flags, stack, parent_tid, child_tid, tls)
    if flags & _CLONE_VM and not flags & _CLONE_VFORK:
        process.refuse("processes that share memory", "clone with CLONE_VM is not supported")
        raise os_error(errno.ENOSYS)
    pid = _vfork(process) if flags & _CLONE_VFORK else _fork(process)
    memory = process.memory
    if pid:
        if flags & _CLONE_PARENT_SETTID:
            memory.write_u32(parent_tid, pid)
        return pid
    if stack:
        process.cpu.sp = stack
    if flags & _CLONE_SETTLS:
        process.cpu.set(registers.FS_BASE, tls)
    if flags & _CLONE_CHILD_SETTID:
        memory.write_u32(child_tid, os.getpid())
    process.thread.clear_child_tid = child_tid if flags & _CLONE_CHILD_CLEARTID else 0
    return 0


def sys_clone3(process: Process, arguments: int, size: int) -> int:
    """clone3(2), without what it has beyond clone(2)."""
    if size < _CLONE_ARGS.size:
        raise os_error(errno.EINVAL)
    if size > _LARGEST_CLONE_ARGS:
        raise os_error(errno.E2BIG)
    fields = _CLONE_ARGS.unpack(process.memory.view(arguments, _CLONE_ARGS.size, READ))
    flags, _, child_tid, parent_tid, _, stack, stack_size, tls = fields
    rest = bytes(process.memory.view(arguments, size, READ))[_CLONE_ARGS.size :]
    if any(rest) or flags & ~_CLONE3_FLAGS or bool(stack) != bool(stack_size):
        raise os_error(errno.EINVAL)
    return sys_clone(process, flags, stack + stack_size, parent_tid, child_tid, tls)


def _fork(process: Process) -> int:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # what waits in a buffer must not be written by both
    prepare_family(process)
    process.intake.block_all()
    try:
        if process.intake.has_signal:
            raise Interrupted
        pid = os.fork()
        if pid == 0:
            _begin_child(process)
    finally:
        process.signals.mirror_mask()
    return pid


def _begin_child(process: Process) -> None:
    """Go on as the child, or end where the host has no thread or timer left for it.

    An error of fork(2) is the parent's to see.
    """
    try:
        process.continue_as_child()
    except OSError:
        raise ProcessEnded(Killed(SIGKILL, process.cpu.pc)) from None


def _vfork(process: Process) -> int:
    """Fork, and let the parent wait until the child executes a program or ends."""
    from pyldso.kernel.vfork import REACH, VforkChild, take_changes  # start-up: seldom needed

    files, sp = process.files, process.cpu.sp
    reading, writing = (files.keep_private(fd) for fd in os.pipe())
    try:
        pid = _fork(process)
    except (OSError, Interrupted):
        files.close_private(reading)
        files.close_private(writing)
        raise
    if not pid:
        files.close_private(reading)
        process.vfork = VforkChild(process, writing, sp)
        return 0
    files.close_private(writing)
    buffer = ctypes.create_string_buffer(REACH)

    def finish(count: int) -> int:
        take_changes(process, reading, buffer.raw[:count])
        return pid

    arguments = (reading, ctypes.addressof(buffer), REACH)
    return process.call_host(_READ, arguments, finish, is_interruptible=False)


def sys_execve(process: Process, path: bytes, argv: int, envp: int) -> int:
    """execve(2): raises ProcessReplaced where the new program can be started."""
    return sys_execveat(process, AT_FDCWD, path, argv, envp, 0)


def sys_execveat(
    process: Process, dirfd: int, path: bytes, argv: int, envp: int, flags: int
) -> int:
    """execveat(2), as execve; the steps are in Linux's order, which shows in what is refused."""
    executable = open_executable(process.files, path, dirfd, flags)
    try:
        room = room_for_strings(process.memory.stack_limit)
        arguments = _strings(process, argv, room)
        environment = _strings(process, envp, room - size_of_strings(arguments))
        if flags & AT_EXECVE_CHECK:
            return 0
        program, arguments = check_executable(process.files, executable, arguments)
        if process.intake.has_signal:
            raise Interrupted
        program_fd = -1
        if not program:
            program = os.fsdecode(path)
            if executable.name != path or process.files.own_file(path):
                program_fd = process.files.keep_private(os.dup(executable.fd))
    finally:
        os.close(executable.fd)
    process.release_vfork_parent()
    raise ProcessReplaced(program, arguments, environment, executable.name, program_fd)


def _strings(process: Process, address: int, room: int) -> list[bytes]:
    """Return the strings of a NULL-terminated array of pointers; E2BIG for more than `room`."""
    strings: list[bytes] = []
    while address and (pointer := process.memory.read_u64(address + 8 * len(strings))):
        try:
            string = process.memory.read_cstring(pointer, min(room, MAX_ARG_STRLEN))
        except OSError as refusal:
            if refusal.errno != errno.ENAMETOOLONG:
                raise
            raise os_error(errno.E2BIG) from None
        strings.append(string)
        room -= size_of_strings([string])
    return strings
