"""Thread-local storage: blocks below the thread pointer (Drepper's TLS paper, variant II)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.registers import FS_BASE
from pyldso.errors import LoadError
from pyldso.ldso.errors import DlError, reading

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso, TlsModule
    from pyldso.ldso.namespace import Namespace

SURPLUS = 1568
"""Bytes for late modules that need static TLS (glibc's _dl_tls_static_surplus_init)."""
RSEQ_ROOM = 64
"""Bytes at the low end of the area for struct rseq, which glibc from 2.41 on keeps there."""
DTV_SURPLUS = 14
"""Modules that a dtv has room for beyond those that there are (sysdeps/generic/ldsodefs.h)."""
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
DYNAMIC_DESCRIPTOR = bytes.fromhex(
    "51"  #                 push %rcx               (it changes no register but RAX)
    "52"  #                 push %rdx
    "488b4008"  #           mov 8(%rax),%rax        the index: module and offset
    "64488b0c2508000000"  # mov %fs:8,%rcx          the dtv
    "488b10"  #             mov (%rax),%rdx
    "48c1e204"  #           shl $4,%rdx
    "488b1411"  #           mov (%rcx,%rdx),%rdx    the module's block
    "48035008"  #           add 8(%rax),%rdx
    "64482b142500000000"  # sub %fs:0,%rdx
    "4889d0"  #             mov %rdx,%rax
    "5a"  #                 pop %rdx
    "59"  #                 pop %rcx
    "c3"  #                 ret
)
SHIFT_IN_DESCRIPTOR = 21
"""Where in it the logarithm of a dtv entry's size stands."""
# The thread control block's head (glibc's tcbhead_t, sysdeps/x86_64/nptl/tls.h).
TCB_SELF, TCB_DTV, TCB_THREAD, TCB_STACK_GUARD, TCB_POINTER_GUARD = 0, 8, 0x10, 0x28, 0x30


class ThreadFormat(NamedTuple):
    """How a C library lays out dtv and thread control block.

    The dtv has `entry_size` bytes for each module and holds `unallocated` where there is no block
    yet; its length stands in the entry before the first where `has_length`, else in the first.
    Behind the stack guard `has_pointer_guard` may follow. `next_thread` is where a control block
    points to the next thread's, where the library keeps such a ring.
    """

    entry_size: int
    unallocated: int
    has_length: bool
    has_pointer_guard: bool
    next_thread: int | None


GLIBC_THREADS = ThreadFormat(16, 0xFFFFFFFFFFFFFFFF, True, True, None)
MUSL_THREADS = ThreadFormat(8, 0, False, False, 0x18)


class TlsLayout:
    """The static TLS area of the process; `used` counts bytes below the thread pointer."""

    def __init__(self, namespace: Namespace) -> None:
        self.used = 0
        self.capacity = 0
        self.alignment = MINIMUM_ALIGNMENT
        self.thread_pointer = 0
        """The first thread's."""
        self.pointers: dict[int, dict[int, tuple[int, int]]] = {}
        """By thread pointer, the start and the size of blocks outside the static area."""
        self.format = GLIBC_THREADS
        self.static_descriptor = namespace.process.stubs.place_code(STATIC_DESCRIPTOR)
        self.dynamic_descriptor = 0
        self.on_late_module: Callable[[Dso], None] = lambda dso: None
        """Called with every file that brings a module after the start."""

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


def reserve_static(namespace: Namespace, control_block_size: int, surplus: int = SURPLUS) -> None:
    """Lay out the modules of all files loaded at start and map the area with its control block.

    Raises LoadError where there is no memory for it.
    """
    layout = namespace.tls
    for dso in namespace.every_object():
        layout.place(dso)
    layout.capacity = -(-(layout.used + surplus + RSEQ_ROOM) // 64) * 64
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
    namespace.tls.pointers[pointer] = {}
    guards = memory.read(random_address, 16)
    for offset, value in (
        (TCB_SELF, pointer),
        (TCB_DTV, make_vector(namespace, pointer)),
        (TCB_THREAD, pointer),
        (TCB_STACK_GUARD, int.from_bytes(guards[:8], "little") & ~0xFF),
    ):
        memory.write_u64(pointer + offset, value)
    if namespace.tls.format.has_pointer_guard:
        memory.write(pointer + TCB_POINTER_GUARD, guards[8:])
    namespace.process.cpu.set(FS_BASE, pointer)


def make_vector(namespace: Namespace, thread_pointer: int) -> int:
    """Return a new dtv whose entries point to the static blocks below `thread_pointer`."""
    modules = [dso.tls for dso in namespace.every_object() if dso.tls is not None]
    highest = max((module.module for module in modules), default=0)
    vector = _new_vector(namespace, highest)
    for module in modules:
        if module.offset is not None:
            entry = vector + namespace.tls.format.entry_size * module.module
            namespace.memory.write_u64(entry, thread_pointer - module.offset)
    return vector


def _new_vector(namespace: Namespace, highest: int) -> int:
    """Return a dtv without blocks that has room for the modules up to `highest`, and some more."""
    memory, layout = namespace.memory, namespace.tls.format
    length = highest + DTV_SURPLUS if layout.has_length else highest
    room = namespace.heap.allocate((length + 2) * layout.entry_size)
    vector = room + layout.entry_size
    unallocated = layout.unallocated.to_bytes(8, "little").ljust(layout.entry_size, b"\0")
    memory.write(vector + layout.entry_size, unallocated * length)
    memory.write_u64(room if layout.has_length else vector, length)
    return vector


def _vector_length(namespace: Namespace, vector: int) -> int:
    layout = namespace.tls.format
    return namespace.memory.read_u64(vector - layout.entry_size * layout.has_length)


def install_get_addr(namespace: Namespace) -> None:
    """Give our `__tls_get_addr`, for a dtv of glibc's form."""
    namespace.overrides[b"__tls_get_addr"] = namespace.process.stubs.place_code(GET_ADDR)


def allocate_thread(namespace: Namespace, thread_pointer: int) -> int:
    """Give the thread whose control block is at `thread_pointer` its dtv and blocks.

    What glibc's `_dl_allocate_tls` and `_dl_allocate_tls_init` do; returns `thread_pointer`.
    """
    if not thread_pointer:
        return 0
    memory, layout = namespace.memory, namespace.tls
    if thread_pointer in layout.pointers:  # glibc makes a new thread in the place of an old one
        _free_blocks(namespace, thread_pointer)
    layout.pointers[thread_pointer] = {}
    memory.write_u64(thread_pointer + TCB_DTV, make_vector(namespace, thread_pointer))
    for dso in namespace.every_object():
        if dso.tls is not None:
            if dso.tls.offset is None:
                _add_block(namespace, thread_pointer, dso.tls)
            _fill(namespace, dso, _block(namespace, thread_pointer, dso.tls))
    return thread_pointer


def deallocate_thread(namespace: Namespace, thread_pointer: int) -> int:
    """Take back the dtv and blocks of a thread that is gone (`_dl_deallocate_tls`)."""
    if thread_pointer in namespace.tls.pointers:
        _free_blocks(namespace, thread_pointer)
        del namespace.tls.pointers[thread_pointer]
    return 0


def _free_blocks(namespace: Namespace, thread_pointer: int) -> None:
    """Take back what `allocate_thread` and later modules have allocated for a thread."""
    layout = namespace.tls.format
    vector = namespace.memory.read_u64(thread_pointer + TCB_DTV)
    room = (_vector_length(namespace, vector) + 2) * layout.entry_size
    namespace.heap.free(vector - layout.entry_size, room)
    for start, size in namespace.tls.pointers[thread_pointer].values():
        namespace.heap.free(start, size)


def fill_static_blocks(namespace: Namespace) -> None:
    """Copy the initial images, which relocation has completed, into the static blocks."""
    for dso in namespace.every_object():
        if dso.tls is not None and dso.tls.offset is not None:
            _fill(namespace, dso, namespace.tls.thread_pointer - dso.tls.offset)


def _fill(namespace: Namespace, dso: Dso, block: int) -> None:
    if dso.tls is not None:
        with reading(dso.label, "PT_TLS header"):
            namespace.memory.write(block, _image(namespace, dso.tls))


def _image(namespace: Namespace, module: TlsModule) -> bytes:
    """Return what a module's blocks hold at first."""
    # One without initial values has no address either (Go's linker writes 0).
    size = module.image_size
    image = namespace.memory.read(module.image, size) if size else b""
    return image + bytes(module.size - size)


def add_late_module(namespace: Namespace, dso: Dso) -> None:
    """Give a dlopen'ed file's module a block in every thread."""
    module, layout = dso.tls, namespace.tls
    if module is None:
        return
    for pointer in _pointers(namespace):
        _add_block(namespace, pointer, module)
    layout.on_late_module(dso)


def fill_late_block(namespace: Namespace, dso: Dso) -> None:
    """Copy the initial image of a dlopen'ed file's module once it is relocated."""
    if dso.tls is not None:
        dso.tls.is_filled = True
        for pointer in _pointers(namespace):
            _fill(namespace, dso, _block(namespace, pointer, dso.tls))


def remove_module(namespace: Namespace, dso: Dso) -> None:
    """Forget the blocks of an unloaded file."""
    module = dso.tls
    if module is None:
        return
    for pointer in _pointers(namespace):
        _set_entry(namespace, pointer, module, namespace.tls.format.unallocated)
        start, size = namespace.tls.pointers[pointer].pop(module.module, (0, 0))
        if size:
            namespace.heap.free(start, size)


def _pointers(namespace: Namespace) -> list[int]:
    """Return the thread pointers of all threads, and of such as glibc keeps for new ones."""
    layout = namespace.tls
    if layout.format.next_thread is None:
        return list(layout.pointers)
    first = namespace.process.cpu.get(FS_BASE)
    ring, pointer = [first], namespace.memory.read_u64(first + layout.format.next_thread)
    while pointer not in ring:
        ring.append(pointer)
        pointer = namespace.memory.read_u64(pointer + layout.format.next_thread)
    for pointer in ring:
        layout.pointers.setdefault(pointer, {})
    return ring


def _add_block(namespace: Namespace, thread_pointer: int, module: TlsModule) -> None:
    """Give a thread its block of a module outside the static area."""
    size = module.size + module.alignment
    room = namespace.heap.allocate(size)
    namespace.tls.pointers[thread_pointer][module.module] = room, size
    block = room + (module.image - room) % module.alignment
    _set_entry(namespace, thread_pointer, module, block)


def _set_entry(namespace: Namespace, thread_pointer: int, module: TlsModule, value: int) -> None:
    """Store a thread's dtv entry of a module, in a longer dtv where it has none."""
    memory, layout = namespace.memory, namespace.tls.format
    vector = memory.read_u64(thread_pointer + TCB_DTV)
    length = _vector_length(namespace, vector)
    if module.module > length:
        # The old one stays: the thread may be about to read it.
        entries = memory.read(vector + layout.entry_size, length * layout.entry_size)
        vector = _new_vector(namespace, module.module)
        memory.write(vector + layout.entry_size, entries)
        memory.write_u64(thread_pointer + TCB_DTV, vector)
    memory.write_u64(vector + layout.entry_size * module.module, value)


def _block(namespace: Namespace, thread_pointer: int, module: TlsModule) -> int:
    """Return where a thread's block of a module is."""
    memory = namespace.memory
    vector = memory.read_u64(thread_pointer + TCB_DTV)
    return memory.read_u64(vector + namespace.tls.format.entry_size * module.module)


def block_address(namespace: Namespace, dso: Dso) -> int:
    """Return where the module's block of the running thread is."""
    if dso.tls is None:
        raise DlError(dso.label, "cannot find the thread-local storage of a file that has none")
    return _block(namespace, namespace.process.cpu.get(FS_BASE), dso.tls)


def descriptor(namespace: Namespace, dso: Dso | None, offset: int) -> tuple[int, int]:
    """Return function and argument of a TLS descriptor for `offset` in a module (TLSDESC paper)."""
    layout = namespace.tls
    if dso is None or dso.tls is None:
        return layout.static_descriptor, 0
    if dso.tls.offset is not None:
        return layout.static_descriptor, offset - dso.tls.offset
    if not layout.dynamic_descriptor:
        code = bytearray(DYNAMIC_DESCRIPTOR)
        code[SHIFT_IN_DESCRIPTOR] = layout.format.entry_size.bit_length() - 1
        layout.dynamic_descriptor = namespace.process.stubs.place_code(bytes(code))
    index = namespace.heap.allocate(16)
    namespace.memory.write_u64(index, dso.tls.module)
    namespace.memory.write_u64(index + 8, offset)
    return layout.dynamic_descriptor, index


def static_offset(namespace: Namespace, dso: Dso) -> int:
    """Return how far below the thread pointer the module's block is; DlError if not static."""
    if dso.tls is not None and dso.tls.offset is None:
        _make_static(namespace, dso, dso.tls)
    if dso.tls is None or dso.tls.offset is None:
        raise DlError(dso.label, "cannot allocate memory in static TLS block")
    return dso.tls.offset


def _make_static(namespace: Namespace, dso: Dso, module: TlsModule) -> None:
    """Move a late module's blocks into the static areas: where they fit, and before they are used.

    Else they stay where they are (_dl_allocate_static_tls).
    """
    layout, memory = namespace.tls, namespace.memory
    # A library that keeps a ring of its threads makes their static areas without surplus.
    if layout.format.next_thread is not None:
        return
    pointers = list(_pointers(namespace))
    blocks = [_block(namespace, pointer, module) for pointer in pointers]
    if module.is_filled:
        initial = _image(namespace, module)
        if any(memory.read(block, module.size) != initial for block in blocks):
            return
    if not layout.place(dso) or module.offset is None:
        return
    for pointer in pointers:
        start, size = layout.pointers[pointer].pop(module.module, (0, 0))
        if size:
            namespace.heap.free(start, size)
        _set_entry(namespace, pointer, module, pointer - module.offset)
        if module.is_filled:
            _fill(namespace, dso, pointer - module.offset)
