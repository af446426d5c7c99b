"""System calls of System V IPC and of POSIX message queues, on the program's own (ipc.py)."""

from __future__ import annotations

import ctypes
import errno
import os
from struct import pack_into, unpack_from
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.host import SIGEV_THREAD, SIGEVENT, host_syscall
from pyldso.kernel.ipc import (
    CONTROLS,
    IPC_RMID,
    IPC_STAT,
    MQ_UNLINK,
    MSG,
    SEM,
    SHM,
    Row,
    World,
    queue_name,
    world_of,
)
from pyldso.kernel.mmu import (
    EXECUTE,
    PAGE_MASK,
    READ,
    WRITE,
    MemoryFault,
    page_down,
    page_up,
)
from pyldso.kernel.vma import MappedFile

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_SHMAT, _SEMTIMEDOP, _MSGSND, _MSGRCV, _MQ_OPEN, _MQ_NOTIFY = numbers_of(
    "shmat", "semtimedop", "msgsnd", "msgrcv", "mq_open", "mq_notify"
)
_SHM_HUGETLB = 0o4000
_SHM_RDONLY, _SHM_RND, _SHM_REMAP, _SHM_EXEC = 0o10000, 0o20000, 0o40000, 0o100000
_SHM_DEVICE = os.makedev(0, 1)
_IPC_SET, _IPC_INFO = 1, 3
_SIZE_OF_SEGMENT = 48
"""Where struct shmid64_ds has it, behind struct ipc64_perm, which begins with the key."""
_SEMOPM, _SEMBUF_SIZE = 500, 6
_NSEMS = 80
_COOKIE_SIZE = 32

# Commands of the three control calls: how many bytes are behind the pointer, and for what.
_PLAIN = (0, 0)
_COMMANDS = {
    SHM: {  # SHM_LOCK, SHM_UNLOCK, SHM_STAT, SHM_INFO, SHM_STAT_ANY
        _IPC_SET: (112, READ), IPC_STAT: (112, WRITE), _IPC_INFO: (72, WRITE),
        11: _PLAIN, 12: _PLAIN, 13: (112, WRITE), 14: (48, WRITE), 15: (112, WRITE),
    },
    SEM: {  # GETPID, GETVAL, GETNCNT, GETZCNT, SETVAL, SEM_STAT, SEM_INFO, SEM_STAT_ANY
        _IPC_SET: (104, READ), IPC_STAT: (104, WRITE), _IPC_INFO: (40, WRITE),
        11: _PLAIN, 12: _PLAIN, 14: _PLAIN, 15: _PLAIN, 16: _PLAIN,
        18: (104, WRITE), 19: (40, WRITE), 20: (104, WRITE),
    },
    MSG: {  # MSG_STAT, MSG_INFO, MSG_STAT_ANY
        _IPC_SET: (120, READ), IPC_STAT: (120, WRITE), _IPC_INFO: (32, WRITE),
        11: (120, WRITE), 12: (32, WRITE), 13: (120, WRITE),
    },
}  # fmt: skip
_GETALL, _SETALL = 13, 17
_BY_INDEX = {SHM: (13, 15), SEM: (18, 20), MSG: (11, 13)}
_OF_ALL = {SHM: (_IPC_INFO, 14), SEM: (_IPC_INFO, 19), MSG: (_IPC_INFO, 12)}
"""Commands that take an index among all objects, and those that take none."""


def _row(process: Process, kind: int, ipc_id: int) -> Row:
    """Return the row of an object of the program; EINVAL where it has no such."""
    if process.family_fd < 0:
        raise os_error(errno.EINVAL)
    return World(process.family_fd).find(kind, ipc_id)


def _control(
    process: Process, kind: int, ipc_id: int, command: int, argument: int, number: int = 0
) -> int:
    """Do what the three control calls have in common; `number` is a semaphore's in its set."""
    if command == IPC_RMID:
        _row(process, kind, ipc_id)
        return World(process.family_fd).remove(kind, ipc_id)
    known = _COMMANDS[kind].get(command)
    if known is None or ipc_id < 0:
        raise os_error(errno.EINVAL)
    is_of_one = command not in _OF_ALL[kind] and command not in _BY_INDEX[kind]
    if is_of_one:
        row = _row(process, kind, ipc_id)  # what is not there is told of before a bad pointer
    size, need = known
    if size:
        argument = process.memory.host_pointer(argument, size, need)
    if command in _BY_INDEX[kind]:
        return _look_up(process, kind, ipc_id, command, argument)
    words = (number, command, argument) if kind == SEM else (command, argument if size else 0)
    if command in _OF_ALL[kind]:
        return host_syscall(CONTROLS[kind], 0, *words)
    result = host_syscall(CONTROLS[kind], ipc_id, *words)
    if command == IPC_STAT:
        _show_key(row, argument)
    return result


def _look_up(process: Process, kind: int, index: int, command: int, status: int) -> int:
    """Return the id of an object by its index among the host's, with its status if it is own."""
    content = ctypes.create_string_buffer(_COMMANDS[kind][command][0])
    place = ctypes.addressof(content)
    words = (0, command, place) if kind == SEM else (command, place)
    ipc_id = host_syscall(CONTROLS[kind], index, *words)
    _show_key(_row(process, kind, ipc_id), place)
    ctypes.memmove(status, place, len(content))
    return ipc_id


def _show_key(row: Row, status: int) -> None:
    """Put the guest's key into the status of an object that bears the host's."""
    ctypes.memmove(status, row.key.to_bytes(4, "little", signed=True), 4)


# ---- shared memory -----------------------------------------------------------------------------


def sys_shmget(process: Process, key: int, size: int, flags: int) -> int:
    """shmget(2)."""
    if flags & _SHM_HUGETLB:
        raise os_error(errno.ENOMEM)
    return world_of(process).get(SHM, key, size, flags)


def sys_shmat(process: Process, ipc_id: int, address: int, flags: int) -> int:
    """shmat(2)."""
    is_fixed = bool(address)
    if address & PAGE_MASK:
        if not flags & _SHM_RND:
            raise os_error(errno.EINVAL)
        address = page_down(address)
    if flags & _SHM_REMAP and not address:
        raise os_error(errno.EINVAL)
    row = _row(process, SHM, ipc_id)
    status = ctypes.create_string_buffer(_COMMANDS[SHM][IPC_STAT][0])
    host_syscall(CONTROLS[SHM], ipc_id, IPC_STAT, ctypes.addressof(status))
    (size,) = unpack_from("<Q", status, _SIZE_OF_SEGMENT)
    memory, length = process.memory, page_up(size)
    if is_fixed and not flags & _SHM_REMAP and not memory.is_free(address, address + length):
        raise os_error(errno.EINVAL)
    prot = READ | (0 if flags & _SHM_RDONLY else WRITE) | (EXECUTE if flags & _SHM_EXEC else 0)
    name = f"/SYSV{row.key & 0xFFFFFFFF:08x} (deleted)"
    file = MappedFile(name, _SHM_DEVICE, ipc_id, is_segment=True)

    def attach(place: int) -> None:
        host_syscall(_SHMAT, ipc_id, place, flags & _SHM_RDONLY | _SHM_REMAP)

    return memory.attach(address, length, prot, file, attach, fixed=is_fixed)


def sys_shmdt(process: Process, address: int) -> int:
    """shmdt(2): unmaps all that is left of one attachment."""
    first = process.memory.find(address)
    if address & PAGE_MASK:
        raise os_error(errno.EINVAL)
    parts = [
        (vma.start, vma.end - vma.start)
        for vma in process.memory.vmas
        if vma.file is not None and vma.file.is_segment and vma.start - vma.offset == address
    ]
    if not parts or (first is not None and first.start == address and first.offset):
        raise os_error(errno.EINVAL)
    for start, length in parts:
        process.memory.unmap(start, length)
    return 0


def sys_shmctl(process: Process, ipc_id: int, command: int, buffer: int) -> int:
    """shmctl(2)."""
    return _control(process, SHM, ipc_id, command, buffer)


# ---- semaphores --------------------------------------------------------------------------------


def sys_semget(process: Process, key: int, count: int, flags: int) -> int:
    """semget(2)."""
    return world_of(process).get(SEM, key, count, flags)


def sys_semop(process: Process, ipc_id: int, operations: int, count: int) -> int:
    """semop(2)."""
    return sys_semtimedop(process, ipc_id, operations, count, 0)


def sys_semtimedop(process: Process, ipc_id: int, operations: int, count: int, timeout: int) -> int:
    """semtimedop(2)."""
    if count <= 0 or ipc_id < 0:
        raise os_error(errno.EINVAL)
    if count > _SEMOPM:
        raise os_error(errno.E2BIG)
    pointer = process.memory.host_pointer(operations, _SEMBUF_SIZE * count, READ)
    _row(process, SEM, ipc_id)
    return process.call_host(_SEMTIMEDOP, (ipc_id, pointer, count, timeout))


def sys_semctl(process: Process, ipc_id: int, number: int, command: int, argument: int) -> int:
    """semctl(2)."""
    if command in (_GETALL, _SETALL):
        _row(process, SEM, ipc_id)
        status = ctypes.create_string_buffer(_COMMANDS[SEM][IPC_STAT][0])
        host_syscall(CONTROLS[SEM], ipc_id, 0, IPC_STAT, ctypes.addressof(status))
        (count,) = unpack_from("<Q", status, _NSEMS)
        need = WRITE if command == _GETALL else READ
        argument = process.memory.host_pointer(argument, 2 * count, need)
        return host_syscall(CONTROLS[SEM], ipc_id, 0, command, argument)
    return _control(process, SEM, ipc_id, command, argument, number)


# ---- messages ----------------------------------------------------------------------------------


def sys_msgget(process: Process, key: int, flags: int) -> int:
    """msgget(2)."""
    return world_of(process).get(MSG, key, 0, flags)


def sys_msgsnd(process: Process, ipc_id: int, message: int, size: int, flags: int) -> int:
    """msgsnd(2)."""
    process.memory.translate(message, 8, READ)
    try:
        pointer = process.memory.host_pointer(message, 8 + size, READ)
    except MemoryFault:
        if size > _largest_message():
            raise os_error(errno.EINVAL) from None
        raise
    _row(process, MSG, ipc_id)
    return process.call_host(_MSGSND, (ipc_id, pointer, size, flags))


def _largest_message() -> int:
    with open("/proc/sys/kernel/msgmax", "rb") as file:
        return int(file.read())


def sys_msgrcv(
    process: Process, ipc_id: int, message: int, size: int, kind: int, flags: int
) -> int:
    """msgrcv(2)."""
    if ipc_id < 0 or size >> 63:
        raise os_error(errno.EINVAL)
    _row(process, MSG, ipc_id)
    pointer = process.memory.host_pointer(message, 8 + size, WRITE)
    return process.call_host(_MSGRCV, (ipc_id, pointer, size, kind, flags))


def sys_msgctl(process: Process, ipc_id: int, command: int, buffer: int) -> int:
    """msgctl(2)."""
    return _control(process, MSG, ipc_id, command, buffer)


# ---- message queues of POSIX -------------------------------------------------------------------


def _check_queue_name(name: bytes) -> None:
    """Refuse what the kernel takes for no name of a queue (mq_overview(7))."""
    if not name:
        raise os_error(errno.ENOENT)
    if b"/" in name or name in (b".", b".."):
        raise os_error(errno.EACCES)
    if len(name) > 255:
        raise os_error(errno.ENAMETOOLONG)


def sys_mq_open(process: Process, name: bytes, flags: int, mode: int, attributes: int) -> int:
    """mq_open(2)."""
    _check_queue_name(name)
    world = world_of(process)
    row = world.queue_row(name)
    if flags & os.O_CREAT:
        world.note_queue(row, is_there=True)
    return host_syscall(_MQ_OPEN, queue_name(row), flags, mode, attributes)


def sys_mq_unlink(process: Process, name: bytes) -> int:
    """mq_unlink(2)."""
    _check_queue_name(name)
    world = world_of(process)
    row = world.queue_row(name)
    result = host_syscall(MQ_UNLINK, queue_name(row))
    world.note_queue(row, is_there=False)
    return result


def sys_mq_notify(process: Process, fd: int, event: int) -> int:
    """mq_notify(2)."""
    if not event:
        return host_syscall(_MQ_NOTIFY, fd, 0)
    copied = ctypes.create_string_buffer(ctypes.string_at(event, SIGEVENT.size))
    value, kind = unpack_from("<Q4xi", copied)
    if kind == SIGEV_THREAD:  # with a cookie of the C library's
        value = process.memory.host_pointer(value, _COOKIE_SIZE, READ)
        pack_into("<Q", copied, 0, value)
    return host_syscall(_MQ_NOTIFY, fd, ctypes.addressof(copied))
