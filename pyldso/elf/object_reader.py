"""A relocatable object file (ET_REL) to an ObjectFile (gABI ch. 4)."""

from __future__ import annotations

import struct
from sys import intern
from typing import NamedTuple

from pyldso.elf.constants import (
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    EM,
    ET,
    SHF,
    SHN,
    SHT,
    STT,
)
from pyldso.elf.object import Group, ObjectFile, Section, Symbol
from pyldso.elf.records import EHDR, SHDR, SYM, Buffer, Ehdr, Shdr
from pyldso.elf.rela import RelaTable
from pyldso.errors import ElfFormatError

GRP_COMDAT = 1
# as plain integers: an IntFlag's operators cost a microsecond each
COMPRESSED, LINK_ORDER = int(SHF.COMPRESSED), int(SHF.LINK_ORDER)
MAX_ALIGNMENT = 1 << 24
"""Larger ones are refused: they would make a file of padding."""
OLD_HEADER = struct.Struct(">4sQ")
MAX_INFLATED = 1 << 30
"""The largest content of a compressed section: a small file may announce anything."""
CHDR = struct.Struct("<IIQQ")
ELFCOMPRESS_ZLIB = 1
OLD_PREFIX, OLD_MAGIC = ".zdebug", b"ZLIB"
"""How GNU tools told of compressed debugging before the gABI did: by name and first bytes."""


class Table(NamedTuple):
    """Section headers with their names, as they stand in the file."""

    headers: list[Shdr]
    names: list[str]


SMALL = 256
"""A view of fewer bytes takes more memory than their copy."""

References = dict[int, dict[bytes, Symbol]]
"""By st_info and st_other, then by name, the one Symbol that stands for all undefined ones of
several files: most symbols are references, and most of these to what others refer to, too."""


def read_header(data: Buffer, path: str) -> Ehdr:
    """Return the ELF header of a 64-bit little-endian file.

    Raises ElfFormatError for anything else, naming what it is.
    """
    if not data:
        raise ElfFormatError(path, "the file is empty")
    if bytes(data[:4]) != ELFMAG:
        raise ElfFormatError(path, "not an ELF file")
    if len(data) < EHDR.size:
        raise ElfFormatError(path, f"the file is cut: {len(data)} bytes are no ELF header")
    header = Ehdr(*EHDR.unpack_from(data))
    if header.e_ident[4] != ELFCLASS64:
        kind = {1: "32-bit (ELFCLASS32)"}.get(header.e_ident[4], f"of class {header.e_ident[4]}")
        raise ElfFormatError(path, f"the file is {kind}, not 64-bit", 4)
    if header.e_ident[5] != ELFDATA2LSB:
        raise ElfFormatError(path, "the file is not little-endian", 5)
    return header


def check_machine(header: Ehdr, path: str, machine: int) -> None:
    """Raise ElfFormatError unless the file is for `machine`."""
    if header.e_machine != machine:
        raise ElfFormatError(
            path, f"the file is for {machine_name(header.e_machine)}, not {machine_name(machine)}"
        )


def machine_name(number: int) -> str:
    """Return `x86-64` for EM_X86_64, and `machine N` for one without a name here."""
    names = {
        EM.I386: "i386",
        EM.ARM: "ARM",
        EM.X86_64: "x86-64",
        EM.AARCH64: "aarch64",
        EM.RISCV: "RISC-V",
    }
    return names.get(EM(number)) or str(number) if number in set(EM) else f"machine {number}"


def read_section_table(data: Buffer, header: Ehdr, path: str) -> Table:
    """Return all section headers and names; raises ElfFormatError where they leave the file."""
    if not header.e_shoff:
        return Table([], [])
    if header.e_shentsize != SHDR.size:
        raise ElfFormatError(path, f"section headers of {header.e_shentsize} bytes, not 64", 58)
    count, names_index = header.e_shnum, header.e_shstrndx
    if header.e_shoff + SHDR.size > len(data):
        raise ElfFormatError(path, "the section headers lie beyond the end of the file", 40)
    first = Shdr(*SHDR.unpack_from(data, header.e_shoff))
    count = count or first.sh_size
    names_index = first.sh_link if names_index == SHN.XINDEX else names_index
    end = header.e_shoff + count * SHDR.size
    if end > len(data):
        raise ElfFormatError(path, "the section headers lie beyond the end of the file", 40)
    rows = SHDR.iter_unpack(memoryview(data)[header.e_shoff : end])
    headers = [Shdr(*row) for row in rows]
    if names_index >= count:
        raise ElfFormatError(path, f"no section {names_index} for the section names", 62)
    names = bytes(contents(data, headers[names_index], path))
    return Table(headers, [string_at(names, h.sh_name, path) for h in headers])


def contents(data: Buffer, header: Shdr, path: str) -> Buffer:
    """Return a section's bytes, a view where they are many.

    Raises ElfFormatError where they lie outside the file.
    """
    if header.sh_type == SHT.NOBITS:
        return b""
    end = header.sh_offset + header.sh_size
    if end > len(data):
        raise ElfFormatError(
            path, f"a section ends at {end:#x}, beyond the end of the file", header.sh_offset
        )
    part = memoryview(data)[header.sh_offset : end]
    return part if len(part) > SMALL else bytes(part)


def string_at(table: bytes, offset: int, path: str) -> str:
    """Return the string at `offset` of a string table; raises ElfFormatError."""
    end = table.find(b"\0", offset)
    if offset >= len(table) or end < 0:
        if offset == 0 and not table:
            return ""
        raise ElfFormatError(path, f"no string ends after offset {offset:#x} of a string table")
    return intern(table[offset:end].decode("utf-8", "surrogateescape"))


def read_object(
    data: Buffer, path: str, machine: int = EM.X86_64, references: References | None = None
) -> ObjectFile:
    """Return what a relocatable object holds; raises ElfFormatError for a damaged file.

    Its sections are views of `data`. `references` are shared by all files that are read with it.
    """
    header = read_header(data, path)
    if header.e_type != ET.REL:
        kind = {ET.EXEC: "an executable", ET.DYN: "a shared object", ET.CORE: "a core dump"}
        what = next((v for k, v in kind.items() if k == header.e_type), "no relocatable object")
        raise ElfFormatError(path, f"the file is {what}, not a relocatable object (.o)", 16)
    check_machine(header, path, machine)
    table = read_section_table(data, header, path)
    sections = read_sections(data, table, path)
    symbols = read_symbols(data, table, sections, path, {} if references is None else references)
    read_relocations(data, table, sections, len(symbols), path)
    groups = read_groups(data, table, sections, symbols, path)
    kept = [section for section in sections if section is not None]
    return ObjectFile(path, header.e_machine, kept, symbols, groups)


LINKER_TABLES = frozenset(
    int(sh_type)
    for sh_type in (
        SHT.NULL,
        SHT.SYMTAB,
        SHT.STRTAB,
        SHT.RELA,
        SHT.REL,
        SHT.GROUP,
        SHT.SYMTAB_SHNDX,
    )
)
"""Section types that are read into records rather than kept as sections."""


def read_sections(data: Buffer, table: Table, path: str) -> list[Section | None]:
    """Return the sections that carry content, at their indices in the file."""
    sections: list[Section | None] = []
    for header, name in zip(table.headers, table.names, strict=True):
        if header.sh_type in LINKER_TABLES:
            sections.append(None)
            continue
        alignment = header.sh_addralign or 1
        if alignment & (alignment - 1) or alignment > MAX_ALIGNMENT:
            raise ElfFormatError(
                path, f"section {name}: {alignment} is no power of two of at most 16 MiB"
            )
        body = contents(data, header, path)
        flags, size = header.sh_flags, header.sh_size
        if flags & COMPRESSED:
            body, alignment = decompress(body, name, path)
            flags, size = flags & ~COMPRESSED, len(body)
        elif name.startswith(OLD_PREFIX) and bytes(body[:4]) == OLD_MAGIC:
            body = decompress_old(body, name, path)
            name, size = ".debug" + name.removeprefix(OLD_PREFIX), len(body)
        sections.append(
            Section(name, header.sh_type, flags, alignment, body, size, header.sh_entsize)
        )
    for header, section in zip(table.headers, sections, strict=True):
        if section is not None and header.sh_flags & LINK_ORDER and header.sh_link:
            section.link_order = section_at(sections, header.sh_link, path)
    return sections


def decompress(body: Buffer, name: str, path: str) -> tuple[bytes, int]:
    """Return the content and alignment of an SHF_COMPRESSED section (gABI, Elf64_Chdr)."""
    if len(body) < CHDR.size:
        raise ElfFormatError(path, f"section {name}: cut compression header")
    kind, _, size, alignment = CHDR.unpack_from(body)
    if kind != ELFCOMPRESS_ZLIB:
        raise ElfFormatError(path, f"section {name}: compression type {kind} is not supported")
    return inflate(body[CHDR.size :], size, name, path), alignment or 1


def decompress_old(body: Buffer, name: str, path: str) -> bytes:
    """Return the content of a `.zdebug` section: magic, size in 8 bytes, zlib's stream."""
    if len(body) < OLD_HEADER.size:
        raise ElfFormatError(path, f"section {name}: cut compression header")
    _, size = OLD_HEADER.unpack_from(body)
    return inflate(body[OLD_HEADER.size :], size, name, path)


def inflate(body: Buffer, size: int, name: str, path: str) -> bytes:
    """Return the `size` bytes that a zlib stream holds."""
    import zlib  # only a compressed section needs it

    if size > MAX_INFLATED:
        raise ElfFormatError(path, f"section {name}: {size} bytes when decompressed are too many")
    try:
        plain = zlib.decompressobj().decompress(body, size + 1)
    except zlib.error as error:
        raise ElfFormatError(path, f"section {name}: {error}") from None
    if len(plain) != size:
        raise ElfFormatError(path, f"section {name}: {len(plain)} bytes where {size} are announced")
    return plain


def section_at(sections: list[Section | None], index: int, path: str) -> Section | None:
    """Return the section that `index` means, None for one without content."""
    if index >= len(sections):
        raise ElfFormatError(path, f"no section {index}: the file has {len(sections)}")
    return sections[index]


def read_symbols(
    data: Buffer,
    table: Table,
    sections: list[Section | None],
    path: str,
    references: References,
) -> list[Symbol]:
    """Return the symbol table, its null symbol first; an object without one has just that."""
    found = [index for index, h in enumerate(table.headers) if h.sh_type == SHT.SYMTAB]
    if not found:
        return [Symbol("")]
    index = found[0]
    header = table.headers[index]
    if header.sh_link >= len(table.headers):
        raise ElfFormatError(path, f"no section {header.sh_link} for the symbol names")
    body = bytes(contents(data, header, path))
    strings = bytes(contents(data, table.headers[header.sh_link], path))
    extended = read_extended_indices(data, table, index, path)
    body = body[: len(body) - len(body) % SYM.size]
    symbols: list[Symbol] = []
    section_names = table.names
    find = strings.find
    for st_name, st_info, st_other, st_shndx, st_value, st_size in SYM.iter_unpack(body):
        end = find(b"\0", st_name)
        if end < 0:
            raise ElfFormatError(path, f"symbol {len(symbols)}: its name is outside .strtab")
        if not st_shndx and st_info > LAST_LOCAL:  # SHN_UNDEF
            kind = st_info << 8 | st_other
            same_kind = references.get(kind)
            if same_kind is None:
                same_kind = references[kind] = {}
            encoded = strings[st_name:end]
            known = same_kind.get(encoded)
            if known is None:
                known = same_kind[encoded] = reference(encoded, st_info, st_other)
            symbols.append(known)
            continue
        name = strings[st_name:end].decode("utf-8", "surrogateescape")
        section = None
        if st_shndx == SHN.XINDEX:
            st_shndx = extended[len(symbols)] if len(symbols) < len(extended) else 0
            section = section_at(sections, st_shndx, path)
        elif 0 < st_shndx < SHN.LORESERVE:
            section = section_at(sections, st_shndx, path)
        elif st_shndx not in (SHN.UNDEF, SHN.ABS, SHN.COMMON):
            raise ElfFormatError(path, f"symbol {name}: section index {st_shndx:#x} is unknown")
        symbol_type = st_info & 15
        version = ""
        if symbol_type == STT.SECTION:
            name = section_names[st_shndx] if st_shndx < len(section_names) else name
        elif "@" in name:
            name, version = split_version(name)
        if name:
            name = intern(name)
        shndx = st_shndx if section is None else 0
        if section is None and 0 < st_shndx < SHN.LORESERVE:
            shndx = SHN.ABS  # a symbol of a symbol or string table: it has no address
        symbols.append(
            Symbol(
                name, st_info >> 4, symbol_type, st_other & 3, section, shndx, st_value, st_size,
                version,
            )
        )  # fmt: skip
    check_symbol_order(body[ST_INFO :: SYM.size], header.sh_info, path)
    return symbols or [Symbol("")]


ST_INFO = 4
"""Where in a record st_info stands."""
LAST_LOCAL = 15
"""The last st_info whose binding is STB_LOCAL."""


def reference(name: bytes, st_info: int, st_other: int) -> Symbol:
    """Return an undefined symbol."""
    text, version = split_version(name.decode("utf-8", "surrogateescape"))
    return Symbol(intern(text), st_info >> 4, st_info & 15, st_other & 3, version=version)


def split_version(name: str) -> tuple[str, str]:
    """Return a name without the version that `.symver` gave it, and `@V` or `@@V`."""
    base, at, rest = name.partition("@")
    return (base, at + rest) if base else (name, "")


def check_symbol_order(infos: bytes, first_global: int, path: str) -> None:
    """Raise ElfFormatError unless locals, and only they, stand before sh_info.

    `infos` is the st_info column.
    """
    if first_global > len(infos):
        raise ElfFormatError(path, f"the symbol table's sh_info is {first_global}")
    first, rest = infos[:first_global], infos[first_global:]
    if max(first, default=0) > LAST_LOCAL or min(rest, default=LAST_LOCAL + 1) <= LAST_LOCAL:
        wrong = next(index for index, st_info in enumerate(infos)
                     if (st_info <= LAST_LOCAL) != (index < first_global))  # fmt: skip
        raise ElfFormatError(path, f"symbol {wrong} is on the wrong side of sh_info {first_global}")


def read_extended_indices(data: Buffer, table: Table, symtab: int, path: str) -> tuple[int, ...]:
    """Return the SHT_SYMTAB_SHNDX words of the symbol table, empty without one."""
    for header in table.headers:
        if header.sh_type == SHT.SYMTAB_SHNDX and header.sh_link == symtab:
            body = contents(data, header, path)
            return struct.unpack(f"<{len(body) // 4}I", body[: len(body) & ~3])
    return ()


def read_relocations(
    data: Buffer, table: Table, sections: list[Section | None], symbol_count: int, path: str
) -> None:
    """Give each section its relocation rows; raises ElfFormatError for an index out of range."""
    for header, name in zip(table.headers, table.names, strict=True):
        if header.sh_type not in (SHT.RELA, SHT.REL):
            continue
        section = section_at(sections, header.sh_info, path)
        if section is None:
            continue  # of a section that is not kept, as .rela of a group
        if header.sh_type == SHT.REL:
            raise ElfFormatError(path, f"section {name}: relocations without addends (SHT_REL)")
        rows = RelaTable(contents(data, header, path))
        last_symbol, last_offset = max(rows.symbols, default=0), max(rows.offsets, default=0)
        if last_symbol >= symbol_count:
            raise ElfFormatError(path, f"section {name}: no symbol {last_symbol}")
        if last_offset > section.size:
            raise ElfFormatError(path, f"section {name}: a relocation at {last_offset:#x} lies "
                                 f"outside {section.name}")  # fmt: skip
        section.relocations = section.relocations.joined(rows) if section.relocations else rows


def read_groups(
    data: Buffer,
    table: Table,
    sections: list[Section | None],
    symbols: list[Symbol],
    path: str,
) -> list[Group]:
    """Return the section groups and mark their members."""
    groups: list[Group] = []
    for header, name in zip(table.headers, table.names, strict=True):
        if header.sh_type != SHT.GROUP:
            continue
        body = contents(data, header, path)
        words = struct.unpack(f"<{len(body) // 4}I", body[: len(body) & ~3])
        if not words or header.sh_info >= len(symbols):
            raise ElfFormatError(path, f"section group {name} has no signature or no members")
        group = Group(symbols[header.sh_info].name, bool(words[0] & GRP_COMDAT))
        for index in words[1:]:
            section = section_at(sections, index, path)
            if section is not None:
                section.group = group
                group.sections.append(section)
        groups.append(group)
    return groups
