"""What a kernel and a dynamic linker do with guest memory by its addresses: checked access.

Linux calls the kernel's part uaccess: a range is used only if its permission bytes (mmu.py) allow
it. What the machine has translated from code that the host changes is forgotten.
"""

from __future__ import annotations

import errno
from struct import Struct
from typing import Protocol

from pyldso.errors import os_error
from pyldso.kernel.mmu import (
    ADDRESS_BITS,
    EXECUTED,
    HOST_READ_ONLY,
    MAPPED,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    READ,
    WRITE,
    Arena,
    MemoryFault,
    page_down,
    page_up,
)

_U32, _U64 = Struct("<I"), Struct("<Q")
_IS_EXECUTED = bytes(int(bool(value & EXECUTED)) for value in range(256))


class CodeCache(Protocol):
    """What the address space needs of the processor: to forget what it has cached."""

    def flush_tlb(self) -> None:
        """Forget cached permissions."""

    def flush_code(self, start: int, end: int) -> None:
        """Forget code translated from [start, end)."""

    def note_written_code(self) -> None:
        """Know that code which was run can be written from now on."""


class GuestMemory:
    """Checked access to the memory of a process.

    All methods raise MemoryFault (EFAULT) where a range cannot be accessed as asked.
    """

    def __init__(self, arena: Arena, cache: CodeCache) -> None:
        self.arena = arena
        self._cache = cache

    def resolve_page_fault(self, address: int, access: int) -> bool:
        """Make a page accessible that is refused, and tell whether it is now."""
        raise NotImplementedError

    def translate(self, address: int, length: int, need: int = READ) -> int:
        """Return the arena offset of a range whose pages all have the permissions `need`.

        A length of 0 asks for one byte. Raises MemoryFault.
        """
        if address >> ADDRESS_BITS:
            raise MemoryFault(address)
        arena = self.arena
        last_address = address + length - 1 if length else address
        if not arena.is_one_run(address, last_address):
            raise MemoryFault(address)
        delta = arena.deltas[address >> arena.window_bits]
        permissions = arena.permissions
        offset = address + delta
        page, last = offset >> PAGE_SHIFT, (last_address + delta) >> PAGE_SHIFT
        if last - page < 16:
            while page <= last:
                if permissions[page] & need != need:
                    self._retry(page * PAGE_SIZE - delta, need)
                page += 1
        else:
            accepted = bytes(value for value in range(256) if value & need == need)
            if bytes(permissions[page : last + 1]).translate(None, accepted):
                for number in range(page, last + 1):
                    if permissions[number] & need != need:
                        self._retry(number * PAGE_SIZE - delta, need)
        return offset

    def accessible_length(self, address: int, length: int, need: int) -> int:
        """Return how many bytes from `address` on can be accessed as asked, `length` at most."""
        end = address
        while end < address + length:
            following = min(page_down(end) + PAGE_SIZE, address + length)
            try:
                self.translate(end, following - end, need)
            except MemoryFault:
                break
            end = following
        return end - address

    def _retry(self, page: int, need: int) -> None:
        access = need & (READ | WRITE) or READ
        if need & ~MAPPED and self.resolve_page_fault(page, access):
            return
        raise MemoryFault(page)

    def view(self, address: int, length: int, need: int = MAPPED) -> memoryview:
        """Return guest memory itself; writers of code call `flush_code` afterwards."""
        offset = self.translate(address, length, need)
        return self.arena.view[offset : offset + length]

    def host_pointer(self, address: int, length: int, need: int = READ) -> int:
        """Return the host address of a checked guest range, for calls into the host's kernel.

        Code translated from pages that the call will write to is forgotten.
        """
        offset = self.translate(address, length, need)
        if need & WRITE:
            self.flush_code(address, length)
        return self.arena.base + offset

    def read(self, address: int, length: int) -> bytes:
        """Return a copy of guest memory, whatever its protection."""
        offset = self.translate(address, length, MAPPED)
        return bytes(self.arena.view[offset : offset + length])

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store into guest memory, whatever its protection; stale code is forgotten."""
        length = len(data)
        offset = self.translate(address, length, MAPPED)
        end = page_up(address + length)
        values = self.arena.page_bytes(page_down(address), end)
        if any(value & (HOST_READ_ONLY | EXECUTED) for value in values):
            if any(value & HOST_READ_ONLY for value in values):
                raise MemoryFault(address)
            self._flush_executed(page_down(address), end)
        self.arena.view[offset : offset + length] = data

    def flush_code(self, address: int, length: int) -> None:
        """Forget code translated from a range that was or will be changed by the host."""
        first = self.arena.offset(address) >> PAGE_SHIFT
        if length > PAGE_SIZE or self.arena.permissions[first] & EXECUTED:
            self._flush_executed(page_down(address), page_up(address + length))
        elif (address & PAGE_MASK) + length > PAGE_SIZE:
            self._flush_executed(page_up(address), page_up(address + length))

    def read_u32(self, address: int) -> int:
        """Return a 32-bit number."""
        value: int = _U32.unpack_from(self.arena.view, self.translate(address, 4, MAPPED))[0]
        return value

    def read_u64(self, address: int) -> int:
        """Return a 64-bit number."""
        value: int = _U64.unpack_from(self.arena.view, self.translate(address, 8, MAPPED))[0]
        return value

    def write_u32(self, address: int, value: int) -> None:
        """Store a 32-bit number."""
        self.write(address, _U32.pack(value & 0xFFFFFFFF))

    def write_u64(self, address: int, value: int) -> None:
        """Store a 64-bit number."""
        self.write(address, _U64.pack(value & 0xFFFFFFFFFFFFFFFF))

    def read_cstring(self, address: int, limit: int = 4096) -> bytes:
        """Return the string at `address` without its NUL; raises ENAMETOOLONG beyond `limit`."""
        pieces: list[bytes] = []
        while limit > 0:
            length = min(PAGE_SIZE - (address & PAGE_MASK), limit)
            offset = self.translate(address, length, READ)
            piece = bytes(self.arena.view[offset : offset + length])
            nul = piece.find(0)
            if nul >= 0:
                return b"".join([*pieces, piece[:nul]])
            pieces.append(piece)
            address += length
            limit -= length
        raise os_error(errno.ENAMETOOLONG)

    def _flush_executed(self, start: int, end: int) -> None:
        """Forget code translated from pages that the machine has fetched from."""
        values = self.arena.page_bytes(start, end).translate(_IS_EXECUTED)
        run = values.find(1)
        while run >= 0:
            stop = values.find(0, run)
            stop = len(values) if stop < 0 else stop
            self._cache.flush_code(start + run * PAGE_SIZE, start + stop * PAGE_SIZE)
            run = values.find(1, stop)
