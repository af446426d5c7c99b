"""From program headers to mapped segments (glibc's dl-load.c and dl-map-segments.h)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pyldso.elf.constants import ET, PF, PT
from pyldso.elf.records import EHDR, PHDR, Ehdr, Phdr
from pyldso.kernel.host import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from pyldso.kernel.mmu import PAGE_MASK, PAGE_SIZE, page_down, page_up
from pyldso.ldso.dso import ADDRESS_MASK
from pyldso.ldso.errors import DlError

if TYPE_CHECKING:
    from pyldso.ldso.namespace import Namespace

MAP_DENYWRITE = 0x800
ADDRESS_LIMIT = 1 << 47
"""Where user space ends on x86-64."""


def protection(p_flags: int) -> int:
    """Return the PROT_* bits of p_flags."""
    return (
        (PROT_READ if p_flags & PF.R else 0)
        | (PROT_WRITE if p_flags & PF.W else 0)
        | (PROT_EXEC if p_flags & PF.X else 0)
    )


def wants_executable_stack(phdrs: Iterable[Phdr]) -> bool:
    """Tell whether a file wants to run code on the stack: without PT_GNU_STACK it may."""
    flags = next((phdr.p_flags for phdr in phdrs if phdr.p_type == PT.GNU_STACK), PF.X)
    return bool(flags & PF.X)


def make_stack_executable(namespace: Namespace) -> None:
    """Make the first stack executable, as the files that are loaded want it.

    Raises OSError where that is not allowed.
    """
    _, argv_address, _ = namespace.arguments
    stack = namespace.memory.find(argv_address)
    if stack is not None:
        prot = PROT_READ | PROT_WRITE | PROT_EXEC
        namespace.process.mprotect(stack.start, stack.end - stack.start, prot)


def read_phdrs(path: str, header: bytes) -> tuple[Ehdr, list[Phdr]]:
    """Return the ELF header and the program headers; DlError where they cannot be loaded."""
    ehdr = Ehdr(*EHDR.unpack_from(header))
    end = ehdr.e_phoff + ehdr.e_phnum * PHDR.size
    phdrs = [Phdr._make(row) for row in PHDR.iter_unpack(header[ehdr.e_phoff : end])]
    loads = [phdr for phdr in phdrs if phdr.p_type == PT.LOAD]
    if any(phdr.p_vaddr - phdr.p_offset & PAGE_MASK for phdr in loads):
        raise DlError(path, "ELF load command address/offset not page-aligned")
    if not loads:
        raise DlError(path, "object file has no loadable segments")
    dynamic = [phdr for phdr in phdrs if phdr.p_type == PT.DYNAMIC]
    if (not dynamic and ehdr.e_type == ET.DYN) or any(not phdr.p_filesz for phdr in dynamic):
        raise DlError(path, "object file has no dynamic section")
    return ehdr, phdrs


def check_file_size(path: str, phdrs: Iterable[Phdr], size: int) -> None:
    """Refuse a truncated file: ld.so maps it and dies of SIGBUS on the first touch past its end."""
    for phdr in phdrs:
        if phdr.p_type == PT.LOAD and phdr.p_filesz and phdr.p_offset + phdr.p_filesz > size:
            raise DlError(path, "ELF load command past end of file")


def map_segments(namespace: Namespace, path: str, fd: int, phdrs: Sequence[Phdr]) -> int:
    """Map the PT_LOADs of `fd` where there is room and return the base.

    The first segment's mapping reserves the whole span, so that the others can be fixed behind it.
    Raises DlError where there is no room.
    """
    process = namespace.process
    loads = [phdr for phdr in phdrs if phdr.p_type == PT.LOAD]
    first, last = loads[0], loads[-1]
    low = page_down(first.p_vaddr)
    span = page_up(last.p_vaddr + last.p_memsz - low & ADDRESS_MASK)
    powers = (phdr.p_align for phdr in loads if phdr.p_align & phdr.p_align - 1 == 0)
    alignment = max(powers, default=0)
    flags = MAP_PRIVATE | MAP_DENYWRITE
    try:
        if span >= ADDRESS_LIMIT or alignment >= ADDRESS_LIMIT:
            raise OSError
        where = 0
        if alignment > PAGE_SIZE:
            where = reserve_aligned(namespace, span, alignment)
            flags |= MAP_FIXED
        prot, offset = protection(first.p_flags), page_down(first.p_offset)
        start = process.mmap(where, span, prot, flags, fd, offset)
    except (OSError, OverflowError):
        raise DlError(path, "failed to map segment from shared object") from None
    try:
        _map_rest(namespace, path, fd, loads, start - low, start + span)
    except DlError:
        process.munmap(start, span)
        raise
    return start - low


def _map_rest(
    namespace: Namespace, path: str, fd: int, loads: Sequence[Phdr], base: int, end: int
) -> None:
    """Map all PT_LOADs but the first, close the gaps, and clear what lies past the file's bytes."""
    process = namespace.process
    mapped_to = base + page_up(loads[0].p_vaddr + loads[0].p_filesz)
    if len(loads) > 1 and mapped_to < end:
        process.mprotect(mapped_to, end - mapped_to, 0)
    for phdr in loads:
        start, file_end = base + page_down(phdr.p_vaddr), base + phdr.p_vaddr + phdr.p_filesz
        prot = protection(phdr.p_flags)
        length = page_up(file_end) - start
        if phdr is not loads[0] and length:
            flags = MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE
            try:
                _map_fixed(namespace, start, length, prot, flags, fd, page_down(phdr.p_offset))
            except OSError:
                raise DlError(path, "failed to map segment from shared object") from None
        try:
            clear_tail(namespace, phdr, base)
            zero_start, zero_end = (
                page_up(file_end),
                page_up(file_end - phdr.p_filesz + phdr.p_memsz),
            )
            if zero_end > zero_start:
                flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS
                _map_fixed(namespace, zero_start, zero_end - zero_start, prot, flags, -1, 0)
        except OSError:
            raise DlError(path, "cannot map zero-fill pages") from None


def _map_fixed(
    namespace: Namespace, start: int, length: int, prot: int, flags: int, fd: int, offset: int
) -> None:
    """Map at a fixed place; OSError where that is not in user space."""
    if not 0 <= start <= start + length <= ADDRESS_LIMIT or offset >= 1 << 63:
        raise OSError
    namespace.process.mmap(start, length, prot, flags, fd, offset)


def clear_tail(namespace: Namespace, phdr: Phdr, base: int) -> None:
    """Zero the bytes between p_filesz and the end of the last file page: they belong to .bss."""
    file_end = base + phdr.p_vaddr + phdr.p_filesz
    if phdr.p_memsz > phdr.p_filesz and file_end & PAGE_MASK:
        length = min(page_up(file_end) - file_end, phdr.p_memsz - phdr.p_filesz)
        namespace.memory.write(file_end, bytes(length))


def reserve_aligned(namespace: Namespace, span: int, alignment: int) -> int:
    """Return an aligned address with `span` bytes reserved behind it, for p_align above a page."""
    process = namespace.process
    flags = MAP_PRIVATE | MAP_ANONYMOUS
    start = process.mmap(0, span + alignment, 0, flags, -1, 0)
    aligned = -(-start // alignment) * alignment
    if aligned > start:
        process.munmap(start, aligned - start)
    if start + alignment > aligned:
        process.munmap(aligned + span, start + alignment - aligned)
    return aligned
