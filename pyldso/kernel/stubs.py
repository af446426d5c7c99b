"""Pages of pyldso's own code in the guest: where calls return to, and what enters Python.

A trap is a system call of a number that Linux does not have, made from these pages.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyldso.errors import os_error
from pyldso.kernel.mmu import EXECUTE, READ

if TYPE_CHECKING:
    from pyldso.kernel.guest_calls import Calls
    from pyldso.kernel.memory import AddressSpace

TRAP_BASE = 0x70000000
"""System call numbers from here on are traps, where they come from pyldso's own pages."""
_SIZE = 16 * 0x1000
_HLT = b"\xf4"
_RETURN_OFFSET = 16
_SYSCALL = b"\x0f\x05"
_RET = b"\xc3"
_MOV_EAX = b"\xb8"

TrapHandler = Callable[[], "int | Calls | None"] | Callable[[], None]


class Stubs:
    """The pages from `start` on, which the guest can read and run but neither change nor unmap.

    `return_address` is where `Process.call` returns to, and `Process.run` never does.
    """

    def __init__(self, memory: AddressSpace, start: int) -> None:
        memory.map(start, _SIZE, READ | EXECUTE, fixed=True)
        memory.write(start, _HLT * _SIZE)
        vma = memory.find(start)
        if vma is None:
            raise os_error(errno.ENOMEM)
        vma.is_sealed = True
        self._memory = memory
        self._vma = vma
        self.traps: list[TrapHandler] = []
        self.return_address = start + _RETURN_OFFSET
        self._end = self.return_address + _RETURN_OFFSET

    @property
    def end(self) -> int:
        """Where the pages end: what goes there displaces nothing that the guest maps."""
        return self._vma.end

    def holds(self, pc: int) -> bool:
        """Tell whether a program counter is within these pages."""
        return self._vma.start <= pc < self._vma.end

    def trap(self, number: int, pc: int) -> TrapHandler | None:
        """Return what a system call at `pc` enters; None where it is no trap.

        A guest that jumps into the pages can ask for any number there.
        """
        index = number - TRAP_BASE
        return self.traps[index] if 0 <= index < len(self.traps) and self.holds(pc) else None

    def trap_number(self, handler: TrapHandler) -> int:
        """Return the system call number by which a stub enters `handler`.

        The handler runs while the machine stands: it may use registers and memory, run guest code
        with `Process.call` or, as a generator, by its yields (guest_calls.py), and set the program
        counter. Its result goes to RAX unless it is None.
        """
        self.traps.append(handler)
        return TRAP_BASE + len(self.traps) - 1

    def entering(self, handler: TrapHandler) -> bytes:
        """Return the machine code of a function whose body is `handler` (see `trap_number`)."""
        number = self.trap_number(handler).to_bytes(4, "little")
        return _MOV_EAX + number + _SYSCALL + _RET

    def add_trap(self, handler: TrapHandler) -> int:
        """Return the address of a new function whose body is `handler` (see `trap_number`)."""
        return self.place_code(self.entering(handler))

    def place_code(self, code: bytes) -> int:
        """Put machine code on these pages and return its 16-aligned address; raises ENOMEM."""
        address = (self._end + 15) & ~15
        if address + len(code) > self._vma.end:
            raise os_error(errno.ENOMEM)
        self._vma.label = "[pyldso]"
        self._memory.write(address, code)
        self._end = address + len(code)
        return address
