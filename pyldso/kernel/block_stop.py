"""Stops the machine between two blocks of code, asked from any thread: the portable way.

libunicorn's own stop, from another thread, lets instructions run twice where the quick way of
cpu.py is not there. A hook in machine code, called before every block, looks at a byte instead.
"""

from __future__ import annotations

import ctypes

from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_SIZE

# void look(uc_engine *uc, ...): the byte is the first of the page behind the code.
_LOOK = (
    b"\x80\x3d\xf9\x0f\x00\x00\x00"  # cmp  byte [rip+0xff9], 0
    b"\x75\x01"                      # jne  asked
    b"\xc3"                          # ret
                                     # asked:
    b"\x48\xb8%(stop)b"              # mov  rax, uc_emu_stop
    b"\xff\xe0"                      # jmp  rax
)  # fmt: skip


class BlockStop:
    """A hook function and the byte that it looks at; `stop_address` is uc_emu_stop's."""

    __slots__ = ("_asked", "function")

    def __init__(self, stop_address: int) -> None:
        code = _LOOK % {b"stop": stop_address.to_bytes(8, "little")}
        self.function = host.place_code(code, PAGE_SIZE)
        """The host address of the hook."""
        self._asked = ctypes.c_ubyte.from_address(self.function + PAGE_SIZE)

    def ask(self) -> None:
        """Let the machine stop before the next block."""
        self._asked.value = 1

    def forget(self) -> None:
        """Ask for nothing any more: the machine has stopped."""
        self._asked.value = 0

    def close(self) -> None:
        """Give back the pages; the hook must be gone."""
        host.unmap_memory(self.function, 2 * PAGE_SIZE)
