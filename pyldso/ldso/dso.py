"""A loaded file as the dynamic linker sees it: its tables, where they are mapped in the guest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from pyldso.elf.constants import (
    DF,
    DF1,
    DT,
    GNU_PROPERTY_1_NEEDED,
    GNU_PROPERTY_1_NEEDED_INDIRECT_EXTERN_ACCESS,
    GNU_PROPERTY_X86_ISA_1_NEEDED,
    PF,
    PT,
    STB,
    STT,
    VERSYM_HIDDEN,
    VERSYM_VERSION,
    spec_name,
)
from pyldso.elf.dynamic import gnu_hash, parse_dynamic, parse_verdef, parse_verneed, sysv_hash
from pyldso.elf.notes import gnu_properties
from pyldso.elf.records import SYM, Phdr, Sym
from pyldso.ldso.errors import InconsistencyError, reading

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace
    from pyldso.ldso.namespace import Namespace

NEEDING = frozenset({DT.NEEDED, DT.AUXILIARY, DT.FILTER})
ASSERTED = {
    DT.PLTREL: (115, DT.RELA, "DT_RELA", DT.PLTREL),
    DT.RELAENT: (123, 24, "sizeof (ElfW(Rela))", DT.RELA),
    DT.RELRENT: (138, 8, "sizeof (ElfW(Relr))", DT.RELR),
}
"""What ld.so asserts of entries: the line of glibc 2.36, the value, its text, where it matters."""
MANY = 0xFFFF
"""More than any version table has: ld.so follows the links, whatever the count says."""
ADDRESS_MASK = 0xFFFFFFFFFFFFFFFF
"""Sums of addresses are taken modulo 2**64."""
NO_BYTES = memoryview(b"")
NAME = Struct("<I")


class Version(NamedTuple):
    """A symbol version as a reference or a definition carries it."""

    name: bytes
    hash: int
    file: bytes
    """The file that must define it (DT_VERNEED); empty for a file's own definition."""
    is_hidden: bool


class TlsModule:
    """A file's PT_TLS: `module` counts from 1; `offset` is below the thread pointer if static."""

    __slots__ = ("alignment", "image", "image_size", "is_filled", "module", "offset", "size")

    def __init__(self, module: int, phdr: Phdr, base: int) -> None:
        self.module = module
        self.image = base + phdr.p_vaddr
        self.image_size = phdr.p_filesz
        self.size = phdr.p_memsz
        self.alignment = max(phdr.p_align, 1)
        self.offset: int | None = None
        self.is_filled = False
        """Whether threads' blocks have the image of one that came late."""


class Dso:
    """One loaded file.

    `name` is what l_name holds (empty for the program), `label` what messages call it; `path` is
    where it was opened. All addresses are the guest's. The symbol table and the hash tables are
    memoryviews of guest memory that reach to the end of their segment: a damaged table ends in
    IndexError or struct.error.
    """

    def __init__(
        self,
        memory: AddressSpace,
        name: str,
        path: str,
        base: int,
        phdrs: Sequence[Phdr],
        identity: tuple[int, int],
    ) -> None:
        self.memory = memory
        self.name = name
        self.label = name
        self.path = path
        self.origin = ""
        """What $ORIGIN stands for in the file's paths."""
        self.base = base
        self.phdrs = phdrs
        self.identity = identity
        self.loads = [phdr for phdr in phdrs if phdr.p_type == PT.LOAD]
        self.start = base + (self.loads[0].p_vaddr & -4096 if self.loads else 0)
        self.end = base + (self.loads[-1].p_vaddr + self.loads[-1].p_memsz if self.loads else 0)
        self.entry = 0
        self.phdr_address = 0
        self.link_map = 0
        self.name_address = 0
        self.owner: Namespace
        """The namespace that it is loaded in."""
        self.loader: Dso | None = None
        """The file that asked for it first."""
        self.real: Dso | None = None
        """The file that this one stands for: ld.so, in another namespace than the program's."""
        self.needed: list[tuple[int, str]] = []
        """DT_NEEDED, DT_AUXILIARY and DT_FILTER with their names, in order."""
        self.dependencies: list[Dso] = []
        self.filtees: list[Dso] = []
        """Those of `dependencies` that DT_FILTER or DT_AUXILIARY names."""
        self.requested_as = path
        """The name by which it was first asked for."""
        self.aliases: set[str] = set()
        """Names by which it was asked for (l_libname)."""
        self.searchlist: list[Dso] = []
        """The file and its dependencies, breadth first: the scope of its dlopen handle."""
        self.scopes: list[list[Dso]] = []
        """Where its own references are looked up, in order."""
        self.init_order: list[Dso] = []
        """`searchlist`, dependents first, once dlopen was asked for the file (l_initfini)."""
        self.relocation_dependencies: dict[Dso, None] = {}
        """What references were bound to beside what it needs, in that order (l_reldeps)."""
        self.has_relocation_dependencies = False
        """Whether there ever were any: glibc keeps the empty list."""
        self.is_relocated = False
        self.is_initialised = False
        self.is_initial = False
        """Loaded with the program: never unloaded."""
        self.is_global = False
        self.is_closing = False
        """Its destructors run, or have run: nobody finds it any more."""
        self.direct_opencount = 0
        self.tls: TlsModule | None = None
        self.isa_needed = 0
        """GNU_PROPERTY_X86_ISA_1_NEEDED: the levels of the CPU that it asks for."""
        self.needs_indirect_access = False
        self._read_dynamic()
        self._read_properties()

    def __repr__(self) -> str:
        return f"<Dso {self.label} at {self.base:#x}>"

    # ---- tables ----

    def tail(self, vaddr: int) -> memoryview:
        """Return guest memory from `vaddr` to the end of its segment; IndexError outside of all."""
        for phdr in self.loads:
            size = max(phdr.p_memsz, phdr.p_filesz)
            if phdr.p_vaddr <= vaddr < phdr.p_vaddr + size:
                return self.memory.view(self.base + vaddr, phdr.p_vaddr + size - vaddr)
        raise IndexError(f"address {vaddr:#x} is in no segment")

    def _table(self, tag: int) -> memoryview:
        value = self.dynamic.get(tag)
        return NO_BYTES if value is None else self.tail(value)

    def _read_dynamic(self) -> None:
        """Read the dynamic section and find the tables that it names (gABI ch. 5)."""
        phdr = next((phdr for phdr in self.phdrs if phdr.p_type == PT.DYNAMIC), None)
        self.dynamic_address = self.base + phdr.p_vaddr if phdr else 0
        self.dynamic_entries = parse_dynamic(self.tail(phdr.p_vaddr)) if phdr else []
        self.dynamic = dict(self.dynamic_entries)  # the last of its kind counts
        self.strings = bytes(self._table(DT.STRTAB)[: self.dynamic.get(DT.STRSZ, 0)])
        self.symbols = self._table(DT.SYMTAB)
        self.versym = NO_BYTES
        self.versions: dict[int, Version] = {}
        if DT.VERSYM in self.dynamic:
            versym = self._table(DT.VERSYM)
            self.versym = versym[: len(versym) & ~1].cast("H")
            self._read_versions()
        self._check_entry_sizes()
        self.hash = hash_table(self)
        self.needed = [
            (tag, self.string(value)) for tag, value in self.dynamic_entries if tag in NEEDING
        ]
        self.soname = self.string(self.dynamic[DT.SONAME]) if DT.SONAME in self.dynamic else ""
        flags, flags_1 = self.dynamic.get(DT.FLAGS, 0), self.dynamic.get(DT.FLAGS_1, 0)
        self.bind_now = bool(
            flags & DF.BIND_NOW or flags_1 & DF1.NOW or DT.BIND_NOW in self.dynamic
        )
        self.is_symbolic = bool(flags & DF.SYMBOLIC or DT.SYMBOLIC in self.dynamic)
        self.has_text_relocations = bool(flags & DF.TEXTREL or DT.TEXTREL in self.dynamic)
        self.is_nodelete = bool(flags_1 & DF1.NODELETE)
        self.is_initfirst = bool(flags_1 & DF1.INITFIRST)
        self.flags_1 = flags_1

    def _check_entry_sizes(self) -> None:
        """Hold the dynamic section to what ld.so asserts of it (elf_get_dynamic_info)."""
        for tag, (line, size, text, table) in ASSERTED.items():
            if table in self.dynamic and self.dynamic.get(tag, size) != size:
                assertion = f"info[{spec_name(tag)}]->d_un.d_val == {text}"
                place = f"get-dynamic-info.h: {line}"
                raise InconsistencyError(place, "elf_get_dynamic_info", assertion)

    def _read_properties(self) -> None:
        """Read what the file's GNU property note asks for (x86-64 psABI 5.1)."""
        phdr = next((phdr for phdr in self.phdrs if phdr.p_type == PT.GNU_PROPERTY), None)
        try:
            data = bytes(self.tail(phdr.p_vaddr)[: phdr.p_filesz]) if phdr else b""
        except IndexError:  # in no segment: as good as none
            return
        properties = gnu_properties(data)
        self.isa_needed = properties.get(GNU_PROPERTY_X86_ISA_1_NEEDED, 0)
        needed = properties.get(GNU_PROPERTY_1_NEEDED, 0)
        self.needs_indirect_access = bool(needed & GNU_PROPERTY_1_NEEDED_INDIRECT_EXTERN_ACCESS)

    def _read_versions(self) -> None:
        if DT.VERNEED in self.dynamic:
            table = bytes(self._table(DT.VERNEED))
            for need in parse_verneed(table, MANY, self.strings):
                hidden = bool(need.number & VERSYM_HIDDEN)
                version = Version(need.name, need.hash, need.file, hidden)
                self.versions[need.number & VERSYM_VERSION] = version
        if DT.VERDEF in self.dynamic:
            table = bytes(self._table(DT.VERDEF))
            for definition in parse_verdef(table, MANY, self.strings):
                if not definition.flags & 1:  # VER_FLG_BASE is the file's own name
                    version = Version(definition.name, definition.hash, b"", False)
                    self.versions[definition.number & VERSYM_VERSION] = version

    def string(self, offset: int) -> str:
        """Return the text at `offset` of the dynamic string table."""
        return self.bytes_at(offset).decode(errors="surrogateescape")

    def text(self, tag: int) -> str:
        """Return the text that an entry of the dynamic section names; DlError where it is none."""
        with reading(self.label, "string table"):
            return self.string(self.dynamic[tag])

    def bytes_at(self, offset: int) -> bytes:
        """Return the NUL-terminated string at `offset` of the dynamic string table."""
        if not 0 <= offset < len(self.strings):
            raise IndexError(f"string offset {offset:#x} is outside the string table")
        return self.strings[offset : self.strings.index(b"\0", offset)]

    def symbol(self, index: int) -> Sym:
        """Return entry `index` of the dynamic symbol table."""
        return Sym(*SYM.unpack_from(self.symbols, index * SYM.size))

    def wanted_version(self, index: int) -> Version | None:
        """Return the version that the reference at `index` asks for."""
        if not self.versym:
            return None
        version = self.versions.get(self.versym[index] & VERSYM_VERSION)
        return version if version and version.hash else None

    def symbol_address(self, symbol: Sym) -> int:
        """Return where `symbol` of this file is in the guest; SHN_ABS symbols do not move."""
        absolute = symbol.st_shndx == 0xFFF1
        return (symbol.st_value if absolute else symbol.st_value + self.base) & ADDRESS_MASK

    def contains(self, address: int) -> bool:
        """Tell whether `address` lies in the span of the file's segments."""
        return self.start <= address < self.end

    def segment(self, address: int) -> Phdr | None:
        """Return the PT_LOAD that holds `address`."""
        vaddr = address - self.base
        for phdr in self.loads:
            if phdr.p_vaddr <= vaddr < phdr.p_vaddr + phdr.p_memsz:
                return phdr
        return None

    def writable_loads(self) -> list[Phdr]:
        """Return the PT_LOADs that data relocations may touch."""
        return [phdr for phdr in self.loads if phdr.p_flags & PF.W]

    def answers_to(self, name: str) -> bool:
        """Tell whether `name` is one that the file was asked for by, or its soname."""
        if self.is_closing:
            return False
        return name in self.aliases or (bool(self.soname) and name == self.soname)

    def function_array(self, tag: int, size_tag: int) -> list[int]:
        """Return the addresses in an init or fini array; 0 and -1 are placeholders and left out."""
        count = self.dynamic.get(size_tag, 0) // 8
        if tag not in self.dynamic or not count:
            return []
        with reading(self.label, "array of initialisers or finalisers"):
            table = self.memory.view(self.base + self.dynamic[tag], count * 8)
        entries = table.cast("Q").tolist()
        return [entry for entry in entries if entry not in (0, 0xFFFFFFFFFFFFFFFF)]

    def defined_symbols(self) -> Iterator[tuple[int, Sym]]:
        """Yield (index, symbol) of all that the hash table makes known, for dladdr."""
        for index in range(self.hash.symbol_count()):
            symbol = self.symbol(index)
            if symbol.st_shndx and symbol.binding != STB.LOCAL and symbol.type != STT.TLS:
                yield index, symbol


class GnuHash:
    """DT_GNU_HASH: bloom filter, buckets and chains of hashes.

    The filter is asked by lookup.py, for all files in one loop: nine of ten have no such name.
    """

    __slots__ = (
        "_bucket_count",
        "_buckets",
        "_chains",
        "_dso",
        "_first",
        "bloom",
        "bloom_mask",
        "bloom_shift",
    )

    def __init__(self, dso: Dso, table: memoryview) -> None:
        words = table[: len(table) & ~3].cast("I")
        self._bucket_count, self._first, bloom_size, self.bloom_shift = words[:4].tolist()
        if 16 + 8 * bloom_size > len(table):
            raise IndexError("the bloom filter leads out of bounds")
        self.bloom = table[16 : 16 + 8 * bloom_size].cast("Q")
        self.bloom_mask = bloom_size - 1
        start = 4 + 2 * bloom_size
        self._buckets = words[start : start + self._bucket_count]
        self._chains = words[start + self._bucket_count :]
        self._dso = dso

    def find(self, name: bytes, gnu: int) -> Sequence[int]:
        """Return the indices of the symbols called `name`, whose gnu_hash is `gnu`.

        The bloom filter has let it pass.
        """
        if not self._bucket_count:
            return ()
        index = self._buckets[gnu % self._bucket_count]
        if index < self._first:
            return ()
        found = []
        while True:
            value = self._chains[index - self._first]
            if (value ^ gnu) < 2:
                (st_name,) = NAME.unpack_from(self._dso.symbols, index * 24)
                if self._dso.strings.startswith(name + b"\0", st_name):
                    found.append(index)
            if value & 1:
                return found
            index += 1

    def symbol_count(self) -> int:
        """Return one more than the highest index that is hashed."""
        last = max(self._buckets.tolist(), default=0)
        if last < self._first:
            return int(self._first)
        while not self._chains[last - self._first] & 1:
            last += 1
        return int(last + 1)


class SysvHash:
    """DT_HASH: buckets and chains of symbol indices (gABI ch. 5)."""

    __slots__ = ("_bucket_count", "_buckets", "_chains", "_dso")
    bloom, bloom_mask, bloom_shift = (2**64 - 1,), 0, 0
    """Lets all pass."""

    def __init__(self, dso: Dso, table: memoryview) -> None:
        words = table[: len(table) & ~3].cast("I")
        self._bucket_count = words[0]
        chain_count = words[1]
        self._buckets = words[2 : 2 + self._bucket_count]
        self._chains = words[2 + self._bucket_count : 2 + self._bucket_count + chain_count]
        self._dso = dso

    def find(self, name: bytes, gnu: int) -> Sequence[int]:
        """Return the indices of the symbols called `name`; `gnu` is not used."""
        if not self._bucket_count:
            return ()
        index = self._buckets[sysv_hash(name) % self._bucket_count]
        found: list[int] = []
        for _ in range(len(self._chains)):  # a damaged chain may be a circle
            if not index:
                break
            (st_name,) = NAME.unpack_from(self._dso.symbols, index * 24)
            if self._dso.strings.startswith(name + b"\0", st_name):
                found.append(index)
            index = self._chains[index]
        return found

    def symbol_count(self) -> int:
        """Return the number of symbols, which DT_HASH states."""
        return len(self._chains)


class NoHash:
    """The table of a file that exports nothing."""

    __slots__ = ()
    bloom, bloom_mask, bloom_shift = (0,), 0, 0
    """Lets none pass."""

    def find(self, name: bytes, gnu: int) -> Sequence[int]:
        """Return nothing."""
        return ()

    def symbol_count(self) -> int:
        """Return zero."""
        return 0


HashTable = GnuHash | SysvHash | NoHash


def hash_table(dso: Dso) -> HashTable:
    """Return the hash table that lookups use: DT_GNU_HASH before DT_HASH, as glibc."""
    if DT.GNU_HASH in dso.dynamic:
        return GnuHash(dso, dso.tail(dso.dynamic[DT.GNU_HASH]))
    if DT.HASH in dso.dynamic:
        return SysvHash(dso, dso.tail(dso.dynamic[DT.HASH]))
    return NoHash()


class NameHashes(dict[bytes, int]):
    """gnu_hash of every name asked for so far: most names are looked up in many files."""

    def __missing__(self, name: bytes) -> int:
        value = self[name] = gnu_hash(name)
        return value
