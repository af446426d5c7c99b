"""From a path to a mapped file, from a program to all that it needs (gABI ch. 5; dl-load.c)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from enum import IntFlag
from typing import NamedTuple

from pyldso.elf.constants import (
    DF1,
    DT,
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    ELFOSABI_GNU,
    EM,
    ET,
    EV_CURRENT,
    PT,
)
from pyldso.elf.records import EHDR, PHDR, Ehdr, Phdr
from pyldso.errors import os_error
from pyldso.events import Topic
from pyldso.kernel.mmu import page_down, page_up
from pyldso.ldso.dso import Dso
from pyldso.ldso.errors import DlError, reading
from pyldso.ldso.events import LibraryNeeded, LinkMapMade
from pyldso.ldso.namespace import Namespace
from pyldso.ldso.search import OpenedFile, Source
from pyldso.ldso.segments import (
    check_file_size,
    make_stack_executable,
    map_segments,
    read_phdrs,
    wants_executable_stack,
)

FIRST_READ = 832
"""What ld.so reads of a file at first: the ELF header and usually all program headers."""
ABI_VERSIONS = 4
"""EI_ABIVERSION of ELFOSABI_GNU files that ld.so takes are below this (LIBC_ABI_MAX)."""


class Mode(IntFlag):
    """How a file is loaded: by dlopen itself or as what a file needs, or not at all."""

    NONE = 0
    DLOPEN = 1
    NOLOAD = 2
    DEPENDENCY = 4


class _SkippedFileError(OSError):
    """A file for another machine, passed over while searching (dl-load.c, open_verify)."""


class Missing(NamedTuple):
    """A library that was not found while listing, and how many files stand before it."""

    name: str
    position: int


class LibraryOpener:
    """Opens and verifies library files; remembers that a file of the other class was met."""

    def __init__(self, namespace: Namespace, loader: Dso | None = None) -> None:
        self._process = namespace.process
        self._audit, self._loader = namespace.audit, loader
        self.found_other_class = False

    def __call__(self, path: str, source: Source) -> OpenedFile:
        """Return the opened file at `path`.

        Raises OSError where a search goes on, DlError with ld.so's words where it cannot.
        """
        is_search = source != Source.NAME
        if self._audit and is_search:
            path = self._audit.search(path, self._loader, source) or ""
            if not path:
                raise os_error(errno.ENOENT)
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
    if ident[8] != 0 and not (ident[7] == ELFOSABI_GNU and ident[8] < ABI_VERSIONS):
        return "ELF file ABI version invalid"
    if any(ident[9:16]):
        return "nonzero padding in e_ident"
    return ""


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
    namespace: Namespace, name: str, loader: Dso | None, mode: Mode = Mode.NONE
) -> Dso | None:
    """Return the file for `name` as `loader` wants it: one that is there already, or mapped now.

    None stands for a file that is not loaded, where the mode is NOLOAD. Raises DlError in ld.so's
    words.
    """
    for dso in namespace.objects:
        if dso.answers_to(name):
            dso.aliases.add(name)
            return dso
    interpreter = namespace.interpreter
    if interpreter and interpreter not in namespace.objects and interpreter.answers_to(name):
        return adopt_interpreter(namespace, interpreter)
    if namespace.events.wanted & Topic.FILES and loader is not None:
        by, number = loader.label, loader.owner.id
        is_dlopen = bool(mode & Mode.DLOPEN) and not mode & Mode.DEPENDENCY
        namespace.events.emit(LibraryNeeded(name, namespace.id, by, number, is_dlopen))
    opened = _open_library(namespace, name, loader)
    try:
        return _map_library(namespace, name, opened, loader, mode)
    finally:
        namespace.process.close(opened.fd)


def adopt_interpreter(namespace: Namespace, interpreter: Dso) -> Dso:
    """Put ld.so, which is mapped once, into a namespace: what stands for it, if not the first."""
    dso = interpreter
    if namespace.id:
        dso = object.__new__(Dso)
        dso.__dict__.update(interpreter.__dict__)
        dso.real, dso.link_map = interpreter, 0
        dso.is_initial, dso.direct_opencount, dso.aliases = False, 0, set(interpreter.aliases)
        dso.scopes = [[interpreter]]
        namespace.interpreter = dso
    namespace.add(dso)
    return dso


def _open_library(namespace: Namespace, name: str, loader: Dso | None) -> OpenedFile:
    opener = LibraryOpener(namespace, loader)
    wanted = namespace.search.expand(name, loader)
    try:
        if namespace.audit:
            wanted = namespace.audit.search(wanted, loader, Source.ORIGINAL) or ""
            if not wanted:
                raise DlError("", "cannot open shared object file")
        if "/" in wanted:
            return opener(wanted, Source.NAME)
        chain = search_chain(namespace, loader)
        return namespace.search.find(wanted, loader, chain, opener, namespace.id)
    except OSError as error:
        if opener.found_other_class:
            raise DlError(name, "wrong ELF class: ELFCLASS32") from None
        message = "cannot open shared object file"
        raise DlError(name, message, error.errno or errno.ENOENT) from None


def search_chain(namespace: Namespace, loader: Dso | None) -> list[Dso]:
    """Return the files whose RPATH counts for what `loader` needs: itself up to the program."""
    chain: list[Dso] = []
    while loader is not None:
        chain.append(loader)
        loader = loader.loader
    program = namespace.program
    return chain if program in chain else [*chain, program]


def _map_library(
    namespace: Namespace, name: str, opened: OpenedFile, loader: Dso | None, mode: Mode
) -> Dso | None:
    process = namespace.process
    status = process.fstat(opened.fd)
    identity = (status.st_dev, status.st_ino)
    for dso in namespace.objects:
        if dso.identity == identity and not dso.is_closing:
            dso.aliases.add(name)
            return dso
    if mode & Mode.NOLOAD:
        return None
    interpreter = namespace.family[0].interpreter
    if interpreter and interpreter.identity == identity:
        return adopt_interpreter(namespace, interpreter)
    if not stat.S_ISREG(status.st_mode):
        raise DlError(opened.path, "cannot read file data", errno.EISDIR)
    ehdr, phdrs = read_phdrs(opened.path, opened.header)
    if ehdr.e_type != ET.DYN:
        raise DlError(opened.path, "cannot dynamically load executable")
    check_file_size(opened.path, phdrs, status.st_size)
    base = map_segments(namespace, opened.path, opened.fd, phdrs)
    dso = make_dso(namespace, opened.path, opened.path, base, ehdr, phdrs, identity)
    dso.requested_as = name
    # What dlopen loads has no loader: RPATHs of the caller count for itself alone.
    dso.loader = None if mode & Mode.DLOPEN and not mode & Mode.DEPENDENCY else loader
    dso.aliases |= {name, opened.path}
    path = opened.path
    if not path.startswith("/"):
        path = os.path.join(process.getcwd(), path)
    dso.origin = os.path.dirname(path)
    if complaint := _flags_complaint(dso, mode):
        process.munmap(page_down(dso.start), page_up(dso.end) - page_down(dso.start))
        raise DlError(opened.path, complaint)
    _provide_stack(namespace, dso)
    if namespace.audit:
        namespace.audit.changing(namespace)
    namespace.add(dso)
    if namespace.events.wanted & Topic.FILES:
        announce(namespace, dso)
    if namespace.audit:
        namespace.audit.opened(namespace, dso)
    return dso


def _provide_stack(namespace: Namespace, dso: Dso) -> None:
    """Make the stack executable where `dso` wants it; before the start it is only noted."""
    first = namespace.family[0]
    if first.has_executable_stack or not wants_executable_stack(dso.phdrs):
        return
    first.has_executable_stack = True
    try:
        make_stack_executable(first)
    except OSError as error:
        message = "cannot enable executable stack as shared object requires"
        raise DlError(dso.path, message, error.errno or 0) from None


def _flags_complaint(dso: Dso, mode: Mode) -> str:
    """Return why DT_FLAGS_1 forbids to load `dso`; empty if it does not."""
    if dso.flags_1 & DF1.PIE:
        return "cannot dynamically load position-independent executable"
    if dso.flags_1 & DF1.NOOPEN and mode & Mode.DLOPEN:
        return "shared object cannot be dlopen()ed"
    return ""


def announce(namespace: Namespace, dso: Dso) -> None:
    """Emit where `dso` was mapped."""
    namespace.events.emit(
        LinkMapMade(
            dso.requested_as,
            namespace.id,
            dso.dynamic_address,
            dso.base,
            dso.end - dso.start,
            dso.entry,
            dso.phdr_address,
            len(dso.phdrs),
        )
    )


def load_dependencies(
    namespace: Namespace, roots: Sequence[Dso], mode: Mode = Mode.NONE, *, is_lenient: bool = False
) -> tuple[list[Dso], list[Missing]]:
    """Load all that `roots` need, breadth first, and return the search list of the roots.

    A file that DT_FILTER or DT_AUXILIARY names stands in front of the one that names it. With
    `is_lenient` (ldd), a library that cannot be loaded does not end the walk: its name comes in the
    second list.
    """
    found = list(dict.fromkeys(roots))
    done: set[Dso] = set()
    missing: list[Missing] = []
    at = 0
    while at < len(found):  # grows while it is walked: that is breadth first
        dso = found[at]
        if dso in done:
            at += 1
            continue
        done.add(dso)
        if not dso.dependencies and dso.needed:
            dso.dependencies = _load_needed(namespace, dso, mode, missing, is_lenient)
        known = set(found)
        for target in dso.dependencies:
            if target in dso.filtees:
                if target in known and found.index(target) < found.index(dso):
                    continue
                found = [other for other in found if other is not target]
                found.insert(found.index(dso), target)
                at = min(at, found.index(target))
            elif target not in known:
                found.append(target)
            known.add(target)
    return found, missing


def _load_needed(
    namespace: Namespace, dso: Dso, mode: Mode, missing: list[Missing], is_lenient: bool
) -> list[Dso]:
    """Return the files that `dso` names as needed, as filtees too, loaded."""
    targets: list[Dso] = []
    for tag, name in dso.needed:
        count = len(namespace.objects)
        try:
            target = load_library(namespace, name, dso, mode | Mode.DEPENDENCY)
        except DlError:
            if tag == DT.AUXILIARY:  # does what it can
                continue
            if not is_lenient:
                raise
            missing.append(Missing(name, len(namespace.objects)))
            continue
        if target is None:
            continue
        targets.append(target)
        if tag != DT.NEEDED:
            dso.filtees.append(target)
            if len(namespace.objects) > count:
                namespace.objects.remove(target)
                namespace.objects.insert(namespace.objects.index(dso), target)
    return targets
