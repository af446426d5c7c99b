"""System calls as text: one line each, in the form of strace(1).

The table of arch/x86_64/syscalls.py gives every argument its type, and the type its form. What
pointers lead to is read after the call, when its results stand in memory too.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from ctypes import c_int, c_long
from struct import iter_unpack, pack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import STRUCTURE_SIZES, syscall_row
from pyldso.kernel import events
from pyldso.kernel.binding import Parameter, parse_parameters
from pyldso.kernel.signals import signal_name
from pyldso.kernel.thread import RESTARTED
from pyldso.trace import strace_names as names
from pyldso.trace import strace_values as values
from pyldso.trace.strace_names import show_choice, show_flags
from pyldso.trace.strace_signals import signal_line

if TYPE_CHECKING:
    from pyldso.events import Event
    from pyldso.kernel.memory import AddressSpace

Argument = int | bytes
_RESULT_COLUMN = 39
_AT_FDCWD = -100
_LONGEST_PATH = 4096
_MOST_ITEMS = 32
_MOST_READ = 4096
_HEXADECIMAL_RESULTS = frozenset(("mmap", "mremap", "brk"))
_CREATING_FLAGS = 0o100 | 0o20000000


class StracePrinter:
    """A subscriber that writes the process's system calls and its end.

    `thread` gives the id of the thread whose calls are told of, or 0 where there is but one.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        memory: AddressSpace,
        thread: Callable[[], int] = lambda: 0,
    ) -> None:
        self._write_line = write
        self._memory = memory
        self._thread = thread

    def _write(self, line: str) -> None:
        thread = self._thread()
        self._write_line(f"[pid {thread:5}] {line}" if thread else line)

    def __call__(self, event: Event) -> None:
        """Write `event`'s line."""
        if isinstance(event, events.SyscallExited):
            call = Call(event.number, event.arguments, event.result, self._memory)
            self._write(f"{call.text():<{_RESULT_COLUMN}} = {call.result_text()}\n")
        elif isinstance(event, events.SyscallEntered):
            call = Call(event.number, event.arguments, 0, self._memory)
            self._write(f"{call.text():<{_RESULT_COLUMN}} = ?\n")
        elif isinstance(event, events.ProcessStarted):
            arguments = ", ".join(values.quote(word) for word in event.argv)
            call_text = f"execve({values.quote(os.fsencode(event.path), None)}, [{arguments}]"
            call_text += f", [/* {len(event.envp)} vars */])"
            self._write(f"{call_text:<{_RESULT_COLUMN}} = 0\n")
        elif isinstance(event, events.SignalDelivered):
            self._write(signal_line(event.siginfo))
        elif isinstance(event, events.ProcessEnded):
            self._write(_end(event))


def _end(event: events.ProcessEnded) -> str:
    if not event.signal:
        return f"+++ exited with {event.status} +++\n"
    killed = f"+++ killed by {signal_name(event.signal)} +++\n"
    if not event.code:
        return killed
    siginfo = pack("<iiiiQ", event.signal, 0, event.code, 0, event.address or 0)
    return signal_line(siginfo) + killed


class Call:
    """One system call with its result, to be shown.

    Arguments are registers, or bytes where the dynamic linker's own call has no guest memory.
    """

    def __init__(
        self, number: int, arguments: tuple[Argument, ...], result: int, memory: AddressSpace
    ) -> None:
        row = syscall_row(number)
        self.name = row.name if row else f"syscall_{number:#x}"
        self.arguments = arguments
        self.result = result
        self._memory = memory
        if row is None:
            self._parameters = parse_parameters("hex a, hex b, hex c, hex d, hex e, hex f")
        else:
            self._parameters = parse_parameters(row.parameters)
        self._indices = {parameter.name: i for i, parameter in enumerate(self._parameters)}
        self._is_unknown = row is not None and not row.handler and not row.parameters

    @property
    def is_failed(self) -> bool:
        """Tell whether the result is an error."""
        return -4096 < self.result < 0

    def text(self) -> str:
        """Return `name(arguments)`."""
        if self._is_unknown:
            return f"{self.name}(...)"
        shown = []
        for parameter, argument in zip(self._parameters, self.arguments, strict=False):
            text = self._show(parameter, argument)
            if text is not None:
                shown.append(text)
        return f"{self.name}({', '.join(shown)})"

    def result_text(self) -> str:
        """Return what stands behind the `=`."""
        if self.is_failed:
            code = -self.result
            if self.result == RESTARTED:
                return "? ERESTARTSYS (To be restarted if SA_RESTART is set)"
            return f"-1 {errno.errorcode.get(code, code)} ({os.strerror(code)})"
        if self.name in _HEXADECIMAL_RESULTS:
            return f"{self.result:#x}"
        if self.name == "umask":
            return values.octal(self.result)
        if self.name == "fcntl":
            return self._fcntl_result()
        if self.name in ("poll", "ppoll"):
            if not self.result:
                return "0 (Timeout)"
            data = self.data(self.arguments[0], 8 * self.value("nfds"))
            return f"{self.result} {values.poll_results(data)}" if data else str(self.result)
        return str(self.result)

    def value(self, name: str) -> int:
        """Return the number in the parameter called `name`."""
        argument = self.arguments[self._indices[name]]
        return argument if isinstance(argument, int) else 0

    def data(self, argument: Argument, length: int) -> bytes | None:
        """Return up to `length` bytes behind a pointer; None where they cannot be read."""
        if isinstance(argument, bytes):
            return argument[:length]
        try:
            return self._memory.read(argument, min(length, _MOST_READ)) if length else b""
        except OSError:
            return None

    # ---- arguments by their types ----------------------------------------------------------

    def _show(self, parameter: Parameter, argument: Argument) -> str | None:
        """Return an argument's text, None for one that the call does not look at."""
        special = _SPECIAL.get((self.name, parameter.name))
        if special is not None:
            return special(self, argument)
        if parameter.type in ("in", "out", "inout"):
            return self._pointed(parameter, argument)
        if parameter.type in ("iov_in", "iov_out"):
            return self._buffers(parameter, argument)
        if parameter.type in _STRING_TYPES:
            return self._string(argument)
        if isinstance(argument, bytes):
            return values.quote(argument)
        return _SCALARS[parameter.type](argument)

    def _string(self, argument: Argument) -> str:
        if isinstance(argument, bytes):
            return values.quote(argument, None)
        if not argument:
            return "NULL"
        try:
            return values.quote(self._memory.read_cstring(argument, _LONGEST_PATH), None)
        except OSError:
            return f"{argument:#x}"

    def _pointed(self, parameter: Parameter, argument: Argument) -> str:
        """Return what a pointer leads to; the pointer itself where the call did not fill it."""
        if parameter.type == "out" and self.is_failed:
            return values.pointer(argument) if isinstance(argument, int) else "..."
        if argument == 0:
            return "NULL"
        kind, _, count_name = parameter.of.partition("*")
        if kind not in STRUCTURE_SIZES:
            return self._buffer(parameter, argument)
        size = STRUCTURE_SIZES[kind]
        if not count_name:
            data = self.data(argument, size)
            if data is None:
                return f"{argument:#x}" if isinstance(argument, int) else "..."
            return values.structure(kind, data) if len(data) == size else "{...}"
        count = self.value(count_name)
        if parameter.type == "out":
            count = self.result
        data = self.data(argument, size * min(count, _MOST_ITEMS))
        if data is None:
            return f"{argument:#x}" if isinstance(argument, int) else "..."
        starts = range(0, len(data), size)
        items = [values.structure(kind, data[start : start + size]) for start in starts]
        return f"[{', '.join(items)}{', ...' if count > _MOST_ITEMS else ''}]"

    def _buffer(self, parameter: Parameter, argument: Argument) -> str:
        length = self.result if parameter.type == "out" else self.value(parameter.of)
        return self._quoted(argument, length)

    def _quoted(
        self, argument: Argument, length: int, limit: int | None = values.STRING_LIMIT
    ) -> str:
        """Return the beginning of a buffer of which `length` bytes are in use."""
        data = self.data(argument, length)
        if data is None:
            return values.pointer(argument) if isinstance(argument, int) else "..."
        return values.quote(data, limit)

    def _buffers(self, parameter: Parameter, argument: Argument) -> str:
        count = self.value(parameter.of)
        table = self.data(argument, 16 * min(count, _MOST_ITEMS)) if count > 0 else b""
        if table is None or (parameter.type == "iov_out" and self.is_failed):
            return values.pointer(argument) if isinstance(argument, int) else "..."
        left = self.result if parameter.type == "iov_out" else 2**64
        shown = []
        for address, length in iter_unpack("<QQ", table):
            used = max(0, min(length, left))
            left -= used
            shown.append(f"{{iov_base={self._quoted(address, used)}, iov_len={length}}}")
        return f"[{', '.join(shown)}{', ...' if count > _MOST_ITEMS else ''}]"

    # ---- calls whose arguments depend on each other ----------------------------------------

    def creation_mode(self, argument: Argument) -> str | None:
        """Return open(2)'s mode, which counts only where a file may be created."""
        return _mode(argument) if self.value("flags") & _CREATING_FLAGS else None

    def new_address(self, argument: Argument) -> str | None:
        """Return mremap(2)'s last argument, which counts only with MREMAP_FIXED."""
        is_fixed = self.value("flags") & 2
        return values.pointer(argument) if is_fixed and isinstance(argument, int) else None

    def directory_entries(self, argument: Argument) -> str:
        """Return getdents64(2)'s buffer: how many entries are in it."""
        if self.is_failed or isinstance(argument, bytes):
            return values.pointer(argument) if isinstance(argument, int) else "..."
        try:
            data = self._memory.read(argument, self.result)
        except OSError:
            data = b""
        return f"{argument:#x} /* {values.count_directory_entries(data)} entries */"

    def random_bytes(self, argument: Argument) -> str:
        """Return getrandom(2)'s buffer in hexadecimal."""
        data = None if self.is_failed else self.data(argument, self.result)
        if data is None:
            return values.pointer(argument) if isinstance(argument, int) else "..."
        return values.quote_hexadecimal(data)

    def folder_name(self, argument: Argument) -> str:
        """Return getcwd(2)'s buffer without the NUL at its end."""
        if self.is_failed and isinstance(argument, int):
            return values.pointer(argument)
        return self._quoted(argument, self.result - 1, None)

    def affinity_mask(self, argument: Argument) -> str:
        """Return the CPUs in a mask of sched_getaffinity(2)."""
        data = None if self.is_failed else self.data(argument, self.result)
        if data is None:
            return values.pointer(argument) if isinstance(argument, int) else "..."
        bits = int.from_bytes(data, "little")
        cpus = [str(cpu) for cpu in range(bits.bit_length()) if bits >> cpu & 1]
        return f"[{' '.join(cpus)}]"

    def remaining_time(self, argument: Argument) -> str:
        """Return nanosleep(2)'s second buffer, which is filled only where a signal interrupts."""
        return values.pointer(argument) if isinstance(argument, int) else "..."

    def fcntl_argument(self, argument: Argument) -> str | None:
        """Return fcntl(2)'s third argument in the form that the command gives it."""
        command = names.FCNTLS.get(self.value("cmd"), "")
        if command in _FCNTLS_WITHOUT_ARGUMENT or isinstance(argument, bytes):
            return None
        if command == "F_SETFD":
            return show_flags(argument, (("FD_CLOEXEC", 1),))
        if command == "F_SETFL":
            return _open_flags(argument)
        return str(argument) if command.startswith("F_DUPFD") else f"{argument:#x}"

    def _fcntl_result(self) -> str:
        command = names.FCNTLS.get(self.value("cmd"), "")
        if command == "F_GETFL":
            return f"{self.result:#x} (flags {_open_flags(self.result)})"
        if command == "F_GETFD" and self.result:
            return f"{self.result:#x} (flags FD_CLOEXEC)"
        return str(self.result)

    def ioctl_argument(self, argument: Argument) -> str:
        """Return ioctl(2)'s third argument: a terminal's size, a number, or an address."""
        request = names.IOCTLS.get(self.value("request"), "")
        if isinstance(argument, int) and not self.is_failed:
            if request in ("TIOCGWINSZ", "TIOCSWINSZ") and (data := self.data(argument, 8)):
                return values.structure("winsize", data)
            if request in _NUMBER_IOCTLS and (data := self.data(argument, 4)):
                return values.structure("int", data)
            if request in ("TCGETS", "TCSETS", "TCSETSW", "TCSETSF"):
                return "{...}"
        return values.pointer(argument) if isinstance(argument, int) else "..."

    def prctl_argument(self, argument: Argument) -> str | None:
        """Return prctl(2)'s second argument: a name, or a number."""
        option = names.PRCTL.get(self.value("option"), "")
        if option.endswith("_NAME"):
            return self._string(argument)
        if option in ("PR_GET_DUMPABLE", "PR_GET_NO_NEW_PRIVS"):
            return None
        return show_flags(argument, ()) if isinstance(argument, int) else "..."


_STRING_TYPES = frozenset(("path", "link", "name", "wpath", "wlink", "wnew", "wto", "string"))
_FCNTLS_WITHOUT_ARGUMENT = frozenset(
    ("F_GETFD", "F_GETFL", "F_GETOWN", "F_GETPIPE_SZ", "F_GET_SEALS")
)
_NUMBER_IOCTLS = frozenset(("TIOCGPGRP", "TIOCSPGRP", "FIONREAD", "FIONBIO", "TIOCGSID"))


def _mode(argument: Argument) -> str:
    return values.octal(int(argument) & 0xFFFFFFFF)


def _signed(argument: int) -> str:
    return str(c_int(argument).value)


def _open_flags(value: int) -> str:
    mode = names.OPEN_MODES[value & 3]
    rest = show_flags(value & 0xFFFFFFFC, names.OPEN_FLAGS, "")
    return f"{mode}|{rest}" if rest else mode


def _map_flags(value: int) -> str:
    kind = names.MAP_TYPES.get(value & 0xF, f"{value & 0xF:#x}")
    rest = show_flags(value & ~0xF, names.MAP_FLAGS, "")
    return f"{kind}|{rest}" if rest else kind


def _futex_op(value: int) -> str:
    flags = show_flags(value & ~0x7F & 0xFFFFFFFF, names.FUTEX_FLAGS, "")
    name = show_choice(value & 0x7F, names.FUTEX_OPS)
    return (
        f"{name}_PRIVATE"
        if flags == "FUTEX_PRIVATE_FLAG"
        else "|".join(filter(None, (name, flags)))
    )


def _statx_flags(value: int) -> str:
    if value & 0x6000:
        return show_flags(value, names.STATX_AT_FLAGS)
    rest = show_flags(value, names.AT_FLAGS, "")
    return "|".join(filter(None, ("AT_STATX_SYNC_AS_STAT", rest)))


def _signal(value: int) -> str:
    number = c_int(value).value
    return signal_name(number) if 0 < number <= 64 else str(number)


def _flags(table: names.Flags, zero: str = "0") -> Callable[[int], str]:
    return lambda value: show_flags(value & 0xFFFFFFFF, table, zero)


def _choice(table: names.Choices) -> Callable[[int], str]:
    return lambda value: show_choice(value & 0xFFFFFFFF, table)


def _dirfd(value: int) -> str:
    number = c_int(value).value
    return "AT_FDCWD" if number == _AT_FDCWD else str(number)


_SCALARS: dict[str, Callable[[int], str]] = {
    "fd": _signed,
    "wfd": _signed,
    "mapfd": _signed,
    "dirfd": _dirfd,
    "int": _signed,
    "pid": _signed,
    "uint": lambda value: str(value & 0xFFFFFFFF),
    "size": str,
    "offset": lambda value: str(c_long(value).value),
    "hex": lambda value: f"{value:#x}" if value else "0",
    "key": lambda value: f"{value & 0xFFFFFFFF:#x}" if value else "IPC_PRIVATE",
    "address": values.pointer,
    "mode": _mode,
    "signal": _signal,
    "prot": _flags(names.PROT, "PROT_NONE"),
    "map_flags": _map_flags,
    "mremap_flags": _flags(names.MREMAP_FLAGS),
    "msync_flags": _flags(names.MSYNC_FLAGS),
    "open_flags": _open_flags,
    "access_mode": _flags(names.ACCESS_MODES, "F_OK"),
    "at_flags": _flags(names.AT_FLAGS),
    "statx_mask": _flags(names.STATX_MASK),
    "rename_flags": _flags(names.RENAME_FLAGS),
    "getrandom_flags": _flags(names.GETRANDOM_FLAGS),
    "flock": _flags(names.FLOCK),
    "whence": _choice(names.WHENCE),
    "sigmask_how": _choice(names.SIGMASK_HOW),
    "clock": _choice(names.CLOCKS),
    "rlimit": _choice(names.RLIMITS),
    "fadvise": _choice(names.FADVICE),
    "madvise": _choice(names.MADVICE),
    "arch_prctl": _choice(names.ARCH_PRCTL),
    "prctl": _choice(names.PRCTL),
    "epoll_op": _choice(names.EPOLL_OPS),
    "futex_op": _futex_op,
    "fcntl": _choice(names.FCNTLS),
    "ioctl": _choice(names.IOCTLS),
}
"""How a number is shown, by the type that the table of system calls gives it."""


def _hidden(_call: Call, _argument: Argument) -> None:
    return None


def _at_flags_of(table: names.Flags) -> Callable[[Call, Argument], str]:
    return lambda _call, argument: show_flags(int(argument) & 0xFFFFFFFF, table)


_SPECIAL: dict[tuple[str, str], Callable[[Call, Argument], str | None]] = {
    ("open", "mode"): Call.creation_mode,
    ("openat", "mode"): Call.creation_mode,
    ("mremap", "new_address"): Call.new_address,
    ("getdents", "dirp"): Call.directory_entries,
    ("getdents64", "dirp"): Call.directory_entries,
    ("getrandom", "buf"): Call.random_bytes,
    ("getcwd", "buf"): Call.folder_name,
    ("sched_getaffinity", "mask"): Call.affinity_mask,
    ("nanosleep", "rem"): Call.remaining_time,
    ("clock_nanosleep", "rem"): Call.remaining_time,
    ("fcntl", "arg"): Call.fcntl_argument,
    ("ioctl", "argp"): Call.ioctl_argument,
    ("prctl", "arg2"): Call.prctl_argument,
    ("prctl", "arg3"): _hidden,
    ("prctl", "arg4"): _hidden,
    ("prctl", "arg5"): _hidden,
    ("statx", "flags"): lambda _call, argument: _statx_flags(int(argument) & 0xFFFFFFFF),
    ("unlinkat", "flags"): _at_flags_of(names.UNLINKAT_FLAGS),
    ("faccessat2", "flags"): _at_flags_of(names.FACCESSAT_FLAGS),
    ("dup3", "flags"): _at_flags_of(names.OPEN_FLAGS),
    ("pipe2", "flags"): _at_flags_of(names.OPEN_FLAGS),
    ("futex", "timeout"): _hidden,
    ("futex", "uaddr2"): _hidden,
    ("futex", "val3"): _hidden,
}
"""Arguments whose form or presence depends on the call (name, parameter)."""
