"""Memory that the dynamic linker takes in the guest for its own tables: link maps, names, dtv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyldso.kernel import host
from pyldso.kernel.mmu import page_up

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

FIRST_CHUNK, CHUNK = 0x2000, 0x10000


class GuestHeap:
    """A bump allocator over anonymous mappings; what is freed serves requests of the same size.

    They lie above pyldso's own pages, where they shift no library from its place.
    """

    __slots__ = ("_end", "_free", "_next", "_process")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._next = self._end = 0
        self._free: dict[tuple[int, int], list[int]] = {}

    def map_first(self) -> None:
        """Take the page and one to spare that ld.so maps before all else (dl-minimal-malloc.c)."""
        self._map(0, FIRST_CHUNK)

    def _map(self, where: int, length: int) -> None:
        flags, prot = host.MAP_PRIVATE | host.MAP_ANONYMOUS, host.PROT_READ | host.PROT_WRITE
        start = self._process.mmap(where, length, prot, flags, -1, 0)
        self._next, self._end = start, start + length

    def allocate(self, size: int, alignment: int = 16) -> int:
        """Return the address of `size` zero bytes."""
        freed = self._free.get((size, alignment))
        if freed:
            address = freed.pop()
            self._process.memory.write(address, bytes(size))
            return address
        start = -(-self._next // alignment) * alignment
        if start + size > self._end:
            above = max(self._end, self._process.stubs.end)
            self._map(above, max(CHUNK, page_up(size + alignment)))
            start = -(-self._next // alignment) * alignment
        self._next = start + size
        return start

    def free(self, address: int, size: int, alignment: int = 16) -> None:
        """Give back what `allocate` returned for this size and alignment."""
        self._free.setdefault((size, alignment), []).append(address)

    def string(self, text: str | bytes) -> int:
        """Return the address of a NUL-terminated copy of `text`."""
        data = (text.encode(errors="surrogateescape") if isinstance(text, str) else text) + b"\0"
        address = self.allocate(len(data), 1)
        self._process.memory.write(address, data)
        return address
