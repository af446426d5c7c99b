"""Fills the soft TLB of libunicorn from the arena's permission bytes: the page table walk.

libunicorn asks whenever it does not know a page, some 100,000 times in a run of a compiler. Machine
code answers where the access is allowed; Python does where it is not, and where the TLB is to grow.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from pyldso.kernel import host
from pyldso.kernel.mmu import (
    ADDRESS_BITS,
    EXECUTE,
    EXECUTED,
    PAGE_SHIFT,
    PAGE_SIZE,
    READ,
    WRITE,
    Arena,
)

_PHYSICAL_BIT = 48
ARENA_PHYSICAL = 1 << _PHYSICAL_BIT
"""Where the arena stands in the machine's physical memory."""
MEM_READ, MEM_WRITE, MEM_FETCH = 16, 17, 18
"""What kind of access is at hand (uc_mem_type); READ, WRITE and EXECUTE are 1 shifted so far."""
_FIRST_SIZE, _LARGEST_SIZE = 256, 1 << 20

# bool fill(uc_engine *uc, uint64_t address, uc_mem_type type, uc_tlb_entry *result, void *left),
# with the physical page at 0 of the result and its permissions at 8. The same as `_fill` below.
_FILL = (
    b"\x48\x89\xf0"                      # mov    rax, rsi
    b"\x48\xc1\xe8%(address_bits)b"      # shr    rax, address_bits
    b"\x0f\x85\x8c\x00\x00\x00"          # jnz    slow
    b"\x48\x89\xf0"                      # mov    rax, rsi
    b"\x48\xc1\xe8%(window_bits)b"       # shr    rax, window_bits
    b"\x49\xb9%(windows)b"               # mov    r9, host_windows
    b"\x49\x8b\x04\xc1"                  # mov    rax, [r9+rax*8]
    b"\x48\x85\xc0"                      # test   rax, rax
    b"\x74\x72"                          # jz     slow             not in use
    b"\x48\x01\xf0"                      # add    rax, rsi
    b"\x49\xb9%(base)b"                  # mov    r9, base
    b"\x4c\x29\xc8"                      # sub    rax, r9          the arena offset
    b"\x49\x89\xc1"                      # mov    r9, rax
    b"\x49\xc1\xe9%(page_shift)b"        # shr    r9, page_shift
    b"\x49\xba%(permissions)b"           # mov    r10, permissions
    b"\x4d\x01\xd1"                      # add    r9, r10
    b"\x45\x0f\xb6\x11"                  # movzx  r10d, byte [r9]
    b"\x44\x8d\x5a\xf0"                  # lea    r11d, [rdx-MEM_READ]
    b"\x45\x0f\xa3\xda"                  # bt     r10d, r11d
    b"\x73\x40"                          # jnc    slow             not allowed
    b"\x49\x83\x38\x01"                  # cmp    qword [r8], 1
    b"\x76\x3a"                          # jbe    slow             time to grow
    b"\x49\xff\x08"                      # dec    qword [r8]
    b"\x48\x0f\xba\xe8%(physical_bit)b"  # bts    rax, physical_bit
    b"\x48\x89\x01"                      # mov    [rcx], rax
    b"\x44\x89\xd0"                      # mov    eax, r10d
    b"\x41\x83\xe2\x07"                  # and    r10d, READ | WRITE | EXECUTE
    b"\x41\x83\xfb\x02"                  # cmp    r11d, MEM_FETCH - MEM_READ
    b"\x74\x0c"                          # je     executed
    b"\x41\x83\xfa\x06"                  # cmp    r10d, WRITE | EXECUTE
    b"\x73\x06"                          # jae    executed         its fetches do not ask
    b"\x41\x83\xe2\x03"                  # and    r10d, READ | WRITE
    b"\xeb\x0c"                          # jmp    done
                                         # executed:
    b"\x83\xe0\x0a"                      # and    eax, WRITE | EXECUTED
    b"\x83\xf8\x02"                      # cmp    eax, WRITE
    b"\x74\x0e"                          # je     slow             for the first time
    b"\x41\x80\x09\x08"                  # or     byte [r9], EXECUTED
                                         # done:
    b"\x4c\x89\x51\x08"                  # mov    [rcx+8], r10
    b"\xb8\x01\x00\x00\x00"              # mov    eax, 1
    b"\xc3"                              # ret
                                         # slow:
    b"\x48\xb8%(callback)b"              # mov    rax, callback
    b"\xff\xe0"                          # jmp    rax
)  # fmt: skip


class TlbFill:
    """The TLB's fill hook: `function` with `user` as its last argument.

    `refuse(address, access, entry)` answers for a page that does not allow an access: 0, or 1 with
    the entry filled in; `retry(address, access)` may make it allowed before. Where `postpone()` is
    true, a page that can be written is not executed yet: the run ends, and begins again.
    """

    def __init__(
        self,
        arena: Arena,
        retry: Callable[[int, int], bool],
        refuse: Callable[[int, int, int], int],
        postpone: Callable[[], bool],
        flush: Callable[[], None],
        *,
        force_portable: bool,
    ) -> None:
        self._arena = arena
        self._retry = retry
        self._refuse = refuse
        self._postpone = postpone
        self._flush = flush
        self._size = _FIRST_SIZE
        self._left = ctypes.c_uint64(2 * _FIRST_SIZE)
        """How many pages are filled in before the TLB is to grow."""
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int, ctypes.c_void_p,
            ctypes.c_void_p,
        )  # fmt: skip
        self._callback = kind(self._fill)
        self._page = 0
        self.user = ctypes.addressof(self._left)
        self.function = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        """The host address of the hook function."""
        if not force_portable:
            self.function = self._page = self._place_code(self.function)

    def _place_code(self, callback: int) -> int:
        arena = self._arena
        wide = {
            b"windows": ctypes.addressof(arena.host_windows),
            b"base": arena.base,
            b"permissions": arena.permissions_address,
            b"callback": callback,
        }
        narrow = {
            b"address_bits": ADDRESS_BITS,
            b"window_bits": arena.window_bits,
            b"page_shift": PAGE_SHIFT,
            b"physical_bit": _PHYSICAL_BIT,
        }
        code = _FILL % {
            **{name: value.to_bytes(8, "little") for name, value in wide.items()},
            **{name: bytes((value,)) for name, value in narrow.items()},
        }
        return host.place_code(code)

    def close(self) -> None:
        """Give back the code's page; the hook must be gone."""
        if self._page:
            host.unmap_memory(self._page, PAGE_SIZE)

    def _fill(self, _uc: Any, address: int, kind: int, entry_address: int, _user: Any) -> int:
        """Give a page's physical address and permissions (uc_tlb_entry), or refuse."""
        arena = self._arena
        access = 1 << (kind - MEM_READ)
        permission = arena.permission(address)
        if not permission & access:
            if not self._retry(address, access):
                return self._refuse(address, access, entry_address)
            permission = arena.permission(address)
        offset = arena.offset(address)
        if kind == MEM_FETCH or permission & (WRITE | EXECUTE) == WRITE | EXECUTE:
            # Where all is allowed, no fetch asks after the first access of data.
            if permission & (WRITE | EXECUTED) == WRITE and self._postpone():
                return 0
            arena.permissions[offset >> PAGE_SHIFT] = permission | EXECUTED
            given = permission & (READ | WRITE | EXECUTE)
        else:
            # A data access must not make a page fetchable, or code that is written later
            # would run without its page being marked as executed.
            given = permission & (READ | WRITE)
        entry = (ctypes.c_uint64 * 2).from_address(entry_address)
        entry[0], entry[1] = offset + ARENA_PHYSICAL, given
        self._left.value -= 1
        if self._left.value == 0:
            # The TLB grows only when it is flushed.
            self._size = min(2 * self._size, _LARGEST_SIZE)
            self._left.value = 2 * self._size
            self._flush()
        return 1
