"""What execve(2) does: map the program and its interpreter, build the first stack.

The steps, their order and the places are those of Linux's fs/binfmt_elf.c without address space
randomisation (as gdb starts programs), or moved by `--aslr`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from stat import S_ISREG
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64 import registers
from pyldso.elf.constants import (
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    EM,
    ET,
    PF,
    PT,
)
from pyldso.elf.records import EHDR, PHDR, Ehdr, Phdr
from pyldso.errors import LoadError, os_error
from pyldso.kernel import syscalls_rseq
from pyldso.kernel.mmu import EXECUTE, PAGE_SIZE, READ, WRITE, page_down, page_up
from pyldso.kernel.paths import AT_FDCWD, name_of_open
from pyldso.kernel.vdso import map_vdso
from pyldso.kernel.vma import Vma

if TYPE_CHECKING:
    from pyldso.kernel.files import Files
    from pyldso.kernel.process import Process

CANNOT_EXECUTE = 126
"""The shell's status for a file that is there and cannot be executed."""
ET_DYN_BASE = 0x555555554000
"""Where a position-independent program goes: two thirds up (ELF_ET_DYN_BASE)."""
_STACK_EXPAND = 128 << 10
"""How much stack is there from the start, below what the arguments take (setup_arg_pages())."""
MAX_ARG_STRLEN = 32 * PAGE_SIZE
"""The longest string of argv and envp, with its NUL; and what they may take at the least."""
_STRINGS_SHARE, _MOST_FOR_STRINGS = 4, (8 << 20) * 3 // 4
_CLOCK_TICKS = 100
_SCRIPT_LINE, _SCRIPT_DEPTH = 256, 6
"""How much of a script's first line counts, and how many files may interpret each other."""
AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_EXECVE_CHECK = 0x100, 0x1000, 0x10000


class AT:
    """Types of the auxiliary vector's entries (getauxval(3))."""

    NULL, PHDR, PHENT, PHNUM, PAGESZ, BASE, FLAGS, ENTRY = 0, 3, 4, 5, 6, 7, 8, 9
    UID, EUID, GID, EGID, PLATFORM, HWCAP, CLKTCK = 11, 12, 13, 14, 15, 16, 17
    SECURE, RANDOM, HWCAP2, RSEQ_FEATURE_SIZE, RSEQ_ALIGN = 23, 25, 26, 27, 28
    EXECFN, SYSINFO_EHDR, MINSIGSTKSZ = 31, 33, 51


class Program(NamedTuple):
    """A mapped program; addresses are those in the running guest.

    `base` is the load bias. Without an interpreter, or where it was not asked for, `interp_base`
    and `interp_entry` are 0. `vdso` is where the vDSO's ELF header is.
    """

    path: str
    e_type: int
    base: int
    entry: int
    phdr_address: int
    phdrs: list[Phdr]
    interp: str | None
    interp_base: int
    interp_entry: int
    vdso: int
    brk_start: int

    @property
    def start(self) -> int:
        """Where the kernel enters: the interpreter, or the program itself."""
        return self.interp_entry or self.entry

    @property
    def needs_executable_stack(self) -> bool:
        """Tell whether PT_GNU_STACK asks for a stack that can be executed."""
        return any(phdr.p_type == PT.GNU_STACK and phdr.p_flags & PF.X for phdr in self.phdrs)


class InitialStack(NamedTuple):
    """The first stack of a process; all but `argc` are addresses."""

    sp: int
    argc: int
    argv_address: int
    envp_address: int
    auxv_address: int
    random_address: int


class _Image(NamedTuple):
    """An ELF file that was mapped."""

    base: int
    entry: int
    end: int
    phdr_address: int


class _Elf(NamedTuple):
    """The headers of an ELF file that is to be executed."""

    path: str
    fd: int
    ehdr: Ehdr
    phdrs: list[Phdr]

    @property
    def loads(self) -> list[Phdr]:
        """The PT_LOAD headers."""
        return [phdr for phdr in self.phdrs if phdr.p_type == PT.LOAD]


def load_program(
    process: Process, path: str, argv: list[bytes], envp: list[bytes]
) -> tuple[Program, InitialStack]:
    """Map the program and its interpreter and build the stack: all that execve(2) does.

    Raises OSError as execve(2) does.
    """
    program = map_program(process, path, with_interp=True)
    return program, build_stack(process, program, argv, envp)


def map_program(process: Process, path: str, *, with_interp: bool) -> Program:
    """Map the program, and the file that PT_INTERP names where asked for.

    Raises OSError as execve(2) does: ENOEXEC for what is not an x86-64 ELF executable.
    """
    files = process.files
    elf = _open(files, path, errno.ENOEXEC)
    interpreter: _Elf | None = None
    try:
        interp = _interp_name(elf)
        if interp is not None and with_interp:
            interpreter = _open(files, interp, errno.ELIBBAD)
        image = _map_image(process, elf, _program_base(process, elf, interp))
        interpreter_image = _Image(0, 0, 0, 0)
        files.program_path = files.paths.guest_name(name_of_open(elf.fd))
        if interpreter is not None:
            interpreter_image = _map_image(process, interpreter, None)
    finally:
        os.close(elf.fd)
        if interpreter is not None:
            os.close(interpreter.fd)
    vdso = map_vdso(process)
    brk_start = page_up(image.end)
    if elf.ehdr.e_type == ET.DYN and interp is None:
        brk_start = ET_DYN_BASE  # a loader run as a program: its heap must not hem in mmap
    process.set_brk(process.layout.brk(brk_start))
    return Program(
        path,
        elf.ehdr.e_type,
        image.base,
        image.entry,
        image.phdr_address,
        elf.phdrs,
        interp,
        interpreter_image.base,
        interpreter_image.entry,
        vdso,
        brk_start,
    )


class Executable(NamedTuple):
    """An open file that is to be executed, and its name for the new program."""

    fd: int
    name: bytes
    closes: bool
    """The name leads through a descriptor that execve(2) closes: no interpreter can open it."""


def open_executable(files: Files, path: bytes, dirfd: int = AT_FDCWD, flags: int = 0) -> Executable:
    """Open a file as execveat(2) does; raises its OSError, also for what is not executable."""
    if not path and not flags & AT_EMPTY_PATH:
        raise os_error(errno.ENOENT)
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_EXECVE_CHECK):
        raise os_error(errno.EINVAL)
    name, closes = path, False
    if dirfd != AT_FDCWD and not path.startswith(b"/"):
        name = b"/dev/fd/%d" % dirfd + (b"/" if path else b"") + path
        closes = not os.get_inheritable(dirfd)
    if not path:
        dirfd, path = AT_FDCWD, b"/proc/self/fd/%d" % dirfd if dirfd != AT_FDCWD else b"."
    # Not a FIFO's, for which it would wait.
    opened = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    opened |= os.O_NOFOLLOW if flags & AT_SYMLINK_NOFOLLOW else 0
    fd = files.open(dirfd, path, opened, 0)
    if not S_ISREG(os.fstat(fd).st_mode) or not _may_execute(fd):
        os.close(fd)
        raise os_error(errno.EACCES, os.fsdecode(name))
    return Executable(fd, name, closes)


def check_executable(
    files: Files, executable: Executable, argv: list[bytes]
) -> tuple[str, list[bytes]]:
    """Return the path of a script's interpreter, empty for an ELF file, and what argv is then.

    Raises OSError as execve(2) does.
    """
    path, fd, name = "", os.dup(executable.fd), executable.name
    try:
        for _ in range(_SCRIPT_DEPTH):
            line = os.pread(fd, _SCRIPT_LINE, 0)
            if not line.startswith(b"#!"):
                _read_elf(path or os.fsdecode(name), fd, errno.ENOEXEC)
                return path, argv
            words = line[2:].partition(b"\n")[0].strip(b" \t").split(None, 1)
            if not words:
                raise os_error(errno.ENOEXEC, os.fsdecode(name))
            if executable.closes and not path:
                raise os_error(errno.ENOENT, os.fsdecode(name))
            argv = [*(word.rstrip() for word in words), name, *argv[1:]]
            name, path = words[0], os.fsdecode(words[0])
            os.close(fd)
            fd = -1
            fd = _open_file(files, path)
    finally:
        if fd >= 0:
            os.close(fd)
    raise os_error(errno.ELOOP, path)


def interpreter_of(files: Files, path: str, argv: list[bytes]) -> tuple[str, list[bytes]]:
    """Return the interpreter of a script, and its arguments; raises OSError as execve(2) does."""
    executable = open_executable(files, os.fsencode(path))
    try:
        return check_executable(files, executable, argv)
    finally:
        os.close(executable.fd)


def is_script(files: Files, path: str) -> bool:
    """Tell whether a file is a text that names its interpreter, which the kernel starts then."""
    if not files.is_file(path):
        return False
    try:
        fd = _open_file(files, path)
    except OSError:
        return False
    start = os.pread(fd, 2, 0)
    os.close(fd)
    return start == b"#!"


def cannot_execute(path: str, error: OSError) -> LoadError:
    """Return the error of a file that execve(2) refuses."""
    where = error.filename if isinstance(error.filename, str) else path
    refusal = LoadError(f"pyldso: {where}: {error.strerror}")
    refusal.exit_status = LoadError.exit_status if error.errno == errno.ENOENT else CANNOT_EXECUTE
    return refusal


def _open_file(files: Files, path: str) -> int:
    try:
        return open_executable(files, os.fsencode(path)).fd
    except OSError as error:
        raise os_error(error.errno or errno.EIO, path) from None


def _may_execute(fd: int) -> bool:
    return os.access(f"/proc/self/fd/{fd}", os.X_OK, effective_ids=True)


def _open(files: Files, path: str, bad: int) -> _Elf:
    """Open an executable and read its headers; raises OSError with `bad` for unfit ones."""
    fd = _open_file(files, path)
    try:
        ehdr, phdrs = _read_elf(path, fd, bad)
    except OSError:
        os.close(fd)
        raise
    return _Elf(path, fd, ehdr, phdrs)


def _read_elf(path: str, fd: int, bad: int) -> tuple[Ehdr, list[Phdr]]:
    head = os.pread(fd, PAGE_SIZE, 0)
    if len(head) < EHDR.size or head[:4] != ELFMAG:
        raise os_error(bad, path)
    ehdr = Ehdr(*EHDR.unpack_from(head))
    size = ehdr.e_phnum * PHDR.size
    if (
        head[4:6] != bytes((ELFCLASS64, ELFDATA2LSB))
        or ehdr.e_machine != EM.X86_64
        or ehdr.e_type not in (ET.EXEC, ET.DYN)
        or ehdr.e_phentsize != PHDR.size
        or not 0 < size <= 0x10000
    ):
        raise os_error(bad, path)
    table = head[ehdr.e_phoff : ehdr.e_phoff + size]
    if len(table) < size:
        table = os.pread(fd, size, ehdr.e_phoff) if ehdr.e_phoff < 1 << 62 else b""
    if len(table) < size:
        raise os_error(bad, path)
    phdrs = [Phdr(*row) for row in PHDR.iter_unpack(table)]
    if not any(phdr.p_type == PT.LOAD for phdr in phdrs):
        raise os_error(bad, path)
    return ehdr, phdrs


def _interp_name(elf: _Elf) -> str | None:
    for phdr in elf.phdrs:
        if phdr.p_type == PT.INTERP:
            if not 2 <= phdr.p_filesz <= 4096 or phdr.p_offset >= 1 << 62:
                raise os_error(errno.ENOEXEC, elf.path)
            name = os.pread(elf.fd, phdr.p_filesz, phdr.p_offset)
            if len(name) < phdr.p_filesz or name[-1]:
                raise os_error(errno.ENOEXEC, elf.path)
            return os.fsdecode(name[: name.index(0)])
    return None


def _program_base(process: Process, elf: _Elf, interp: str | None) -> int | None:
    """Return where a program's first page goes; None leaves the choice to mmap."""
    if elf.ehdr.e_type == ET.EXEC:
        return page_down(elf.loads[0].p_vaddr)
    if interp is None:
        return None
    return process.layout.program_base(_alignment(elf.loads))


def _alignment(loads: list[Phdr]) -> int:
    powers = (phdr.p_align for phdr in loads if phdr.p_align & (phdr.p_align - 1) == 0)
    return max(PAGE_SIZE, *powers, PAGE_SIZE)


def _map_image(process: Process, elf: _Elf, first_page: int | None) -> _Image:
    """Map all PT_LOAD segments; `first_page` is where the lowest one's page goes."""
    loads = elf.loads
    lowest = page_down(loads[0].p_vaddr)
    end = max(phdr.p_vaddr + phdr.p_memsz for phdr in loads)
    if end - lowest >= 1 << 46 or lowest > end:
        raise os_error(errno.ENOEXEC, elf.path)
    memory = process.memory
    if first_page is None:
        size, alignment = page_up(end) - lowest, _alignment(loads)
        first_page = memory.find_gap(size + alignment - PAGE_SIZE)
        first_page = (first_page + alignment - 1) & -alignment
        first_page = max(first_page, memory.find_gap(size) & -alignment)
    base = first_page - lowest
    for phdr in loads:
        _map_segment(process, elf, phdr, base)
    entry = base + elf.ehdr.e_entry
    return _Image(base, entry & (2**64 - 1), base + end, _phdr_address(elf, base))


def _phdr_address(elf: _Elf, base: int) -> int:
    """Return where the program headers are in memory: in the segment that holds e_phoff."""
    e_phoff = elf.ehdr.e_phoff
    for phdr in elf.loads:
        if phdr.p_offset <= e_phoff < phdr.p_offset + phdr.p_filesz:
            return base + e_phoff - phdr.p_offset + phdr.p_vaddr
    return 0


def _map_segment(process: Process, elf: _Elf, phdr: Phdr, base: int) -> None:
    """Map one segment: its file pages, zeros behind them (elf_load())."""
    memory = process.memory
    prot = (
        (READ if phdr.p_flags & PF.R else 0)
        | (WRITE if phdr.p_flags & PF.W else 0)
        | (EXECUTE if phdr.p_flags & PF.X else 0)
    )
    if phdr.p_filesz > phdr.p_memsz or phdr.p_vaddr % PAGE_SIZE != phdr.p_offset % PAGE_SIZE:
        raise os_error(errno.EINVAL, elf.path)
    start = base + page_down(phdr.p_vaddr)
    file_end = base + phdr.p_vaddr + phdr.p_filesz
    memory_end = base + phdr.p_vaddr + phdr.p_memsz
    mapped_end = start
    if phdr.p_filesz:
        mapped_end = page_up(file_end)
        memory.map(
            start,
            mapped_end - start,
            prot,
            fd=elf.fd,
            offset=page_down(phdr.p_offset),
            fixed=True,
        )
        if phdr.p_memsz > phdr.p_filesz and prot & WRITE and mapped_end > file_end:
            memory.write(file_end, bytes(mapped_end - file_end))
    if page_up(memory_end) > mapped_end:
        memory.map(mapped_end, page_up(memory_end) - mapped_end, prot, fixed=True)


def room_for_strings(stack_limit: int) -> int:
    """Return how many bytes argv and envp may take on a stack of at most `stack_limit`."""
    return max(min(stack_limit // _STRINGS_SHARE, _MOST_FOR_STRINGS), MAX_ARG_STRLEN)


def size_of_strings(strings: Sequence[bytes]) -> int:
    """Return what strings of argv and envp take there, with their NULs and pointers."""
    return sum(len(string) + 1 + 8 for string in strings)


def build_stack(
    process: Process, program: Program, argv: list[bytes], envp: list[bytes]
) -> InitialStack:
    """Map the stack and put arguments, environment and auxiliary vector on it.

    Raises E2BIG as execve(2) does. Sets the stack pointer.
    """
    pointers_size = 8 * (len(argv) + len(envp) + 64)
    if size_of_strings((*argv, *envp)) > room_for_strings(process.memory.stack_limit) or any(
        len(text) >= MAX_ARG_STRLEN for text in (*argv, *envp)
    ):
        raise os_error(errno.E2BIG, program.path)
    # From the top: 8 zero bytes, the file name, environment, arguments; platform, random bytes.
    filename = process.execfn or os.fsencode(program.path)
    block = b"".join(text + b"\0" for text in (*argv, *envp, filename)) + bytes(8)
    top = process.layout.stack_top
    at = top - len(block)
    bottom = page_down(at - max(_STACK_EXPAND, pointers_size + PAGE_SIZE))
    _map_stack(process, bottom, top, program.needs_executable_stack)
    process.memory.write(at, block)
    addresses = []
    for text in (*argv, *envp, filename):
        addresses.append(at)
        at += len(text) + 1
    at = process.layout.align_stack(top - len(block)) - len(registers.PLATFORM) - 1
    process.memory.write(at, registers.PLATFORM + b"\0")
    random_address = at - 16
    process.memory.write(random_address, process.layout.random_bytes)

    auxv = _auxiliary_vector(program, addresses[-1], at, random_address)
    words = [len(argv), *addresses[: len(argv)], 0, *addresses[len(argv) : -1], 0]
    sp = (random_address - 8 * (len(words) + len(auxv))) & ~15
    process.memory.write(sp, pack(f"<{len(words) + len(auxv)}Q", *words, *auxv))
    process.cpu.sp = sp
    process.remember_start(argv, envp, pack(f"<{len(auxv)}Q", *auxv))
    argv_address = sp + 8
    envp_address = argv_address + 8 * (len(argv) + 1)
    auxv_address = sp + 8 * len(words)
    return InitialStack(sp, len(argv), argv_address, envp_address, auxv_address, random_address)


def _map_stack(process: Process, bottom: int, top: int, is_executable: bool) -> None:
    prot = READ | WRITE | (EXECUTE if is_executable else 0)
    process.memory.map(bottom, top - bottom, prot, fixed=True, label="[stack]")
    stack: Vma | None = process.memory.find(top - 1)
    if stack is not None:
        stack.grows_down = True


def _auxiliary_vector(
    program: Program, filename: int, platform: int, random_address: int
) -> list[int]:
    entries = (
        (AT.SYSINFO_EHDR, program.vdso),
        (AT.MINSIGSTKSZ, registers.MINSIGSTKSZ),
        (AT.HWCAP, registers.HWCAP),
        (AT.PAGESZ, PAGE_SIZE),
        (AT.CLKTCK, _CLOCK_TICKS),
        (AT.PHDR, program.phdr_address),
        (AT.PHENT, PHDR.size),
        (AT.PHNUM, len(program.phdrs)),
        (AT.BASE, program.interp_base),
        (AT.FLAGS, 0),
        (AT.ENTRY, program.entry),
        (AT.UID, os.getuid()),
        (AT.EUID, os.geteuid()),
        (AT.GID, os.getgid()),
        (AT.EGID, os.getegid()),
        (AT.SECURE, 0),
        (AT.RANDOM, random_address),
        (AT.HWCAP2, registers.HWCAP2),
        (AT.EXECFN, filename),
        (AT.PLATFORM, platform),
        (AT.RSEQ_FEATURE_SIZE, syscalls_rseq.FEATURE_SIZE),
        (AT.RSEQ_ALIGN, syscalls_rseq.ALIGNMENT),
        (AT.NULL, 0),
    )
    return [word for entry in entries for word in entry]
