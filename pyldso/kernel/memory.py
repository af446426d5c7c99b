"""The guest's address space: mappings as mmap(2), mprotect(2), mremap(2) and munmap(2) leave them.

`AddressSpace` keeps the sorted mappings (VMAs), their permission bytes and the host memory beneath
them in step. Files are mapped privately from the file itself: text is shared through the page
cache, data is copied on write.
"""

from __future__ import annotations

import errno
import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from stat import S_ISREG

from pyldso.errors import os_error
from pyldso.kernel import host
from pyldso.kernel.guest_memory import CodeCache, GuestMemory
from pyldso.kernel.mmu import (
    ADDRESS_BITS,
    EXECUTE,
    EXECUTED,
    HOST_READ_ONLY,
    MAPPED,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    PAST_EOF,
    READ,
    WRITE,
    Arena,
    MemoryFault,
    page_down,
    page_up,
)
from pyldso.kernel.vma import MappedFile, Vma, access_of

TASK_SIZE = 0x7FFFFFFFF000
"""End of user addresses: 2**47 less a guard page."""
MMAP_TOP = 0x7FFFF7FFF000
"""Where mappings start downwards: 128 MiB, the least stack gap, below the top (mmap_base())."""
_LOW_START, _LOW_END = 0x40000000, 0x80000000
"""Where mappings with MAP_32BIT go, from below (find_start_end() of arch/x86)."""
_PROT_MASK = READ | WRITE | EXECUTE


class AddressSpace(GuestMemory):
    """The mappings of a process and checked access to its memory.

    All methods raise OSError with the errno that Linux gives; MemoryFault (EFAULT) where a range
    cannot be accessed as asked.
    """

    def __init__(self, arena: Arena, cache: CodeCache) -> None:
        super().__init__(arena, cache)
        self.mmap_top = MMAP_TOP
        self._size_limit: tuple[int, Callable[[], BaseException]] | None = None
        self.stack_limit = 8 << 20
        """Bytes that a mapping that grows down may reach (RLIMIT_STACK)."""
        self.keep_fd: Callable[[int], int] = lambda fd: fd
        """Takes a descriptor out of the guest's reach and returns its new number."""
        self.close_fd: Callable[[int], None] = os.close
        self.on_sharing: Callable[[], None] = lambda: None
        """Hears of memory that can be written here and may be shared with other processes."""
        self._starts: list[int] = []
        self._vmas: list[Vma] = []

    # ---- looking ---------------------------------------------------------------------------

    @property
    def vmas(self) -> Iterator[Vma]:
        """The mappings in ascending order."""
        return iter(self._vmas)

    def find(self, address: int) -> Vma | None:
        """Return the mapping that holds `address`."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self._vmas[index].end:
            return self._vmas[index]
        return None

    def is_free(self, start: int, end: int) -> bool:
        """Tell whether nothing is mapped in [start, end)."""
        index = bisect_left(self._starts, end) - 1
        return index < 0 or self._vmas[index].end <= start

    def is_mapped(self, start: int, end: int) -> bool:
        """Tell whether all of [start, end) is mapped."""
        first, last = self._overlapping(start, end)
        covered = (min(v.end, end) - max(v.start, start) for v in self._vmas[first:last])
        return sum(covered) >= end - start

    def find_gap(self, length: int, below: int | None = None) -> int:
        """Return the highest free address for `length` bytes below mmap_top; raises ENOMEM."""
        end = self.mmap_top if below is None else below
        for vma in reversed(self._vmas):
            if vma.start >= end:
                continue
            if end - max(vma.end, 0) >= length:
                break
            end = vma.start
        window_bits = self.arena.window_bits
        if end > length and (end - 1) >> window_bits != (end - length) >> window_bits:
            end = (end - 1) >> window_bits << window_bits  # new windows can be one run
            if end <= length or not self.is_free(end - length, end):
                raise os_error(errno.ENOMEM)
        if end < length + 0x10000:
            raise os_error(errno.ENOMEM)
        return end - length

    # ---- mapping ---------------------------------------------------------------------------

    def map(
        self,
        address: int,
        length: int,
        prot: int,
        *,
        fd: int = -1,
        offset: int = 0,
        path: str | None = None,
        shared: bool = False,
        fixed: bool = False,
        replace: bool = True,
        low: bool = False,
        label: str = "",
    ) -> int:
        """Map `length` bytes of the file `fd` (-1: zeros) and return the address (mmap(2)).

        `address` is a hint unless `fixed`; with `fixed`, what is there is replaced, or EEXIST is
        raised where `replace` is false. `low` asks for an address below 2 GiB (MAP_32BIT).
        """
        address, length = self._place(address, length, prot, fixed, replace=replace, low=low)
        vma = Vma(address, address + length, prot & _PROT_MASK)
        vma.is_shared, vma.label, vma.eof_start = shared, label, vma.end
        in_file = length if fd < 0 else self._attach_file(vma, fd, offset, path)
        if fixed:
            self._clear(address, address + length)
        self._map_host(vma, fd, offset)
        value = MAPPED | vma.access
        if shared and fd >= 0 and not prot & WRITE:
            value |= HOST_READ_ONLY
        self.arena.set_permissions(address, address + in_file, value)
        if in_file < length:
            self.arena.set_permissions(address + in_file, vma.end, PAST_EOF)
            vma.eof_fd, vma.eof_start = self.keep_fd(os.dup(fd)), address + in_file
        self._part_aliases(vma)
        self._insert(vma)
        if shared and prot & WRITE:
            self.on_sharing()
        return address

    def attach(
        self,
        address: int,
        length: int,
        prot: int,
        file: MappedFile,
        attach: Callable[[int], None],
        *,
        fixed: bool,
    ) -> int:
        """Map what `attach` puts at a host address, and return the guest's address (shmat(2))."""
        address, length = self._place(address, length, prot, fixed, replace=True, low=False)
        vma = Vma(address, address + length, prot)
        vma.is_shared, vma.file = True, file
        if fixed:
            self._clear(address, address + length)
        try:
            attach(self.arena.host_address(address))
        except OSError:
            self.arena.unmap_host(address, length)
            raise
        value = MAPPED | vma.access | (0 if prot & WRITE else HOST_READ_ONLY)
        self.arena.set_permissions(address, address + length, value)
        self._insert(vma)
        if prot & WRITE:
            self.on_sharing()
        return address

    def _place(
        self, address: int, length: int, prot: int, fixed: bool, *, replace: bool, low: bool
    ) -> tuple[int, int]:
        """Return where a mapping goes, its window open, and how long it is in whole pages."""
        length = page_up(length)
        if length == 0:
            raise os_error(errno.EINVAL)
        if length > TASK_SIZE:
            raise os_error(errno.ENOMEM)
        if self._size_limit is not None and prot:
            self._check_size(length)
        if fixed:
            if address & PAGE_MASK:
                raise os_error(errno.EINVAL)
            if not 0 <= address <= TASK_SIZE - length:
                raise os_error(errno.ENOMEM)
            if not replace and not self.is_free(address, address + length):
                raise os_error(errno.EEXIST)
        else:
            address = self._choose(page_up(address), length, low)
        if not self.arena.open_windows(address, length):
            raise os_error(errno.ENOMEM)
        return address, length

    def _choose(self, hint: int, length: int, low: bool) -> int:
        if (
            hint
            and hint + length <= (_LOW_END if low else TASK_SIZE)
            and self.is_free(hint, hint + length)
            and self.arena.open_windows(hint, length)
        ):
            return hint
        return self._find_low_gap(length) if low else self.find_gap(length)

    def _find_low_gap(self, length: int) -> int:
        """Return the lowest free address for `length` bytes of MAP_32BIT; raises ENOMEM."""
        start = _LOW_START
        for vma in self._vmas:
            if vma.start >= start + length:
                break
            start = max(start, vma.end)
        if start + length > _LOW_END:
            raise os_error(errno.ENOMEM)
        return start

    def _attach_file(self, vma: Vma, fd: int, offset: int, path: str | None) -> int:
        """Note the file in the mapping; return how many bytes of it lie before the file's end."""
        if offset & PAGE_MASK:
            raise os_error(errno.EINVAL)
        status = os.fstat(fd)
        if path is None:
            path = os.readlink(f"/proc/self/fd/{fd}")
        vma.file = MappedFile(path, status.st_dev, status.st_ino)
        vma.offset = offset
        length = vma.end - vma.start
        if not S_ISREG(status.st_mode):
            return length
        return max(0, min(length, page_up(status.st_size - offset)))

    def _map_host(self, vma: Vma, fd: int, offset: int) -> None:
        flags = host.MAP_NORESERVE | (host.MAP_SHARED if vma.is_shared else host.MAP_PRIVATE)
        prot = vma.access & (READ | WRITE)
        if fd < 0:
            flags |= host.MAP_ANONYMOUS
        try:
            self.arena.map_host(vma.start, vma.end - vma.start, prot, flags, fd, offset)
        except OSError:
            self.arena.unmap_host(vma.start, vma.end - vma.start)
            raise

    def limit_size(self, most: int, on_excess: Callable[[], BaseException]) -> None:
        """Raise what `on_excess` returns where more bytes get accessible than `most`."""
        self._size_limit = most, on_excess

    def _check_size(self, added: int) -> None:
        if self._size_limit is not None:
            most, on_excess = self._size_limit
            if sum(vma.end - vma.start for vma in self._vmas if vma.prot) + added > most:
                raise on_excess()

    def unmap(self, address: int, length: int) -> None:
        """Remove the mappings of a range (munmap(2))."""
        length = page_up(length)
        if address & PAGE_MASK or not length or address + length > TASK_SIZE:
            raise os_error(errno.EINVAL)
        for vma in self._clear(address, address + length):
            self.arena.unmap_host(vma.start, vma.end - vma.start)

    def protect(self, address: int, length: int, prot: int) -> None:
        """Change the protection of a range (mprotect(2)): up to a hole, where there is one."""
        if address & PAGE_MASK:
            raise os_error(errno.EINVAL)
        end = address + page_up(length)
        if end == address:
            return
        prot &= _PROT_MASK
        first, last = self._cut(address, end)
        affected, reached = [], address
        for vma in self._vmas[first:last]:
            if vma.start != reached:
                break
            affected.append(vma)
            reached = vma.end
        self._refuse_sealed(affected)
        if self._size_limit is not None and prot:
            self._check_size(sum(vma.end - vma.start for vma in affected if not vma.prot))
        is_reduced = False
        try:
            for vma in affected:
                is_reduced |= bool(vma.prot & ~prot)
                self._protect_one(vma, prot)
                self._part_aliases(vma)
        finally:
            if is_reduced:
                self._cache.flush_tlb()
            self._merge(first, last)
        if prot & WRITE and any(vma.is_shared for vma in affected):
            self.on_sharing()
        if reached != end:
            raise os_error(errno.ENOMEM)

    def _protect_one(self, vma: Vma, prot: int) -> None:
        start, end = vma.start, vma.end
        access = access_of(prot)
        self.arena.protect_host(start, end, access)
        if vma.prot & EXECUTE and not prot & EXECUTE:
            self._flush_executed(start, end)  # as long as the pages are executable
        keep = EXECUTED | MAPPED
        if not (vma.is_shared and vma.file and prot & WRITE and not vma.prot & WRITE):
            keep |= HOST_READ_ONLY
        if not prot & EXECUTE:
            keep &= ~EXECUTED
        if vma.file is None and not vma.prot & EXECUTE:  # as many pages as there may be
            self.arena.set_permissions(start, end, MAPPED | access)
            vma.prot = prot
            return
        values = self.arena.page_bytes(start, end)
        table = bytes(value & keep | access if value & MAPPED else value for value in range(256))
        first = self.arena.offset(start) >> PAGE_SHIFT
        self.arena.permissions[first : first + len(values)] = values.translate(table)
        if prot & WRITE and prot & EXECUTE and any(value & EXECUTED for value in values):
            self._cache.note_written_code()
        vma.has_copies |= vma.file is not None and not vma.is_shared and bool(vma.prot & WRITE)
        vma.prot = prot

    def move(self, address: int, old: int, new: int, flags: int, target: int) -> int:
        """Resize or move one mapping and return its address (mremap(2))."""
        old, new = page_up(old), page_up(new)
        is_fixed = bool(flags & host.MREMAP_FIXED)
        may_move = bool(flags & host.MREMAP_MAYMOVE)
        if address & PAGE_MASK or not new or flags & ~3 or (is_fixed and not may_move):
            raise os_error(errno.EINVAL)
        vma = self.find(address)
        if vma is None or (address + old > vma.end and (is_fixed or new > old)):
            raise MemoryFault(address)
        self._refuse_sealed([vma])
        if not old and not vma.is_shared:  # else it is mapped once more
            raise os_error(errno.EINVAL)
        if vma.file is not None and vma.file.is_segment and new > old:
            raise os_error(errno.EINVAL)
        if is_fixed:
            if target & PAGE_MASK or (target < address + old and address < target + new):
                raise os_error(errno.EINVAL)
        else:
            if new <= old:
                if new < old:
                    self.unmap(address + new, old - new)
                return address
            end = address + new
            if address + old == vma.end and end <= TASK_SIZE and self.is_free(vma.end, end):
                window_bits = self.arena.window_bits
                is_near = vma.file is None and address >> window_bits == (end - 1) >> window_bits
                if is_near and vma.is_shared and vma.eof_start <= vma.end:
                    self._check_size(new - old)
                    self.arena.set_permissions(vma.end, end, PAST_EOF)  # the memory does not grow
                    vma.end = end
                    return address
                if is_near and not vma.is_shared:
                    self.map(vma.end, new - old, vma.prot, fixed=True, label=vma.label)
                    return address
            if not may_move:
                raise os_error(errno.ENOMEM)
            target = self.find_gap(new)
        return self._relocate(vma, address, old, new, target)

    def _relocate(self, vma: Vma, address: int, old: int, new: int, target: int) -> int:
        """Move host pages, permission bytes and mapping to `target`."""
        if not self.arena.open_windows(target, new):
            raise os_error(errno.ENOMEM)
        if self._size_limit is not None and vma.prot:
            self._check_size(new - old)
        self._clear(target, target + new)
        moved = vma.part(address, address + min(old, new))
        common = moved.end - moved.start
        self._flush_executed(address, address + old)
        values = self.arena.page_bytes(moved.start, moved.end)
        if old:
            self.arena.protect_host(moved.start, moved.end, moved.access)  # to be one for the host
        host.move_memory(
            self.arena.host_address(address), common, self.arena.host_address(target), new
        )
        if old:
            self._clear(address, address + old)
            self.arena.unmap_host(address, old)
        first = self.arena.offset(target) >> PAGE_SHIFT
        without_executed = bytes(value & ~EXECUTED for value in range(256))
        self.arena.permissions[first : first + len(values)] = values.translate(without_executed)
        if moved.is_shared and moved.file is not None:  # what was revoked
            self.arena.match_host(target, target + common)
        moved.start, moved.end, moved.grows_down = target, target + new, False
        moved.eof_start += target - address
        if new > common:
            value = MAPPED | moved.access
            if moved.file is not None:  # only as far as the file goes; else SIGBUS
                value = PAST_EOF
                if moved.eof_fd is None:
                    fd = os.open(moved.file.path, os.O_RDONLY | os.O_CLOEXEC)
                    moved.eof_fd, moved.eof_start = self.keep_fd(fd), target + common
            self.arena.set_permissions(target + common, target + new, value)
        if moved.file is None and moved.is_shared and moved.eof_start < moved.end:
            self.arena.set_permissions(max(moved.eof_start, target), moved.end, PAST_EOF)
        self._insert(moved)
        return target

    def discard(self, address: int, length: int) -> None:
        """Let pages read as their file or as zeros again (madvise(2), MADV_DONTNEED)."""
        end = address + page_up(length)
        if address & PAGE_MASK:
            raise os_error(errno.EINVAL)
        if end == address:
            return
        first, last = self._overlapping(address, end)
        covered = 0
        for vma in self._vmas[first:last]:
            start, stop = max(vma.start, address), min(vma.end, end)
            covered += stop - start
            if vma.prot & EXECUTE:
                self._flush_executed(start, stop)
            host.discard_memory(self.arena.host_address(start), stop - start)
        if covered != end - address:
            raise os_error(errno.ENOMEM)

    def resolve_page_fault(self, address: int, access: int) -> bool:
        """Make a refused page accessible where Linux would: a growing stack, a file that grew."""
        if address >> ADDRESS_BITS:
            return False
        value = self.arena.permission(address)
        if value & PAST_EOF:
            return self._map_grown_file(page_down(address), access)
        if value:
            return self._change_over(address, access)
        index = bisect_right(self._starts, address)
        if index == len(self._vmas) or not self._vmas[index].grows_down:
            return False
        return self._grow_stack(index, page_down(address), access)

    def _map_grown_file(self, page: int, access: int) -> bool:
        vma = self.find(page)
        if vma is None or vma.eof_fd is None or not vma.access & access:
            return False
        if vma.offset + page - vma.start >= os.fstat(vma.eof_fd).st_size:
            return False
        value = MAPPED | vma.access
        if vma.is_shared and not vma.prot & WRITE:
            value |= HOST_READ_ONLY
        self.arena.set_permissions(page, page + PAGE_SIZE, value)
        self._part_aliases(vma)
        return True

    def _part_aliases(self, vma: Vma) -> None:
        if vma.is_shared and vma.file is not None and vma.prot & (WRITE | EXECUTE):
            from pyldso.kernel.aliases import part_aliases  # start-up: seldom needed

            part_aliases(self, vma)

    def _change_over(self, address: int, access: int) -> bool:
        vma = self.find(address)
        if vma is None or not vma.is_shared or vma.file is None or not vma.prot & access:
            return False
        from pyldso.kernel.aliases import change_over  # start-up: seldom needed

        return change_over(self, vma, page_down(address), access)

    def revoke(self, start: int, end: int, access: int) -> None:
        """Take WRITE or EXECUTE away from pages without a change of their mapping."""
        if access & EXECUTE:
            self._flush_executed(start, end)  # as long as the pages are executable
            access |= EXECUTED
        values = self.arena.page_bytes(start, end)
        first = self.arena.offset(start) >> PAGE_SHIFT
        without = bytes(value & ~access for value in range(256))
        self.arena.permissions[first : first + len(values)] = values.translate(without)
        if access & WRITE:
            self.arena.match_host(start, end)
        self._cache.flush_tlb()

    def allow(self, page: int, access: int) -> None:
        """Give a page back what was taken away from it."""
        value = self.arena.permission(page) | access
        self.arena.protect_host(page, page + PAGE_SIZE, value)
        self.arena.set_permissions(page, page + PAGE_SIZE, value)
        if value & WRITE and value & EXECUTED:
            self._cache.note_written_code()

    def _grow_stack(self, index: int, page: int, access: int) -> bool:
        vma = self._vmas[index]
        guard = 256 * PAGE_SIZE  # stack_guard_gap, kept free below a growing stack
        if vma.end - page > self.stack_limit or not vma.access & access:
            return False
        if index and self._vmas[index - 1].end + guard > page:
            return False
        self._check_size(vma.start - page)
        extension = Vma(page, vma.start, vma.prot)
        self._map_host(extension, -1, 0)
        self.arena.set_permissions(page, vma.start, MAPPED | vma.access)
        vma.start = self._starts[index] = page
        return True

    # ---- the list of mappings --------------------------------------------------------------

    def _overlapping(self, start: int, end: int) -> tuple[int, int]:
        """Return the index range of the mappings that overlap [start, end)."""
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self._vmas[first].end <= start:
            first += 1
        return first, bisect_left(self._starts, end)

    def _cut(self, start: int, end: int) -> tuple[int, int]:
        """Split mappings at `start` and `end`; return the index range of those inside."""
        for edge in (start, end):
            index = bisect_right(self._starts, edge) - 1
            if index >= 0 and self._vmas[index].start < edge < self._vmas[index].end:
                vma = self._vmas[index]
                upper = vma.part(edge, vma.end)
                vma.end = edge
                if edge <= vma.eof_start:
                    vma.eof_fd = None
                self._starts.insert(index + 1, edge)
                self._vmas.insert(index + 1, upper)
        return self._overlapping(start, end)

    def _clear(self, start: int, end: int) -> list[Vma]:
        """Take all mappings of [start, end) out; their host memory stays for the caller."""
        first, last = self._overlapping(start, end)
        if first == last:
            return []
        self._refuse_sealed(self._vmas[first:last])
        first, last = self._cut(start, end)
        removed = self._vmas[first:last]
        for vma in removed:
            if vma.prot & EXECUTE:
                self._flush_executed(vma.start, vma.end)
            self.arena.set_permissions(vma.start, vma.end, 0)
        del self._vmas[first:last]
        del self._starts[first:last]
        self._cache.flush_tlb()
        for vma in removed:
            self._release(vma)
        return removed

    def _release(self, vma: Vma) -> None:
        """Close the descriptor of a removed mapping unless a part of the mapping remains."""
        if vma.eof_fd is not None and all(other.eof_fd != vma.eof_fd for other in self._vmas):
            self.close_fd(vma.eof_fd)

    def _refuse_sealed(self, vmas: list[Vma]) -> None:
        if any(vma.is_sealed for vma in vmas):
            raise os_error(errno.EPERM)

    def _insert(self, vma: Vma) -> None:
        index = bisect_right(self._starts, vma.start)
        self._starts.insert(index, vma.start)
        self._vmas.insert(index, vma)
        self._merge(index, index + 1)

    def _merge(self, first: int, last: int) -> None:
        """Join mappings of the index range, and their neighbours, that continue each other."""
        index = max(first - 1, 0)
        last = min(last, len(self._vmas) - 1)
        while index < last:
            lower, upper = self._vmas[index], self._vmas[index + 1]
            if lower.continues_in(upper) and self.arena.is_one_run(lower.end - 1, upper.start):
                lower.end = upper.end
                del self._vmas[index + 1], self._starts[index + 1]
                last -= 1
            else:
                index += 1
