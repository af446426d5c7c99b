"""From a row of the system call table to a callable: typed, checked arguments.

A guest pointer becomes a host pointer only here, after every page that the call may touch was
checked for what the call does to it; a failed check is EFAULT, as from Linux.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from importlib import import_module
from struct import unpack_from
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.syscalls import STRUCTURE_SIZES, SyscallRow
from pyldso.errors import os_error
from pyldso.kernel.mmu import READ, WRITE, MemoryFault
from pyldso.kernel.paths import AT_FDCWD
from pyldso.kernel.policy import PathUse

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

IOV_MAX = 1024
_AT_SYMLINK_NOFOLLOW, _AT_SYMLINK_FOLLOW = 0x100, 0x400
_LARGEST_BUFFER = 0x7FFFFFFF
"""INT_MAX: Linux transfers no more at once, and less where MAX_RW_COUNT says so (read(2))."""
_INT_TYPES = frozenset({"int", "pid", "signal", "rlimit", "clock", "whence", "sigmask_how", "key"})
_UNSIGNED = {"mode": 0xFFFF, "uint": 2**32 - 1, "open_flags": 2**32 - 1, "at_flags": 2**32 - 1}
_FD_TYPES = frozenset({"fd", "mapfd", "dirfd", "wfd"})
_CHANGING_PATHS = {
    "wpath": PathUse(follow=True, creates=False, replaces=False),
    "wlink": PathUse(follow=False, creates=False, replaces=False),
    "wnew": PathUse(follow=False, creates=True, replaces=False),
    "wto": PathUse(follow=False, creates=True, replaces=True),
}
_NEEDS = {"in": READ, "out": WRITE, "inout": READ | WRITE}

_READING_TRANSFERS = frozenset(("read", "pread64", "recvfrom"))
_TRANSFERS = _READING_TRANSFERS | {"write", "pwrite64", "sendto"}
"""Calls with a buffer and its size behind the descriptor."""

_WAITING = frozenset(
    ("read", "write", "readv", "writev", "preadv2", "pwritev2", "poll", "epoll_wait", "wait4",
     "waitid", "flock", "nanosleep", "clock_nanosleep", "sendfile", "splice", "tee",
     "mq_timedsend", "mq_timedreceive")
)  # fmt: skip
"""Calls of the host that may wait, during which other threads go on."""

Argument = int | bytes
Handler = Callable[..., int]
Decoder = Callable[["Process", list[int]], Argument]


class Parameter(NamedTuple):
    """A parameter of a row: `of` is what stands in the parentheses of a pointer's type."""

    type: str
    of: str
    name: str
    is_nullable: bool


def parse_parameters(text: str) -> list[Parameter]:
    """Return the parameters of a table row."""
    parameters = []
    for part in filter(None, text.split(", ")):
        kind, name = part.split(" ")
        base, _, of = kind.partition("(")
        parameters.append(Parameter(base.rstrip("?"), of.rstrip(")"), name, base.endswith("?")))
    return parameters


class BoundSyscall:
    """A row with its decoders and its handler."""

    __slots__ = ("_buffers", "_decoders", "_handler", "row")

    def __init__(self, row: SyscallRow, has_threads: bool = False) -> None:
        self.row = row
        parameters = parse_parameters(row.parameters)
        names = [parameter.name for parameter in parameters]
        self._decoders = [_decoder(index, parameters, names) for index in range(len(parameters))]
        self._handler = _handler(row, has_threads)

    def __call__(self, process: Process, registers: list[int]) -> int:
        """Decode, call and return the result; raises OSError."""
        try:
            arguments = [decode(process, registers) for decode in self._decoders]
            return self._handler(process, *arguments)
        except MemoryFault:
            shorter = self._shorten(process, registers)
            if shorter is None:
                raise
            return self(process, shorter)
        finally:
            paths = process.files.paths
            if paths.has_pins:
                paths.release()

    def _shorten(self, process: Process, registers: list[int]) -> list[int] | None:
        """Return the registers for a transfer as far as its buffer goes, where that is not all.

        Linux transfers so much before it meets the end (read(2), write(2)).
        """
        if self.row.name not in _TRANSFERS:
            return None
        need = WRITE if self.row.name in _READING_TRANSFERS else READ
        start, count = registers[1], registers[2]
        length = process.memory.accessible_length(start, min(count, _LARGEST_BUFFER), need)
        if not 0 < length < count:
            return None
        return [*registers[:2], length, *registers[3:]]

    def call_decoded(self, process: Process, arguments: tuple[Argument, ...]) -> int:
        """Call with arguments that pyldso itself made: no guest memory is behind them."""
        return self._handler(process, *arguments)


def _handler(row: SyscallRow, has_threads: bool) -> Handler:
    if row.handler == "host":
        number = row.number
        if has_threads and row.name in _WAITING:
            return lambda process, *arguments: process.call_host(number, arguments)

        def ask_host(process: Process, *arguments: int) -> int:
            return process.intake.call(number, *arguments)

        return ask_host
    if not row.handler:
        return _not_supported
    topic, function = row.handler.split(".")
    # Modules by topic are loaded at the first use: most programs need few of them.
    handler: Handler = getattr(import_module(f"pyldso.kernel.syscalls_{topic}"), f"sys_{function}")
    return handler


def _not_supported(_process: Process, *_arguments: int) -> int:
    raise os_error(errno.ENOSYS)


def _decoder(index: int, parameters: list[Parameter], names: list[str]) -> Decoder:
    parameter = parameters[index]
    kind = parameter.type
    if kind in _FD_TYPES:
        return _fd_decoder(index, is_changed=kind == "wfd")
    if kind in _CHANGING_PATHS or kind in ("path", "link"):
        return _path_decoder(index, parameters)
    if kind in _INT_TYPES:
        return lambda process, registers: ctypes.c_int(registers[index]).value
    if kind in ("name", "string"):
        return lambda process, registers: process.memory.read_cstring(registers[index])
    if kind in ("iov_in", "iov_out"):
        return _iovec_decoder(index, names.index(parameter.of), kind == "iov_in")
    if kind in _NEEDS:
        return _pointer_decoder(index, parameters, names)
    if kind in _UNSIGNED:
        mask = _UNSIGNED[kind]
        return lambda process, registers: registers[index] & mask
    if kind == "offset":
        return lambda process, registers: ctypes.c_long(registers[index]).value
    return lambda process, registers: registers[index]


def _fd_decoder(index: int, *, is_changed: bool) -> Decoder:
    def decode(process: Process, registers: list[int]) -> int:
        fd = ctypes.c_int(registers[index]).value
        if fd in process.files.private_fds:
            raise os_error(errno.EBADF)
        if is_changed:
            process.files.check_change_of_open(fd)
        return fd

    return decode


def _path_decoder(index: int, parameters: list[Parameter]) -> Decoder:
    """Return the decoder of a file name, which stands behind its folder's descriptor if any."""
    parameter = parameters[index]
    has_folder = index > 0 and parameters[index - 1].type == "dirfd"
    flags_index = next((i for i, p in enumerate(parameters) if p.type == "at_flags"), None)
    change = _CHANGING_PATHS.get(parameter.type)
    follows = change.follow if change else parameter.type == "path"
    follow_bit = _AT_SYMLINK_FOLLOW if parameter.type == "wlink" else 0

    def decode(process: Process, registers: list[int]) -> Argument:
        dirfd = ctypes.c_int(registers[index - 1]).value if has_folder else AT_FDCWD
        if parameter.is_nullable and not registers[index]:
            process.files.check_change_of_open(dirfd)
            return 0
        path = process.memory.read_cstring(registers[index])
        flags = registers[flags_index] if flags_index is not None else 0
        follow = not flags & _AT_SYMLINK_NOFOLLOW if follows else bool(flags & follow_bit)
        if change is None:
            return process.files.place(dirfd, path, follow=follow)
        use = change if follow == follows else change._replace(follow=follow)
        return process.files.place_for_change(dirfd, path, use)

    return decode


def _pointer_decoder(index: int, parameters: list[Parameter], names: list[str]) -> Decoder:
    parameter = parameters[index]
    need, nullable = _NEEDS[parameter.type], parameter.is_nullable
    structure, _, count_name = parameter.of.partition("*")
    size = STRUCTURE_SIZES.get(structure)
    if size is not None and not count_name:
        length = size

        def decode_structure(process: Process, registers: list[int]) -> int:
            address = registers[index]
            if nullable and not address:
                return 0
            return process.memory.host_pointer(address, length, need)

        return decode_structure
    count_index = names.index(count_name or structure)
    is_signed = parameters[count_index].type in _INT_TYPES
    item_size = size or 1

    def decode_buffer(process: Process, registers: list[int]) -> int:
        address, count = registers[index], registers[count_index] * item_size
        if is_signed:  # where it is negative, the host's kernel finds fault with that
            count = max(ctypes.c_int(registers[count_index]).value, 0) * item_size
        if not count or (nullable and not address):
            return 0 if not address else _any_pointer(process)
        if item_size == 1:
            count = min(count, _LARGEST_BUFFER)
        return process.memory.host_pointer(address, count, need)

    return decode_buffer


def _any_pointer(process: Process) -> int:
    """Return a host pointer for a buffer of no bytes: never used, but not NULL."""
    return process.memory.arena.base


def _iovec_decoder(index: int, count_index: int, is_input: bool) -> Decoder:
    need = READ if is_input else WRITE

    def decode(process: Process, registers: list[int]) -> Argument:
        count = ctypes.c_int(registers[count_index]).value
        array = iovec_of(process, registers[index], count, need)
        if process.scheduler is not None:  # another thread's may follow before this one's is read
            return bytes(array)
        process.host_iovec = array
        return ctypes.addressof(array)

    return decode


def iovec_of(
    process: Process, pointer: int, count: int, need: int
) -> ctypes.Array[ctypes.c_uint64]:
    """Return the host's copy of an array of struct iovec, whose buffers were checked.

    The last buffer that is accessible ends it, and then as far as it goes.
    """
    if not 0 <= count <= IOV_MAX:
        raise os_error(errno.EINVAL)
    memory = process.memory
    offset = memory.translate(pointer, 16 * count, READ) if count else 0
    fields = list(unpack_from(f"<{2 * count}Q", memory.arena.view, offset))
    for position in range(0, 2 * count, 2):
        address, length = fields[position : position + 2]
        if length > _LARGEST_BUFFER:
            raise os_error(errno.EINVAL)
        try:
            fields[position] = memory.host_pointer(address, length, need) if length else 0
        except MemoryFault:
            length = memory.accessible_length(address, length, need)
            if not length and not sum(fields[1:position:2]):
                raise
            place = memory.host_pointer(address, length, need) if length else 0
            fields[position:] = [place, length] + [0] * (2 * count - position - 2)
            break
    return (ctypes.c_uint64 * len(fields))(*fields)
