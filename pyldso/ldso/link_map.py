"""struct link_map and r_debug in the guest's memory, for debuggers and libc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyldso.elf.constants import DT

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
        (L_REAL, address),
    ):
        memory.write_u64(address + offset, value)
    for index, (tag, _) in enumerate(dso.dynamic_entries):
        if 0 <= tag < INDEXED_TAGS:
            memory.write_u64(address + L_INFO + 8 * tag, dso.dynamic_address + 16 * index)
    position = namespace.objects.index(dso)
    if position:
        previous = namespace.objects[position - 1].link_map
        memory.write_u64(previous + L_NEXT, address)
        memory.write_u64(address + L_PREV, previous)


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


def adjust_dynamic(namespace: Namespace, dso: Dso) -> None:
    """Turn addresses in the dynamic section into those of the running process, as glibc does."""
    for index, (tag, value) in enumerate(dso.dynamic_entries):
        if tag in ADJUSTED_TAGS:
            entry = dso.dynamic_address + 16 * index + 8
            namespace.memory.write_u64(entry, value + dso.base)


def publish_r_debug(namespace: Namespace) -> None:
    """Make r_debug and point the program's DT_DEBUG to it: there a debugger finds the link maps."""
    memory = namespace.memory
    namespace.r_debug = namespace.heap.allocate(R_DEBUG_SIZE)
    memory.write_u32(namespace.r_debug, 1)
    memory.write_u64(namespace.r_debug + 8, namespace.program.link_map)
    interpreter = namespace.interpreter
    memory.write_u64(namespace.r_debug + 32, interpreter.base if interpreter else 0)
    for index, (tag, _) in enumerate(namespace.program.dynamic_entries):
        if tag == DT.DEBUG:
            entry = namespace.program.dynamic_address + 16 * index + 8
            memory.write_u64(entry, namespace.r_debug)


def set_debug_state(namespace: Namespace, state: int) -> None:
    """Tell debuggers that the list is about to change (RT_ADD, RT_DELETE) or is whole again."""
    if namespace.r_debug:
        namespace.memory.write_u32(namespace.r_debug + 24, state)
