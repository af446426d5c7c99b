"""System calls on signals: dispositions, masks, and what a process sends to itself."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from contextlib import suppress
from struct import pack, unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.registers import MINSIGSTKSZ
from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.family import family_members, is_family, is_family_group
from pyldso.kernel.host import host_syscall
from pyldso.kernel.signal_frames import SignalInfo, on_alternate_stack
from pyldso.kernel.signal_intake import NEVER_BLOCKED
from pyldso.kernel.signal_queue import FIRST_REAL_TIME
from pyldso.kernel.signals import SI_TKILL, SI_USER, SIGNAL_COUNT, UNBLOCKABLE, own_signal
from pyldso.kernel.thread import ThreadWaits, Wait

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.kernel.thread import Thread

_SS_ONSTACK, _SS_DISABLE, _SS_AUTODISARM = 1, 2, 1 << 31
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_PAUSE, _RT_SIGPENDING, _RT_SIGTIMEDWAIT, _RT_SIGQUEUEINFO, _RT_SIGSUSPEND = numbers_of(
    "pause", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "rt_sigsuspend"
)
_TGKILL, _RT_TGSIGQUEUEINFO, _PIDFD_SEND_SIGNAL = numbers_of(
    "tgkill", "rt_tgsigqueueinfo", "pidfd_send_signal"
)
_PIDFD_SIGNAL_PROCESS_GROUP = 4
_RLIMIT_SIGPENDING, _FEW_SIGNALS = 11, 64
_OUT_OF_REACH = "other processes are out of reach"


def sys_rt_sigaction(process: Process, number: int, new: int, old: int, size: int) -> int:
    """sigaction(2)."""
    if size != 8 or not 1 <= number <= SIGNAL_COUNT:
        raise os_error(errno.EINVAL)
    if new and number in (signal.SIGKILL, signal.SIGSTOP):
        raise os_error(errno.EINVAL)
    actions = process.signals.actions
    previous = actions.get(number, bytes(32))
    if new:
        actions[number] = ctypes.string_at(new, 32)
        process.signals.mirror_action(number)
    if old:
        ctypes.memmove(old, previous, 32)
    return 0


def sys_rt_sigreturn(process: Process) -> int:
    """sigreturn(2)."""
    process.after_system_call(process.signals.leave_handler)
    return 0


def sys_rt_sigprocmask(process: Process, how: int, new: int, old: int, size: int) -> int:
    """sigprocmask(2)."""
    if size != 8:
        raise os_error(errno.EINVAL)
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
            raise os_error(errno.EINVAL)
    if old:
        ctypes.memmove(old, process.thread.mask.to_bytes(8, "little"), 8)
    process.signals.set_mask(mask)
    process.signals.deliver_pending()
    return 0


def sys_tgkill(process: Process, tgid: int, tid: int, number: int) -> int:
    """tgkill(2)."""
    if tgid <= 0 or tid <= 0 or not 0 <= number <= SIGNAL_COUNT:
        raise os_error(errno.EINVAL)
    if tgid != os.getpid() and tgid == tid:
        return _send_to_other(process, tgid, number)
    if tgid != os.getpid() or tid not in process.threads:
        raise os_error(errno.ESRCH)
    if _is_left_to_host(process, number):
        return host_syscall(_TGKILL, tgid, tgid, number)
    _check_room(process, process.threads[tid], number)
    process.signals.send(process.threads[tid], own_signal(number, SI_TKILL))
    return 0


def _is_left_to_host(process: Process, number: int) -> bool:
    """Tell whether the host may do with a signal to a thread what it does to the process."""
    if number and (process.signals.is_fatal(number) or not process.intake.listens):
        return False
    return len(process.threads) == 1 or not number


def sys_tkill(process: Process, tid: int, number: int) -> int:
    """tkill(2)."""
    return sys_tgkill(process, os.getpid() if tid in process.threads else tid, tid, number)


def sys_kill(process: Process, pid: int, number: int) -> int:
    """kill(2): a guest can signal itself and what it has started."""
    if not 0 <= number <= SIGNAL_COUNT:
        raise os_error(errno.EINVAL)
    if pid == os.getpid():
        return _send_to_itself(process, number)
    if pid > 0:
        return _send_to_other(process, pid, number)
    everyone = pid == -1
    group = None if everyone else -pid or os.getpgrp()
    if group and is_family_group(process, group) and not process.signals.is_fatal(number):
        os.killpg(group, number)  # all at once
        return 0
    members = family_members(process, group)
    if everyone and os.getpid() in members:
        members.remove(os.getpid())
    if not members:
        if not everyone:
            os.killpg(group or 0, 0)  # ESRCH where nobody is there
            process.refuse(f"signal to process group {group}", _OUT_OF_REACH)
            raise os_error(errno.EPERM)
        raise os_error(errno.ESRCH)
    for member in members:
        if member != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(member, number)
    return _send_to_itself(process, number) if os.getpid() in members else 0


def _send_to_itself(process: Process, number: int) -> int:
    if process.signals.is_fatal(number) or not process.intake.listens:
        process.signals.receive(own_signal(number, SI_USER))
        return 0
    os.kill(os.getpid(), number)
    return 0


def _send_to_other(process: Process, pid: int, number: int) -> int:
    handle = os.pidfd_open(pid)  # so that it is the one that was looked at
    try:
        if number and not is_family(process, pid):
            process.refuse(f"signal to process {pid}", _OUT_OF_REACH)
            raise os_error(errno.EPERM)
        return host_syscall(_PIDFD_SEND_SIGNAL, handle, number, 0, 0)
    finally:
        os.close(handle)


def sys_rt_sigqueueinfo(process: Process, pid: int, number: int, siginfo: int) -> int:
    """rt_sigqueueinfo(2)."""
    if number and not is_family(process, pid):
        os.kill(pid, 0)
        process.refuse(f"signal to process {pid}", _OUT_OF_REACH)
        raise os_error(errno.EPERM)
    return host_syscall(_RT_SIGQUEUEINFO, pid, number, siginfo)


def sys_rt_tgsigqueueinfo(process: Process, tgid: int, tid: int, number: int, siginfo: int) -> int:
    """rt_tgsigqueueinfo(2), to the threads of the process itself."""
    if tgid != os.getpid() or tid not in process.threads:
        raise os_error(errno.ESRCH)
    if not 0 <= number <= SIGNAL_COUNT:
        raise os_error(errno.EINVAL)
    if _is_left_to_host(process, number):
        return host_syscall(_RT_TGSIGQUEUEINFO, tgid, tgid, number, siginfo)
    thread = process.threads[tid]
    _check_room(process, thread, number)
    info = SignalInfo(number, pack("<i", number) + ctypes.string_at(siginfo, 128)[4:])
    process.signals.send(thread, info)
    return 0


def _check_room(process: Process, thread: Thread, number: int) -> None:
    """Refuse a real-time signal where as many wait as may (RLIMIT_SIGPENDING)."""
    count = len(thread.pending) + len(thread.waiting)
    if number >= FIRST_REAL_TIME and count >= _FEW_SIGNALS:
        import resource  # start-up: almost never needed

        most, _ = resource.getrlimit(_RLIMIT_SIGPENDING)
        if most != resource.RLIM_INFINITY and count >= most:
            raise os_error(errno.EAGAIN)


def sys_pidfd_send_signal(
    process: Process, pidfd: int, number: int, siginfo: int, flags: int
) -> int:
    """pidfd_send_signal(2)."""
    pid = process_of(pidfd)
    to_group = flags & _PIDFD_SIGNAL_PROCESS_GROUP
    if number and not (is_family_group if to_group else is_family)(process, pid):
        process.refuse(f"signal to process {pid}", _OUT_OF_REACH)
        raise os_error(errno.EPERM)
    return host_syscall(_PIDFD_SEND_SIGNAL, pidfd, number, siginfo, flags)


def process_of(pidfd: int) -> int:
    """Return the id of the process that a pidfd or its folder in /proc stands for."""
    is_proc = os.fstat(pidfd).st_dev == os.stat("/proc").st_dev
    folder = os.readlink(f"/proc/self/fd/{pidfd}") if is_proc else ""
    if folder.removeprefix("/proc/").isdecimal():
        return int(folder.removeprefix("/proc/"))
    with open(f"/proc/self/fdinfo/{pidfd}", "rb") as file:
        for line in file:
            if line.startswith(b"Pid:"):
                return int(line[4:])
    raise os_error(errno.EBADF)


def sys_rt_sigpending(process: Process, pending: int, size: int) -> int:
    """sigpending(2)."""
    if size > 8:
        raise os_error(errno.EINVAL)
    own = process.signals.pending_set()
    if process.intake.listens:
        host_set = ctypes.c_uint64()
        host_syscall(_RT_SIGPENDING, ctypes.addressof(host_set), 8)
        own |= host_set.value & process.thread.mask
    ctypes.memmove(pending, own.to_bytes(8, "little"), size)
    return 0


# ---- waiting for signals -----------------------------------------------------------------------


def sys_pause(process: Process) -> int:
    """pause(2)."""
    if len(process.threads) > 1:
        raise ThreadWaits(Wait())
    return process.intake.call(_PAUSE)


def sys_rt_sigsuspend(process: Process, mask: int, size: int) -> int:
    """sigsuspend(2)."""
    if size != 8:
        raise os_error(errno.EINVAL)
    wanted = int.from_bytes(ctypes.string_at(mask, 8), "little")
    return call_with_mask(process, wanted, _RT_SIGSUSPEND, size)


def call_with_mask(
    process: Process, mask: int, number: int, size: int, *before: int, in_pair: bool = False
) -> int:
    """Make a call of the host that sets the mask of blocked signals for the time of its wait.

    The set and its size follow the arguments `before`, `in_pair` by a pointer to both. The
    handler of a signal that ends the wait runs under that mask, and the former one returns after
    it (sigsuspend(2), ppoll(2)).
    """
    if size != 8:
        raise os_error(errno.EINVAL)
    mask &= ~UNBLOCKABLE
    if process.signals.pending_set() & ~mask:
        _wait_under(process, mask)
        process.signals.deliver_pending()
        raise os_error(errno.EINTR)
    if len(process.threads) > 1:
        _wait_under(process, mask)
        process.signals.mirror_mask()
        if number == _RT_SIGSUSPEND:
            raise ThreadWaits(Wait())
        return process.call_host(number, (*before, 0))
    host_set = ctypes.c_uint64(mask & ~NEVER_BLOCKED)
    last: tuple[int, ...] = (ctypes.addressof(host_set), 8)
    pair = (ctypes.c_uint64 * 2)(*last)
    if in_pair:
        last = (ctypes.addressof(pair),)
    try:
        return process.intake.call(number, *before, *last)
    except InterruptedError:
        _wait_under(process, mask)
        raise


def _wait_under(process: Process, mask: int) -> None:
    """Let the handlers that follow run under a mask, and the present one return behind them."""
    process.thread.restored_mask = process.thread.mask
    process.thread.mask = mask


def sys_rt_sigtimedwait(
    process: Process, wanted: int, siginfo: int, timeout: int, size: int
) -> int:
    """sigtimedwait(2)."""
    if size != 8:
        raise os_error(errno.EINVAL)
    wanted_set = ctypes.string_at(wanted, 8)
    numbers = int.from_bytes(wanted_set, "little")
    for pending in (process.thread.pending, process.signals.pending):
        info = pending.take(numbers)
        if info is not None:
            if siginfo:
                ctypes.memmove(siginfo, info.siginfo, 128)
            return info.number
    return process.call_host(_RT_SIGTIMEDWAIT, (wanted_set, siginfo, timeout, size))


def sys_sigaltstack(process: Process, new: int, old: int) -> int:
    """sigaltstack(2)."""
    thread = process.thread
    stack, _, size = unpack("<QQQ", thread.alternate_stack)
    inside = on_alternate_stack(process)
    flags = _SS_ONSTACK if inside else 0 if size else _SS_DISABLE
    if new:
        if inside:
            raise os_error(errno.EPERM)
        given = ctypes.string_at(new, 24)
        _, wanted, given_size = unpack("<QIxxxxQ", given)
        if wanted & ~_SS_AUTODISARM not in (0, _SS_ONSTACK, _SS_DISABLE):
            raise os_error(errno.EINVAL)
        if wanted & _SS_DISABLE:
            given = bytes(24)
        elif given_size < MINSIGSTKSZ:
            raise os_error(errno.ENOMEM)
        thread.alternate_stack = given
    if old:
        ctypes.memmove(old, pack("<QIxxxxQ", stack, flags, size), 24)
    return 0
