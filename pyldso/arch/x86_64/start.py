"""The objects that pyldso brings along: start code and what libc's static parts would give.

Neither gcc's crt files nor libc_nonshared.a need to be on the machine: each object here is machine
code, one instruction a line, with its relocations, and is linked where its name is undefined.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pyldso.arch.x86_64.relocations import R_X86_64
from pyldso.elf.constants import EM, SHF, SHN, SHT, STB, STT, STV
from pyldso.elf.object import ObjectFile, Section, Symbol
from pyldso.elf.rela import RelaTable, Row

TEXT_FLAGS = int(SHF.ALLOC | SHF.EXECINSTR)
DATA_FLAGS = int(SHF.ALLOC | SHF.WRITE)

REL32_ADDEND = -4
"""A 32-bit displacement counts from the end of its field."""


class Reference(NamedTuple):
    """A field of four bytes at the end of the line: its relocation and its symbol."""

    r_type: int
    symbol: str


Line = tuple[str, Reference | None]
"""The bytes of an instruction in hexadecimal, without the field that a relocation fills."""


def got(symbol: str) -> Reference:
    """Refer to the GOT entry of `symbol`, in an instruction with a REX prefix."""
    return Reference(R_X86_64.REX_GOTPCRELX, symbol)


def got_call(symbol: str) -> Reference:
    """Refer to the GOT entry of `symbol`, in a call or jump without REX prefix."""
    return Reference(R_X86_64.GOTPCRELX, symbol)


def relative(symbol: str) -> Reference:
    """Refer to `symbol` itself, from the next instruction."""
    return Reference(R_X86_64.PC32, symbol)


# The process starts here (psABI 3.4.1): RDX holds what atexit must register, RSP points to argc.
START: tuple[Line, ...] = (
    ("31ed", None),                               # xor  %ebp,%ebp           the outermost frame
    ("4989d1", None),                             # mov  %rdx,%r9            rtld_fini
    ("5e", None),                                 # pop  %rsi                argc
    ("4889e2", None),                             # mov  %rsp,%rdx           argv
    ("4883e4f0", None),                           # and  $-16,%rsp
    ("50", None),                                 # push %rax                keeps the alignment
    ("54", None),                                 # push %rsp                stack_end
    ("4531c0", None),                             # xor  %r8d,%r8d           fini
    ("31c9", None),                               # xor  %ecx,%ecx           init
    ("488b3d", got("main")),                      # mov  main@GOTPCREL(%rip),%rdi
    ("ff15", got_call("__libc_start_main")),      # call *__libc_start_main@GOTPCREL(%rip)
    ("f4", None),                                 # hlt                      it does not return
)  # fmt: skip

# For a libc whose __libc_start_main runs only the initializers that it is passed: glibc before
# 2.34. `init` is what __libc_csu_init was: it calls .init_array with (argc, argv, envp).
START_WITH_INIT: tuple[Line, ...] = (
    *START[:8],
    ("488d0d", relative("init")),                 # lea  init(%rip),%rcx     init
    *START[9:],
)  # fmt: skip
INIT: tuple[Line, ...] = (
    ("4154", None),                               # push %r12
    ("4155", None),                               # push %r13
    ("4156", None),                               # push %r14
    ("53", None),                                 # push %rbx
    ("55", None),                                 # push %rbp                the stack is aligned
    ("4189fc", None),                             # mov  %edi,%r12d
    ("4989f5", None),                             # mov  %rsi,%r13
    ("4989d6", None),                             # mov  %rdx,%r14
    ("488d1d", relative("__init_array_start")),   # lea  __init_array_start(%rip),%rbx
    ("488d2d", relative("__init_array_end")),     # lea  __init_array_end(%rip),%rbp
    ("4839eb", None),                             # 1: cmp %rbp,%rbx
    ("7411", None),                               # je   2f
    ("4489e7", None),                             # mov  %r12d,%edi
    ("4c89ee", None),                             # mov  %r13,%rsi
    ("4c89f2", None),                             # mov  %r14,%rdx
    ("ff13", None),                               # call *(%rbx)
    ("4883c308", None),                           # add  $8,%rbx
    ("ebea", None),                               # jmp  1b
    ("5d", None),                                 # 2: pop %rbp
    ("5b", None),                                 # pop  %rbx
    ("415e", None),                               # pop  %r14
    ("415d", None),                               # pop  %r13
    ("415c", None),                               # pop  %r12
    ("c3", None),                                 # ret
)  # fmt: skip
RUNS_INIT_ARRAY = "GLIBC_2.34"
"""From this version on __libc_start_main runs the executable's initializers itself."""

RETURN: tuple[Line, ...] = (
    ("c3", None),                                 # ret
)  # fmt: skip

ATEXIT: tuple[Line, ...] = (
    ("488b15", relative("__dso_handle")),         # mov  __dso_handle(%rip),%rdx
    ("31f6", None),                               # xor  %esi,%esi           no argument
    ("e9", Reference(R_X86_64.PLT32, "__cxa_atexit")),  # jmp __cxa_atexit
)  # fmt: skip

AT_QUICK_EXIT: tuple[Line, ...] = (
    ("488b35", relative("__dso_handle")),         # mov  __dso_handle(%rip),%rsi
    ("e9", Reference(R_X86_64.PLT32, "__cxa_at_quick_exit")),  # jmp __cxa_at_quick_exit
)  # fmt: skip

PTHREAD_ATFORK: tuple[Line, ...] = (
    ("488b0d", relative("__dso_handle")),         # mov  __dso_handle(%rip),%rcx
    ("e9", Reference(R_X86_64.PLT32, "__register_atfork")),  # jmp __register_atfork
)  # fmt: skip

STACK_CHK_FAIL_LOCAL: tuple[Line, ...] = (
    ("4883ec08", None),                           # sub  $8,%rsp
    ("e8", Reference(R_X86_64.PLT32, "__stack_chk_fail")),  # call __stack_chk_fail
)  # fmt: skip

# What crtbeginS.o does when a library is closed: run the functions that it gave to atexit.
FINALIZE: tuple[Line, ...] = (
    ("4883ec08", None),                           # sub  $8,%rsp
    ("488b05", got("__cxa_finalize")),            # mov  __cxa_finalize@GOTPCREL(%rip),%rax
    ("4885c0", None),                             # test %rax,%rax           weak: may be absent
    ("7409", None),                               # je   1f
    ("488b3d", relative("__dso_handle")),         # mov  __dso_handle(%rip),%rdi
    ("ffd0", None),                               # call *%rax
    ("4883c408", None),                           # 1: add $8,%rsp
    ("c3", None),                                 # ret
)  # fmt: skip


class Builder:
    """One built-in object in the making."""

    def __init__(self, path: str) -> None:
        self.object = ObjectFile(path, EM.X86_64, symbols=[Symbol("")])
        self._numbers: dict[str, int] = {}
        self._pending: list[tuple[Section, int, Reference, int]] = []

    def section(self, name: str, sh_type: int, sh_flags: int, alignment: int) -> Section:
        """Add an empty section."""
        section = Section(name, sh_type, sh_flags, alignment, bytearray())
        self.object.sections.append(section)
        return section

    def define(self, symbol: Symbol) -> None:
        """Add a symbol; locals must come first."""
        self._numbers[symbol.name] = len(self.object.symbols)
        self.object.symbols.append(symbol)

    def function(
        self, name: str, lines: tuple[Line, ...], binding: int = STB.GLOBAL, visibility: int = 0
    ) -> None:
        """Add a function in its own .text."""
        section = self.section(".text", SHT.PROGBITS, TEXT_FLAGS, 16)
        code = bytearray()
        for instruction, reference in lines:
            code += bytes.fromhex(instruction)
            if reference is not None:
                self._pending.append((section, len(code), reference, REL32_ADDEND))
                code += bytes(4)
        section.data, section.size = code, len(code)
        self.define(Symbol(name, binding, STT.FUNC, visibility, section, 0, 0, len(code)))

    def pointer(self, section: Section, target: str) -> None:
        """Add a word that holds the address of `target`."""
        self._pending.append((section, section.size, Reference(R_X86_64.ABS64, target), 0))
        section.data = bytes(section.data) + bytes(8)
        section.size += 8

    def finish(self, weak: frozenset[str] = frozenset()) -> ObjectFile:
        """Return the object; what it names and does not define is undefined."""
        rows: dict[Section, list[Row]] = {}
        for section, offset, reference, addend in self._pending:
            if reference.symbol not in self._numbers:
                binding = STB.WEAK if reference.symbol in weak else STB.GLOBAL
                self.define(Symbol(reference.symbol, binding, shndx=SHN.UNDEF))
            number = self._numbers[reference.symbol]
            row = (offset, number << 32 | int(reference.r_type), addend)
            rows.setdefault(section, []).append(row)
        for section, found in rows.items():
            section.relocations = RelaTable.of(found)
        return self.object


def function_object(name: str, lines: tuple[Line, ...], visibility: int) -> ObjectFile:
    """Return an object that holds one function."""
    builder = Builder(f"pyldso:{name}.o")
    builder.function(name, lines, visibility=visibility)
    return builder.finish()


def dso_handle_object(*, is_shared: bool, is_position_independent: bool) -> ObjectFile:
    """Return `__dso_handle`, by which libc knows the file that registers an exit function.

    A library's is its own address, and its finalizer comes along (Itanium C++ ABI 3.3.6.2).
    """
    builder = Builder("pyldso:dso_handle.o")
    data = builder.section(".data", SHT.PROGBITS, DATA_FLAGS, 8)
    if is_shared:
        builder.function("finalize", FINALIZE, STB.LOCAL)
    builder.define(Symbol("__dso_handle", STB.GLOBAL, STT.OBJECT, STV.HIDDEN, data, 0, 0, 8))
    if is_position_independent:
        builder.pointer(data, "__dso_handle")
    else:
        data.data, data.size = bytes(8), 8  # a fixed executable is never unloaded: NULL
    if is_shared:
        fini_array = builder.section(".fini_array", SHT.FINI_ARRAY, DATA_FLAGS, 8)
        builder.pointer(fini_array, "finalize")
    return builder.finish(frozenset(("__cxa_finalize",)))


def start_object(libc_version: str) -> ObjectFile:
    """Return `_start` for the version of the `__libc_start_main` that it calls."""
    if libc_version == RUNS_INIT_ARRAY:
        return function_object("_start", START, STV.DEFAULT)
    builder = Builder("pyldso:_start.o")
    builder.function("init", INIT, STB.LOCAL)
    builder.function("_start", START_WITH_INIT)
    return builder.finish()


def static_start_object(*, is_position_independent: bool) -> ObjectFile:
    """Return `_start` for libc.a, whose start code calls `_init` and `_fini` of the crt files.

    A fixed program has nothing to relocate in itself: crt1.o says so by an empty function.
    """
    builder = Builder("pyldso:_start.o")
    builder.function("init", INIT, STB.LOCAL)
    builder.function("_start", START_WITH_INIT)
    empty = ["_init", "_fini"]
    if not is_position_independent:
        empty.append("_dl_relocate_static_pie")
    for name in empty:
        builder.function(name, RETURN, visibility=STV.HIDDEN)
    return builder.finish()


def builtin_objects(
    *, is_shared: bool, is_position_independent: bool, has_start: bool, libc_version: str
) -> dict[str, Callable[[], ObjectFile]]:
    """Return the makers of the built-in objects by the name that pulls each in.

    `libc_version` is the symbol version of libc's `__libc_start_main`, which a program starts with.
    """
    functions: dict[str, tuple[Line, ...]] = {
        "atexit": ATEXIT,
        "at_quick_exit": AT_QUICK_EXIT,
        "pthread_atfork": PTHREAD_ATFORK,
        "__stack_chk_fail_local": STACK_CHK_FAIL_LOCAL,
    }
    objects: dict[str, Callable[[], ObjectFile]] = {}
    if has_start:
        objects["_start"] = lambda: start_object(libc_version)
    for name, lines in functions.items():
        objects[name] = partial(function_object, name, lines, STV.HIDDEN)
    objects["__dso_handle"] = lambda: dso_handle_object(
        is_shared=is_shared, is_position_independent=is_position_independent
    )
    return objects
