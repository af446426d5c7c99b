"""The few calls into the host's C library that Python's own modules do not offer.

Guest memory is one host mapping (mmu.py) handled by address: Python's `mmap` objects would own
and free what the emulated machine still uses.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
from collections.abc import Callable
from struct import Struct, pack

from pyldso.arch.x86_64.syscalls import numbers_of
from pyldso.errors import os_error

MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE = 1, 2, 0x10, 0x20, 0x4000
MAP_32BIT = 0x40
PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2
MADV_DONTNEED = 4
_FAILED = 2**64 - 1
CODE_SIZE = 4096
"""A page: what `place_code` takes for code."""

_libc = ctypes.CDLL(None, use_errno=True)
_mmap, _munmap, _mremap = _libc.mmap, _libc.munmap, _libc.mremap
_madvise, _mprotect, _syscall = _libc.madvise, _libc.mprotect, _libc.syscall
_mmap.restype = _mremap.restype = ctypes.c_size_t
_mmap.argtypes = [ctypes.c_size_t, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_munmap.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
_mremap.argtypes = [*[ctypes.c_size_t] * 3, ctypes.c_int, ctypes.c_size_t]
_madvise.argtypes = _mprotect.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long, *[ctypes.c_size_t] * 6]


def _host_error() -> OSError:
    return os_error(ctypes.get_errno())


def map_memory(address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int:
    """Map host memory as mmap(2) does and return its address; raises OSError."""
    result: int = _mmap(address, length, prot, flags, fd, offset)
    if result == _FAILED:
        raise _host_error()
    return result


def place_code(code: bytes, data_size: int = 0) -> int:
    """Return the host address of a page with machine code, and room for data behind the page.

    `code` fits a page; `unmap_memory` gives both back. Raises OSError.
    """
    flags = MAP_PRIVATE | MAP_ANONYMOUS
    page = map_memory(0, CODE_SIZE + data_size, PROT_READ | PROT_WRITE, flags, -1, 0)
    ctypes.memmove(page, code, len(code))
    protect_memory(page, CODE_SIZE, PROT_READ | PROT_EXEC)
    return page


def replace_code(address: int, code: bytes) -> None:
    """Write over a library's machine code, in this process's own copy of it; raises OSError."""
    page = address & -CODE_SIZE
    length = address + len(code) - page
    protect_memory(page, length, PROT_READ | PROT_WRITE | PROT_EXEC)
    ctypes.memmove(address, code, len(code))
    protect_memory(page, length, PROT_READ | PROT_EXEC)


# uint32_t compare_exchange(uint32_t *place, uint32_t old, uint32_t new)
_COMPARE_EXCHANGE = (
    b"\x89\xf0"          # mov  eax, esi
    b"\xf0\x0f\xb1\x17"  # lock cmpxchg [rdi], edx
    b"\xc3"              # ret
)  # fmt: skip


def compare_exchange(address: int, old: int, new: int) -> bool:
    """Store 32 bits where `old` stands, in one with looking, and tell whether it does.

    For what is seldom done: the code is placed anew each time. Raises OSError.
    """
    page = place_code(_COMPARE_EXCHANGE)
    prototype = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32)
    seen: int = prototype(page)(address, old, new)
    unmap_memory(page, CODE_SIZE)
    return seen == old


def unmap_memory(address: int, length: int) -> None:
    """Unmap host memory; raises OSError."""
    if _munmap(address, length):
        raise _host_error()


def move_memory(old: int, old_length: int, new: int, new_length: int) -> None:
    """Move host pages to `new` (mremap(2) with MREMAP_FIXED); raises OSError."""
    if _mremap(old, old_length, new_length, MREMAP_MAYMOVE | MREMAP_FIXED, new) == _FAILED:
        raise _host_error()


def discard_memory(address: int, length: int) -> None:
    """Give private host pages back: they read as their file or as zeros again."""
    if _madvise(address, length, MADV_DONTNEED):
        raise _host_error()


def set_signal_action(number: int, action: bytes) -> None:
    """Set what a signal does: `action` is a struct sigaction; raises OSError."""
    if _libc.sigaction(number, action, None):
        raise _host_error()


def protect_memory(address: int, length: int, prot: int) -> None:
    """Change the protection of host pages; raises OSError."""
    if _mprotect(address, length, prot):
        raise _host_error()


def host_syscall(number: int, *arguments: int | bytes) -> int:
    """Make a system call of the host and return its result; raises OSError.

    Pointers among the arguments must be host addresses that were checked; bytes are passed as a
    NUL-terminated string. What may wait is asked of SignalIntake.call instead.
    """
    words, _buffers = call_words(arguments)
    result: int = _syscall(number, *words)
    if result == -1:
        raise _host_error()
    return result


def call_words(arguments: tuple[int | bytes, ...]) -> tuple[list[int], list[object]]:
    """Return the six words of a system call, and what must live as long as it."""
    buffers: list[object] = []
    words = [0] * 6
    for index, argument in enumerate(arguments):
        if isinstance(argument, bytes):
            buffer = ctypes.create_string_buffer(argument)
            buffers.append(buffer)
            argument = ctypes.addressof(buffer)
        words[index] = argument
    return words, buffers


_RT_SIGACTION, RT_SIGPROCMASK, _PRLIMIT64, _GETCPU = numbers_of(
    "rt_sigaction", "rt_sigprocmask", "prlimit64", "getcpu"
)
_CAPGET, _CAPSET = numbers_of("capget", "capset")
_CAPABILITY_VERSION = 0x20080522
_TIMER_CREATE, TIMER_SETTIME, _TIMER_DELETE = numbers_of(
    "timer_create", "timer_settime", "timer_delete"
)
CLOCK_MONOTONIC, TIMER_ABSTIME = 1, 1
SIGEVENT = Struct("<QiiI44x")
"""struct sigevent: value, signal, how it notifies, and a thread's id."""
SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 0, 1, 2, 4
CAP_NET_ADMIN = 12
_RLIMIT_CORE = 4
_SIG_UNBLOCK, SIG_SETMASK = 1, 2
ALL_SIGNALS = 2**64 - 1


def set_kernel_action(number: int, action: bytes) -> bytes:
    """Set what a signal does by the kernel's own struct sigaction, and return the former one."""
    former = ctypes.create_string_buffer(32)
    host_syscall(_RT_SIGACTION, number, action, ctypes.addressof(former), 8)
    return former.raw


def signal_mask() -> int:
    """Return the calling thread's set of blocked signals."""
    former = ctypes.c_uint64()
    host_syscall(RT_SIGPROCMASK, SIG_SETMASK, 0, ctypes.addressof(former), 8)
    return former.value


def unblock_signals(mask: int) -> None:
    """Let signals come to the calling thread, besides those that it does not block now."""
    host_syscall(RT_SIGPROCMASK, _SIG_UNBLOCK, ctypes.addressof(ctypes.c_uint64(mask)), 0, 8)


def set_signal_mask(mask: int) -> int:
    """Set the calling thread's set of blocked signals and return the former one."""
    new, former = ctypes.c_uint64(mask), ctypes.c_uint64()
    places = ctypes.addressof(new), ctypes.addressof(former)
    host_syscall(RT_SIGPROCMASK, SIG_SETMASK, *places, 8)
    return former.value


def forbid_core_files() -> bytes:
    """Let the host dump no core of the emulator; return struct rlimit as it was."""
    former = ctypes.create_string_buffer(16)
    place = ctypes.addressof(former)
    host_syscall(_PRLIMIT64, 0, _RLIMIT_CORE, 0, place)
    if former.raw[:8] != bytes(8):
        host_syscall(_PRLIMIT64, 0, _RLIMIT_CORE, bytes(8) + former.raw[8:], 0)
    return former.raw


def create_timer(clock: int, event: bytes | int) -> int:
    """Return the id of a new timer of timer_create(2); `event` is a struct sigevent or 0."""
    timer = ctypes.c_int()
    host_syscall(_TIMER_CREATE, clock, event, ctypes.addressof(timer))
    return timer.value


def delete_timer(timer: int) -> None:
    """Delete a timer; raises OSError."""
    host_syscall(_TIMER_DELETE, timer)


def give_up_capability(number: int) -> None:
    """Let the host refuse to this process, for good, what a capability allows (capabilities(7))."""
    header = pack("<II", _CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper halves
    host_syscall(_CAPGET, header, ctypes.addressof(sets))
    half = 3 * (number // 32)
    for index in range(half, half + 3):
        sets[index] &= ~(1 << number % 32)
    host_syscall(_CAPSET, header, ctypes.addressof(sets))


_place = (ctypes.c_uint * 2)()
_cpu_address = ctypes.addressof(_place)


def processor() -> tuple[int, int]:
    """Return the numbers of the processor and of the node that this thread runs on (getcpu(2))."""
    host_syscall(_GETCPU, _cpu_address, _cpu_address + 4, 0)
    return _place[0], _place[1]


def clock_gettime_address() -> int:
    """Return where the host's C library has clock_gettime(2), for machine code."""
    return ctypes.cast(_libc.clock_gettime, ctypes.c_void_p).value or 0


def start_deaf_thread(function: Callable[..., object], *arguments: object) -> None:
    """Start a thread to which the kernel gives no signals: they are the first thread's.

    Raises OSError with EAGAIN where the user has too many (pthread_create(3)).
    """
    mask = set_signal_mask(ALL_SIGNALS)
    try:
        _thread.start_new_thread(function, arguments)
    except RuntimeError:
        raise os_error(errno.EAGAIN) from None
    finally:
        set_signal_mask(mask)
