"""System calls that wait, where a mask or a set of descriptors needs a look; and timers."""

from __future__ import annotations

import ctypes
import errno
from struct import unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import NUMBERS, numbers_of
from pyldso.errors import os_error
from pyldso.kernel.host import (
    SIGEV_NONE,
    SIGEV_SIGNAL,
    SIGEV_THREAD,
    SIGEV_THREAD_ID,
    SIGEVENT,
    TIMER_SETTIME,
    create_timer,
    delete_timer,
    host_syscall,
)
from pyldso.kernel.mmu import READ, WRITE
from pyldso.kernel.signals import SIGNAL_COUNT
from pyldso.kernel.syscalls_signals import call_with_mask

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_SELECT, _EPOLL_WAIT, _PSELECT6, _PPOLL, _EPOLL_PWAIT = numbers_of(
    "select", "epoll_wait", "pselect6", "ppoll", "epoll_pwait"
)
_EPOLL_PWAIT2 = NUMBERS["epoll_pwait2"]
_TIMER_GETTIME, _TIMER_GETOVERRUN = numbers_of("timer_gettime", "timer_getoverrun")
_SIGALRM = 14
_FD_SETSIZE = 1024
_CLOCK_ADJTIME, _CLOCK_REALTIME, _TIMEX_SIZE = NUMBERS["clock_adjtime"], 0, 208
_ADJ_OFFSET_SS_READ = 0xA001


def _check_set_size(count: int) -> None:
    """Refuse more descriptors than the fd_set behind the checked pointers holds."""
    if not 0 <= count <= _FD_SETSIZE:
        raise os_error(errno.EINVAL)


def sys_select(
    process: Process, count: int, readable: int, writable: int, failed: int, timeout: int
) -> int:
    """select(2)."""
    _check_set_size(count)
    return process.call_host(_SELECT, (count, readable, writable, failed, timeout))


def sys_pselect6(
    process: Process,
    count: int,
    readable: int,
    writable: int,
    failed: int,
    timeout: int,
    mask: int,
) -> int:
    """pselect(2)."""
    _check_set_size(count)
    place, size = 0, 0
    if mask:
        place, size = unpack("<QQ", process.memory.read(mask, 16))
    before = (count, readable, writable, failed, timeout)
    if not place:
        return process.call_host(_PSELECT6, (*before, 0))
    wanted = process.memory.read_u64(place)
    return call_with_mask(process, wanted, _PSELECT6, size, *before, in_pair=True)


def _wait_under_mask(
    process: Process, number: int, before: tuple[int, ...], mask: int, size: int
) -> int:
    if not mask:
        return process.call_host(number, (*before, 0, 0))
    wanted = int.from_bytes(ctypes.string_at(mask, 8), "little")
    return call_with_mask(process, wanted, number, size, *before)


def sys_ppoll(
    process: Process, fds: int, count: int, timeout: int, mask: int, mask_size: int
) -> int:
    """ppoll(2)."""
    return _wait_under_mask(process, _PPOLL, (fds, count, timeout), mask, mask_size)


def sys_epoll_pwait(
    process: Process, fd: int, events: int, count: int, timeout: int, mask: int, size: int
) -> int:
    """epoll_pwait(2)."""
    return _wait_under_mask(process, _EPOLL_PWAIT, (fd, events, count, timeout), mask, size)


def sys_epoll_pwait2(
    process: Process, fd: int, events: int, count: int, timeout: int, mask: int, size: int
) -> int:
    """epoll_pwait2(2)."""
    return _wait_under_mask(process, _EPOLL_PWAIT2, (fd, events, count, timeout), mask, size)


# ---- timers of the process: the host's, whose signals come as the guest's -----------------------


def sys_timer_create(process: Process, clock: int, event: int, timer: int) -> int:
    """timer_create(2)."""
    value, number, kind, tid = 0, _SIGALRM, SIGEV_SIGNAL, 0
    if event:
        value, number, kind, tid = SIGEVENT.unpack(process.memory.read(event, SIGEVENT.size))
    if kind not in (SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID):
        raise os_error(errno.EINVAL)
    if kind != SIGEV_NONE and not 1 <= number <= SIGNAL_COUNT:
        raise os_error(errno.EINVAL)
    if kind == SIGEV_THREAD_ID and tid not in process.threads:
        raise os_error(errno.EINVAL)
    process.memory.write_u32(timer, 0)  # EFAULT comes before there is a timer
    # The host's thread is one; to which of the guest's a signal goes is known by the timer.
    host_kind = SIGEV_SIGNAL if kind == SIGEV_THREAD_ID else kind
    created = create_timer(clock, SIGEVENT.pack(value, number, host_kind, 0) if event else 0)
    process.signals.timers[created] = tid if kind == SIGEV_THREAD_ID else 0
    process.memory.write_u32(timer, created)
    return 0


def _check_timer(process: Process, timer: int) -> None:
    if timer not in process.signals.timers:
        raise os_error(errno.EINVAL)


def sys_timer_settime(process: Process, timer: int, flags: int, new: int, old: int) -> int:
    """timer_settime(2)."""
    _check_timer(process, timer)
    return host_syscall(TIMER_SETTIME, timer, flags, new, old)


def sys_timer_gettime(process: Process, timer: int, current: int) -> int:
    """timer_gettime(2)."""
    _check_timer(process, timer)
    return host_syscall(_TIMER_GETTIME, timer, current)


def sys_timer_getoverrun(process: Process, timer: int) -> int:
    """timer_getoverrun(2)."""
    _check_timer(process, timer)
    return host_syscall(_TIMER_GETOVERRUN, timer)


def sys_timer_delete(process: Process, timer: int) -> int:
    """timer_delete(2)."""
    _check_timer(process, timer)
    del process.signals.timers[timer]
    delete_timer(timer)
    return 0


def sys_adjtimex(process: Process, buffer: int) -> int:
    """adjtimex(2), which shows how the clock is disciplined."""
    return sys_clock_adjtime(process, _CLOCK_REALTIME, buffer)


def sys_clock_adjtime(process: Process, clock: int, buffer: int) -> int:
    """clock_adjtime(2), which changes nothing."""
    fields = ctypes.create_string_buffer(process.memory.view(buffer, _TIMEX_SIZE, READ).tobytes())
    (modes,) = unpack("<I", fields.raw[:4])
    if modes not in (0, _ADJ_OFFSET_SS_READ):
        raise os_error(errno.EPERM)
    state = host_syscall(_CLOCK_ADJTIME, clock, ctypes.addressof(fields))
    process.memory.view(buffer, _TIMEX_SIZE, WRITE)[:] = fields.raw[:_TIMEX_SIZE]
    return state
