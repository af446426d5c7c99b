"""libkeystone through ctypes: the only file that knows the library.

Its Python binding takes 12 ms to import, a tenth of a whole `mkso`, for constants of nine other
processors; three calls of keystone.h (0.9.2) are all that is used here.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from functools import cache

from pyldso.errors import PyldsoError

_ARCH_X86, _MODE_64 = 4, 1 << 3
_OPT_SYNTAX = 1
SYNTAX_INTEL, SYNTAX_ATT = 1 << 0, 1 << 1


@cache
def _load() -> ctypes.CDLL:
    found = importlib.util.find_spec("keystone")
    folder = (found.submodule_search_locations or [""])[0] if found else ""
    path = os.path.join(folder, "libkeystone.so")
    if not folder or not os.path.exists(path):
        raise PyldsoError("the instruction encoder is not installed: pip install keystone-engine")
    # RTLD_LAZY, which ctypes does not use by itself: binding all the symbols at once takes time.
    loader = ctypes.CDLL(None).dlopen
    loader.restype = ctypes.c_void_p
    handle = loader(os.fsencode(path), ctypes.c_int(os.RTLD_LAZY))
    if not handle:
        raise PyldsoError(f"cannot load {path}")
    return ctypes.CDLL(path, handle=handle)


class Engine:
    """An x86-64 encoder for one syntax."""

    def __init__(self, syntax: int) -> None:
        self._library = _load()
        self._engine = ctypes.c_void_p()
        opened = self._library.ks_open(_ARCH_X86, _MODE_64, ctypes.byref(self._engine))
        if opened or self._library.ks_option(self._engine, _OPT_SYNTAX, ctypes.c_size_t(syntax)):
            raise PyldsoError("the instruction encoder does not start")

    def encode(self, text: str) -> bytes | None:
        """Return the bytes of `text`, or None where it is refused."""
        code, size, count = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
        failed = self._library.ks_asm(
            self._engine, text.encode("ascii"), ctypes.c_uint64(0), ctypes.byref(code),
            ctypes.byref(size), ctypes.byref(count),
        )  # fmt: skip
        if failed or not count.value:
            return None
        encoded = ctypes.string_at(code, size.value)
        self._library.ks_free(code)
        return encoded

    def close(self) -> None:
        """Give the engine's memory back."""
        self._library.ks_close(self._engine)
