"""The keeper of a program's IPC objects: a process that removes them when the program has ended.

The objects are the host's and would outlive the program, however it ends. All processes of the
program share one open file, on which lies a lock: the keeper waits for it, and gets it when the
last of them is gone, were it killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.host import ALL_SIGNALS, host_syscall, set_signal_mask
from pyldso.kernel.ipc import World, remove_all

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_CLONE, _CLOSE_RANGE = numbers_of("clone", "close_range")


def start_keeper(process: Process) -> None:
    """Start the keeper of the process's family; raises OSError.

    It is a child without a signal at its end (clone(2)): the guest neither hears of it nor waits
    for it, and at its end the guest's process is gone.
    """
    fcntl.flock(process.family_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    library, python = ctypes.PyDLL(None, use_errno=True), ctypes.pythonapi
    python.PyOS_BeforeFork()  # os.fork does these three, but knows of no other signal
    pid = library.syscall(_CLONE, 0, 0, 0, 0, 0)
    if pid == 0:
        python.PyOS_AfterFork_Child()
        try:
            _keep(process)
        finally:
            os._exit(0)
    python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise os_error(ctypes.get_errno())


def _keep(process: Process) -> None:
    set_signal_mask(ALL_SIGNALS)
    os.setsid()
    os.chdir("/")
    world = os.open(f"/proc/self/fd/{process.family_fd}", os.O_RDWR)  # no part of the family
    os.dup2(world, 0)
    host_syscall(_CLOSE_RANGE, 1, 0xFFFFFFFF, 0)
    process.memory.arena.close()
    with suppress(OSError):
        fcntl.flock(0, fcntl.LOCK_EX)
        remove_all(World(0))
