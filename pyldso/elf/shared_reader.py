"""A shared object to what a link takes from it: soname, needs, exports by its hash table.

The symbol table is not read as a whole (libc.so.6 has 3,000 symbols and a small program asks for
three): a name is looked up through DT_GNU_HASH with its bloom filter, or DT_HASH, as ld.so does
(gABI ch. 5; Drepper, How to write shared libraries, 1.5.3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from pyldso.elf.constants import (
    DT,
    EM,
    ET,
    PF,
    PT,
    SHN,
    STB,
    VER_FLG_BASE,
    VERSYM_HIDDEN,
    VERSYM_VERSION,
)
from pyldso.elf.dynamic import gnu_hash, parse_dynamic, parse_verdef, parse_verneed, sysv_hash
from pyldso.elf.object_reader import check_machine, read_header
from pyldso.elf.records import PHDR, SHDR, SYM, Ehdr, Phdr, Shdr, Sym
from pyldso.errors import ElfFormatError


class Export(NamedTuple):
    """A dynamic symbol: `version` is empty without one, `number` is its place in .dynsym."""

    name: str
    symbol: Sym
    version: str
    is_default: bool
    number: int


class HashTable(NamedTuple):
    """Where DT_GNU_HASH's parts lie in the file (`bucket_at` is a file offset)."""

    bucket_count: int
    first_symbol: int
    bloom: tuple[int, ...]
    bloom_shift: int
    bucket_at: int
    chain_at: int


class SharedFile:
    """A shared object as the linker sees it; `data` may be a memory map."""

    __slots__ = (
        "_definitions",
        "_dynstr",
        "_gnu_hash",
        "_sysv_hash",
        "_versym",
        "data",
        "dynamic",
        "header",
        "needed",
        "path",
        "phdrs",
        "soname",
        "symbol_count",
        "symtab_at",
    )

    def __init__(self, data: bytes, path: str, header: Ehdr) -> None:
        self.path = path
        self.data = data
        self.header = header
        self.phdrs = read_program_headers(data, header, path)
        self.dynamic = dict(reversed(self._pairs()))
        self._dynstr = self._part(DT.STRTAB, self.dynamic.get(DT.STRSZ, 0))
        self.needed = [self._string(value) for tag, value in self._pairs() if tag == DT.NEEDED]
        self.soname = self._string(self.dynamic[DT.SONAME]) if DT.SONAME in self.dynamic else None
        self.symtab_at = self._offset(DT.SYMTAB)
        self._gnu_hash = self._read_gnu_hash() if DT.GNU_HASH in self.dynamic else None
        self._sysv_hash = self._read_sysv_hash() if DT.HASH in self.dynamic else None
        self.symbol_count = self._count_symbols()
        versym = self.dynamic.get(DT.VERSYM)
        self._versym = self._offset(DT.VERSYM) if versym else None
        self._definitions = self._read_definitions()

    def _pairs(self) -> list[tuple[int, int]]:
        for phdr in self.phdrs:
            if phdr.p_type == PT.DYNAMIC:
                return parse_dynamic(self.data[phdr.p_offset : phdr.p_offset + phdr.p_filesz])
        raise ElfFormatError(self.path, "the file has no dynamic section (PT_DYNAMIC)")

    def _offset(self, tag: DT) -> int:
        """Return the file offset of what the dynamic entry `tag` points to."""
        address = self.dynamic.get(tag)
        if address is None:
            raise ElfFormatError(self.path, f"the dynamic section has no DT_{tag.name}")
        for phdr in self.phdrs:
            if phdr.p_type == PT.LOAD and 0 <= address - phdr.p_vaddr < phdr.p_filesz:
                return address - phdr.p_vaddr + phdr.p_offset
        raise ElfFormatError(self.path, f"DT_{tag.name} is {address:#x}, outside every segment")

    def table(self, tag: DT, size: DT) -> tuple[int, int]:
        """Return the file offsets of a table's begin and end: the same where there is none."""
        if tag not in self.dynamic:
            return 0, 0
        at = self._offset(tag)
        return at, at + self.dynamic.get(size, 0)

    def _part(self, tag: DT, size: int) -> bytes:
        at = self._offset(tag)
        if at + size > len(self.data):
            raise ElfFormatError(self.path, f"DT_{tag.name} ends beyond the end of the file", at)
        return bytes(self.data[at : at + size])

    def _string(self, offset: int) -> str:
        end = self._dynstr.find(b"\0", offset)
        if end < 0:
            raise ElfFormatError(self.path, f"no string at offset {offset:#x} of .dynstr")
        return self._dynstr[offset:end].decode("utf-8", "surrogateescape")

    def _read_gnu_hash(self) -> HashTable:
        at = self._offset(DT.GNU_HASH)
        buckets, first, bloom_size, shift = struct.unpack_from("<4I", self.data, at)
        bloom = struct.unpack_from(f"<{bloom_size}Q", self.data, at + 16)
        bucket_at = at + 16 + 8 * bloom_size
        return HashTable(buckets, first, bloom, shift & 63, bucket_at, bucket_at + 4 * buckets)

    def _read_sysv_hash(self) -> tuple[int, int, int]:
        """Return (nbucket, nchain, file offset of the buckets)."""
        at = self._offset(DT.HASH)
        bucket_count, chain_count = struct.unpack_from("<2I", self.data, at)
        return bucket_count, chain_count, at + 8

    def _count_symbols(self) -> int:
        """Return the length of .dynsym, which only a hash table tells."""
        if self._sysv_hash:
            count = self._sysv_hash[1]
        elif self._gnu_hash:
            count = self._count_gnu_symbols(self._gnu_hash)
        else:
            return 0
        if self.symtab_at + count * SYM.size > len(self.data):
            raise ElfFormatError(
                self.path, f"{count} dynamic symbols go beyond the end of the file"
            )
        return count

    def _count_gnu_symbols(self, table: HashTable) -> int:
        """Walk the chain of the highest bucket to its end (the last symbol is in it)."""
        buckets = struct.unpack_from(f"<{table.bucket_count}I", self.data, table.bucket_at)
        last = max(buckets, default=0)
        if last < table.first_symbol:
            return table.first_symbol
        while True:
            at = table.chain_at + 4 * (last - table.first_symbol)
            last += 1
            if struct.unpack_from("<I", self.data, at)[0] & 1:
                return last

    def _read_definitions(self) -> dict[int, str]:
        """Return version names by index; the base version, which names the file, is left out."""
        if DT.VERDEF not in self.dynamic:
            return {}
        body = bytes(self.data[self._offset(DT.VERDEF) :])
        count = self.dynamic.get(DT.VERDEFNUM, 0)
        return {
            d.number & VERSYM_VERSION: d.name.decode("utf-8", "surrogateescape")
            for d in parse_verdef(body, count, self._dynstr)
            if not d.flags & VER_FLG_BASE
        }

    @property
    def versions(self) -> list[str]:
        """The names of the versions that the file defines."""
        return list(self._definitions.values())

    @property
    def needed_versions(self) -> list[tuple[str, str]]:
        """The (file, version) pairs that the file needs of others."""
        if DT.VERNEED not in self.dynamic:
            return []
        body = bytes(self.data[self._offset(DT.VERNEED) :])
        needs = parse_verneed(body, self.dynamic.get(DT.VERNEEDNUM, 0), self._dynstr)
        return [(need.file.decode(), need.name.decode()) for need in needs]

    def symbol(self, index: int) -> Sym:
        """Return entry `index` of .dynsym."""
        at = self.symtab_at + index * SYM.size
        if index < 0 or at + SYM.size > len(self.data):
            raise ElfFormatError(self.path, f"no dynamic symbol {index}")
        return Sym(*SYM.unpack_from(self.data, at))

    def _export(self, index: int, symbol: Sym, name: str) -> Export:
        version = 0
        if self._versym is not None:
            version = struct.unpack_from("<H", self.data, self._versym + 2 * index)[0]
        number = version & VERSYM_VERSION
        is_default = not version & VERSYM_HIDDEN
        return Export(name, symbol, self._definitions.get(number, ""), is_default, index)

    def find(self, name: str, version: str = "") -> Export | None:
        """Return the definition that a reference to `name` binds to: the default or named version.

        Raises ElfFormatError where the tables are damaged.
        """
        try:
            for index in self._candidates(name.encode("utf-8", "surrogateescape")):
                symbol = self.symbol(index)
                if not is_exported(symbol) or self._string(symbol.st_name) != name:
                    continue
                export = self._export(index, symbol, name)
                if export.version == version if version else export.is_default:
                    return export
        except (struct.error, IndexError, ValueError) as error:
            raise ElfFormatError(self.path, f"damaged dynamic symbol tables: {error}") from None
        return None

    def defines(self, name: str) -> bool:
        """Tell whether the file defines `name` in whatever version."""
        for index in self._candidates(name.encode("utf-8", "surrogateescape")):
            symbol = self.symbol(index)
            if is_exported(symbol) and self._string(symbol.st_name) == name:
                return True
        return False

    def _candidates(self, name: bytes) -> Iterator[int]:
        """Yield the indices of the symbols in the hash chain of `name`."""
        if self._gnu_hash:
            yield from self._gnu_chain(self._gnu_hash, gnu_hash(name))
        elif self._sysv_hash:
            bucket_count, chain_count, at = self._sysv_hash
            if not bucket_count:
                return
            word = struct.Struct("<I").unpack_from
            index = word(self.data, at + 4 * (sysv_hash(name) % bucket_count))[0]
            for _ in range(chain_count):
                if not index:
                    return
                yield index
                index = word(self.data, at + 4 * (bucket_count + index))[0]

    def _gnu_chain(self, table: HashTable, value: int) -> Iterator[int]:
        """Yield the symbols whose hash is `value`, after a look at the bloom filter."""
        if not table.bloom or not table.bucket_count:
            return
        word = table.bloom[value // 64 % len(table.bloom)]
        if not word >> (value & 63) & word >> (value >> table.bloom_shift & 63) & 1:
            return
        at = table.bucket_at + 4 * (value % table.bucket_count)
        index: int = struct.unpack_from("<I", self.data, at)[0]
        if index < table.first_symbol:
            return
        while True:
            chain = table.chain_at + 4 * (index - table.first_symbol)
            found: int = struct.unpack_from("<I", self.data, chain)[0]
            if found | 1 == value | 1:
                yield index
            if found & 1:
                return
            index += 1

    def _symbols(self) -> Iterator[tuple[int, Sym]]:
        end = self.symtab_at + self.symbol_count * SYM.size
        for index, row in enumerate(SYM.iter_unpack(self.data[self.symtab_at : end])):
            if index:
                yield index, Sym(*row)

    def exports(self) -> list[Export]:
        """Return all defined dynamic symbols, those of hidden versions too."""
        return [
            self._export(index, symbol, self._string(symbol.st_name))
            for index, symbol in self._symbols()
            if is_exported(symbol)
        ]

    def undefined(self, *, with_weak: bool = True) -> list[str]:
        """Return the names that the file expects others to define."""
        table = self._gnu_hash
        # a file with DT_GNU_HASH keeps its undefined symbols before the hashed ones
        end = min(table.first_symbol, self.symbol_count) if table else self.symbol_count
        rows = SYM.iter_unpack(self.data[self.symtab_at : self.symtab_at + end * SYM.size])
        return [
            self._string(row[0])
            for row in rows
            if row[3] == SHN.UNDEF and row[0] and (with_weak or row[1] >> 4 != STB.WEAK)
        ]

    def aliases(self, symbol: Sym) -> list[Export]:
        """Return the exports at the address of `symbol` (`environ` and `__environ`)."""
        return [
            self._export(index, other, self._string(other.st_name))
            for index, other in self._symbols()
            if other.st_value == symbol.st_value and is_exported(other)
        ]

    def is_read_only(self, vaddr: int) -> bool:
        """Tell whether `vaddr` lies in a segment without write permission, or in RELRO."""
        relro = [p for p in self.phdrs if p.p_type == PT.GNU_RELRO]
        if any(0 <= vaddr - p.p_vaddr < p.p_memsz for p in relro):
            return True
        return any(
            0 <= vaddr - p.p_vaddr < p.p_memsz and not p.p_flags & PF.W
            for p in self.phdrs
            if p.p_type == PT.LOAD
        )

    def has_content(self, vaddr: int) -> bool:
        """Tell whether the file holds what stands at `vaddr`: it is not .bss."""
        return any(0 <= vaddr - p.p_vaddr < p.p_filesz for p in self.phdrs if p.p_type == PT.LOAD)

    def is_executable(self, vaddr: int) -> bool:
        """Tell whether `vaddr` lies in an executable segment."""
        return any(
            0 <= vaddr - p.p_vaddr < p.p_memsz and p.p_flags & PF.X
            for p in self.phdrs
            if p.p_type == PT.LOAD
        )

    def alignment_of(self, symbol: Sym) -> int:
        """Return the alignment that a copy of `symbol` needs: its section's and its address's."""
        alignment = symbol.st_value & -symbol.st_value or 64
        at = self.header.e_shoff + symbol.st_shndx * SHDR.size
        if self.header.e_shoff and at + SHDR.size <= len(self.data):
            section = Shdr(*SHDR.unpack_from(self.data, at))
            return max(1, min(alignment, section.sh_addralign))
        return min(alignment, 64)


def is_exported(symbol: Sym) -> bool:
    """Tell whether another file can bind to a dynamic symbol."""
    return symbol.is_defined and symbol.binding != STB.LOCAL


def read_program_headers(data: bytes, header: Ehdr, path: str) -> list[Phdr]:
    """Return the program headers; raises ElfFormatError where they leave the file."""
    if header.e_phnum and header.e_phentsize != PHDR.size:
        raise ElfFormatError(path, f"program headers of {header.e_phentsize} bytes, not 56", 54)
    end = header.e_phoff + header.e_phnum * PHDR.size
    if end > len(data):
        raise ElfFormatError(path, "the program headers lie beyond the end of the file", 32)
    phdrs = [Phdr(*row) for row in PHDR.iter_unpack(data[header.e_phoff : end])]
    for phdr in phdrs:
        if phdr.p_type in (PT.LOAD, PT.DYNAMIC) and phdr.p_offset + phdr.p_filesz > len(data):
            raise ElfFormatError(
                path,
                f"a segment ends at {phdr.p_offset + phdr.p_filesz:#x}, "
                "beyond the end of the file: it is cut",
            )
    return phdrs


def read_shared(data: bytes, path: str, machine: int = EM.X86_64) -> SharedFile:
    """Return a shared object (`data`: bytes or a memory map); raises ElfFormatError."""
    header = read_header(data, path)
    if header.e_type != ET.DYN:
        raise ElfFormatError(path, f"the file is no shared object (e_type {header.e_type})", 16)
    check_machine(header, path, machine)
    try:
        return SharedFile(data, path, header)
    except (struct.error, IndexError, ValueError, MemoryError) as error:
        raise ElfFormatError(path, f"damaged dynamic tables: {error}") from None
