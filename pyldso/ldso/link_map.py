"""struct link_map and r_debug in the guest's memory, for debuggers and libc."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pyldso.elf.constants import DT
from pyldso.ldso.lookup import find_in

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

# Offsets of struct link_map: the first five are public (link.h), the rest glibc's.
L_ADDR, L_NAME, L_LD, L_NEXT, L_PREV, L_REAL, L_NS = 0, 8, 0x10, 0x18, 0x20, 0x28, 0x30
L_INFO = 0x40
SIZE = 0x600
"""More than any glibc's struct: what lies behind l_info is read as zeros."""
INDEXED_TAGS = 38
"""l_info has an entry for each tag below DT_NUM; the later ones are found by other indices."""
ADJUSTED_TAGS = frozenset(
    {
        DT.PLTGOT,
        DT.HASH,
        DT.STRTAB,
        DT.SYMTAB,
        DT.RELA,
        DT.JMPREL,
        DT.VERSYM,
        DT.GNU_HASH,
    }
)
"""Tags whose d_ptr glibc turns into an address in memory (ADJUST_DYN_INFO)."""

RT_CONSISTENT, RT_ADD, RT_DELETE = 0, 1, 2
R_DEBUG_SIZE = 40


def add_link_map(namespace: Namespace, dso: Dso) -> None:
    """Make the link map of `dso` and append it to the list."""
    memory = namespace.memory
    address = dso.link_map = namespace.heap.allocate(SIZE)
    name = namespace.heap.string(dso.name)
    dso.name_address = name
    for offset, value in (
        (L_ADDR, dso.base),
        (L_NAME, name),
        (L_LD, dso.dynamic_address),
        (L_REAL, dso.real.link_map if dso.real else address),
        (L_NS, namespace.id),
    ):
        memory.write_u64(address + offset, value)
    for index, (tag, _) in enumerate(dso.dynamic_entries):
        if 0 <= tag < INDEXED_TAGS:
            memory.write_u64(address + L_INFO + 8 * tag, dso.dynamic_address + 16 * index)
    if dso in namespace.objects:
        join_list(namespace, dso)


def join_list(namespace: Namespace, dso: Dso) -> None:
    """Put a link map into the list, where its file is among the others that have one."""
    position = namespace.objects.index(dso)
    ahead = (other.link_map for other in namespace.objects[:position][::-1] if other.link_map)
    behind = (other.link_map for other in namespace.objects[position + 1 :] if other.link_map)
    previous, following = next(ahead, 0), next(behind, 0)
    for before, after in ((previous, dso.link_map), (dso.link_map, following)):
        if before:
            namespace.memory.write_u64(before + L_NEXT, after)
        if after:
            namespace.memory.write_u64(after + L_PREV, before)


def remove_link_map(namespace: Namespace, dso: Dso) -> None:
    """Take the link map of `dso` out of the list."""
    memory = namespace.memory
    following = memory.read_u64(dso.link_map + L_NEXT)
    previous = memory.read_u64(dso.link_map + L_PREV)
    if previous:
        memory.write_u64(previous + L_NEXT, following)
    if following:
        memory.write_u64(following + L_PREV, previous)
    namespace.heap.free(dso.link_map, SIZE)
    namespace.heap.free(dso.name_address, len(dso.name.encode(errors="surrogateescape")) + 1, 1)


def has_thread_destructors(namespace: Namespace, dso: Dso) -> bool:
    """Tell whether a thread has yet to destroy what the file's code has made in it.

    Their number (l_tls_dtor_count) is the one member behind l_info that libc itself writes.
    """
    start = L_INFO + 8 * INDEXED_TAGS
    return any(namespace.memory.read(dso.link_map + start, SIZE - start))


def adjust_dynamic(namespace: Namespace, dso: Dso) -> None:
    """Turn addresses in the dynamic section into those of the running process, as glibc does."""
    for index, (tag, value) in enumerate(dso.dynamic_entries):
        if tag in ADJUSTED_TAGS:
            entry = dso.dynamic_address + 16 * index + 8
            namespace.memory.write_u64(entry, value + dso.base)


def publish_r_debug(namespace: Namespace) -> None:
    """Make r_debug and point the program's DT_DEBUG to it: there a debugger finds the link maps.

    It is the variable `_r_debug` of the interpreter, where that has one.
    """
    memory = namespace.memory
    interpreter = namespace.interpreter
    variable = find_in(namespace, interpreter, b"_r_debug")
    if interpreter is not None and variable is not None:
        namespace.r_debug = interpreter.symbol_address(variable)
        namespace.debug_state = interpreter_function(namespace, b"_dl_debug_state")
    else:
        namespace.r_debug = namespace.heap.allocate(R_DEBUG_SIZE)
    fields = (
        namespace.program.link_map,
        namespace.debug_state,
        RT_ADD,
        interpreter.base if interpreter else 0,
    )
    memory.write(namespace.r_debug, struct.pack("<i4xQQi4xQ", 1, *fields))
    for index, (tag, _) in enumerate(namespace.program.dynamic_entries):
        if tag == DT.DEBUG:
            entry = namespace.program.dynamic_address + 16 * index + 8
            memory.write_u64(entry, namespace.r_debug)


def interpreter_function(namespace: Namespace, name: bytes) -> int:
    """Return the address of a function of ld.so, 0 where it has none of that name."""
    interpreter = namespace.interpreter
    symbol = find_in(namespace, interpreter, name)
    return interpreter.symbol_address(symbol) if interpreter and symbol else 0


def set_debug_state(namespace: Namespace, state: int) -> None:
    """Tell debuggers that the list is about to change (RT_ADD, RT_DELETE) or is whole again.

    Their breakpoint is on the function that r_brk names, which does nothing.
    """
    if namespace.r_debug:
        namespace.memory.write_u32(namespace.r_debug + 24, state)
        if namespace.debug_state:
            namespace.process.call(namespace.debug_state)
