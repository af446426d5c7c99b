"""System calls on the nodes that memory comes from: the host's, for the memory of the guest."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import MAPPED, PAGE_MASK, PAGE_SIZE, READ, WRITE, page_up

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_GET_MEMPOLICY, _SET_MEMPOLICY, _MBIND = numbers_of("get_mempolicy", "set_mempolicy", "mbind")
_MPOL_F_ADDR, _MPOL_MF_MOVE_ALL = 2, 4
_MOST_NODES = 8 * PAGE_SIZE


def _nodes(process: Process, mask: int, count: int, need: int) -> int:
    """Return the host's pointer to a mask of nodes, whose last bit the kernel leaves out."""
    if not mask or count <= 1:
        return process.memory.arena.base if mask else 0  # of no bytes
    if count - 1 > _MOST_NODES:
        raise os_error(errno.EINVAL)
    return process.memory.host_pointer(mask, (count + 62) // 64 * 8, need)


def sys_get_mempolicy(
    process: Process, mode: int, mask: int, count: int, address: int, flags: int
) -> int:
    """get_mempolicy(2)."""
    memory = process.memory
    mode = memory.host_pointer(mode, 4, WRITE) if mode else 0
    place = _nodes(process, mask, count, WRITE)
    if flags & _MPOL_F_ADDR:
        address = memory.host_pointer(address, 1, MAPPED)
    return host_syscall(_GET_MEMPOLICY, mode, place, count, address, flags)


def sys_set_mempolicy(process: Process, mode: int, mask: int, count: int) -> int:
    """set_mempolicy(2): all threads run on the one of the host that has this policy."""
    return host_syscall(_SET_MEMPOLICY, mode, _nodes(process, mask, count, READ), count)


def sys_mbind(
    process: Process, address: int, length: int, mode: int, mask: int, count: int, flags: int
) -> int:
    """mbind(2)."""
    if address & PAGE_MASK:
        raise os_error(errno.EINVAL)
    if flags & _MPOL_MF_MOVE_ALL:
        raise os_error(errno.EPERM)
    length = page_up(length)
    place = process.memory.host_pointer(address, length, MAPPED) if length else PAGE_SIZE
    return host_syscall(
        _MBIND, place, length, mode, _nodes(process, mask, count, READ), count, flags
    )
