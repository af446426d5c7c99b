"""System calls on signals: dispositions, masks, and what a process sends to itself."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from struct import pack, unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.registers import MINSIGSTKSZ
from pyldso.kernel.signal_frames import on_alternate_stack
from pyldso.kernel.signals import (
    SI_TKILL,
    SIGNAL_COUNT,
    deliver_pending,
    own_signal,
    pending_set,
    raise_signal,
    send,
)

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_SS_ONSTACK, _SS_DISABLE, _SS_AUTODISARM = 1, 2, 1 << 31
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_UNBLOCKABLE = 1 << (signal.SIGKILL - 1) | 1 << (signal.SIGSTOP - 1)


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def sys_rt_sigaction(process: Process, number: int, new: int, old: int, size: int) -> int:
    """sigaction(2)."""
    if size != 8 or not 1 <= number <= SIGNAL_COUNT:
        raise _error(errno.EINVAL)
    if new and number in (signal.SIGKILL, signal.SIGSTOP):
        raise _error(errno.EINVAL)
    actions = process.signals.actions
    previous = actions.get(number, bytes(32))
    if new:
        actions[number] = ctypes.string_at(new, 32)
    if old:
        ctypes.memmove(old, previous, 32)
    return 0


def sys_rt_sigreturn(process: Process) -> int:
    """sigreturn(2)."""
    process.after_system_call(process.leave_handler)
    return 0


def sys_rt_sigprocmask(process: Process, how: int, new: int, old: int, size: int) -> int:
    """sigprocmask(2)."""
    if size != 8:
        raise _error(errno.EINVAL)
    mask = process.thread.mask
    if new:
        given = int.from_bytes(ctypes.string_at(new, 8), "little")
        if how == _SIG_BLOCK:
            mask |= given
        elif how == _SIG_UNBLOCK:
            mask &= ~given
        elif how == _SIG_SETMASK:
            mask = given
        else:
            raise _error(errno.EINVAL)
    if old:
        ctypes.memmove(old, process.thread.mask.to_bytes(8, "little"), 8)
    process.thread.mask = mask & ~_UNBLOCKABLE
    return deliver_pending(process)


def sys_tgkill(process: Process, tgid: int, tid: int, number: int) -> int:
    """tgkill(2)."""
    if tgid <= 0 or tid <= 0 or not 0 <= number <= SIGNAL_COUNT:
        raise _error(errno.EINVAL)
    thread = process.threads.get(tid)
    if tgid != os.getpid() or thread is None:
        raise _error(errno.ESRCH)
    return send(process, thread, own_signal(number, SI_TKILL))


def sys_tkill(process: Process, tid: int, number: int) -> int:
    """tkill(2)."""
    return sys_tgkill(process, os.getpid(), tid, number)


def sys_kill(process: Process, pid: int, number: int) -> int:
    """kill(2): a guest can signal itself and its children."""
    if not 0 <= number <= SIGNAL_COUNT:
        raise _error(errno.EINVAL)
    if pid in process.children:
        os.kill(pid, number)
        return 0
    if pid not in (os.getpid(), 0, -os.getpgrp()):
        if number == 0:
            os.kill(pid, 0)
            return 0
        process.refuse(f"signal to process {pid}", "other processes are out of reach")
        raise _error(errno.EPERM)
    return raise_signal(process, number) if number else 0


def sys_rt_sigpending(process: Process, pending: int, size: int) -> int:
    """sigpending(2)."""
    if size != 8:
        raise _error(errno.EINVAL)
    ctypes.memmove(pending, pending_set(process).to_bytes(8, "little"), 8)
    return 0


def sys_sigaltstack(process: Process, new: int, old: int) -> int:
    """sigaltstack(2)."""
    thread = process.thread
    stack, _, size = unpack("<QQQ", thread.alternate_stack)
    inside = on_alternate_stack(process)
    flags = _SS_ONSTACK if inside else 0 if size else _SS_DISABLE
    if new:
        if inside:
            raise _error(errno.EPERM)
        given = ctypes.string_at(new, 24)
        _, wanted, given_size = unpack("<QIxxxxQ", given)
        if wanted & ~_SS_AUTODISARM not in (0, _SS_ONSTACK, _SS_DISABLE):
            raise _error(errno.EINVAL)
        if wanted & _SS_DISABLE:
            given = bytes(24)
        elif given_size < MINSIGSTKSZ:
            raise _error(errno.ENOMEM)
        thread.alternate_stack = given
    if old:
        ctypes.memmove(old, pack("<QIxxxxQ", stack, flags, size), 24)
    return 0
