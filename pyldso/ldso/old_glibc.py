"""What glibc before 2.34 expects: libpthread and libdl are files of their own.

`_dlfcn_hook` of libdl and `_dl_open_hook2` of libc are the doors for another dynamic linker, in
place of a member of `_rtld_global_ro`; libpthread prepares the first thread by itself, and asks
ld.so's `_dl_get_tls_static_info` for the size of the static TLS area.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pyldso.ldso import dl, glibc, tls
from pyldso.ldso.lookup import find_in
from pyldso.ldso.personality import Personality, initialise_all

if TYPE_CHECKING:
    from pyldso.kernel.exec import InitialStack
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

RETURN_ZERO = bytes.fromhex(
    "31c0"  #   xor %eax,%eax
    "c3"  #     ret
)
LIBC_OPEN, LIBC_SYM, LIBC_VSYM, LIBC_CLOSE = 9, 10, 11, 12
"""Members of struct dlfcn_hook that struct dl_open_hook has, too (elf/dl-libc.c)."""


def is_old_glibc(namespace: Namespace) -> bool:
    """Tell whether libc and ld.so are a glibc before 2.34, by what they export."""
    return (
        find_in(namespace, namespace.interpreter, b"_rtld_global_ro") is not None
        and find_in(namespace, namespace.interpreter, b"_dl_get_tls_static_info") is not None
        and find_in(namespace, namespace.libc, b"_dl_open_hook") is not None
    )


def prepare(namespace: Namespace, stack: InitialStack) -> None:
    """Fill what libc and libpthread read of ld.so, and hand libdl and libc the dl* functions."""
    glibc.prepare(namespace, stack)
    _prepare_locks(namespace)
    _prepare_tls_sizes(namespace)
    fill_hooks(namespace)


def _prepare_locks(namespace: Namespace) -> None:
    """Point the lock functions to a `return 0`, until libpthread puts its own there."""
    libc, interpreter = namespace.libc, namespace.interpreter
    user, table = (
        find_in(namespace, libc, b"_dl_addr"),
        find_in(namespace, interpreter, b"_rtld_global"),
    )
    if libc is None or interpreter is None or user is None or table is None:
        return
    start = interpreter.symbol_address(table)
    function = libc.symbol_address(user)
    reads = namespace.process.probe_reads(function, (0,) * 4, start, table.st_size, first=True)
    if reads and not namespace.memory.read_u64(reads[0]):
        stub = namespace.process.stubs.place_code(RETURN_ZERO)
        namespace.memory.write(reads[0], struct.pack("<QQ", stub, stub))


def _prepare_tls_sizes(namespace: Namespace) -> None:
    """Write size and alignment of the static TLS area where `_dl_get_tls_static_info` reads."""
    interpreter = namespace.interpreter
    getter = find_in(namespace, interpreter, b"_dl_get_tls_static_info")
    table = find_in(namespace, interpreter, b"_rtld_global")
    if interpreter is None or getter is None or table is None:
        return
    scratch = namespace.heap.allocate(16)
    reads = namespace.process.probe_reads(
        interpreter.symbol_address(getter),
        (scratch, scratch + 8),
        interpreter.symbol_address(table),
        table.st_size,
        first=False,
    )
    size = namespace.tls.capacity + glibc.control_block_size(namespace)
    for place, value in zip(reads, (-(-size // 64) * 64, 64), strict=False):
        namespace.memory.write_u64(place, value)
    namespace.heap.free(scratch, 16)


def fill_hooks(namespace: Namespace) -> None:
    """Point libdl's `_dlfcn_hook` and libc's `_dl_open_hook` and `_dl_open_hook2` to ours."""
    memory = namespace.memory
    hook = dl.make_dlfcn_hook(namespace)
    libc_hook = namespace.heap.allocate(32)
    for index, member in enumerate((LIBC_OPEN, LIBC_SYM, LIBC_CLOSE, LIBC_VSYM)):
        memory.write_u64(libc_hook + 8 * index, memory.read_u64(hook + 8 * member))
    values = {b"_dlfcn_hook": hook, b"_dl_open_hook": libc_hook, b"_dl_open_hook2": libc_hook}

    def fill(dso: Dso) -> None:
        for name, value in values.items():
            symbol = find_in(namespace, dso, name)
            if symbol is not None:
                memory.write_u64(dso.symbol_address(symbol), value)

    for dso in namespace.objects:
        fill(dso)
    for other in namespace.family:
        other.prepare_library = fill


OLD_GLIBC = Personality(
    threads=tls.GLIBC_THREADS,
    adjusts_dynamic=True,
    control_block_size=glibc.control_block_size,
    install=glibc.install,
    prepare=prepare,
    initialise=initialise_all,
)
