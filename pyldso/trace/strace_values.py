"""Values of system calls as strace shows them: strings, structures, sets."""

from __future__ import annotations

import os
from collections.abc import Callable
from struct import iter_unpack, unpack_from

from pyldso.kernel.signals import signal_name
from pyldso.trace import strace_names as names
from pyldso.trace.strace_names import show_flags

STRING_LIMIT = 32
"""As many bytes of a string are shown (strace -s)."""
_ESCAPES = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_DIGITS = frozenset(b"01234567")
_RLIM_INFINITY = 2**64 - 1
_UTIME_NAMES = {0x3FFFFFFF: "UTIME_NOW", 0x3FFFFFFE: "UTIME_OMIT"}


def quote(data: bytes, limit: int | None = STRING_LIMIT) -> str:
    """Return data in quotation marks, cut to `limit` bytes and then marked by `...`."""
    shown = data if limit is None else data[:limit]
    pieces = []
    for position, byte in enumerate(shown):
        if byte in _ESCAPES:
            pieces.append(_ESCAPES[byte])
        elif 32 <= byte < 127:
            pieces.append(chr(byte))
        elif position + 1 < len(shown) and shown[position + 1] in _DIGITS:
            pieces.append(f"\\{byte:03o}")
        else:
            pieces.append(f"\\{byte:o}")
    return f'"{"".join(pieces)}"{"..." if len(shown) < len(data) else ""}'


def quote_hexadecimal(data: bytes) -> str:
    """Return data in quotation marks, every byte by its number."""
    text = "".join(f"\\x{byte:02x}" for byte in data[:STRING_LIMIT])
    return f'"{text}"{"..." if len(data) > STRING_LIMIT else ""}'


def pointer(value: int) -> str:
    """Return an address, NULL for none."""
    return f"{value:#x}" if value else "NULL"


def signal_set(data: bytes) -> str:
    """Return a signal mask: the names in it, or those not in it where most are."""
    mask = int.from_bytes(data[:8], "little")
    is_inverted = mask.bit_count() >= 42
    if is_inverted:
        mask ^= 2**64 - 1
    members = [_short_name(number) for number in range(1, 65) if mask >> (number - 1) & 1]
    return f"{'~' if is_inverted else ''}[{' '.join(members)}]"


def _short_name(number: int) -> str:
    return signal_name(number).removeprefix("SIG")


def octal(value: int) -> str:
    """Return permissions as three digits or more, the first of which is 0."""
    return f"0{value:o}".zfill(3)


def file_mode(mode: int) -> str:
    """Return st_mode: the file's type and its permissions in octal."""
    kind = names.FILE_TYPES.get(mode & 0o170000)
    permissions = octal(mode & 0o7777)
    return f"{kind}|{permissions}" if kind else permissions


def _stat(data: bytes) -> str:
    mode, _, _, _, device, size = unpack_from("<24xI3IQQ", data)
    return _file_summary("st", mode, size, device)


def _file_summary(prefix: str, mode: int, size: int, device: int) -> str:
    what = f"{prefix}_size={size}"
    if mode & 0o170000 in (0o020000, 0o060000):
        what = f"{prefix}_rdev=makedev({os.major(device):#x}, {os.minor(device):#x})"
    return f"{prefix}_mode={file_mode(mode)}, {what}, ..."


def _statx(data: bytes) -> str:
    mask, attributes, mode, size = unpack_from("<I4xQ12xH10xQ", data)
    shown = show_flags(mask, names.STATX_MASK)
    summary = _file_summary("stx", mode, size, os.makedev(*unpack_from("<II", data, 128)))
    return f"stx_mask={shown}, stx_attributes={show_flags(attributes, ())}, {summary}"


def _statfs(data: bytes) -> str:
    kind, block_size, blocks, free = unpack_from("<4Q", data)
    return f"f_type={kind:#x}, f_bsize={block_size}, f_blocks={blocks}, f_bfree={free}, ..."


def _time(data: bytes, unit: str = "nsec") -> str:
    seconds, parts = unpack_from("<qq", data)
    return f"tv_sec={seconds}, tv_{unit}={parts}"


def _time_pair(data: bytes, unit: str = "nsec") -> str:
    shown = []
    for half in (data[:16], data[16:32]):
        parts = unpack_from("<8xQ", half)[0]
        shown.append(_UTIME_NAMES.get(parts) or f"{{{_time(half, unit)}}}")
    return ", ".join(shown)


def _timer(data: bytes, unit: str) -> str:
    return f"it_interval={{{_time(data, unit)}}}, it_value={{{_time(data[16:], unit)}}}"


def _limit(value: int) -> str:
    if value == _RLIM_INFINITY:
        return "RLIM64_INFINITY"
    return f"{value // 1024}*1024" if value > 1024 and value % 1024 == 0 else str(value)


def _rlimit(data: bytes) -> str:
    current, maximum = unpack_from("<2Q", data)
    return f"rlim_cur={_limit(current)}, rlim_max={_limit(maximum)}"


def _sigaction(data: bytes) -> str:
    handler, flags, restorer = unpack_from("<3Q", data)
    shown = {0: "SIG_DFL", 1: "SIG_IGN"}.get(handler) or f"{handler:#x}"
    text = f"sa_handler={shown}, sa_mask={signal_set(data[24:])}"
    text += f", sa_flags={show_flags(flags, names.SA_FLAGS)}"
    return text + (f", sa_restorer={restorer:#x}" if flags & 0x4000000 else "")


def _text_field(data: bytes, start: int, length: int) -> str:
    return quote(data[start : start + length].split(b"\0")[0])


def _utsname(data: bytes) -> str:
    return f"sysname={_text_field(data, 0, 65)}, nodename={_text_field(data, 65, 65)}, ..."


def _rusage(data: bytes) -> str:
    return f"ru_utime={{{_time(data, 'usec')}}}, ru_stime={{{_time(data[16:], 'usec')}}}, ..."


def _stack(data: bytes) -> str:
    address, flags, size = unpack_from("<QI4xQ", data)
    shown = show_flags(flags, names.SS_FLAGS)
    return f"ss_sp={pointer(address)}, ss_flags={shown}, ss_size={size}"


def _pollfd(data: bytes) -> str:
    fd, events = unpack_from("<ih", data)
    return f"fd={fd}, events={show_flags(events & 0xFFFF, names.POLL_EVENTS)}"


def _epoll_event(data: bytes) -> str:
    events, value = unpack_from("<IQ", data)
    shown = show_flags(events, names.EPOLL_EVENTS)
    return f"events={shown}, data={{u32={value & 0xFFFFFFFF}, u64={value}}}"


def _fields(layout: str, *fields: str) -> Callable[[bytes], str]:
    def show(data: bytes) -> str:
        values = unpack_from(layout, data)
        return ", ".join(f"{name}={value}" for name, value in zip(fields, values, strict=True))

    return show


STRUCTURES: dict[str, Callable[[bytes], str]] = {
    "stat": _stat,
    "statx": _statx,
    "statfs": _statfs,
    "timespec": _time,
    "timeval": lambda data: _time(data, "usec"),
    "itimerspec": lambda data: _timer(data, "nsec"),
    "itimerval": lambda data: _timer(data, "usec"),
    "rlimit": _rlimit,
    "sigaction": _sigaction,
    "utsname": _utsname,
    "rusage": _rusage,
    "stack_t": _stack,
    "pollfd": _pollfd,
    "epoll_event": _epoll_event,
    "sysinfo": lambda data: f"uptime={unpack_from('<q', data)[0]}, ...",
    "timezone": _fields("<ii", "tz_minuteswest", "tz_dsttime"),
    "tms": _fields("<4q", "tms_utime", "tms_stime", "tms_cutime", "tms_cstime"),
    "utimbuf": _fields("<qq", "actime", "modtime"),
    "winsize": _fields("<4H", "ws_row", "ws_col", "ws_xpixel", "ws_ypixel"),
}
"""What stands between the braces of a structure."""


def _fd_set(data: bytes) -> str:
    bits = int.from_bytes(data, "little")
    return " ".join(str(fd) for fd in range(bits.bit_length()) if bits >> fd & 1)


LISTS: dict[str, Callable[[bytes], str]] = {
    "int": lambda data: str(unpack_from("<i", data)[0]),
    "int2": lambda data: ", ".join(map(str, unpack_from("<2i", data))),
    "long": lambda data: str(unpack_from("<q", data)[0]),
    "fd_set": _fd_set,
    "timespec2": _time_pair,
    "timeval2": lambda data: _time_pair(data, "usec"),
}
"""What stands between the brackets of a list."""


def structure(kind: str, data: bytes) -> str:
    """Return a structure of arch's STRUCTURE_SIZES, or the bytes of one that has no form here."""
    if kind == "sigset":
        return signal_set(data)
    if kind in LISTS:
        return f"[{LISTS[kind](data)}]"
    if kind in STRUCTURES:
        return f"{{{STRUCTURES[kind](data)}}}"
    return "{...}"


def count_directory_entries(data: bytes) -> int:
    """Return how many entries getdents64(2) has filled in."""
    count = at = 0
    while at + 18 <= len(data):
        length = unpack_from("<16xH", data, at)[0]
        if not length:
            break
        at += length
        count += 1
    return count


def poll_results(data: bytes) -> str:
    """Return the descriptors that poll(2) found ready, as strace shows them behind the result."""
    ready = [
        f"{{fd={fd}, revents={show_flags(revents & 0xFFFF, names.POLL_EVENTS)}}}"
        for fd, _, revents in iter_unpack("<ihh", data)
        if revents
    ]
    return f"([{', '.join(ready)}])"
