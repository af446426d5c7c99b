"""Guest pages to host memory: one arena, linear windows over it, one permission byte a page.

The guest's address space is cut into windows of 1 TiB, and every window in use has a slot of the
arena, so `offset = address + delta of the window`: a contiguous guest range is contiguous host
memory, and a buffer that a system call takes is one slice of a memoryview. The permission bytes
are what the emulated MMU obeys; mappings with their files are memory.py's.
"""

from __future__ import annotations

import ctypes
import errno
import os

from pyldso.errors import PyldsoError
from pyldso.kernel import host

PAGE_SHIFT, PAGE_SIZE, PAGE_MASK = 12, 0x1000, 0xFFF
ADDRESS_BITS = 47
"""User addresses are below 2**47 (x86-64 with four-level page tables)."""

# A page's permission byte. The low three bits are PROT_READ, PROT_WRITE and PROT_EXEC.
READ, WRITE, EXECUTE = 1, 2, 4
EXECUTED = 8
"""The machine fetched from the page, so translated code of it may exist."""
MAPPED = 0x10
PAST_EOF = 0x20
"""Page of a mapping beyond the end of its file: an access is SIGBUS."""
HOST_READ_ONLY = 0x40
"""Shared page of a file: the host cannot store there either."""

_SLOTS = 8
_WINDOW_BITS = (40, 36, 32)


def page_up(value: int) -> int:
    """Round up to a whole page."""
    return (value + PAGE_MASK) & ~PAGE_MASK


def page_down(value: int) -> int:
    """Round down to a whole page."""
    return value & ~PAGE_MASK


class Arena:
    """Host memory for a whole guest: `view` are its bytes, `permissions` its permission bytes.

    `deltas[address >> window_bits]` added to an address gives the arena offset; 0 where the
    window has no slot. `host_windows` has by the same index what gives the host address.
    """

    __slots__ = (
        "_free_slots",
        "base",
        "deltas",
        "host_windows",
        "permissions",
        "permissions_address",
        "size",
        "view",
        "window_bits",
    )  # fmt: skip

    def __init__(self) -> None:
        for window_bits in _WINDOW_BITS:  # a small `ulimit -v` gets small windows
            size = _SLOTS << window_bits
            flags = host.MAP_PRIVATE | host.MAP_ANONYMOUS | host.MAP_NORESERVE
            try:
                base = host.map_memory(0, size, host.PROT_NONE, flags, -1, 0)
            except OSError:
                continue
            try:
                table = host.map_memory(
                    0, size >> PAGE_SHIFT, host.PROT_READ | host.PROT_WRITE, flags, -1, 0
                )
            except OSError:
                host.unmap_memory(base, size)
                continue
            break
        else:
            raise PyldsoError(
                "not enough address space for the guest: raise the limit (`ulimit -v unlimited`)"
            )
        self.base, self.size, self.window_bits = base, size, window_bits
        self.permissions_address = table
        self.view = memoryview((ctypes.c_ubyte * size).from_address(base)).cast("B")
        page_count = size >> PAGE_SHIFT
        self.permissions = memoryview((ctypes.c_ubyte * page_count).from_address(table)).cast("B")
        self.deltas = [0] * (1 << (ADDRESS_BITS - window_bits))
        self.host_windows = (ctypes.c_uint64 * len(self.deltas))()
        self._free_slots = list(range(_SLOTS))

    def close(self) -> None:
        """Give the memory back to the host; no view of it may be used any more."""
        host.unmap_memory(self.base, self.size)
        host.unmap_memory(self.permissions_address, self.size >> PAGE_SHIFT)

    def open_windows(self, address: int, length: int) -> bool:
        """Give the window of a range a slot; False where it cannot.

        A range that spans windows has none, and there are only so many slots.
        """
        window = address >> self.window_bits
        if (address + length - 1) >> self.window_bits != window or window >= len(self.deltas):
            return False
        if self.deltas[window] == 0:
            # Slot number and window number must differ: a delta of 0 means "none".
            slot = next((slot for slot in self._free_slots if slot != window), None)
            if slot is None:
                return False
            self._free_slots.remove(slot)
            self.deltas[window] = (slot - window) << self.window_bits
            self.host_windows[window] = self.base + self.deltas[window]
        return True

    def offset(self, address: int) -> int:
        """Return the arena offset of an address whose window is open."""
        return address + self.deltas[address >> self.window_bits]

    def host_address(self, address: int) -> int:
        """Return the host address of a guest address whose window is open."""
        return self.base + address + self.deltas[address >> self.window_bits]

    def guest_address(self, host_address: int) -> int | None:
        """Return the guest's address of the arena's memory at a host address."""
        offset = host_address - self.base
        for window, delta in enumerate(self.deltas):
            if delta and (offset - delta) >> self.window_bits == window:
                return offset - delta
        return None

    def permission(self, address: int) -> int:
        """Return the permission byte of the page at any address (0 where nothing is mapped)."""
        if address >> ADDRESS_BITS:
            return 0
        delta = self.deltas[address >> self.window_bits]
        return self.permissions[(address + delta) >> PAGE_SHIFT] if delta else 0

    def code(self, address: int, most: int) -> bytes:
        """Return the code at an address: `most` bytes, of a page at most, or as far as it goes."""
        if not self.permission(address) & EXECUTE:
            return b""
        following = (address | PAGE_MASK) + 1
        if following - address < most and not self.permission(following) & EXECUTE:
            most = following - address
        offset = self.offset(address)
        return bytes(self.view[offset : offset + most])

    def set_permissions(self, start: int, end: int, value: int) -> None:
        """Set the permission byte of all pages of [start, end)."""
        first = self.offset(start) >> PAGE_SHIFT
        ctypes.memset(self.permissions_address + first, value, (end - start) >> PAGE_SHIFT)

    def page_bytes(self, start: int, end: int) -> bytes:
        """Return the permission bytes of the pages of [start, end)."""
        first = self.offset(start) >> PAGE_SHIFT
        return bytes(self.permissions[first : first + ((end - start) >> PAGE_SHIFT)])

    def map_host(
        self, start: int, length: int, prot: int, flags: int, fd: int, offset: int
    ) -> None:
        """Map host memory under a guest range; raises OSError as mmap(2) does."""
        host.map_memory(self.host_address(start), length, prot, flags | host.MAP_FIXED, fd, offset)

    def unmap_host(self, start: int, length: int) -> None:
        """Give the host memory under a guest range back."""
        flags = host.MAP_PRIVATE | host.MAP_ANONYMOUS | host.MAP_NORESERVE
        self.map_host(start, length, host.PROT_NONE, flags, -1, 0)


class MemoryFault(OSError):  # noqa: N818 - the word of signals and page faults
    """A guest address range that cannot be used as asked: EFAULT; `address` is where."""

    def __init__(self, address: int) -> None:
        super().__init__(errno.EFAULT, f"{os.strerror(errno.EFAULT)}: {address:#x}")
        self.address = address
