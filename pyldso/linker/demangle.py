"""C++ names as a person writes them, by the C++ library's own demangler where there is one.

The names are the Itanium C++ ABI's (5.1); `__cxa_demangle` is its 3.4. Only a version script with
`extern "C++"` and a failed link ask for it, so that libstdc++ is not loaded by any other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

LIBRARIES = ("libstdc++.so.6", "libc++abi.so.1")
MANGLED = "_Z"

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
        return partial(demangle, function)
    return str


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
