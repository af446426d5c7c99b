"""Thread-local storage: blocks below the thread pointer (Drepper's TLS paper, variant II)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.registers import FS_BASE
from pyldso.errors import LoadError
from pyldso.ldso.errors import DlError, reading

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso, TlsModule
    from pyldso.ldso.namespace import Namespace

SURPLUS = 4096
"""Bytes kept for modules that dlopen brings and that need static TLS."""
RSEQ_ROOM = 64
"""Bytes at the low end of the area for struct rseq, which glibc from 2.41 on keeps there."""
DTV_LENGTH = 2048
"""Modules that a dtv has room for."""
MINIMUM_ALIGNMENT = 64

GET_ADDR = bytes.fromhex(
    "64488b042508000000"  # mov %fs:8,%rax          the dtv
    "488b17"  #             mov (%rdi),%rdx         ti_module
    "48c1e204"  #           shl $4,%rdx             16 bytes an entry
    "488b0410"  #           mov (%rax,%rdx),%rax    the module's block
    "48034708"  #           add 8(%rdi),%rax        ti_offset
    "c3"  #                 ret
)
STATIC_DESCRIPTOR = bytes.fromhex(
    "488b4008"  #           mov 8(%rax),%rax        the offset from the thread pointer
    "c3"  #                 ret
)
# The thread control block's head (glibc's tcbhead_t, sysdeps/x86_64/nptl/tls.h).
TCB_SELF, TCB_DTV, TCB_THREAD, TCB_STACK_GUARD, TCB_POINTER_GUARD = 0, 8, 0x10, 0x28, 0x30


class ThreadFormat(NamedTuple):
    """How a C library lays out dtv and thread control block.

    The dtv has `entry_size` bytes for each module and holds `unallocated` where there is no block
    yet; its length stands in the entry before the first where `has_length`, else the number of
    modules in the first. Behind the stack guard `has_pointer_guard` may follow.
    """

    entry_size: int
    unallocated: int
    has_length: bool
    has_pointer_guard: bool


GLIBC_THREADS = ThreadFormat(16, 0xFFFFFFFFFFFFFFFF, True, True)
MUSL_THREADS = ThreadFormat(8, 0, False, False)


class TlsLayout:
    """The static TLS area of the process; `used` counts bytes below the thread pointer."""

    def __init__(self, namespace: Namespace) -> None:
        self.used = 0
        self.capacity = 0
        self.alignment = MINIMUM_ALIGNMENT
        self.thread_pointer = 0
        self.dtv = 0
        self.format = GLIBC_THREADS
        self.static_descriptor = namespace.process.place_code(STATIC_DESCRIPTOR)

    def place(self, dso: Dso) -> bool:
        """Give `dso`'s module a place in the static area; false where there is no room left."""
        module = dso.tls
        if module is None:
            return False
        offset = self.used + module.size
        offset += (-module.image - offset) % module.alignment
        is_late = bool(self.thread_pointer)
        most = self.capacity - RSEQ_ROOM
        if is_late and (offset > most or module.alignment > self.alignment):
            return False
        module.offset = self.used = offset
        self.alignment = max(self.alignment, module.alignment)
        return True


def reserve_static(namespace: Namespace, control_block_size: int) -> None:
    """Lay out the modules of all files loaded at start and map the area with its control block.

    Raises LoadError where there is no memory for it.
    """
    layout = namespace.tls
    for dso in namespace.every_object():
        layout.place(dso)
    layout.capacity = -(-(layout.used + SURPLUS + RSEQ_ROOM) // 64) * 64
    size = layout.capacity + layout.alignment + control_block_size + 4096
    try:
        start = namespace.process.mmap(0, size, 3, 0x22, -1, 0)
    except OSError:  # ld.so names no file here
        raise LoadError("cannot allocate TLS data structures for initial thread") from None
    aligned = -(-(start + layout.capacity) // layout.alignment) * layout.alignment
    layout.thread_pointer = aligned


def install(namespace: Namespace, random_address: int) -> None:
    """Fill the thread control block and make it the current thread's (fs base)."""
    memory, pointer = namespace.memory, namespace.tls.thread_pointer
    namespace.tls.dtv = make_vector(namespace, pointer)
    guards = memory.read(random_address, 16)
    for offset, value in (
        (TCB_SELF, pointer),
        (TCB_DTV, namespace.tls.dtv),
        (TCB_THREAD, pointer),
        (TCB_STACK_GUARD, int.from_bytes(guards[:8], "little") & ~0xFF),
    ):
        memory.write_u64(pointer + offset, value)
    if namespace.tls.format.has_pointer_guard:
        memory.write(pointer + TCB_POINTER_GUARD, guards[8:])
    namespace.process.cpu.set(FS_BASE, pointer)


def make_vector(namespace: Namespace, thread_pointer: int) -> int:
    """Return a new dtv whose entries point to the static blocks below `thread_pointer`."""
    memory, layout = namespace.memory, namespace.tls.format
    room = namespace.heap.allocate(_vector_room(layout))
    vector = room + layout.entry_size
    unallocated = layout.unallocated.to_bytes(8, "little").ljust(layout.entry_size, b"\0")
    memory.write(vector + layout.entry_size, unallocated * DTV_LENGTH)
    modules = [dso.tls for dso in namespace.every_object() if dso.tls is not None]
    for module in modules:
        if module.offset is not None:
            entry = vector + layout.entry_size * module.module
            memory.write_u64(entry, thread_pointer - module.offset)
    if layout.has_length:
        memory.write_u64(room, DTV_LENGTH)
    else:
        memory.write_u64(vector, len(modules))
    return vector


def _vector_room(layout: ThreadFormat) -> int:
    return (DTV_LENGTH + 2) * layout.entry_size


def install_get_addr(namespace: Namespace) -> None:
    """Give our `__tls_get_addr`, for a dtv of glibc's form."""
    namespace.overrides[b"__tls_get_addr"] = namespace.process.place_code(GET_ADDR)


def allocate_thread(namespace: Namespace, thread_pointer: int) -> int:
    """Give the thread whose control block is at `thread_pointer` its dtv and blocks.

    What glibc's `_dl_allocate_tls` and `_dl_allocate_tls_init` do; returns `thread_pointer`.
    """
    if not thread_pointer:
        return 0
    memory = namespace.memory
    vector = make_vector(namespace, thread_pointer)
    for dso in namespace.every_object():
        if dso.tls is None:
            continue
        if dso.tls.offset is not None:
            block = thread_pointer - dso.tls.offset
        else:
            block = _own_block(namespace, dso.tls)
            memory.write_u64(vector + namespace.tls.format.entry_size * dso.tls.module, block)
        _fill(namespace, dso, block)
    memory.write_u64(thread_pointer + TCB_DTV, vector)
    return thread_pointer


def deallocate_thread(namespace: Namespace, thread_pointer: int) -> int:
    """Take back the dtv of a thread that is gone (`_dl_deallocate_tls`)."""
    vector = namespace.memory.read_u64(thread_pointer + TCB_DTV)
    layout = namespace.tls.format
    namespace.heap.free(vector - layout.entry_size, _vector_room(layout))
    return 0


def fill_static_blocks(namespace: Namespace) -> None:
    """Copy the initial images, which relocation has completed, into the static blocks."""
    for dso in namespace.every_object():
        if dso.tls is not None and dso.tls.offset is not None:
            _fill(namespace, dso, namespace.tls.thread_pointer - dso.tls.offset)


def _fill(namespace: Namespace, dso: Dso, block: int) -> None:
    module = dso.tls
    if module is not None:
        with reading(dso.label, "PT_TLS header"):
            image = namespace.memory.read(module.image, module.image_size)
            namespace.memory.write(block, image + bytes(module.size - module.image_size))


def add_late_module(namespace: Namespace, dso: Dso) -> None:
    """Give a dlopen'ed file's module a block: in the static area if it fits, else its own."""
    module = dso.tls
    if module is None:
        return
    if namespace.tls.place(dso):
        block = block_address(namespace, dso)
    else:
        block = module.block = _own_block(namespace, module)
    _set_entry(namespace, module, block)


def _own_block(namespace: Namespace, module: TlsModule) -> int:
    """Return memory for one thread's block of a module outside the static area."""
    room = namespace.heap.allocate(module.size + module.alignment)
    return room + (module.image - room) % module.alignment


def fill_late_block(namespace: Namespace, dso: Dso) -> None:
    """Copy the initial image of a dlopen'ed file's module once it is relocated."""
    if dso.tls is not None:
        _fill(namespace, dso, block_address(namespace, dso))


def remove_module(namespace: Namespace, dso: Dso) -> None:
    """Forget the block of an unloaded file."""
    if dso.tls is not None:
        _set_entry(namespace, dso.tls, namespace.tls.format.unallocated)


def _set_entry(namespace: Namespace, module: TlsModule, value: int) -> None:
    """Store the running thread's dtv entry of a module."""
    entry = namespace.tls.dtv + namespace.tls.format.entry_size * module.module
    namespace.memory.write_u64(entry, value)


def block_address(namespace: Namespace, dso: Dso) -> int:
    """Return where the module's block of the running thread is."""
    module = dso.tls
    if module is None:
        raise DlError(dso.label, "cannot find the thread-local storage of a file that has none")
    if module.offset is not None:
        return namespace.tls.thread_pointer - module.offset
    return module.block


def static_offset(namespace: Namespace, dso: Dso) -> int:
    """Return how far below the thread pointer the module's block is; DlError if not static."""
    if dso.tls is None or dso.tls.offset is None:
        raise DlError(dso.label, "cannot allocate memory in static TLS block")
    return dso.tls.offset
