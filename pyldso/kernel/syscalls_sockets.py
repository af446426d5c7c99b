"""System calls on sockets: local pairs always, all others where the policy allows the network.

Addresses, buffers and control messages are checked and copied as their lengths say; no pointer
inside of them reaches the host's kernel (socket(7), unix(7), cmsg(3)).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from struct import calcsize, pack, pack_into, unpack_from
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error
from pyldso.kernel.binding import iovec_of
from pyldso.kernel.host import host_syscall
from pyldso.kernel.mmu import READ, WRITE
from pyldso.kernel.paths import AT_FDCWD
from pyldso.kernel.policy import PathUse

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

_SOCKET, _CONNECT, _SENDTO, _RECVFROM, _SENDMSG, _RECVMSG = numbers_of(
    "socket", "connect", "sendto", "recvfrom", "sendmsg", "recvmsg"
)
_BIND, _SOCKETPAIR, _GETSOCKOPT, _SETSOCKOPT, _ACCEPT4 = numbers_of(
    "bind", "socketpair", "getsockopt", "setsockopt", "accept4"
)
_GETSOCKNAME, _GETPEERNAME = numbers_of("getsockname", "getpeername")
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_DOMAINS = frozenset((_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK))
_LONGEST_ADDRESS = 128
"""sizeof(struct sockaddr_storage)"""
_LONGEST_PATH = 108
_SOL_SOCKET, _SCM_RIGHTS = 1, 1
_LEVELS = frozenset((0, _SOL_SOCKET, 6, 17, 41, 270))
"""IP, socket, TCP, UDP, IPv6 and netlink."""
_POINTER_OPTIONS = frozenset(((_SOL_SOCKET, 26), (_SOL_SOCKET, 51), (6, 35)))
"""SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF and TCP_ZEROCOPY_RECEIVE: pointers within."""
_LARGEST_OPTION = 1 << 16
_MSGHDR = "<QIxxxxQQQQi4x"
_MSGHDR_SIZE, _MMSGHDR_SIZE = calcsize(_MSGHDR), 64
_CMSGHDR_SIZE = 16
_LARGEST_CONTROL = 1 << 15
_MSG_DONTWAIT, _MSG_WAITFORONE = 0x40, 0x10000
_MOST_MESSAGES = 1024

Finish = Callable[[int], int]


def _refuse(process: Process) -> OSError:
    process.refuse("network", "sockets are not allowed (--allow-net)")
    return os_error(errno.EACCES)


def sys_socket(process: Process, domain: int, kind: int, protocol: int) -> int:
    """socket(2)."""
    if not process.files.policy.has_network:
        raise _refuse(process)
    if domain not in _DOMAINS:
        raise os_error(errno.EAFNOSUPPORT)
    return host_syscall(_SOCKET, domain, kind, protocol)


def sys_socketpair(process: Process, domain: int, kind: int, protocol: int, pair: int) -> int:
    """socketpair(2): two local ends that lead nowhere else."""
    if domain != _AF_UNIX and not process.files.policy.has_network:
        raise _refuse(process)
    return host_syscall(_SOCKETPAIR, domain, kind, protocol, pair)


# ---- addresses -------------------------------------------------------------------------------


def _address(process: Process, pointer: int, length: int, *, creates: bool = False) -> bytes:
    """Return an address of the guest's as the host's kernel is to take it."""
    if not process.files.policy.has_network:
        raise _refuse(process)
    if not 0 <= length <= _LONGEST_ADDRESS:
        raise os_error(errno.EINVAL)
    address = bytes(process.memory.view(pointer, length, READ)) if length else b""
    path = address[2:].partition(b"\0")[0]
    if address[:2] != pack("<H", _AF_UNIX) or not path:
        return address
    files = process.files
    if creates:
        place = files.place_for_change(AT_FDCWD, path, PathUse(False, creates=True, replaces=False))
    else:
        place = files.place(AT_FDCWD, path)
    if not files.paths.root:
        place = path  # getsockname(2) shows it
    if len(place) > _LONGEST_PATH:
        raise os_error(errno.ENAMETOOLONG)
    return address[:2] + place.ljust(min(len(place) + 1, _LONGEST_PATH), b"\0")


def sys_connect(process: Process, fd: int, pointer: int, length: int) -> int:
    """connect(2)."""
    address = _address(process, pointer, length)
    return process.call_host(_CONNECT, (fd, address, len(address)))


def sys_bind(process: Process, fd: int, pointer: int, length: int) -> int:
    """bind(2): a local socket's file is created within the policy."""
    address = _address(process, pointer, length, creates=True)
    return host_syscall(_BIND, fd, address, len(address))


def _ask_with_length(
    process: Process,
    most: int,
    value: int,
    length_pointer: int,
    ask: Callable[[int, int, Finish], int],
) -> int:
    """Call `ask` with host pointers for a value and its length, which it reads and writes.

    `ask` also gets what is to be called with the result. The length is a copy: what the guest's
    other threads and processes share of its memory may change.
    """
    if not value:
        return ask(0, 0, lambda result: result)
    length = ctypes.c_int(process.memory.read_u32(length_pointer))
    if length.value < 0:
        raise os_error(errno.EINVAL)
    length.value = min(length.value, most)
    place = process.memory.host_pointer(value, length.value, WRITE) if length.value else 0
    process.memory.view(length_pointer, 4, WRITE)

    def finish(result: int) -> int:
        process.memory.write_u32(length_pointer, length.value)
        return result

    return ask(place, ctypes.addressof(length), finish)


def sys_accept(process: Process, fd: int, address: int, length: int) -> int:
    """accept(2)."""
    return sys_accept4(process, fd, address, length, 0)


def sys_accept4(process: Process, fd: int, address: int, length: int, flags: int) -> int:
    """accept4(2)."""
    return _ask_with_length(
        process,
        _LONGEST_ADDRESS,
        address,
        length,
        lambda place, size, finish: process.call_host(_ACCEPT4, (fd, place, size, flags), finish),
    )


def sys_getsockname(process: Process, fd: int, address: int, length: int) -> int:
    """getsockname(2)."""
    return _ask_name(process, _GETSOCKNAME, fd, address, length)


def sys_getpeername(process: Process, fd: int, address: int, length: int) -> int:
    """getpeername(2)."""
    return _ask_name(process, _GETPEERNAME, fd, address, length)


def _ask_name(process: Process, number: int, fd: int, address: int, length: int) -> int:
    os.fstat(fd)
    if not address:
        raise os_error(errno.EFAULT)
    return _ask_with_length(
        process,
        _LONGEST_ADDRESS,
        address,
        length,
        lambda place, size, finish: finish(host_syscall(number, fd, place, size)),
    )


# ---- options ---------------------------------------------------------------------------------


def _check_option(level: int, name: int) -> None:
    if level not in _LEVELS or (level, name) in _POINTER_OPTIONS:
        raise os_error(errno.ENOPROTOOPT)


def sys_getsockopt(
    process: Process, fd: int, level: int, name: int, value: int, length_pointer: int
) -> int:
    """getsockopt(2)."""
    os.fstat(fd)
    _check_option(level, name)
    if not value:
        raise os_error(errno.EFAULT)
    return _ask_with_length(
        process,
        _LARGEST_OPTION,
        value,
        length_pointer,
        lambda place, size, finish: finish(host_syscall(_GETSOCKOPT, fd, level, name, place, size)),
    )


def sys_setsockopt(
    process: Process, fd: int, level: int, name: int, value: int, length: int
) -> int:
    """setsockopt(2)."""
    os.fstat(fd)
    _check_option(level, name)
    length = ctypes.c_int(length).value
    if not 0 <= length <= _LARGEST_OPTION:
        raise os_error(errno.EINVAL)
    host_value = process.memory.host_pointer(value, length, READ) if length else 0
    return host_syscall(_SETSOCKOPT, fd, level, name, host_value, length)


# ---- data ------------------------------------------------------------------------------------


def sys_sendto(
    process: Process, fd: int, buffer: int, length: int, flags: int, pointer: int, size: int
) -> int:
    """sendto(2)."""
    if not pointer:
        return process.call_host(_SENDTO, (fd, buffer, length, flags))
    address = _address(process, pointer, ctypes.c_int(size).value)
    return process.call_host(_SENDTO, (fd, buffer, length, flags, address, len(address)))


def sys_recvfrom(
    process: Process, fd: int, buffer: int, length: int, flags: int, address: int, size: int
) -> int:
    """recvfrom(2)."""
    return _ask_with_length(
        process,
        _LONGEST_ADDRESS,
        address,
        size,
        lambda place, room, finish: process.call_host(
            _RECVFROM, (fd, buffer, length, flags, place, room), finish
        ),
    )


class _Message:
    """A struct msghdr of the guest, and the host's with checked pointers."""

    def __init__(self, process: Process, pointer: int, need: int) -> None:
        self._process = process
        self._pointer = pointer
        fields = unpack_from(_MSGHDR, process.memory.view(pointer, _MSGHDR_SIZE, READ))
        name, name_length, iov, iov_count, control, control_length, _ = fields
        self._keep: list[object] = []
        self.iov = iovec_of(process, iov, iov_count, need)
        self.name = self.control = 0
        self.name_length, self.control_length = name_length, control_length
        if not name or not name_length:
            self.name_length = 0
        elif need == READ:
            address = _address(process, name, ctypes.c_int(name_length).value)
            self.name, self.name_length = self._own_copy(address), len(address)
        else:
            self.name_length = min(name_length, _LONGEST_ADDRESS)
            self.name = process.memory.host_pointer(name, self.name_length, WRITE)
        if not control or not control_length:
            self.control_length = 0
        elif control_length > _LARGEST_CONTROL:
            raise os_error(errno.ENOBUFS)
        elif need == READ:
            content = bytes(process.memory.view(control, control_length, READ))
            _check_control(process, content)
            self.control = self._own_copy(content)
        else:
            self.control = process.memory.host_pointer(control, control_length, WRITE)
        self.header = ctypes.create_string_buffer(self._packed(), _MSGHDR_SIZE)

    def _own_copy(self, content: bytes) -> int:
        buffer = ctypes.create_string_buffer(content, len(content))
        self._keep.append(buffer)
        return ctypes.addressof(buffer)

    def _packed(self) -> bytes:
        return pack(
            _MSGHDR,
            self.name,
            self.name_length,
            ctypes.addressof(self.iov),
            len(self.iov) // 2,
            self.control,
            self.control_length,
            0,
        )

    def release(self) -> None:
        """Forget the copies: until here the host's kernel has needed them."""
        self._keep.clear()

    def write_back(self) -> None:
        """Give the guest the lengths and flags that the host's kernel has left."""
        fields = unpack_from(_MSGHDR, self.header)
        view = self._process.memory.view(self._pointer, _MSGHDR_SIZE, WRITE)
        pack_into("<I", view, 8, fields[1])
        pack_into("<Qi", view, 40, fields[5], fields[6])


def _check_control(process: Process, content: bytes) -> None:
    """Refuse control messages that would hand over pyldso's own descriptors."""
    at = 0
    while at + _CMSGHDR_SIZE <= len(content):
        length, level, kind = unpack_from("<Qii", content, at)
        if length < _CMSGHDR_SIZE or at + length > len(content):
            return  # EINVAL, from the host's kernel
        if (level, kind) == (_SOL_SOCKET, _SCM_RIGHTS):
            count = (length - _CMSGHDR_SIZE) // 4
            fds = unpack_from(f"<{count}i", content, at + _CMSGHDR_SIZE)
            if process.files.private_fds.intersection(fds):
                raise os_error(errno.EBADF)
        at += (length + 7) & ~7


def sys_sendmsg(process: Process, fd: int, pointer: int, flags: int) -> int:
    """sendmsg(2)."""
    message = _Message(process, pointer, READ)

    def finish(result: int) -> int:
        message.release()
        return result

    return process.call_host(_SENDMSG, (fd, ctypes.addressof(message.header), flags), finish)


def sys_recvmsg(process: Process, fd: int, pointer: int, flags: int) -> int:
    """recvmsg(2)."""
    message = _Message(process, pointer, WRITE)
    process.memory.host_pointer(pointer, _MSGHDR_SIZE, WRITE)

    def finish(result: int) -> int:
        message.write_back()
        return result

    return process.call_host(_RECVMSG, (fd, ctypes.addressof(message.header), flags), finish)


def sys_sendmmsg(process: Process, fd: int, vector: int, count: int, flags: int) -> int:
    """sendmmsg(2)."""
    sent = 0
    for _ in range(min(count, _MOST_MESSAGES)):
        at = vector + _MMSGHDR_SIZE * sent
        try:
            message = _Message(process, at, READ)
            header = ctypes.addressof(message.header)
            length = host_syscall(_SENDMSG, fd, header, flags)
            process.memory.write_u32(at + _MSGHDR_SIZE, length)
        except OSError:
            if sent == 0:
                raise
            break
        sent += 1
    return sent


def sys_recvmmsg(
    process: Process, fd: int, vector: int, count: int, flags: int, _timeout: int
) -> int:
    """recvmmsg(2); the timeout is looked at between messages alone, which is never late here."""
    received = 0
    for _ in range(min(count, _MOST_MESSAGES)):
        at = vector + _MMSGHDR_SIZE * received
        try:
            message = _Message(process, at, WRITE)
            process.memory.host_pointer(at, _MSGHDR_SIZE, WRITE)
            header = ctypes.addressof(message.header)
            length = host_syscall(_RECVMSG, fd, header, flags & ~_MSG_WAITFORONE)
            message.write_back()
        except OSError:
            if received == 0:
                raise
            break
        process.memory.write_u32(at + _MSGHDR_SIZE, length)
        received += 1
        if flags & _MSG_WAITFORONE:
            flags |= _MSG_DONTWAIT
    return received


def has_timeout(fd: int, option: int) -> bool:
    """Tell whether a descriptor is a socket with a timeout (SO_RCVTIMEO, SO_SNDTIMEO)."""
    value, size = ctypes.create_string_buffer(16), ctypes.c_uint32(16)
    pointers = ctypes.addressof(value), ctypes.addressof(size)
    try:
        host_syscall(_GETSOCKOPT, fd, _SOL_SOCKET, option, *pointers)
    except OSError:  # no socket
        return False
    return any(value.raw)
