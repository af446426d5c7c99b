"""A laid-out link to the bytes of the file: operands, chunks, headers."""

from __future__ import annotations

from typing import NamedTuple

from pyldso.arch.machine import Machine
from pyldso.elf.constants import (
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    ELFOSABI_GNU,
    ELFOSABI_NONE,
    EV_CURRENT,
    SHF,
    STB,
    STT,
)
from pyldso.elf.records import EHDR, PHDR, SHDR
from pyldso.errors import PyldsoError
from pyldso.linker.apply import Constants
from pyldso.linker.chunk import StringTable
from pyldso.linker.create import Synthetic, TlsBase
from pyldso.linker.dynsym import ADDRESS_MASK
from pyldso.linker.layout import Layout
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.symbols import Column, Rank, Resolved

TLS = int(SHF.TLS)


class Ident(NamedTuple):
    """What the ELF header says of the file as a whole."""

    e_type: int
    e_machine: int
    os_abi: int


def set_tls_base(tls: TlsBase, layout: Layout, machine: Machine) -> None:
    """Tell where the thread-local block starts and where TP points."""
    if layout.tls is not None:
        start, size, alignment = layout.tls.p_vaddr, layout.tls.p_memsz, layout.tls.p_align
        tls.start = start
        tls.pointer = machine.thread_pointer(start, size, max(alignment, 1))


def set_operands(symbols: SymbolTable, synthetic: Synthetic, tls: TlsBase) -> Constants:
    """Give every symbol its address and the psABI's operands; return those that all share."""
    for linked in symbols.objects:
        for target in linked.locals:
            set_value(target, tls.start)
    for resolved in symbols.resolved.values():
        set_value(resolved, tls.start)
    for area in synthetic.copies:
        for target, offset in area.offsets.items():
            target.value = target.S = target.L = area.address + offset
    set_plt_operands(synthetic)
    return set_got_operands(synthetic, tls)


def set_value(target: Resolved, tls_start: int) -> None:
    """Set the value, S, L and Z of a symbol that the output defines."""
    symbol, place = target.symbol, target.place
    if place is not None:
        offset = symbol.st_value if symbol is not None else 0
        if place.merge is not None:
            is_section = symbol is not None and symbol.type == STT.SECTION
            offset = 0 if is_section else place.merge.offset_of(offset)
            place = place.merge.section
        if place.output is not None:
            target.chunk = place.output
            # a symbol may claim any distance from its section: addresses wrap around
            target.value = place.output.address + place.offset + offset & ADDRESS_MASK
            if place.section.sh_flags & TLS:
                target.tls_start = tls_start
    elif symbol is not None and target.rank > Rank.SHARED and not target.boundary:
        target.value = symbol.st_value
        target.S = target.L = signed(target.value)
        target.Z = target.size
        return
    target.S = target.L = target.value
    target.Z = target.size


def signed(value: int) -> int:
    """Return a word as the two's complement that it is: an absolute symbol may be negative."""
    return value - (1 << 64) if value >> 63 else value


def set_plt_operands(synthetic: Synthetic) -> None:
    """Set L, and what the address of an imported function is inside the output."""
    for table in (synthetic.plt, synthetic.plt_second, synthetic.plt_got):
        for index, target in enumerate(table.symbols):
            target.L = entry = table.entry_address(index)
            if target.column != Column.WEAK:
                target.S = entry
            if target.rank <= Rank.SHARED:
                target.value = entry


def set_got_operands(synthetic: Synthetic, tls: TlsBase) -> Constants:
    """Set G and its TLS kin, which count from the address of the GOT."""
    got, slots = synthetic.got, synthetic.slots
    base = synthetic.got_plt.address if synthetic.got_plt is not None else got.address
    start = got.address - base
    for target, offset in slots.addresses.items():
        target.G = start + offset
    for target, offset in slots.tls_pairs.items():
        target.TLSGD = start + offset
    for target, offset in slots.tls_offsets.items():
        target.GOTTPOFF = start + offset
    for target, offset in slots.tls_descriptors.items():
        target.TLSDESC = start + offset
    return Constants(GOT=base, TP=tls.pointer, DTP=tls.start, TLSLD=start + slots.tls_module)


def write_chunks(layout: Layout) -> bytearray:
    """Return the file with the content of all chunks; headers and relocations follow.

    Raises PyldsoError where there is no memory for it: a section of zeros may be of any size.
    """
    size = layout.section_headers_at + (len(layout.chunks) + 1) * SHDR.size
    try:
        image = bytearray(size)
    except MemoryError:
        raise PyldsoError(f"the output's {size} bytes are more than there is memory for") from None
    whole = memoryview(image)
    for chunk in layout.chunks:
        if chunk.takes_file_space and chunk.size:
            chunk.write(whole[chunk.offset : chunk.offset + chunk.size])
    whole.release()
    return image


def os_abi(symbols: SymbolTable) -> int:
    """Return EI_OSABI: GNU's for a file with symbols of its own kinds, unique and indirect."""
    for linked in symbols.objects:
        for symbol in linked.object.symbols:
            if symbol.binding == STB.GNU_UNIQUE or symbol.type == STT.GNU_IFUNC:
                return ELFOSABI_GNU
    return ELFOSABI_NONE


def write_headers(
    image: bytearray, layout: Layout, names: StringTable, ident: Ident, entry: int
) -> None:
    """Write the ELF header, the program headers and the section headers."""
    magic = ELFMAG + bytes((ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ident.os_abi)) + bytes(8)
    chunks = layout.chunks
    EHDR.pack_into(
        image, 0, magic, ident.e_type, ident.e_machine, EV_CURRENT, entry, EHDR.size,
        layout.section_headers_at, 0, EHDR.size, PHDR.size, len(layout.segments), SHDR.size,
        len(chunks) + 1, names.index,
    )  # fmt: skip
    for index, phdr in enumerate(layout.segments):
        PHDR.pack_into(image, EHDR.size + index * PHDR.size, *phdr)
    for chunk in chunks:
        link = chunk.link.index if chunk.link is not None else 0
        info = chunk.info_section.index if chunk.info_section is not None else chunk.info
        SHDR.pack_into(
            image, layout.section_headers_at + chunk.index * SHDR.size, names.add(chunk.name),
            chunk.type, chunk.flags, chunk.address, chunk.offset, chunk.size, link, info,
            chunk.alignment, chunk.entsize,
        )  # fmt: skip
