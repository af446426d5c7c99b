"""ObjectFile to the bytes of an ET_REL file, laid out as GNU as does (gABI ch. 4).

Sections in their order, each followed in the table by its `.rela` section; in the file the
contents come first, then .symtab and .strtab, the relocations, .shstrtab, and the section headers.
"""

from __future__ import annotations

from pyldso.elf.constants import (
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    ELFOSABI_GNU,
    ELFOSABI_NONE,
    ET,
    EV_CURRENT,
    SHF,
    SHN,
    SHT,
    STB,
    STT,
)
from pyldso.elf.object import Group, ObjectFile, Section, Symbol
from pyldso.elf.object_reader import CHDR, ELFCOMPRESS_ZLIB
from pyldso.elf.records import EHDR, RELA, SHDR, SYM, Buffer, Ehdr, Shdr
from pyldso.errors import PyldsoError

GRP_COMDAT = 1
CHDR_ALIGNMENT = 8


class StringTable:
    """A string section in which a name that ends another shares its bytes (bfd/elf-strtab.c)."""

    def __init__(self) -> None:
        self._names: dict[bytes, int] = {}

    def add(self, name: bytes) -> None:
        """Note a name; its offset is known after finish()."""
        if name:
            self._names.setdefault(name, 0)

    def finish(self) -> bytes:
        """Return the section's bytes."""
        hosts: dict[bytes, bytes] = {}
        host = b""
        for name in sorted(self._names, key=lambda name: name[::-1], reverse=True):
            if host.endswith(name) and host:
                hosts[name] = host
            else:
                host = name
        out = bytearray(1)
        for name in self._names:
            if name not in hosts:
                self._names[name] = len(out)
                out += name + b"\0"
        for name, within in hosts.items():
            self._names[name] = self._names[within] + len(within) - len(name)
        return bytes(out)

    def offset(self, name: bytes) -> int:
        """Return where a name stands."""
        return self._names[name] if name else 0


class _Row:
    """A section header in the making, with the bytes it describes."""

    __slots__ = ("data", "header", "name")

    def __init__(self, name: str, header: Shdr, data: Buffer) -> None:
        self.name = name
        self.header = header
        self.data = data


def write_object(obj: ObjectFile) -> bytearray:
    """Return the object as an ELF file; raises PyldsoError for too many sections."""
    rows, indices = _number_sections(obj)
    if len(rows) + 3 >= SHN.LORESERVE:
        most = SHN.LORESERVE - 1
        raise PyldsoError(
            f"{obj.path}: an object of {len(rows)} sections cannot be written: at most {most}"
        )
    names, table, first_global = _symbol_table(obj, indices)
    symtab = len(rows)
    has_symbols = len(obj.symbols) > 1
    _link_sections(obj, rows, indices, symtab, has_symbols)
    section_names = StringTable()
    tables = (".symtab", ".strtab", ".shstrtab") if has_symbols else (".shstrtab",)
    for name in tables:
        section_names.add(name.encode())
    # Groups come first in the table, but GNU as names them last.
    for row in (*rows[1 + len(obj.groups) :], *rows[1 : 1 + len(obj.groups)]):
        section_names.add(_encode(row.name))
    if has_symbols:
        header = Shdr(0, SHT.SYMTAB, 0, 0, 0, len(table), symtab + 1, first_global, 8, SYM.size)
        rows.append(_Row(".symtab", header, table))
        rows.append(_Row(".strtab", Shdr(0, SHT.STRTAB, 0, 0, 0, len(names), 0, 0, 1, 0), names))
    text = section_names.finish()
    rows.append(_Row(".shstrtab", Shdr(0, SHT.STRTAB, 0, 0, 0, len(text), 0, 0, 1, 0), text))
    return _join(obj, rows, section_names)


def _encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _symbol_name(symbol: Symbol) -> bytes:
    """Return the name in the string table; a section's symbol has none of its own."""
    return b"" if symbol.type == STT.SECTION else _encode(symbol.name + symbol.version)


def _number_sections(obj: ObjectFile) -> tuple[list[_Row], dict[Section, int]]:
    """Return the rows of the section table in order, and each section's index."""
    rows = [_Row("", Shdr(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), b"")]
    indices: dict[Section, int] = {}
    for _ in obj.groups:
        header = Shdr(0, SHT.GROUP, 0, 0, 0, 0, 0, 0, 4, 4)
        rows.append(_Row(".group", header, b""))
    for section in obj.sections:
        indices[section] = len(rows)
        size = len(section.data) if section.sh_type != SHT.NOBITS else section.size
        header = Shdr(
            0, section.sh_type, section.sh_flags, 0, 0, size, 0, 0, section.sh_addralign,
            section.sh_entsize,
        )  # fmt: skip
        rows.append(_Row(section.name, header, section.data))
        if section.relocations:
            flags = SHF.INFO_LINK | (section.sh_flags & SHF.GROUP)
            data = section.relocations.content
            header = Shdr(0, SHT.RELA, flags, 0, 0, len(data), 0, 0, 8, RELA.size)
            rows.append(_Row(".rela" + section.name, header, data))
    return rows, indices


def _link_sections(
    obj: ObjectFile,
    rows: list[_Row],
    indices: dict[Section, int],
    symtab: int,
    has_symbols: bool,
) -> None:
    """Fill in sh_link and sh_info, and the contents of groups."""
    symtab = symtab if has_symbols else 0
    for section, index in indices.items():
        row = rows[index]
        if section.link_order is not None:
            row.header = row.header._replace(sh_link=indices[section.link_order])
        if section.relocations:
            rela = rows[index + 1]
            rela.header = rela.header._replace(sh_link=symtab, sh_info=index)
    for number, group in enumerate(obj.groups, 1):
        members: list[int] = []
        for section in group.sections:
            index = indices[section]
            members.append(index)
            if section.relocations:
                members.append(index + 1)
        words = [GRP_COMDAT if group.is_comdat else 0, *members]
        data = b"".join(word.to_bytes(4, "little") for word in words)
        header = rows[number].header._replace(
            sh_size=len(data), sh_link=symtab, sh_info=_signature_index(obj, group)
        )
        rows[number].header = header
        rows[number].data = data


def _signature_index(obj: ObjectFile, group: Group) -> int:
    for index, symbol in enumerate(obj.symbols):
        if symbol.name == group.signature and symbol.type != STT.FILE:
            return index
    return 0


def _symbol_table(obj: ObjectFile, indices: dict[Section, int]) -> tuple[bytes, bytes, int]:
    """Return .strtab, .symtab and the index of the first symbol that is not local."""
    strings = StringTable()
    for symbol in obj.symbols:
        strings.add(_symbol_name(symbol))
    text = strings.finish()
    out = bytearray()
    first_global = len(obj.symbols)
    signatures = {group.signature: number for number, group in enumerate(obj.groups, 1)}
    for index, symbol in enumerate(obj.symbols):
        if index and symbol.binding != STB.LOCAL:
            first_global = min(first_global, index)
        shndx = int(symbol.shndx) if symbol.section is None else indices[symbol.section]
        if shndx == SHN.ABS and symbol.binding == STB.LOCAL and symbol.name in signatures:
            # GNU as gives a signature that names nothing else the group's own section.
            shndx = signatures[symbol.name]
        out += SYM.pack(
            strings.offset(_symbol_name(symbol)),
            symbol.binding << 4 | symbol.type,
            symbol.visibility,
            shndx,
            symbol.st_value,
            symbol.st_size,
        )
    return text, bytes(out), first_global


def _join(obj: ObjectFile, rows: list[_Row], names: StringTable) -> bytearray:
    out = bytearray(EHDR.size)
    late = [row for row in rows if row.header.sh_type == SHT.RELA]
    early = [row for row in rows[1:-1] if row.header.sh_type != SHT.RELA]
    for row in (*early, *late, rows[-1]):
        out += bytes(-len(out) % max(row.header.sh_addralign, 1))
        name = names.offset(_encode(row.name))
        row.header = row.header._replace(sh_name=name, sh_offset=len(out))
        if row.header.sh_type != SHT.NOBITS:
            out += row.data
    out += bytes(-len(out) % 8)
    shoff = len(out)
    for row in rows:
        out += SHDR.pack(*row.header)
    osabi = ELFOSABI_GNU if _needs_gnu_abi(obj) else ELFOSABI_NONE
    ident = ELFMAG + bytes([ELFCLASS64, ELFDATA2LSB, EV_CURRENT, osabi]) + bytes(8)
    header = Ehdr(
        ident, ET.REL, obj.machine, EV_CURRENT, 0, 0, shoff, 0, EHDR.size, 0, 0, SHDR.size,
        len(rows), len(rows) - 1,
    )  # fmt: skip
    out[: EHDR.size] = EHDR.pack(*header)
    return out


def _needs_gnu_abi(obj: ObjectFile) -> bool:
    return any(
        symbol.type == STT.GNU_IFUNC or symbol.binding == STB.GNU_UNIQUE for symbol in obj.symbols
    ) or any(section.sh_flags & SHF.GNU_RETAIN for section in obj.sections)


def compressed(content: Buffer, alignment: int) -> bytes:
    """Return what an SHF_COMPRESSED section of that content holds (gABI ch. 4, Elf64_Chdr)."""
    import zlib  # only a compressed section needs it

    return CHDR.pack(ELFCOMPRESS_ZLIB, 0, len(content), alignment) + zlib.compress(content)
