"""C++ names as a person writes them, by the C++ library's own demangler where there is one.

The names are the Itanium C++ ABI's (5.1); `__cxa_demangle` is its 3.4. Only a version script with
`extern "C++"` and a failed link ask for it, so that libstdc++ is not loaded by any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

LIBRARIES = ("libstdc++.so.6", "libc++abi.so.1")
MANGLED = "_Z"
FEW_REFERENCES = 12
"""With fewer references back a name cannot grow beyond reason."""
LONGEST = 1 << 16
MOST_MEMORY = 64 << 20
MOST_SECONDS = 2.0

CxaDemangle = Callable[[bytes, None, None, None], int]
"""(name, no buffer, no length, no status) -> address of allocated text"""
Demangle = Callable[[str], str]


def demangler() -> Demangle:
    """Return a function that demangles a name, and leaves as it is what is no mangled name.

    Without a C++ library on the machine it leaves all names as they are.
    """
    import ctypes  # 5 ms that an ordinary link does not spend

    for library in LIBRARIES:
        try:
            function = ctypes.CDLL(library).__cxa_demangle
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_void_p
        return Demangler(partial(demangle, function))
    return str


class Demangler:
    """Demangles within bounds: a name of 200 bytes can stand for one of gigabytes.

    Each reference back to a part may double the whole. Names with many of them are demangled in a
    process of their own, which the kernel ends where it takes too much; they stay as they are then.
    """

    __slots__ = ("_child", "_direct", "_known", "_replies", "_requests")

    def __init__(self, direct: Demangle) -> None:
        self._direct = direct
        self._known: dict[str, str] = {}
        self._child = 0
        self._requests = self._replies = -1

    def __call__(self, name: str) -> str:
        """Return the name as a person writes it."""
        if name.count("S") + name.count("T") < FEW_REFERENCES:
            return self._direct(name)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._ask(name)
        return known

    def __del__(self) -> None:
        self._stop()

    def _ask(self, name: str) -> str:
        """Let the other process demangle a name."""
        encoded = name.encode("utf-8", "surrogateescape")
        try:
            if not self._child:
                self._start()
            os.write(self._requests, len(encoded).to_bytes(4, "little") + encoded)
            reply = read_message(self._replies)
        except (OSError, EOFError):
            self._stop()
            return name
        return reply.decode("utf-8", "surrogateescape")

    def _start(self) -> None:
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        self._child = os.fork()
        if not self._child:
            try:
                os.close(self._requests)
                os.close(self._replies)
                serve(self._direct, requests, replies)
            finally:
                os._exit(0)
        os.close(requests)
        os.close(replies)

    def _stop(self) -> None:
        """Forget the other process, which ends when nobody can ask it any more."""
        if self._child:
            os.close(self._requests)
            os.close(self._replies)
            os.waitpid(self._child, 0)
            self._child = 0


def serve(direct: Demangle, requests: int, replies: int) -> None:
    """Demangle the names of `requests` within bounds of memory, and of time for each."""
    import resource
    import signal

    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    while True:
        name = read_message(requests).decode("utf-8", "surrogateescape")
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        shown = direct(name)
        shown = shown if len(shown) <= LONGEST else name
        encoded = shown.encode("utf-8", "surrogateescape")
        view = memoryview(len(encoded).to_bytes(4, "little") + encoded)
        while view:
            view = view[os.write(replies, view) :]


def read_message(pipe: int) -> bytes:
    """Return a message that its length precedes; raises EOFError where no more come."""
    size = int.from_bytes(read_exactly(pipe, 4), "little")
    return read_exactly(pipe, size)


def read_exactly(pipe: int, size: int) -> bytes:
    """Return `size` bytes of a pipe; raises EOFError where it ends before."""
    data = b""
    while len(data) < size:
        part = os.read(pipe, size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def demangle(function: CxaDemangle, name: str) -> str:
    """Return what `__cxa_demangle` makes of a name."""
    import ctypes

    if not name.startswith(MANGLED):
        return name
    text = function(name.encode("utf-8", "surrogateescape"), None, None, None)
    if not text:
        return name
    shown = ctypes.string_at(text).decode("utf-8", "replace")
    release = ctypes.CDLL(None).free
    release.argtypes = (ctypes.c_void_p,)
    release(text)
    return shown
