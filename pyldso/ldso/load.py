"""From a path to a mapped file, from a program to all that it needs (gABI ch. 5; dl-load.c)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from pyldso.elf.constants import (
    DF1,
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    ELFOSABI_GNU,
    EM,
    ET,
    EV_CURRENT,
    PF,
    PT,
)
from pyldso.elf.records import EHDR, PHDR, Ehdr, Phdr
from pyldso.events import Topic
from pyldso.kernel.memory import page_down, page_up
from pyldso.ldso.dso import Dso
from pyldso.ldso.errors import DlError, reading
from pyldso.ldso.events import LibraryNeeded, LinkMapMade
from pyldso.ldso.namespace import Namespace
from pyldso.ldso.search import OpenedFile

PAGE = 4096
FIRST_READ = 832
"""What ld.so reads of a file at first: the ELF header and usually all program headers."""
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_DENYWRITE = 2, 0x10, 0x20, 0x800


class _SkippedFileError(OSError):
    """A file for another machine, passed over while searching (dl-load.c, open_verify)."""


def protection(p_flags: int) -> int:
    """Return the PROT_* bits of p_flags."""
    return (
        (PROT_READ if p_flags & PF.R else 0)
        | (PROT_WRITE if p_flags & PF.W else 0)
        | (PROT_EXEC if p_flags & PF.X else 0)
    )


class Missing(NamedTuple):
    """A library that was not found while listing, and how many files stand before it."""

    name: str
    position: int


class LibraryOpener:
    """Opens and verifies library files; remembers that a file of the other class was met."""

    def __init__(self, namespace: Namespace) -> None:
        self._process = namespace.process
        self.found_other_class = False

    def __call__(self, path: str, is_search: bool) -> OpenedFile:
        """Return the opened file at `path`.

        Raises OSError where a search goes on, DlError with ld.so's words where it cannot.
        """
        fd = self._process.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = self._verify(path, fd, is_search)
        except BaseException:
            self._process.close(fd)
            raise
        return OpenedFile(path, fd, header)

    def _verify(self, path: str, fd: int, is_search: bool) -> bytes:
        try:
            header = self._process.pread(fd, FIRST_READ, 0)
        except OSError as error:
            raise DlError(path, "cannot read file data", error.errno or 0) from None
        if len(header) < EHDR.size:
            raise DlError(path, "file too short")
        ehdr = Ehdr(*EHDR.unpack_from(header))
        ident = ehdr.e_ident
        if ident[:4] == ELFMAG and ident[4] != ELFCLASS64 and is_search:
            self.found_other_class = True
            raise _SkippedFileError(errno.ENOENT, "wrong ELF class")
        if complaint := _ident_complaint(ident):
            raise DlError(path, complaint)
        if ehdr.e_version != EV_CURRENT:
            raise DlError(path, "ELF file version does not match current one")
        if ehdr.e_machine != EM.X86_64:
            raise _SkippedFileError(errno.ENOENT, os.strerror(errno.ENOENT))
        if ehdr.e_type not in (ET.DYN, ET.EXEC):
            raise DlError(path, "only ET_DYN and ET_EXEC can be loaded")
        if ehdr.e_phentsize != PHDR.size:
            raise DlError(path, "ELF file's phentsize not the expected size")
        end = ehdr.e_phoff + ehdr.e_phnum * PHDR.size
        if end > len(header):
            header = self._process.pread(fd, end, 0) if end < 1 << 32 else b""
            if len(header) < end:
                raise DlError(path, "cannot read file data")
        return header


def _ident_complaint(ident: bytes) -> str:
    """Return what ld.so says of a wrong e_ident, in the order of its checks; empty if right."""
    if ident[:4] != ELFMAG:
        return "invalid ELF header"
    if ident[4] != ELFCLASS64:
        return "wrong ELF class: ELFCLASS32"
    if ident[5] != ELFDATA2LSB:
        return "ELF file data encoding not little-endian"
    if ident[6] != EV_CURRENT:
        return "ELF file version ident does not match current one"
    if ident[7] not in (0, ELFOSABI_GNU):
        return "ELF file OS ABI invalid"
    if ident[8] != 0 and not (ident[7] == ELFOSABI_GNU and ident[8] <= 4):
        return "ELF file ABI version invalid"
    if any(ident[9:16]):
        return "nonzero padding in e_ident"
    return ""


def read_phdrs(path: str, header: bytes, *, is_program: bool = False) -> tuple[Ehdr, list[Phdr]]:
    """Return the ELF header and the program headers; DlError where they cannot be loaded.

    A program without PT_INTERP is static and needs no dynamic section.
    """
    ehdr = Ehdr(*EHDR.unpack_from(header))
    end = ehdr.e_phoff + ehdr.e_phnum * PHDR.size
    phdrs = [Phdr._make(row) for row in PHDR.iter_unpack(header[ehdr.e_phoff : end])]
    loads = [phdr for phdr in phdrs if phdr.p_type == PT.LOAD]
    if not loads:
        raise DlError(path, "object file has no loadable segments")
    limit = 1 << 47
    for phdr in loads:
        if phdr.p_align & PAGE - 1:
            raise DlError(path, "ELF load command alignment not page-aligned")
        if (phdr.p_vaddr - phdr.p_offset) & max(phdr.p_align, 1) - 1:
            raise DlError(path, "ELF load command address/offset not properly aligned")
        if phdr.p_filesz > phdr.p_memsz or phdr.p_vaddr + phdr.p_memsz > limit:
            raise DlError(path, "ELF load command has an impossible size or address")
    if any(a.p_vaddr + a.p_memsz > b.p_vaddr for a, b in pairwise(loads)):
        raise DlError(path, "ELF load commands overlap or are not in ascending order")
    types = {phdr.p_type for phdr in phdrs}
    if PT.DYNAMIC not in types and not (is_program and PT.INTERP not in types):
        raise DlError(path, "object file has no dynamic section")
    return ehdr, phdrs


def check_file_size(path: str, phdrs: Iterable[Phdr], size: int) -> None:
    """Refuse a truncated file: ld.so maps it and dies of SIGBUS on the first touch past its end."""
    for phdr in phdrs:
        if phdr.p_type == PT.LOAD and phdr.p_filesz and phdr.p_offset + phdr.p_filesz > size:
            raise DlError(path, "ELF load command past end of file")


def map_segments(namespace: Namespace, fd: int, phdrs: Sequence[Phdr]) -> int:
    """Map the PT_LOADs of `fd` where there is room and return the base (dl-map-segments.h).

    The first segment's mapping reserves the whole span, so that the others can be fixed behind it.
    """
    process = namespace.process
    loads = [phdr for phdr in phdrs if phdr.p_type == PT.LOAD]
    first = loads[0]
    low = page_down(first.p_vaddr)
    span = page_up(loads[-1].p_vaddr + loads[-1].p_memsz) - low
    alignment = max(phdr.p_align for phdr in loads)
    flags = MAP_PRIVATE | MAP_DENYWRITE
    where = 0
    if alignment > PAGE:
        where = reserve_aligned(namespace, span, alignment)
        flags |= MAP_FIXED
    start = process.mmap(
        where, span, protection(first.p_flags), flags, fd, page_down(first.p_offset)
    )
    base = start - low
    try:
        _map_rest(namespace, fd, loads, base, start + span)
    except OSError:
        process.munmap(start, span)
        raise
    return base


def _map_rest(namespace: Namespace, fd: int, loads: Sequence[Phdr], base: int, end: int) -> None:
    """Map all PT_LOADs but the first, close the gaps, and clear what lies past the file's bytes."""
    process = namespace.process
    mapped_to = base + page_up(loads[0].p_vaddr + loads[0].p_filesz)
    if len(loads) > 1 and mapped_to < end:
        process.mprotect(mapped_to, end - mapped_to, 0)
    for phdr in loads:
        start, file_end = base + page_down(phdr.p_vaddr), base + phdr.p_vaddr + phdr.p_filesz
        prot = protection(phdr.p_flags)
        if phdr is not loads[0] and phdr.p_filesz:
            flags = MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE
            length = page_up(file_end) - start
            process.mmap(start, length, prot, flags, fd, page_down(phdr.p_offset))
        clear_tail(namespace, phdr, base)
        zero_start = page_up(file_end) if phdr.p_filesz else start
        zero_end = page_up(base + phdr.p_vaddr + phdr.p_memsz)
        if zero_end > zero_start:
            flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS
            process.mmap(zero_start, zero_end - zero_start, prot, flags, -1, 0)


def clear_tail(namespace: Namespace, phdr: Phdr, base: int) -> None:
    """Zero the bytes between p_filesz and the end of the last file page: they belong to .bss."""
    file_end = base + phdr.p_vaddr + phdr.p_filesz
    if phdr.p_memsz > phdr.p_filesz and phdr.p_filesz and file_end % PAGE:
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


def make_dso(
    namespace: Namespace,
    name: str,
    path: str,
    base: int,
    ehdr: Ehdr,
    phdrs: Sequence[Phdr],
    identity: tuple[int, int],
) -> Dso:
    """Return the Dso of a mapped file, not yet in the namespace; DlError if it is damaged."""
    with reading(path, "dynamic section"):
        dso = Dso(namespace.memory, name, path, base, phdrs, identity)
    dso.entry = base + ehdr.e_entry
    first = dso.loads[0]
    dso.phdr_address = base + next(
        (phdr.p_vaddr for phdr in phdrs if phdr.p_type == PT.PHDR),
        first.p_vaddr - first.p_offset + ehdr.e_phoff,
    )
    return dso


def load_library(
    namespace: Namespace, name: str, loader: Dso | None, *, is_dlopen: bool = False
) -> Dso:
    """Return the file for `name` as `loader` wants it: one that is there already, or mapped now.

    Raises DlError in ld.so's words.
    """
    for dso in namespace.objects:
        if dso.answers_to(name):
            dso.aliases.add(name)
            return dso
    interpreter = namespace.interpreter
    if interpreter and interpreter not in namespace.objects and interpreter.answers_to(name):
        namespace.add(interpreter)
        return interpreter
    if namespace.events.wanted & Topic.FILES:
        by = loader.label if loader else namespace.program_name
        namespace.events.emit(LibraryNeeded(name, by, is_dlopen))
    opened = _open_library(namespace, name, loader)
    try:
        return _map_library(namespace, name, opened)
    finally:
        namespace.process.close(opened.fd)


def _open_library(namespace: Namespace, name: str, loader: Dso | None) -> OpenedFile:
    opener = LibraryOpener(namespace)
    wanted = namespace.search.expand(name, loader)
    try:
        if "/" in wanted:
            return opener(wanted, False)
        chain = [dso for dso in (loader, namespace.program) if dso] if namespace.objects else []
        return namespace.search.find(wanted, loader, list(dict.fromkeys(chain)), opener)
    except OSError as error:
        if opener.found_other_class:
            raise DlError(name, "wrong ELF class: ELFCLASS32") from None
        message = "cannot open shared object file"
        raise DlError(name, message, error.errno or errno.ENOENT) from None


def _map_library(namespace: Namespace, name: str, opened: OpenedFile) -> Dso:
    process = namespace.process
    status = process.fstat(opened.fd)
    identity = (status.st_dev, status.st_ino)
    for dso in namespace.objects:
        if dso.identity == identity:
            dso.aliases.add(name)
            return dso
    if not stat.S_ISREG(status.st_mode):
        raise DlError(opened.path, "cannot read file data", errno.EISDIR)
    ehdr, phdrs = read_phdrs(opened.path, opened.header)
    if ehdr.e_type != ET.DYN:
        raise DlError(opened.path, "cannot dynamically load executable")
    check_file_size(opened.path, phdrs, status.st_size)
    try:
        base = map_segments(namespace, opened.fd, phdrs)
    except OSError as error:
        message = "failed to map segment from shared object"
        raise DlError(opened.path, message, error.errno or 0) from None
    dso = make_dso(namespace, opened.path, opened.path, base, ehdr, phdrs, identity)
    dso.requested_as = name
    dso.aliases |= {name, opened.path}
    path = opened.path
    if not path.startswith("/"):
        path = os.path.join(process.getcwd(), path)
    dso.origin = os.path.dirname(os.path.normpath(path))
    if dso.flags_1 & DF1.PIE:
        process.munmap(page_down(dso.start), page_up(dso.end) - page_down(dso.start))
        raise DlError(opened.path, "cannot dynamically load position-independent executable")
    namespace.add(dso)
    if namespace.events.wanted & Topic.FILES:
        announce(namespace, dso)
    return dso


def announce(namespace: Namespace, dso: Dso) -> None:
    """Emit where `dso` was mapped."""
    namespace.events.emit(
        LinkMapMade(
            dso.requested_as,
            dso.dynamic_address,
            dso.base,
            dso.end - dso.start,
            dso.entry,
            dso.phdr_address,
            len(dso.phdrs),
        )
    )


def load_dependencies(
    namespace: Namespace, roots: Sequence[Dso], *, is_lenient: bool = False
) -> tuple[list[Dso], list[Missing]]:
    """Load all that `roots` need, breadth first, and return the search list of the roots.

    With `is_lenient` (ldd), a library that cannot be loaded does not end the walk: its name comes
    in the second list.
    """
    found = list(dict.fromkeys(roots))
    known = set(found)
    missing: list[Missing] = []
    for dso in found:  # grows while it is walked: that is breadth first
        if dso.dependencies or not dso.needed:
            targets = dso.dependencies
        else:
            targets = []
            for name in dso.needed:
                try:
                    targets.append(load_library(namespace, name, dso))
                except DlError:
                    if not is_lenient:
                        raise
                    missing.append(Missing(name, len(namespace.objects)))
            dso.dependencies = targets
        for target in targets:
            if target not in known:
                known.add(target)
                found.append(target)
    return found, missing
