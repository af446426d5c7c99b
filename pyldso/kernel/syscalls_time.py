"""System calls that wait: those whose signal mask or set of descriptors needs a look.

A mask for the time of the wait has no effect yet: no signal is delivered to the guest meanwhile.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_SELECT, _EPOLL_WAIT, _PSELECT6, _PPOLL = 23, 232, 270, 271
_FD_SETSIZE = 1024


def _check_set_size(count: int) -> None:
    """Refuse more descriptors than the fd_set behind the checked pointers holds."""
    if not 0 <= count <= _FD_SETSIZE:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


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
    _mask: int,
) -> int:
    """pselect(2)."""
    _check_set_size(count)
    return process.call_host(_PSELECT6, (count, readable, writable, failed, timeout, 0))


def sys_ppoll(
    process: Process, fds: int, count: int, timeout: int, _mask: int, _mask_size: int
) -> int:
    """ppoll(2)."""
    return process.call_host(_PPOLL, (fds, count, timeout, 0, 0))


def sys_epoll_pwait(
    process: Process, fd: int, events: int, count: int, timeout: int, _mask: int, _size: int
) -> int:
    """epoll_pwait(2)."""
    return process.call_host(_EPOLL_WAIT, (fd, events, count, timeout))
