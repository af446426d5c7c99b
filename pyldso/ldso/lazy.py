"""Lazy binding: what happens between a PLT entry's first call and its second (psABI 5.2).

PLT0 pushes GOT[1] and jumps to GOT[2]. GOT[1] tells the file (its link map), GOT[2] is the
resolver: it finds the symbol of the pushed relocation index, stores its address in the JUMP_SLOT,
and jumps there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyldso.arch.x86_64.registers import RSP
from pyldso.elf.constants import DT, STT
from pyldso.elf.records import RELA
from pyldso.errors import LoadError
from pyldso.ldso.dso import ADDRESS_MASK
from pyldso.ldso.errors import DlError, reading
from pyldso.ldso.lookup import Definition, definition_address, resolve

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

RESOLVER_HEAD = bytes.fromhex(
    "50"  #                 push %rax               counts the vector arguments of a variadic call
    "51"  #                 push %rcx               the fourth argument, which syscall overwrites
    "b8"  #                 mov $TRAP,%eax
)
RESOLVER_TAIL = bytes.fromhex(
    "0f05"  #               syscall                 bind: the address comes in rax
    "4989c3"  #             mov %rax,%r11           free for a PLT's use
    "59"  #                 pop %rcx
    "58"  #                 pop %rax
    "4883c410"  #           add $16,%rsp            the link map and the relocation index
    "41ffe3"  #             jmp *%r11
)
SAVED_BYTES = 16
"""What RESOLVER_HEAD pushes on top of the link map and the relocation index."""


def prepare_lazy_binding(namespace: Namespace, dso: Dso) -> None:
    """Fill GOT[1] and GOT[2] of `dso`."""
    if DT.PLTGOT not in dso.dynamic:
        return
    if not namespace.lazy_resolver:
        namespace.lazy_resolver = _place_resolver(namespace)
    got = dso.base + dso.dynamic[DT.PLTGOT]
    namespace.memory.write_u64(got + 8, dso.link_map)
    namespace.memory.write_u64(got + 16, namespace.lazy_resolver)


def _place_resolver(namespace: Namespace) -> int:
    process = namespace.process

    def bind_from_plt() -> int:
        stack = process.cpu.get(RSP)
        link_map = process.memory.read_u64(stack + SAVED_BYTES)
        index = process.memory.read_u64(stack + SAVED_BYTES + 8)
        dso = namespace.by_link_map(link_map)
        if dso is None:
            raise LoadError(f"lazy binding for an unknown link map {link_map:#x}")
        try:
            audit = dso.owner.audit
            return audit.calls.enter(dso, index) if audit else bind(dso.owner, dso, index)
        except DlError as error:  # ends the program, be it amid a constructor under dlopen
            raise error.at_start(namespace.program_name) from None

    number = process.stubs.trap_number(bind_from_plt)
    code = RESOLVER_HEAD + number.to_bytes(4, "little") + RESOLVER_TAIL
    return process.stubs.place_code(code)


def bind(namespace: Namespace, dso: Dso, index: int) -> int:
    """Bind PLT relocation `index` of `dso` and return the address (dl-runtime.c, _dl_fixup)."""
    place, _, address = resolve_plt(namespace, dso, index)
    if address:
        store_plt(namespace, dso, place, address)
    return address


def resolve_plt(namespace: Namespace, dso: Dso, index: int) -> tuple[int, Definition | None, int]:
    """Return place, definition and address of PLT relocation `index` of `dso`."""
    with reading(dso.label, "relocation table"):
        table = dso.tail(dso.dynamic.get(DT.JMPREL, 0))
        r_offset, r_info, _ = RELA.unpack_from(table, index * RELA.size)
        definition = resolve(namespace, dso, r_info >> 32, is_plt=True)
    if definition is None:
        return r_offset, None, 0
    if definition.symbol.type == STT.GNU_IFUNC:
        address = _address_amid_call(namespace, definition)
    else:
        address = definition_address(namespace, definition)
    return r_offset, definition, address


def store_plt(namespace: Namespace, dso: Dso, r_offset: int, address: int) -> None:
    """Store where a PLT entry goes from now on, unless LD_BIND_NOT wants it bound at each call."""
    if not namespace.bind_not:
        with reading(dso.label, "relocation table"):
            namespace.memory.write_u64(dso.base + r_offset & ADDRESS_MASK, address)
    namespace.statistics.relocations += 1


def _address_amid_call(namespace: Namespace, definition: Definition) -> int:
    """Run an IFUNC resolver amid a call whose arguments, vector ones included, must survive."""
    cpu = namespace.process.cpu
    registers = cpu.save()
    try:
        return definition_address(namespace, definition)
    finally:
        cpu.restore(registers)
