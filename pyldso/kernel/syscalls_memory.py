"""System calls on memory: mmap(2), mprotect(2), munmap(2), mremap(2), brk(2), madvise(2)."""

from __future__ import annotations

import ctypes
import errno
import os
from struct import unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.errors import os_error
from pyldso.events import Topic
from pyldso.kernel.events import Mapped, Protected, Unmapped
from pyldso.kernel.host import MREMAP_FIXED, MREMAP_MAYMOVE, host_syscall
from pyldso.kernel.memory import TASK_SIZE
from pyldso.kernel.mmu import MAPPED, PAGE_MASK, PAGE_SIZE, WRITE, MemoryFault, page_down, page_up

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace
    from pyldso.kernel.process import Process
    from pyldso.kernel.vma import Vma

MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_TYPE = 1, 2, 3, 0xF
MAP_FIXED, MAP_ANONYMOUS, MAP_32BIT = 0x10, 0x20, 0x40
MAP_HUGETLB, MAP_FIXED_NOREPLACE = 0x40000, 0x100000
_KNOWN_MAP_FLAGS = 0xFC17F973
"""All that mmap(2) lists, but MAP_SYNC, which only memory that survives a crash has."""
_MMAP_MIN_ADDR = 0x10000
_PROT_BITS, _PROT_GROWSDOWN = 0xF, 0x01000000
_MREMAP_DONTUNMAP = 4
_MADV_DONTNEED = 4
_RLIMIT_DATA, _RLIMIT_AS = 2, 9
_MSYNC = NUMBERS["msync"]
_HARMLESS_ADVICE = frozenset((0, 1, 2, 3, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 25))


def sys_mmap(
    process: Process, address: int, length: int, prot: int, flags: int, fd: int, offset: int
) -> int:
    """mmap(2)."""
    kind = flags & MAP_TYPE
    if kind not in (MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE) or offset & 0xFFF:
        raise os_error(errno.EINVAL)
    if kind == MAP_SHARED_VALIDATE and flags & ~_KNOWN_MAP_FLAGS:
        raise os_error(errno.EOPNOTSUPP)
    if flags & MAP_HUGETLB:
        raise os_error(errno.ENOMEM)
    is_fixed = bool(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
    if is_fixed and address < _MMAP_MIN_ADDR and os.geteuid():
        raise os_error(errno.EPERM)
    if not flags & MAP_ANONYMOUS:
        os.fstat(fd)  # EBADF comes before what is wrong with the length
    if process.resource_limits:
        in_place = range(address, address + length) if is_fixed else range(0)
        _check_limits(process, length, in_place, is_data=kind == MAP_PRIVATE and prot & WRITE)
    start = process.memory.map(
        address,
        length,
        prot,
        fd=-1 if flags & MAP_ANONYMOUS else fd,
        offset=0 if flags & MAP_ANONYMOUS else offset,
        shared=kind != MAP_PRIVATE,
        fixed=is_fixed,
        replace=not flags & MAP_FIXED_NOREPLACE,
        low=bool(flags & MAP_32BIT),
    )
    if process.events.wanted & Topic.MAP:
        vma = process.memory.find(start)
        path = vma.name if vma else ""
        end = start + page_up(length)
        process.events.emit(Mapped(start, end, prot & 7, path, offset))
    return start


def _check_limits(
    process: Process, added: int, in_place: range = range(0), *, is_data: bool | int
) -> None:
    """Raise ENOMEM where more memory, in place of a range, is more than setrlimit(2) allows."""
    for resource in (_RLIMIT_AS, _RLIMIT_DATA) if is_data else (_RLIMIT_AS,):
        limit = process.resource_limits.get(resource)
        if limit is None:
            continue
        most, _ = unpack("<QQ", limit)
        vmas = [vma for vma in process.memory.vmas if resource == _RLIMIT_AS or _is_data(vma)]
        present = sum(vma.end - vma.start for vma in vmas)
        ranges = ((max(v.start, in_place.start), min(v.end, in_place.stop)) for v in vmas)
        replaced = sum(max(end - start, 0) for start, end in ranges)
        if present - replaced + page_up(added) > most:
            raise os_error(errno.ENOMEM)


def _is_data(vma: Vma) -> bool:
    """Tell whether memory counts for RLIMIT_DATA."""
    return bool(vma.prot & WRITE) and not vma.is_shared and not vma.grows_down


def sys_mprotect(process: Process, address: int, length: int, prot: int) -> int:
    """mprotect(2)."""
    if prot & ~(_PROT_BITS | _PROT_GROWSDOWN) & 0xFFFFFFFF:
        raise os_error(errno.EINVAL)
    if prot & _PROT_GROWSDOWN:
        vma = process.memory.find(address)
        if vma is None or not vma.grows_down:
            raise os_error(errno.ENOMEM if vma is None else errno.EINVAL)
        address, length = vma.start, length + address - vma.start
    process.memory.protect(address, length, prot)
    if process.events.wanted & Topic.MAP:
        process.events.emit(Protected(address, address + page_up(length), prot & 7))
    return 0


def sys_munmap(process: Process, address: int, length: int) -> int:
    """munmap(2)."""
    process.memory.unmap(address, length)
    if process.events.wanted & Topic.MAP:
        process.events.emit(Unmapped(address, address + page_up(length)))
    return 0


def sys_mremap(
    process: Process, address: int, old_size: int, new_size: int, flags: int, target: int
) -> int:
    """mremap(2)."""
    if flags & _MREMAP_DONTUNMAP:
        return _move_contents(process.memory, address, old_size, new_size, flags, target)
    if process.resource_limits and new_size > old_size:
        vma = process.memory.find(address)
        _check_limits(process, new_size - old_size, is_data=vma is not None and _is_data(vma))
    return process.memory.move(address, old_size, new_size, flags, target)


def _move_contents(
    memory: AddressSpace, address: int, old_size: int, new_size: int, flags: int, target: int
) -> int:
    """Move private memory and leave empty pages behind (MREMAP_DONTUNMAP)."""
    vma = memory.find(address)
    if old_size != new_size or not flags & MREMAP_MAYMOVE:
        raise os_error(errno.EINVAL)
    if vma is None or vma.file is not None or vma.is_shared:
        raise os_error(errno.EFAULT if vma is None else errno.EINVAL)
    prot = vma.prot
    if not flags & MREMAP_FIXED:
        target = memory.find_gap(page_up(new_size))
    moved = memory.move(address, old_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, target)
    memory.map(address, old_size, prot, fixed=True)
    return moved


def sys_madvise(process: Process, address: int, length: int, advice: int) -> int:
    """madvise(2): only advice that changes what the memory holds has an effect."""
    advice = ctypes.c_int(advice).value
    if address & 0xFFF or advice not in (*_HARMLESS_ADVICE, _MADV_DONTNEED):
        raise os_error(errno.EINVAL)
    if advice == _MADV_DONTNEED:
        process.memory.discard(address, length)
    elif not process.memory.is_mapped(address, address + page_up(length)):
        raise os_error(errno.ENOMEM)
    return 0


def sys_brk(process: Process, address: int) -> int:
    """brk(2), with the kernel's convention: the result is the break, changed or not."""
    if process.brk_start <= address < TASK_SIZE:
        old, new = page_up(process.brk), page_up(address)
        try:
            if new > old:
                if process.resource_limits:
                    _check_limits(process, new - old, is_data=True)
                process.memory.map(old, new - old, 3, fixed=True, replace=False, label="[heap]")
            elif new < old:
                process.memory.unmap(new, old - new)
        except OSError:
            return process.brk
        process.brk = address
    return process.brk


def sys_msync(process: Process, address: int, length: int, flags: int) -> int:
    """msync(2)."""
    if address & PAGE_MASK:
        raise os_error(errno.EINVAL)
    if not length:
        return 0
    try:
        pointer = process.memory.host_pointer(address, page_up(length), MAPPED)
    except MemoryFault:
        raise os_error(errno.ENOMEM) from None
    return host_syscall(_MSYNC, pointer, page_up(length), flags)


def sys_mincore(process: Process, address: int, length: int, vector: int) -> int:
    """mincore(2): all that is mapped counts as present."""
    if address & PAGE_MASK:
        raise os_error(errno.EINVAL)
    pages = page_up(length) // PAGE_SIZE
    try:
        process.memory.translate(address, page_up(length), MAPPED)
    except MemoryFault:
        raise os_error(errno.ENOMEM) from None
    process.memory.view(vector, pages, WRITE)[:] = b"\1" * pages
    return 0


def sys_mlock(process: Process, address: int, length: int, _flags: int = 0) -> int:
    """mlock(2), munlock(2): nothing is paged out that the host does not page out."""
    try:
        process.memory.translate(page_down(address), page_up(length), MAPPED)
    except MemoryFault:
        raise os_error(errno.ENOMEM) from None
    return 0


def sys_mlockall(_process: Process, flags: int) -> int:
    """mlockall(2)."""
    if flags not in range(1, 8) or flags == 4:
        raise os_error(errno.EINVAL)
    return 0


def sys_munlockall(_process: Process) -> int:
    """munlockall(2)."""
    return 0


def sys_no_pkey(_process: Process, *_arguments: int) -> int:
    """pkey_alloc(2) and pkey_free(2): the processor has no protection keys."""
    raise os_error(errno.EINVAL)


def sys_pkey_mprotect(process: Process, address: int, length: int, prot: int, key: int) -> int:
    """pkey_mprotect(2): mprotect where no key is named."""
    if key != -1:
        raise os_error(errno.EINVAL)
    return sys_mprotect(process, address, length, prot)
