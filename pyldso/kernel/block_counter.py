"""Counts the instructions that the guest runs, a block at a time.

libunicorn calls the counter before every block of code. How many instructions a block has is
looked up in a small table by address and size; Python measures those that are not there.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from pyldso.arch.x86_64 import vex
from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_SIZE, Arena

_ENTRIES = 4096
_TABLE_SIZE = 16 * _ENTRIES

# void count(uc_engine *uc, uint64_t address, uint32_t size, void *table). An entry of the table is
# the block's key (its address, its size in the upper 16 bits) and the number of instructions.
_COUNT = (
    b"\x48\x89\xf0"                  # mov  rax, rsi
    b"\x48\xc1\xe8\x0c"              # shr  rax, 12
    b"\x48\x31\xf0"                  # xor  rax, rsi
    b"\x81\xe0\xff\x0f\x00\x00"      # and  eax, 4095
    b"\xc1\xe0\x04"                  # shl  eax, 4
    b"\x48\x01\xc8"                  # add  rax, rcx       the entry
    b"\x41\x89\xd0"                  # mov  r8d, edx
    b"\x49\xc1\xe0\x30"              # shl  r8, 48
    b"\x49\x01\xf0"                  # add  r8, rsi        the key
    b"\x4c\x39\x00"                  # cmp  [rax], r8
    b"\x75\x21"                      # jne  unknown
    b"\x4c\x8b\x48\x08"              # mov  r9, [rax+8]
    b"\x48\xb8%(counter)b"           # mov  rax, counter
    b"\xf0\x4c\x29\x08"              # lock sub [rax], r9
    b"\x78\x01"                      # js   spent
    b"\xc3"                          # ret
                                     # spent:
    b"\x48\xb8%(stop)b"              # mov  rax, uc_emu_stop
    b"\xff\xe0"                      # jmp  rax
                                     # unknown:
    b"\x48\xb8%(callback)b"          # mov  rax, callback
    b"\xff\xe0"                      # jmp  rax
)  # fmt: skip


class BlockCounter:
    """Takes the instructions of every block from the counter at a host address.

    `stop` is called, at the host address `stop_address`, as long as the counter is negative.
    """

    def __init__(
        self, arena: Arena, counter_address: int, stop: Callable[[], None], stop_address: int
    ) -> None:
        self._arena = arena
        self._stop = stop
        self._left = ctypes.c_int64.from_address(counter_address)
        kind = ctypes.CFUNCTYPE(
            None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
        )
        self._callback = kind(self._measure)
        callback = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        addresses = {b"counter": counter_address, b"stop": stop_address, b"callback": callback}
        code = _COUNT % {name: value.to_bytes(8, "little") for name, value in addresses.items()}
        self.function = host.place_code(code, _TABLE_SIZE)
        """The host address of the counter, a hook function."""
        self.table = self.function + PAGE_SIZE
        """What the counter expects as its last argument."""
        self._entries = (ctypes.c_uint64 * (2 * _ENTRIES)).from_address(self.table)

    def close(self) -> None:
        """Give back the counter's pages; the hook must be gone."""
        host.unmap_memory(self.function, PAGE_SIZE + _TABLE_SIZE)

    def _measure(self, _uc: Any, address: int, size: int, _table: Any) -> None:
        """Measure a block for the table, and count it."""
        offset = self._arena.offset(address)
        count = vex.count_instructions(bytes(self._arena.view[offset : offset + size]))
        index = 2 * ((address ^ address >> 12) & (_ENTRIES - 1))
        self._entries[index] = address + (size << 48) & (2**64 - 1)
        self._entries[index + 1] = count
        self._left.value -= count
        if self._left.value < 0:
            self._stop()
