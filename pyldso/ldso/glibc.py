"""What glibc 2.34 and later expect of their dynamic linker beyond the ABI.

libc.so.6 reads variables of ld.so (`_rtld_global`, `_rtld_global_ro`) whose layout is private. No
version is asked: the ABI-stable offsets are written, sizes come from the `_thread_db_*` constants
that libc exports for debuggers, and the remaining offsets are found by watching which word of
`_rtld_global_ro` a libc function reads. `_dl_dlfcn_hook`, made for static programs that dlopen,
hands every dl* function to this dynamic linker.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.registers import HWCAP, HWCAP2, MINSIGSTKSZ
from pyldso.elf.constants import PF, PT
from pyldso.kernel import syscalls_rseq
from pyldso.kernel.mmu import PAGE_SIZE
from pyldso.ldso import dl, tls, vdso
from pyldso.ldso.errors import DlError
from pyldso.ldso.lookup import find_in
from pyldso.ldso.personality import Personality, UnknownLibc, initialise_all

if TYPE_CHECKING:
    from pyldso.kernel.exec import InitialStack
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

CLOCK_TICKS = 100
SC_CLK_TCK, SC_MINSIGSTKSZ = 2, 249
AT_HWCAP, AT_HWCAP2, AT_UNKNOWN = 16, 26, 0x7777
DEFAULT_CONTROL_BLOCK = 2304
"""sizeof (struct pthread) where libc does not tell it."""
NEEDED = frozenset({b"getauxval", b"dladdr", b"_dl_find_object"})
"""Functions that must be seen to read their member: without it programs would go astray."""
ALL_PERMISSIONS = PF.R | PF.W | PF.X
RSEQ_CPU_ID = 4
TCB_HEAD_SIZE = 704
"""sizeof (tcbhead_t): the members of struct pthread follow."""
RSEQ_LENGTH, RSEQ_SIGNATURE, RSEQ_REGISTRATION_FAILED = 32, 0x53053053, 0xFFFFFFFE
RSEQ_FIRST_SIZE = 20
"""How much of the area was used at first: what __rseq_size says where it has a fixed place."""
FUTEX_OFFSET = -32
"""offsetof (pthread_mutex_t, __data.__lock) minus that of its list node (robust_list_head)."""
SPECIFIC_BEFORE = 512
"""struct pthread: specific_1stblock, 32 entries of 16, ends where specific[] begins."""


def is_glibc(namespace: Namespace) -> bool:
    """Tell whether libc and ld.so are a glibc of 2.34 or later, by what they export."""
    return (
        find_in(namespace, namespace.interpreter, b"_rtld_global_ro") is not None
        and find_in(namespace, namespace.libc, b"__libc_early_init") is not None
        and find_in(namespace, namespace.libc, b"dlopen") is not None
    )


def control_block_size(namespace: Namespace) -> int:
    """Return sizeof (struct pthread), which libc tells debuggers."""
    values = _thread_db(namespace, b"sizeof_pthread")
    return values[0] if values else DEFAULT_CONTROL_BLOCK


def _thread_db(namespace: Namespace, name: bytes) -> Sequence[int]:
    """Return the words of libc's constant `_thread_db_NAME`: size in bits, count, offset."""
    libc = namespace.libc
    symbol = find_in(namespace, libc, b"_thread_db_" + name)
    if libc is None or symbol is None:
        return ()
    data = namespace.memory.read(libc.symbol_address(symbol), symbol.st_size & ~3)
    return struct.unpack(f"<{len(data) // 4}I", data)


class _Variables:
    """The addresses of ld.so's variables, and writing to them."""

    def __init__(self, namespace: Namespace, interpreter: Dso) -> None:
        self._namespace = namespace
        self._interpreter = interpreter

    def address(self, name: bytes) -> int:
        """Return the address of a variable; DlError where this ld.so has none of that name."""
        symbol = find_in(self._namespace, self._interpreter, name)
        if symbol is None:
            raise DlError(self._interpreter.label, f"has no {name.decode()}: unknown kind of glibc")
        return self._interpreter.symbol_address(symbol)

    def store(self, name: bytes, form: str, value: int) -> None:
        """Set a variable, and the program's copy of it where a copy relocation has made one."""
        self._namespace.memory.write(self.address(name), struct.pack(form, value))
        program = self._namespace.program
        copy = find_in(self._namespace, program, name)
        if copy is not None:
            address = program.symbol_address(copy)
            self._namespace.memory.write(address, struct.pack(form, value))

    def size(self, name: bytes) -> int:
        """Return the size of a variable."""
        symbol = find_in(self._namespace, self._interpreter, name)
        return symbol.st_size if symbol else 0


def prepare(namespace: Namespace, stack: InitialStack) -> None:
    """Fill what libc reads of ld.so and of the first thread, and hand it the dl* functions."""
    interpreter = namespace.interpreter
    if interpreter is None:
        return
    memory = namespace.memory
    variables = _Variables(namespace, interpreter)
    rtld_global = variables.address(b"_rtld_global")
    _prepare_stack_flags(namespace, rtld_global, variables.size(b"_rtld_global"))
    memory.write_u64(rtld_global, namespace.program.link_map)
    memory.write_u32(rtld_global + 8, len(namespace.objects))
    variables.store(b"__libc_stack_end", "<Q", stack.sp)
    variables.store(b"__libc_enable_secure", "<I", 0)
    variables.store(b"_dl_argv", "<Q", stack.argv_address)
    _prepare_thread(namespace, rtld_global)
    _prepare_rseq(namespace, variables)
    _prepare_read_only(namespace, variables, stack)


def _prepare_stack_flags(namespace: Namespace, rtld_global: int, size: int) -> None:
    """Say whether the stacks of threads are executable: where some file asks for it.

    `_dl_stack_flags` is the one word of `_rtld_global` that a fresh ld.so has full permissions in.
    """
    words = memoryview(namespace.memory.read(rtld_global, size & ~3)).cast("I")
    places = [index for index, word in enumerate(words) if word == ALL_PERMISSIONS]
    if len(places) != 1:
        return
    flags = 0
    for dso in namespace.objects:
        if dso is namespace.vdso:  # it says nothing of stacks
            continue
        headers = (phdr.p_flags for phdr in dso.phdrs if phdr.p_type == PT.GNU_STACK)
        flags |= next(headers, ALL_PERMISSIONS)
    namespace.memory.write_u32(rtld_global + 4 * places[0], flags)


def _prepare_thread(namespace: Namespace, rtld_global: int) -> None:
    """Fill the first thread's struct pthread and put it on the list of user stacks."""
    memory, pointer = namespace.memory, namespace.tls.thread_pointer
    used = _thread_db(namespace, b"rtld_global__dl_stack_used")
    user = _thread_db(namespace, b"rtld_global__dl_stack_user")
    tid = _thread_db(namespace, b"pthread_tid")
    link = _thread_db(namespace, b"pthread_list")
    specific = _thread_db(namespace, b"pthread_specific")
    if not (used and user and tid and link and specific):
        return
    for offset in (used[2], user[2], max(used[2], user[2]) + 16):
        _make_empty_list(namespace, rtld_global + offset)
    process_id = os.getpid()
    memory.write_u32(pointer + tid[2], process_id)
    first_block = pointer + specific[2] - SPECIFIC_BEFORE
    memory.write_u64(pointer + specific[2], first_block)
    robust_head = pointer + tid[2] + 16
    memory.write_u64(pointer + tid[2] + 8, robust_head)
    memory.write_u64(robust_head, robust_head)
    memory.write(robust_head + 8, struct.pack("<q", FUTEX_OFFSET))
    namespace.process.set_tid_address(pointer + tid[2])
    namespace.process.set_robust_list(robust_head)
    head, node = rtld_global + user[2], pointer + link[2]
    memory.write_u64(node, head)
    memory.write_u64(node + 8, head)
    memory.write_u64(head, node)
    memory.write_u64(head + 8, node)


def _make_empty_list(namespace: Namespace, head: int) -> None:
    """Make a doubly linked list whose head points to itself."""
    namespace.memory.write_u64(head, head)
    namespace.memory.write_u64(head + 8, head)


def _prepare_rseq(namespace: Namespace, variables: _Variables) -> None:
    """Register the first thread's area for restartable sequences; libc does the other threads'."""
    if not variables.size(b"__rseq_offset"):
        return
    pointer = namespace.tls.thread_pointer
    area, active = pointer - namespace.tls.capacity, syscalls_rseq.FEATURE_SIZE
    reader = find_in(namespace, namespace.libc, b"sched_getcpu")
    if reader is not None and namespace.libc is not None:
        # Up to 2.40 the area is a member of struct pthread, and sched_getcpu reads it there.
        function, size = namespace.libc.symbol_address(reader), control_block_size(namespace)
        reads = namespace.process.probe_reads(function, (), pointer, size, first=False)
        members = [place for place in reads if place >= pointer + TCB_HEAD_SIZE]
        if members:
            area, active = members[0] - RSEQ_CPU_ID, RSEQ_FIRST_SIZE
    if not namespace.registers_rseq:
        active = 0
        namespace.memory.write_u32(area + RSEQ_CPU_ID, RSEQ_REGISTRATION_FAILED)
    elif namespace.process.thread.rseq is None:  # else it was, for audit libraries
        namespace.process.register_rseq(area, RSEQ_LENGTH, RSEQ_SIGNATURE)
    variables.store(b"__rseq_offset", "<q", area - pointer)
    variables.store(b"__rseq_size", "<I", active)


def _prepare_read_only(namespace: Namespace, variables: _Variables, stack: InitialStack) -> None:
    """Fill the members of `_rtld_global_ro` that libc functions are seen to read."""
    memory = namespace.memory
    start = variables.address(b"_rtld_global_ro")
    size = variables.size(b"_rtld_global_ro")
    scratch = namespace.heap.allocate(4096)
    hook = dl.make_dlfcn_hook(namespace)
    static_size = namespace.tls.capacity + control_block_size(namespace)

    def probe(function: bytes, *arguments: int, first_only: bool = True) -> list[int]:
        symbol = find_in(namespace, namespace.libc, function)
        if symbol is None or namespace.libc is None:
            return []
        address = namespace.libc.symbol_address(symbol)
        reads = namespace.process.probe_reads(address, arguments, start, size, first=first_only)
        if not reads and function in NEEDED:
            place = "a member of _rtld_global_ro"
            name = function.decode()
            raise UnknownLibc(f"{namespace.libc.label}: {name} does not read {place} as it should")
        return [place - start for place in reads]

    def fill(offsets: list[int], value: int, width: int, *, only_if_zero: bool = False) -> None:
        if not offsets:
            return
        place = start + offsets[0]
        present = int.from_bytes(memory.read(place, width), "little")
        if not (only_if_zero and present):
            memory.write(place, value.to_bytes(width, "little"))

    page_size = probe(b"getpagesize")
    fill(probe(b"getauxval", AT_UNKNOWN), stack.auxv_address, 8)
    fill(probe(b"getauxval", AT_HWCAP), HWCAP, 8)
    fill(probe(b"getauxval", AT_HWCAP2), HWCAP2, 8)
    fill(probe(b"sysconf", SC_CLK_TCK), CLOCK_TICKS, 4)
    fill(probe(b"sysconf", SC_MINSIGSTKSZ), MINSIGSTKSZ, 8, only_if_zero=True)
    fill(page_size, PAGE_SIZE, 8, only_if_zero=True)
    if read_clock := namespace.vdso_functions.get(b"clock_gettime"):
        # It alone spares system calls: the others would make them in libc's place.
        fill(probe(b"clock_gettime", 0, 0), read_clock, 8)
    fill(probe(b"dladdr", 0, 0), hook, 8)
    fill(probe(b"_dl_find_object", 0, 0), namespace.overrides[b"_dl_find_object"], 8)
    stack_reads = sorted(set(probe(b"__pthread_get_minstack", scratch, first_only=False)))
    tls_reads = [offset for offset in stack_reads if offset not in page_size]
    if tls_reads:
        fill(tls_reads, -(-static_size // 64) * 64, 8)
        fill([tls_reads[0] + 8], 64, 8)
    namespace.heap.free(scratch, 4096)


def install(namespace: Namespace) -> None:
    """Give our definitions of the functions that look into a dynamic linker's tables."""
    tls.install_get_addr(namespace)
    dl.install_glibc_overrides(namespace)
    vdso.choose_for(namespace, namespace.libc)
    namespace.sorts_as_before = _sorts_as_before(namespace)
    namespace.call_early_init = lambda libc: early_init(namespace, libc, is_initial=False)


def _sorts_as_before(namespace: Namespace) -> bool:
    """Tell whether initialisers run in the order of glibc before 2.35, which had no other.

    With the new order and the tunable that asks for the old one, `__rseq_offset` came.
    """
    if not find_in(namespace, namespace.interpreter, b"__rseq_offset"):
        return True
    if not namespace.tunables:
        return False
    from pyldso.ldso import tunables  # start-up: seldom wanted

    return tunables.wanted(namespace, tunables.SORT, 0) == tunables.OLD_SORT


def initialise(namespace: Namespace) -> Calls:
    """Run `__libc_early_init`, the program's DT_PREINIT_ARRAY, then all libraries' initialisers."""
    early_init(namespace, namespace.libc, is_initial=True)
    return (yield from initialise_all(namespace))


def early_init(namespace: Namespace, libc: Dso | None, *, is_initial: bool) -> None:
    """Run `__libc_early_init`, which comes before all initialisers (dl-call-libc-early-init.c).

    `is_initial` tells whether it is the program's libc or one that dlmopen has loaded.
    """
    symbol = find_in(namespace, libc, b"__libc_early_init")
    if symbol is not None and libc is not None:
        namespace.process.call(libc.symbol_address(symbol), int(is_initial))


GLIBC = Personality(
    threads=tls.GLIBC_THREADS,
    adjusts_dynamic=True,
    control_block_size=control_block_size,
    install=install,
    prepare=prepare,
    initialise=initialise,
)
