"""What musl 1.2 expects of its dynamic linker, which is the same file as its libc.

Its own start code runs the constructors from a queue that only its own linker fills. Ours lets
`__libc_start_main` find an empty queue and call a trap as `main`, and the trap runs them. The
thread control block is musl's struct pthread (src/internal/pthread_impl.h); where the locale is in
it, and where libc's own data, shows what `uselocale` changes.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.registers import CALL_ARGUMENTS, RDI
from pyldso.elf.constants import DT, PF
from pyldso.kernel.mmu import PAGE_SIZE, READ
from pyldso.ldso import dl, tls
from pyldso.ldso.errors import DlError
from pyldso.ldso.initialise import (
    announce_program,
    run_finalisers,
    run_initialisers,
    run_preinitialisers,
)
from pyldso.ldso.lookup import find_in
from pyldso.ldso.personality import Personality
from pyldso.ldso.sort_maps import sort_maps
from pyldso.ldso.vdso import add_vdso

if TYPE_CHECKING:
    from pyldso.kernel.exec import InitialStack
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

CONTROL_BLOCK = 1024
"""More than sizeof (struct pthread) of any musl."""
PREVIOUS, NEXT, TID, DETACH_STATE, DETACH_JOINABLE = 0x10, 0x18, 0x30, 0x38, 2
ROBUST_BEFORE_LOCALE = 32
"""struct pthread: robust_list is followed by h_errno_val, timer_id and locale."""
SET_TID_ADDRESS = bytes.fromhex(
    "b8da000000"  # mov $218,%eax
    "488d3d"  #     lea distance(%rip),%rdi
)
GLOBAL_LOCALE = 0xFFFFFFFFFFFFFFFF
# struct __libc (src/internal/libc.h), by the distance below its last member, global_locale.
CAN_DO_THREADS, TLS_HEAD, TLS_SIZE, TLS_ALIGN, TLS_COUNT = 56, 40, 32, 24, 16
PTHREAD_ROOM = 512
VDSO_NAME = "linux-gate.so.1"
TLS_MODULE = struct.Struct("<6Q")


def _address(namespace: Namespace, name: bytes) -> int:
    libc = namespace.libc
    symbol = find_in(namespace, libc, name)
    if libc is None or symbol is None:
        raise DlError(libc.label if libc else "", f"has no {name.decode()}: unknown kind of musl")
    return libc.symbol_address(symbol)


def install(namespace: Namespace) -> None:
    """Give our definitions of the dl* functions and of the start."""
    program = namespace.program
    program.name = program.label
    add_vdso(namespace, "", VDSO_NAME)
    functions = namespace.dl_functions
    minus_one = dl.MINUS_ONE

    def caller() -> int:
        return namespace.memory.read_u64(namespace.process.cpu.sp)

    for name, address in {
        b"dlopen": functions.calling_trap(
            lambda file, mode: functions.dlopen(file, mode, caller()), 2
        ),
        b"dlclose": functions.trap(functions.keep_open, 1, minus_one),
        b"dlsym": functions.trap(lambda handle, name: functions.dlsym(handle, name, caller()), 2),
        b"dlerror": functions.trap(functions.dlerror, 0),
        b"dladdr": functions.trap(functions.dladdr, 2),
        b"dlinfo": functions.trap(functions.dlinfo, 3, minus_one),
        b"dl_iterate_phdr": functions.calling_trap(functions.dl_iterate_phdr, 2),
    }.items():
        namespace.overrides[name] = address
    namespace.overrides[b"__libc_start_main"] = namespace.process.stubs.add_trap(
        lambda: _start_main(namespace)
    )


def prepare(namespace: Namespace, stack: InitialStack) -> None:
    """Fill the first thread's struct pthread and what libc knows of thread-local storage."""
    memory, pointer = namespace.memory, namespace.tls.thread_pointer
    memory.write_u64(pointer + PREVIOUS, pointer)
    memory.write_u64(pointer + NEXT, pointer)
    memory.write_u32(pointer + TID, os.getpid())
    memory.write_u32(pointer + DETACH_STATE, DETACH_JOINABLE)
    before = memory.read(pointer, CONTROL_BLOCK)
    namespace.process.call(_address(namespace, b"uselocale"), GLOBAL_LOCALE)
    after = memory.read(pointer, CONTROL_BLOCK)
    changed = [at for at in range(0, CONTROL_BLOCK, 8) if before[at : at + 8] != after[at : at + 8]]
    if len(changed) != 1:
        raise DlError("", "uselocale does not set the thread's locale: unknown kind of musl")
    global_locale = int.from_bytes(after[changed[0] : changed[0] + 8], "little")
    robust_list = pointer + changed[0] - ROBUST_BEFORE_LOCALE
    memory.write_u64(robust_list, robust_list)
    if lock := _thread_list_lock(namespace):
        namespace.process.set_tid_address(lock)
    _describe_storage(namespace, global_locale)
    namespace.tls.on_late_module = lambda dso: _describe_late(namespace, global_locale, dso)


def _thread_list_lock(namespace: Namespace) -> int:
    """Return the address of the lock that the kernel opens when the first thread has ended, or 0.

    No symbol names it, but libc hands it to set_tid_address(2) itself, where a process begins.
    """
    libc = namespace.libc
    for phdr in libc.loads if libc is not None else ():
        if libc is not None and phdr.p_flags & PF.X:
            code = namespace.memory.read(libc.base + phdr.p_vaddr, phdr.p_filesz)
            place = code.find(SET_TID_ADDRESS)
            if place >= 0:
                end = place + len(SET_TID_ADDRESS) + 4
                (distance,) = struct.unpack_from("<i", code, end - 4)
                return int(libc.base + phdr.p_vaddr + end + distance)
    return 0


def _describe_storage(namespace: Namespace, global_locale: int) -> None:
    """Tell libc the modules and the size of the static area, for the threads that it makes."""
    memory = namespace.memory
    head, count = 0, 0
    for dso in reversed(namespace.objects):
        module = dso.tls
        if module is not None and module.offset is not None:
            record = namespace.heap.allocate(TLS_MODULE.size)
            fields = (head, module.image, module.image_size, module.size)
            memory.write(record, TLS_MODULE.pack(*fields, module.alignment, module.offset))
            head, count = record, count + 1
    memory.write(global_locale - CAN_DO_THREADS, b"\1")
    memory.write_u64(global_locale - TLS_HEAD, head)
    _describe_sizes(namespace, global_locale, count)


def _describe_sizes(namespace: Namespace, global_locale: int, count: int) -> None:
    layout = namespace.tls
    size = 8 * (1 + count) + layout.used + PTHREAD_ROOM + 2 * layout.alignment
    for distance, value in (
        (TLS_SIZE, -(-size // layout.alignment) * layout.alignment),
        (TLS_ALIGN, layout.alignment),
        (TLS_COUNT, count),
    ):
        namespace.memory.write_u64(global_locale - distance, value)


def _describe_late(namespace: Namespace, global_locale: int, dso: Dso) -> None:
    """Tell libc of a module that dlopen brought: new threads have it in their static area."""
    memory, layout, module = namespace.memory, namespace.tls, dso.tls
    if module is None:
        return
    offset = layout.used + module.size
    layout.used = offset + (-module.image - offset) % module.alignment
    layout.alignment = max(layout.alignment, module.alignment)
    record = namespace.heap.allocate(TLS_MODULE.size)
    fields = (0, module.image, module.image_size, module.size, module.alignment, layout.used)
    memory.write(record, TLS_MODULE.pack(*fields))
    place, count = global_locale - TLS_HEAD, 1
    while following := memory.read_u64(place):
        place, count = following, count + 1
    memory.write_u64(place, record)
    _describe_sizes(namespace, global_locale, count)


def _leave_to_libc(namespace: Namespace) -> Calls:
    """Call nothing: the trap that stands for `__libc_start_main` does."""
    yield from ()
    return None


def _start_main(namespace: Namespace) -> None:
    """Enter musl's `__libc_start_main` with a trap as `main`.

    The queue of constructors is a null pointer, which it reads: a page of zeros is there meanwhile.
    """
    process, cpu = namespace.process, namespace.process.cpu
    main = cpu.get(RDI)
    namespace.memory.map(0, PAGE_SIZE, READ, fixed=True)
    cpu.set(RDI, process.stubs.add_trap(lambda: _before_main(namespace, main)))
    cpu.pc = _address(namespace, b"__libc_start_main")


def _before_main(namespace: Namespace, main: int) -> Calls:
    """Run what musl's linker runs before `main`, the program's own constructors included."""
    process, cpu = namespace.process, namespace.process.cpu
    arguments = tuple(cpu.get(register) for register in CALL_ARGUMENTS[:3])
    namespace.memory.unmap(0, PAGE_SIZE)

    def finalise() -> Calls:  # in the reverse order of the constructors, dlopen's included
        return run_finalisers(namespace, namespace.initialised[::-1])

    yield (_address(namespace, b"atexit"), process.stubs.add_trap(finalise))
    yield from run_preinitialisers(namespace, namespace.arguments)
    others = [dso for dso in namespace.global_scope if dso is not namespace.libc]
    yield from run_initialisers(namespace, sort_maps(others), namespace.arguments)
    announce_program(namespace)
    namespace.initialised.append(namespace.program)
    yield from _initialise_program(namespace, namespace.program)
    for register, value in zip(CALL_ARGUMENTS, arguments, strict=False):
        cpu.set(register, value)
    cpu.pc = main
    return None


def _initialise_program(namespace: Namespace, program: Dso) -> Calls:
    if DT.INIT in program.dynamic:
        yield (program.base + program.dynamic[DT.INIT], *namespace.arguments)
    for function in program.function_array(DT.INIT_ARRAY, DT.INIT_ARRAYSZ):
        yield (function, *namespace.arguments)
    return None


MUSL = Personality(
    threads=tls.MUSL_THREADS,
    adjusts_dynamic=False,
    control_block_size=lambda namespace: CONTROL_BLOCK,
    install=install,
    prepare=prepare,
    initialise=_leave_to_libc,
)
