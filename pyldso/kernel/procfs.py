"""The files of /proc whose content is the guest's and not the host process's (proc(5))."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyldso.errors import os_error
from pyldso.kernel.mmu import EXECUTE, PAGE_SIZE, READ, WRITE

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace
    from pyldso.kernel.process import Process
    from pyldso.kernel.vma import Vma

_NAME_COLUMN = 73
_FIRST_STAT_FIELD = 3
"""The number in proc(5) of the field behind the command's name in /proc/self/stat."""


def content(process: Process, entry: str, tid: int) -> bytes | None:
    """Return what a thread's file in /proc shows to the guest; None where it is the host's."""
    shown: dict[str, Callable[[], bytes]] = {
        "maps": lambda: _maps_text(process.memory, process.files.paths.guest_name),
        "cmdline": lambda: process.cmdline,
        "environ": lambda: process.environ,
        "auxv": lambda: process.auxv,
        "comm": lambda: thread_name(process, tid) + b"\n",
        "stat": lambda: _stat_text(process, tid),
        "statm": lambda: _statm_text(process),
        "status": lambda: _status_text(process, tid),
        "limits": lambda: _limits_text(process),
        "/proc/sysvipc/shm": lambda: _sysvipc_text(process, "shm"),
        "/proc/sysvipc/sem": lambda: _sysvipc_text(process, "sem"),
        "/proc/sysvipc/msg": lambda: _sysvipc_text(process, "msg"),
    }
    show = shown.get(entry)
    return show() if show is not None else None


_OF_MEMORY = frozenset(("maps", "smaps", "smaps_rollup", "numa_maps"))


def content_of_relative(process: Process, pid: int, entry: str) -> bytes | None:
    """Return what /proc shows of another process of the program; None where it is the host's.

    Raises OSError where only that process itself could tell.
    """
    from pyldso.kernel.relatives import record_of  # start-up: seldom asked for

    record = record_of(process, pid)
    if record is None:
        return None
    if entry in _OF_MEMORY:
        process.refuse(f"/proc/{pid}/{entry}", "only a process itself knows its memory")
        raise os_error(errno.EACCES)
    return record._asdict().get(entry)


def _maps_text(memory: AddressSpace, shown_name: Callable[[str], str]) -> bytes:
    """Return what /proc/self/maps shows; `shown_name` is the guest's name of a host's file."""
    shown = (vma for vma in memory.vmas if vma.name or not vma.is_sealed)  # not pyldso's empty page
    return b"".join(_maps_line(vma, shown_name) for vma in shown)


def _maps_line(vma: Vma, shown_name: Callable[[str], str]) -> bytes:
    prot = "".join(
        letter if vma.prot & bit else "-"
        for bit, letter in ((READ, "r"), (WRITE, "w"), (EXECUTE, "x"))
    )
    device = vma.file.device if vma.file else 0
    line = (
        f"{vma.start:08x}-{vma.end:08x} {prot}{'s' if vma.is_shared else 'p'} {vma.offset:08x} "
        f"{os.major(device):02x}:{os.minor(device):02x} {vma.file.inode if vma.file else 0} "
    )
    if vma.name:
        line = line.ljust(_NAME_COLUMN) + (shown_name(vma.name) if vma.file else vma.name)
    return os.fsencode(line + "\n")


def _pages(memory: AddressSpace, accepts: Callable[[Vma], bool] = lambda vma: True) -> int:
    """Return how many pages of the guest's mappings are `accepts`'s."""
    mapped = (vma.end - vma.start for vma in memory.vmas if not vma.is_sealed and accepts(vma))
    return sum(mapped) // PAGE_SIZE


def _is_data(vma: Vma) -> bool:
    return bool(vma.prot & WRITE) and not vma.is_shared and not vma.grows_down


def thread_name(process: Process, tid: int) -> bytes:
    """Return what prctl(2) calls a thread: the host's thread is called so, but for the first."""
    if tid == os.getpid():
        return process.command_name
    return _host_file(f"task/{tid}/comm").rstrip(b"\n")


def set_thread_name(process: Process, tid: int, name: bytes) -> None:
    """Name a thread."""
    if tid == os.getpid():
        process.command_name = name[:15]
        if process.family_fd >= 0:
            from pyldso.kernel.relatives import show_name  # start-up: seldom needed

            show_name(process)
    else:
        with open(f"/proc/self/task/{tid}/comm", "wb", buffering=0) as file:
            file.write(name[:15])


def _statm_text(process: Process) -> bytes:
    """Return what /proc/self/statm shows; what is resident is the host process's."""
    memory = process.memory
    resident, shared = _host_file("statm").split()[1:3]
    code = _pages(memory, lambda vma: bool(vma.prot & EXECUTE) and vma.file is not None)
    data = _pages(memory, lambda vma: _is_data(vma) or vma.grows_down)
    sizes = (_pages(memory), resident.decode(), shared.decode(), code, 0, data, 0)
    return " ".join(map(str, sizes)).encode() + b"\n"


def _stat_text(process: Process, tid: int) -> bytes:
    """Return what a thread's `stat` shows: the host's, with the guest's name and memory."""
    fields = _host_file(_of_thread("stat", tid)).rpartition(b") ")[2].split()
    stack = next((vma for vma in process.memory.vmas if vma.grows_down), None)
    own = {
        20: len(process.threads),
        23: _pages(process.memory) * PAGE_SIZE,
        28: stack.end if stack else 0,
    }
    for number, value in own.items():
        fields[number - _FIRST_STAT_FIELD] = b"%d" % value
    return b"%d (%s) %s\n" % (tid, thread_name(process, tid), b" ".join(fields))


def _status_text(process: Process, tid: int) -> bytes:
    """Return what a thread's `status` shows: the host's, with the guest's name and memory."""
    memory = process.memory

    def kilobytes(pages: int) -> bytes:
        return b"%8d kB" % (pages * PAGE_SIZE >> 10)

    own = {
        b"Name": thread_name(process, tid),
        b"VmPeak": kilobytes(_pages(memory)),
        b"VmSize": kilobytes(_pages(memory)),
        b"VmData": kilobytes(_pages(memory, _is_data)),
        b"VmStk": kilobytes(_pages(memory, lambda vma: vma.grows_down)),
        b"Threads": b"%d" % len(process.threads),
    }
    lines = []
    for line in _host_file(_of_thread("status", tid)).splitlines():
        name = line.partition(b":")[0]
        lines.append(b"%s:\t%s" % (name, own[name]) if name in own else line)
    return b"\n".join(lines) + b"\n"


_LIMITS = (
    ("Max cpu time", 0, "seconds"),
    ("Max file size", 1, "bytes"),
    ("Max data size", 2, "bytes"),
    ("Max stack size", 3, "bytes"),
    ("Max core file size", 4, "bytes"),
    ("Max resident set", 5, "bytes"),
    ("Max processes", 6, "processes"),
    ("Max open files", 7, "files"),
    ("Max locked memory", 8, "bytes"),
    ("Max address space", 9, "bytes"),
    ("Max file locks", 10, "locks"),
    ("Max pending signals", 11, "signals"),
    ("Max msgqueue size", 12, "bytes"),
    ("Max nice priority", 13, ""),
    ("Max realtime priority", 14, ""),
    ("Max realtime timeout", 15, "us"),
)
_INFINITY = 2**64 - 1


def _limits_text(process: Process) -> bytes:
    """Return what /proc/self/limits shows."""
    import resource  # start-up: seldom asked for

    lines = [f"{'Limit':<25} {'Soft Limit':<20} {'Hard Limit':<20} {'Units':<10}"]
    for name, number, unit in _LIMITS:
        own = process.resource_limits.get(number)
        pair = struct.unpack("<QQ", own) if own else resource.getrlimit(number)
        soft, hard = (
            "unlimited" if value in (_INFINITY, resource.RLIM_INFINITY) else str(value)
            for value in pair
        )
        lines.append(f"{name:<25} {soft:<20} {hard:<20} {unit and f'{unit:<10}'}")
    return "\n".join(lines).encode() + b"\n"


_KEY_COLUMN = 10


def _sysvipc_text(process: Process, kind: str) -> bytes:
    """Return what a file of /proc/sysvipc shows: the program's own objects."""
    from pyldso.kernel.ipc import KINDS, World  # start-up: seldom asked for

    with open(f"/proc/sysvipc/{kind}", "rb") as file:
        lines = file.readlines()
    rows = World(process.family_fd).rows() if process.family_fd >= 0 else []
    keys = {row.ipc_id: row.key for row in rows if row.kind == KINDS[kind]}
    shown = [lines[0]]
    for line in lines[1:]:
        number = int(line.split()[1])
        if number in keys:
            shown.append(b"%*d" % (_KEY_COLUMN, keys[number]) + line[_KEY_COLUMN:])
    return b"".join(shown)


def _of_thread(name: str, tid: int) -> str:
    return name if tid == os.getpid() else f"task/{tid}/{name}"


def _host_file(name: str) -> bytes:
    with open(f"/proc/self/{name}", "rb") as file:
        return file.read()
