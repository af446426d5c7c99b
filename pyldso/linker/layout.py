"""Chunks to addresses, file offsets and program headers, as GNU ld's built-in script lays them out.

The segments of `-z separate-code`: headers and link tables R, code RX, constants R, data RW with
its RELRO part first, so that it ends where a page ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from pyldso.elf.constants import PAGE_SIZE, PF, PT, SHF, SHN, SHT
from pyldso.elf.records import EHDR, PHDR, Phdr
from pyldso.errors import PyldsoError
from pyldso.linker.chunk import Chunk
from pyldso.linker.synthetic import RESERVED_SLOTS, WORD

HEAD, CODE, CONSTANT, RELRO, DATA, OUTSIDE = range(6)
"""The classes of chunks, in the order of the file."""

ORDER: tuple[tuple[str, ...], ...] = (
    (".interp", ".note.gnu.property", ".note.gnu.build-id", ".note", ".hash", ".gnu.hash",
     ".dynsym", ".dynstr", ".gnu.version", ".gnu.version_d", ".gnu.version_r", ".rela.dyn",
     ".rela.plt", ".relr.dyn"),
    (".init", ".plt", ".plt.got", ".plt.sec", ".text", ".fini", ""),
    (".rodata", "", ".eh_frame_hdr", ".eh_frame", ".gcc_except_table"),
    (".tdata", ".tbss", ".preinit_array", ".init_array", ".fini_array", ".ctors", ".dtors",
     ".data.rel.ro", ".bss.rel.ro", "", ".dynamic", ".got", ".got.plt"),
    (".got.plt", ".data", "", ".copyrel", ".bss"),
    ("", ".comment", ".symtab", ".strtab", ".shstrtab"),
)  # fmt: skip
"""By class the order of names; the empty one stands for all others."""

RELRO_NAMES = frozenset(ORDER[RELRO]) - {"", ".got.plt"}

MAX_VADDR = 1 << 47
MAX_FILE = 1 << 32


class Layout(NamedTuple):
    """The chunks in file order, where the section headers stand, and the program headers."""

    chunks: list[Chunk]
    section_headers_at: int
    segments: list[Phdr]
    file_size: int
    tls: Phdr | None


class LayoutRules(NamedTuple):
    """What of the options matters to the layout."""

    image_base: int
    relro: bool
    bind_now: bool
    executable_stack: bool
    page_size: int = PAGE_SIZE
    separate_code: bool = True
    """Give code pages of its own, apart from headers and constants (`-z separate-code`)."""
    section_starts: Mapping[str, int] = MappingProxyType({})
    """By section the vaddr that `-Ttext` and its kin give it; what follows comes behind it."""
    stack_size: int = 0
    """p_memsz of PT_GNU_STACK (`-z stack-size=`)."""

    def start_of(self, group: list[Chunk]) -> int | None:
        """Return the vaddr that the options give to a segment."""
        return self.section_starts.get(group[0].name)


def class_of(chunk: Chunk, rules: LayoutRules) -> int:
    """Return the class of a chunk, by its flags and for RELRO by its name."""
    if not chunk.flags & SHF.ALLOC:
        return OUTSIDE
    if chunk.flags & SHF.WRITE:
        is_relro = chunk.name in RELRO_NAMES or bool(chunk.flags & SHF.TLS)
        if chunk.name == ".got.plt":
            is_relro = rules.bind_now
        return RELRO if rules.relro and is_relro else DATA
    if chunk.flags & SHF.EXECINSTR:
        return CODE
    is_head = chunk.name in ORDER[HEAD] or chunk.type == SHT.NOTE
    return HEAD if is_head else CONSTANT


def sort_chunks(chunks: list[Chunk], rules: LayoutRules) -> list[Chunk]:
    """Return the chunks in file order, each with its section number."""

    def rank(chunk: Chunk) -> tuple[int, bool, int]:
        kind = class_of(chunk, rules)
        names = ORDER[kind]
        name = chunk.name
        if kind == HEAD and name not in names:
            name = ".note"
        is_nobits = kind == DATA and not chunk.takes_file_space
        return kind, is_nobits, names.index(name if name in names else "")

    ordered = sorted(chunks, key=rank)
    if len(ordered) >= SHN.LORESERVE:
        raise PyldsoError(f"the output has {len(ordered)} sections: at most {SHN.LORESERVE - 1}")
    for index, chunk in enumerate(ordered, 1):
        chunk.index = index
        is_bss = class_of(chunk, rules) == DATA or chunk.flags & SHF.TLS
        if chunk.type == SHT.NOBITS and not is_bss and chunk.flags & SHF.ALLOC:
            chunk.type = int(SHT.PROGBITS)  # zeros amid content need room in the file
    return ordered


def permissions(chunk: Chunk, rules: LayoutRules) -> int:
    """Return the PF_* of the segment that a chunk belongs to."""
    flags = int(PF.R)
    if not (rules.separate_code or chunk.flags & SHF.WRITE):
        return flags | PF.X
    if chunk.flags & SHF.WRITE:
        flags |= PF.W
    if chunk.flags & SHF.EXECINSTR:
        flags |= PF.X
    return flags


def align(value: int, alignment: int) -> int:
    """Round up to a multiple."""
    return -(-value // alignment) * alignment


def assign_addresses(chunks: list[Chunk], rules: LayoutRules) -> Layout:
    """Give every chunk its vaddr and offset and return the segments."""
    loaded = [chunk for chunk in chunks if chunk.flags & SHF.ALLOC]
    groups = load_groups(loaded, rules)
    header_size = EHDR.size + PHDR.size * count_segments(loaded, groups, rules)
    base = header_base(groups, header_size, rules)
    address, offset = base + header_size, header_size
    loads: list[Phdr] = []
    for number, group in enumerate(groups):
        page = max(rules.page_size, *(chunk.alignment for chunk in group))
        if number or not holds_headers(group, rules):
            start = rules.start_of(group)
            if start is not None:
                address = start
            else:
                address = relro_start(group, align(address, page), page, rules)
            offset += (address - offset) % page
        start_address, start_offset = address, offset
        if not number and holds_headers(group, rules):
            start_address, start_offset = base, 0
        address, offset = place_data(group, address, offset, rules)
        memory_end = max([c.address + c.size for c in group if not is_tbss(c)] + [start_address])
        loads.append(
            Phdr(
                PT.LOAD, permissions(group[0], rules), start_offset, start_address, start_address,
                offset - start_offset, memory_end - start_address, page,
            )
        )  # fmt: skip
        address = max(address, memory_end)
    if address > MAX_VADDR or offset > MAX_FILE:
        raise PyldsoError("the output is too large: its sections need more than 4 GiB")
    if groups and not holds_headers(groups[0], rules):
        loads.insert(0, Phdr(PT.LOAD, PF.R, 0, base, base, header_size, header_size,
                             rules.page_size))  # fmt: skip
    if rules.section_starts:
        loads.sort(key=lambda load: load.p_vaddr)  # the order that the gABI asks for
        refuse_overlaps([chunk for chunk in loaded if chunk.size and not is_tbss(chunk)])
    tls = segment_of([c for c in loaded if c.flags & SHF.TLS], PT.TLS, PF.R)
    segments = other_segments(loaded, loads, tls, (base, header_size), rules)
    return place_outside(Layout(chunks, offset, segments, offset, tls), chunks)


def place_outside(layout: Layout, chunks: list[Chunk]) -> Layout:
    """Give what is not in memory its place behind what is, and behind all the section headers."""
    headers_end = EHDR.size + PHDR.size * len(layout.segments)
    offset = max(headers_end, *(phdr.p_offset + phdr.p_filesz for phdr in layout.segments))
    for chunk in chunks:
        if not chunk.flags & SHF.ALLOC:
            chunk.offset = offset = align(offset, chunk.alignment)
            offset += chunk.size if chunk.takes_file_space else 0
    section_headers_at = align(offset, 8)
    return layout._replace(
        chunks=chunks, section_headers_at=section_headers_at, file_size=section_headers_at
    )


def header_base(groups: list[list[Chunk]], header_size: int, rules: LayoutRules) -> int:
    """Return the vaddr of the ELF header: the page before the first section, if that has one."""
    start = rules.start_of(groups[0]) if groups else None
    if start is None or start < header_size:
        return rules.image_base
    return (start - header_size) // rules.page_size * rules.page_size


def refuse_overlaps(chunks: list[Chunk]) -> None:
    """Raise PyldsoError where the options put two sections at one place."""
    ordered = sorted(chunks, key=lambda chunk: chunk.address)
    for first, second in pairwise(ordered):
        end = first.address + first.size
        if second.address < end:
            raise PyldsoError(
                f"section {second.name} at {second.address:#x} overlaps section {first.name}, "
                f"which ends at {end:#x}; give it another address"
            )


def holds_headers(group: list[Chunk], rules: LayoutRules) -> bool:
    """Tell whether the ELF header can stand in a segment: first of all, and not to be written."""
    if rules.start_of(group) is not None:
        return False
    flags = permissions(group[0], rules)
    return flags == PF.R or (not rules.separate_code and not flags & PF.W)


def load_groups(loaded: list[Chunk], rules: LayoutRules) -> list[list[Chunk]]:
    """Split the chunks where the permissions change."""
    groups: list[list[Chunk]] = []
    for chunk in loaded:
        is_placed = chunk.name in rules.section_starts
        if (
            groups
            and not is_placed
            and permissions(groups[-1][-1], rules) == permissions(chunk, rules)
        ):
            groups[-1].append(chunk)
        else:
            groups.append([chunk])
    return groups


def is_tbss(chunk: Chunk) -> bool:
    """Tell whether a chunk is the zeroed part of the TLS image, which takes no room in memory."""
    return bool(chunk.flags & SHF.TLS) and chunk.type == SHT.NOBITS


def place_group(group: list[Chunk], address: int, offset: int) -> tuple[int, int]:
    """Give addresses and offsets to the chunks of one segment; return its two ends."""
    base = address - offset
    tls_end = 0
    for chunk in group:
        if is_tbss(chunk):
            # its addresses run on from .tdata's and are used again by what follows
            chunk.address = align(max(address, tls_end), chunk.alignment)
            chunk.offset = chunk.address - base
            tls_end = chunk.address + chunk.size
            continue
        address = align(address, chunk.alignment)
        chunk.address = address
        if chunk.takes_file_space:
            chunk.offset = address - base
            offset = chunk.offset + chunk.size
        else:
            chunk.offset = offset
        address += chunk.size
    return address, offset


def place_data(
    group: list[Chunk], address: int, offset: int, rules: LayoutRules
) -> tuple[int, int]:
    """Place a segment, its RELRO part so that what follows starts with a page of its own."""
    relro = [chunk for chunk in group if class_of(chunk, rules) == RELRO]
    rest = group[len(relro) :]
    if not relro or not rest:
        return place_group(group, address, offset)
    base = address - offset
    address, offset = place_group(relro, address, offset)
    reserved = RESERVED_SLOTS * WORD.size if rest[0].name == ".got.plt" else 0
    address = align(address + reserved, PAGE_SIZE) - reserved
    return place_group(rest, address, address - base)


def relro_start(group: list[Chunk], address: int, page: int, rules: LayoutRules) -> int:
    """Return where a data segment starts so that its RELRO part ends at the end of a page.

    As in GNU ld's script (DATA_SEGMENT_RELRO_END) the reserved words of .got.plt are inside.
    """
    relro = [chunk for chunk in group if class_of(chunk, rules) == RELRO]
    if not relro:
        return address
    end, _ = place_group(relro, address, address)
    rest = group[len(relro) :]
    if rest and rest[0].name == ".got.plt":
        end = align(end, rest[0].alignment) + RESERVED_SLOTS * WORD.size
    # the start moves by whole alignments, so the distances inside stay as they are
    step = max(chunk.alignment for chunk in relro)
    return address + (align(end, page) - end) // step * step


def relro_end(chunks: list[Chunk], rules: LayoutRules) -> tuple[int, int] | None:
    """Return the vaddrs between which memory becomes read-only after relocation."""
    relro = [c for c in chunks if class_of(c, rules) == RELRO and c.flags & SHF.ALLOC]
    if not relro:
        return None
    end = max(chunk.address + chunk.size for chunk in relro if not is_tbss(chunk))
    for chunk in chunks:
        if chunk.name == ".got.plt" and class_of(chunk, rules) == DATA:
            end = chunk.address + RESERVED_SLOTS * WORD.size
    # only whole pages are protected; the layout has put nothing writable before the next page
    return relro[0].address, align(end, PAGE_SIZE)


def segment_of(chunks: list[Chunk], p_type: int, p_flags: int) -> Phdr | None:
    """Return the program header that spans `chunks`."""
    if not chunks:
        return None
    first, stored = chunks[0], [chunk for chunk in chunks if chunk.takes_file_space]
    file_end = max((c.offset + c.size for c in stored), default=first.offset)
    memory_end = max(chunk.address + chunk.size for chunk in chunks)
    alignment = max(chunk.alignment for chunk in chunks)
    return Phdr(
        p_type, p_flags, first.offset, first.address, first.address,
        file_end - first.offset, memory_end - first.address, alignment,
    )  # fmt: skip


def note_groups(loaded: list[Chunk]) -> list[list[Chunk]]:
    """Return the notes that stand together with one alignment: a PT_NOTE each."""
    groups: list[list[Chunk]] = []
    for chunk in loaded:
        if chunk.type != SHT.NOTE:
            continue
        if groups and groups[-1][-1].alignment == chunk.alignment:
            groups[-1].append(chunk)
        else:
            groups.append([chunk])
    return groups


def other_segments(
    loaded: list[Chunk],
    loads: list[Phdr],
    tls: Phdr | None,
    headers: tuple[int, int],
    rules: LayoutRules,
) -> list[Phdr]:
    """Return all program headers in GNU ld's order; `headers` are at a vaddr, with a size."""
    base, header_size = headers
    named = {chunk.name: [chunk] for chunk in loaded}
    segments: list[Phdr | None] = []
    if ".interp" in named:
        at = base + EHDR.size
        size = header_size - EHDR.size
        segments.append(Phdr(PT.PHDR, PF.R, EHDR.size, at, at, size, size, 8))
        segments.append(segment_of(named[".interp"], PT.INTERP, PF.R))
    segments += loads
    segments.append(segment_of(named.get(".dynamic", []), PT.DYNAMIC, PF.R | PF.W))
    segments += [segment_of(group, PT.NOTE, PF.R) for group in note_groups(loaded)]
    segments.append(tls)
    segments.append(segment_of(named.get(".note.gnu.property", []), PT.GNU_PROPERTY, PF.R))
    segments.append(segment_of(named.get(".eh_frame_hdr", []), PT.GNU_EH_FRAME, PF.R))
    stack = PF.R | PF.W | (PF.X if rules.executable_stack else 0)
    segments.append(Phdr(PT.GNU_STACK, stack, 0, 0, 0, 0, rules.stack_size, 16))
    relro = relro_end(loaded, rules)
    if relro:
        start, end = relro
        first = next(c for c in loaded if class_of(c, rules) == RELRO)
        load = next(p for p in loads if p.p_vaddr <= start < p.p_vaddr + max(p.p_memsz, 1))
        size = min(end, load.p_vaddr + load.p_memsz) - start
        stored = min(size, load.p_offset + load.p_filesz - first.offset)
        segments.append(Phdr(PT.GNU_RELRO, PF.R, first.offset, start, start, stored, size, 1))
    return [segment for segment in segments if segment is not None]


def count_segments(loaded: list[Chunk], groups: list[list[Chunk]], rules: LayoutRules) -> int:
    """Return how many program headers there will be, which their own size depends on."""
    names = {chunk.name for chunk in loaded}
    count = len(groups) + (bool(groups) and not holds_headers(groups[0], rules))
    count += 2 * (".interp" in names) + (".dynamic" in names) + (".eh_frame_hdr" in names)
    count += len(note_groups(loaded)) + (".note.gnu.property" in names)
    count += any(chunk.flags & SHF.TLS for chunk in loaded)
    count += any(class_of(chunk, rules) == RELRO for chunk in loaded)
    return count + 1
