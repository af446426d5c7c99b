"""Finds the instructions that the emulated processor would compute wrongly, before they run.

libunicorn tells of every block of code that it has translated and is about to run. Python is too
slow to look at them all (a large program has tens of thousands): a small filter in machine code
does, and calls Python only for blocks with bytes that may begin a VEX or EVEX instruction.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from pyldso.arch.x86_64 import vex
from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_SIZE, Arena

_LONGEST_ENTRY = 512
_TABLE_OFFSET = 0x100

# void filter(uc_engine *uc, uc_tb *block, uc_tb *previous, void *windows), with block->pc at 0 and
# block->size at 10. `windows` gives the host address of guest address 0 by the window.
_FILTER = (
    b"\x4c\x8b\x06"                  # mov   r8, [rsi]
    b"\x44\x0f\xb7\x4e\x0a"          # movzx r9d, word [rsi+10]
    b"\x4c\x89\xc0"                  # mov   rax, r8
    b"\x48\xc1\xe8%(window_bits)b"   # shr   rax, window_bits
    b"\x4c\x03\x04\xc1"              # add   r8, [rcx+rax*8]
    b"\x4d\x01\xc1"                  # add   r9, r8
                                     # next:
    b"\x4d\x39\xc8"                  # cmp   r8, r9
    b"\x73\x49"                      # jae   done
    b"\x41\x0f\xb6\x00"              # movzx eax, byte [r8]
    b"\x49\xff\xc0"                  # inc   r8
    b"\x3c\x62"                      # cmp   al, 0x62
    b"\x74\x32"                      # je    found
    b"\x3c\xc5"                      # cmp   al, 0xc5
    b"\x74\x19"                      # je    vex2
    b"\x3c\xc4"                      # cmp   al, 0xc4
    b"\x75\xe8"                      # jne   next
    b"\x4d\x39\xc8"                  # cmp   r8, r9
    b"\x73\x31"                      # jae   done
    b"\x41\x0f\xb6\x00"              # movzx eax, byte [r8]
    b"\x83\xe0\x1f"                  # and   eax, 0x1f         the opcode map:
    b"\xff\xc8"                      # dec   eax               1, 2 or 3
    b"\x83\xf8\x03"                  # cmp   eax, 3
    b"\x73\xd5"                      # jae   next
    b"\xeb\x15"                      # jmp   found
                                     # vex2:
    b"\x49\x8d\x40\x01"              # lea   rax, [r8+1]
    b"\x4c\x39\xc8"                  # cmp   rax, r9
    b"\x73\xca"                      # jae   next
    b"\x0f\xb6\x00"                  # movzx eax, byte [rax]   the opcode
    b"\x0f\xa3\x05\xaa\x00\x00\x00"  # bt    [table], eax
    b"\x73\xbe"                      # jnc   next
                                     # found:
    b"\x48\xb8%(callback)b"          # mov   rax, callback
    b"\xff\xe0"                      # jmp   rax
                                     # done:
    b"\xc3"                          # ret
)  # fmt: skip


class VexGuard:
    """Looks through blocks of code; `on_found(block, end, place)` hears of what it finds."""

    def __init__(self, arena: Arena, on_found: Callable[[int, int, int], None]) -> None:
        self._arena = arena
        self._on_found = on_found
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)
        self._callback = kind(self._look)
        callback = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        code = _FILTER % {
            b"window_bits": bytes((arena.window_bits,)),
            b"callback": callback.to_bytes(8, "little"),
        }
        opcodes = sum(1 << opcode for opcode in vex.VEX2_OPCODES)
        content = code.ljust(_TABLE_OFFSET, b"\0") + opcodes.to_bytes(32, "little")
        self.filter = host.place_code(content)
        """The host address of the filter, a hook function."""
        self.windows = ctypes.addressof(arena.host_windows)
        """What the filter expects as its last argument."""

    def close(self) -> None:
        """Give back the filter's page; the hook must be gone."""
        host.unmap_memory(self.filter, PAGE_SIZE)

    def place_at_entry(self, pc: int) -> int | None:
        """Return the address of the first such instruction before the first branch from `pc` on.

        libunicorn does not tell of the block that a run begins with.
        """
        code = self._arena.code(pc, _LONGEST_ENTRY)
        place = vex.find_unsupported(code, stop_at_branch=True)
        return None if place is None else pc + place

    def _look(self, _uc: Any, block: int, _previous: Any, _user: Any) -> None:
        """Look at a block that has passed the filter (struct uc_tb)."""
        pc = ctypes.c_uint64.from_address(block).value
        size = ctypes.c_uint16.from_address(block + 10).value
        offset = self._arena.offset(pc)
        place = vex.find_unsupported(bytes(self._arena.view[offset : offset + size]))
        if place is not None:
            self._on_found(pc, pc + size, pc + place)
