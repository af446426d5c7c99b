"""Guest pages to host memory: one arena, linear windows over it, one permission byte a page.

The guest's address space is cut into windows of 1 TiB, and every window in use has a slot of the
arena, so `offset = address + delta of the window`: a contiguous guest range is contiguous host
memory, and a buffer that a system call takes is one slice of a memoryview. What is mapped at once
across windows has slots one behind the other, with one delta. The permission bytes are what the
emulated MMU obeys; mappings with their files are memory.py's.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator

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

_LAYOUTS = ((32, 40), (8, 36), (8, 32))
"""Slots and bits of a window: the first that there is address space for (`ulimit -v`). A sanitizer
asks for some 24 windows of 1 TiB."""
_DIRECT_WINDOW_BITS = 40
_DIRECT_SIZE = 8 << (64 - _DIRECT_WINDOW_BITS)
"""Bytes of the table of `direct_windows`: it has an entry for whatever 64 bits may be."""
_NO_ADDRESS = 1 << 62
"""Added to any address of the guest's, gives one that is not canonical."""
_MANY_PAGES = 1 << 24
_HOST_PROTECTIONS = bytes(value & (READ | WRITE) for value in range(256))
_REPEATED = 4 << 20
"""From so many pages on, their permission bytes are one piece of memory of this size repeated."""


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
    `direct_windows` is the host address, below 2**31, of a table for machine code that takes any
    64 bits for an address: what has no slot becomes an address that the host refuses, too. It is
    0 where there is no address space for it.

    A page that is never accessible follows the last slot, for what reaches over its end.

    The host's pages have the protection that their permission bytes say, but for EXECUTE. Who
    changes the bytes of pages that are mapped calls `protect_host`.
    """

    __slots__ = (
        "_free_slots",
        "base",
        "deltas",
        "direct_windows",
        "host_windows",
        "permissions",
        "permissions_address",
        "size",
        "view",
        "window_bits",
    )  # fmt: skip

    def __init__(self) -> None:
        for slots, window_bits in _LAYOUTS:
            size = slots << window_bits
            flags = host.MAP_PRIVATE | host.MAP_ANONYMOUS | host.MAP_NORESERVE
            try:
                base = host.map_memory(0, size + PAGE_SIZE, host.PROT_NONE, flags, -1, 0)
            except OSError:
                continue
            try:
                table = host.map_memory(
                    0, size >> PAGE_SHIFT, host.PROT_READ | host.PROT_WRITE, flags, -1, 0
                )
            except OSError:
                host.unmap_memory(base, size + PAGE_SIZE)
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
        self._free_slots = set(range(slots))
        self.direct_windows = self._map_direct_windows()

    def _map_direct_windows(self) -> int:
        if self.window_bits != _DIRECT_WINDOW_BITS:
            return 0
        flags = host.MAP_PRIVATE | host.MAP_ANONYMOUS | host.MAP_NORESERVE | host.MAP_32BIT
        access = host.PROT_READ | host.PROT_WRITE
        try:
            table = host.map_memory(0, _DIRECT_SIZE, access, flags, -1, 0)
        except OSError:
            return 0
        count = len(self.deltas)
        (ctypes.c_uint64 * count).from_address(table)[:] = [_NO_ADDRESS] * count
        return table

    def close(self) -> None:
        """Give the memory back to the host; no view of it may be used any more."""
        host.unmap_memory(self.base, self.size + PAGE_SIZE)
        host.unmap_memory(self.permissions_address, self.size >> PAGE_SHIFT)
        if self.direct_windows:
            host.unmap_memory(self.direct_windows, _DIRECT_SIZE)

    def open_windows(self, address: int, length: int) -> bool:
        """Give all windows of a range slots with one delta; False where there are none."""
        first, last = address >> self.window_bits, (address + length - 1) >> self.window_bits
        if first == last and self.deltas[first]:
            return True
        if last >= len(self.deltas):
            return False
        given = {self.deltas[window] for window in range(first, last + 1)} - {0}
        missing = [window for window in range(first, last + 1) if not self.deltas[window]]
        if len(given) > 1:
            return False
        for distance in [given.pop() >> self.window_bits] if given else self._distances(first):
            slots = {window + distance for window in missing}
            if distance and slots <= self._free_slots:  # a delta of 0 means "none"
                self._free_slots -= slots
                for window in missing:
                    self.deltas[window] = distance << self.window_bits
                    self._set_host_window(window, self.base + self.deltas[window])
                return True
        return False

    def _set_host_window(self, window: int, value: int) -> None:
        self.host_windows[window] = value
        if self.direct_windows:
            entry = ctypes.c_uint64.from_address(self.direct_windows + 8 * window)
            entry.value = value

    def _distances(self, window: int) -> Iterator[int]:
        """Yield how far from a window its slot may be: as for the next one below, if possible.

        Then a range can be mapped that reaches from there to here.
        """
        yield next(
            (self.deltas[w] >> self.window_bits for w in range(window, -1, -1) if self.deltas[w]), 0
        )
        for slot in sorted(self._free_slots):
            yield slot - window

    def is_one_run(self, address: int, last: int) -> bool:
        """Tell whether a range from `address` to its `last` byte lies in windows of one delta."""
        first, end = address >> self.window_bits, last >> self.window_bits
        delta = self.deltas[first]
        if end == first:
            return bool(delta)
        run = self.deltas[first : end + 1]
        return bool(delta) and end < len(self.deltas) and run.count(delta) == len(run)

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
        place = self.permissions_address + (self.offset(start) >> PAGE_SHIFT)
        count = (end - start) >> PAGE_SHIFT
        if count < _MANY_PAGES:
            ctypes.memset(place, value, count)
            return
        first, last = page_up(place), page_down(place + count)
        ctypes.memset(place, value, first - place)
        _repeat(first, last, value)
        ctypes.memset(last, value, place + count - last)

    def page_bytes(self, start: int, end: int) -> bytes:
        """Return the permission bytes of the pages of [start, end)."""
        first = self.offset(start) >> PAGE_SHIFT
        return bytes(self.permissions[first : first + ((end - start) >> PAGE_SHIFT)])

    def map_host(
        self, start: int, length: int, prot: int, flags: int, fd: int, offset: int
    ) -> None:
        """Map host memory under a guest range; raises OSError as mmap(2) does."""
        host.map_memory(self.host_address(start), length, prot, flags | host.MAP_FIXED, fd, offset)

    def protect_host(self, start: int, end: int, permission: int) -> None:
        """Give the host's pages of a range the protection that a permission byte says.

        Raises OSError.
        """
        prot = permission & (READ | WRITE)
        host.protect_memory(self.host_address(start), end - start, prot)

    def match_host(self, start: int, end: int) -> None:
        """Give each host page of a range the protection that its permission byte says."""
        values = self.page_bytes(start, end).translate(_HOST_PROTECTIONS)
        page = 0
        while page < len(values):
            following = len(values) - len(values[page:].lstrip(values[page : page + 1]))
            first, last = start + page * PAGE_SIZE, start + following * PAGE_SIZE
            self.protect_host(first, last, values[page])
            page = following

    def match_host_page(self, offset: int) -> None:
        """Give one host page, at an offset of the arena, the protection of its permission byte."""
        prot = self.permissions[offset >> PAGE_SHIFT] & (READ | WRITE)
        host.protect_memory(self.base + offset, PAGE_SIZE, prot)

    def unmap_host(self, start: int, length: int) -> None:
        """Give the host memory under a guest range back."""
        flags = host.MAP_PRIVATE | host.MAP_ANONYMOUS | host.MAP_NORESERVE
        self.map_host(start, length, host.PROT_NONE, flags, -1, 0)


def _repeat(start: int, end: int, value: int) -> None:
    """Fill pages of the host's memory with one byte, of which there are few copies."""
    access = host.PROT_READ | host.PROT_WRITE
    flags = host.MAP_PRIVATE | host.MAP_FIXED | host.MAP_NORESERVE
    if value == 0:
        host.map_memory(start, end - start, access, flags | host.MAP_ANONYMOUS, -1, 0)
        return
    fd = os.memfd_create("permissions")
    try:
        os.write(fd, bytes((value,)) * _REPEATED)
        for place in range(start, end, _REPEATED):
            host.map_memory(place, min(_REPEATED, end - place), access, flags, fd, 0)
    finally:
        os.close(fd)


class MemoryFault(OSError):  # noqa: N818 - the word of signals and page faults
    """A guest address range that cannot be used as asked: EFAULT; `address` is where."""

    def __init__(self, address: int) -> None:
        super().__init__(errno.EFAULT, f"{os.strerror(errno.EFAULT)}: {address:#x}")
        self.address = address
