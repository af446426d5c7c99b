"""The dynamic symbol table and its two hash tables (gABI ch. 5)."""

from __future__ import annotations

from struct import Struct

from pyldso.elf.constants import SHF, SHN, SHT, STT
from pyldso.elf.dynamic import gnu_hash, sysv_hash
from pyldso.elf.records import SYM
from pyldso.linker.chunk import Chunk, StringTable, encoded
from pyldso.linker.symbols import Need, Rank, Resolved

WORD_BITS = 64

BUCKET_COUNTS = (
    1, 3, 17, 37, 67, 97, 131, 197, 263, 521, 1031, 2053, 4099, 8209, 16411, 32771, 65537, 131101,
    262147,
)  # fmt: skip
"""GNU ld's choices (bfd/elflink.c, elf_buckets)."""


def bucket_count(symbols: int) -> int:
    """Return the number of buckets for that many symbols: the largest choice below it."""
    return max((n for n in BUCKET_COUNTS if n <= symbols), default=1)


def is_hashed(target: Resolved) -> bool:
    """Tell whether others find the symbol in this file: defined, copied, or a canonical PLT."""
    return target.rank > Rank.SHARED or bool(target.needs & (Need.COPY | Need.CANONICAL_PLT))


ADDRESS_MASK = 0xFFFFFFFFFFFFFFFF
"""Addresses wrap around: a symbol may stand anywhere from the start of its section."""


class Dynsym(Chunk):
    """.dynsym: what is imported, then what is exported in the order of DT_GNU_HASH's buckets."""

    __slots__ = ("hashed", "hashes", "strings", "symbols")

    def __init__(self, targets: list[Resolved], strings: StringTable) -> None:
        super().__init__(".dynsym", SHT.DYNSYM, SHF.ALLOC, 8, SYM.size)
        self.strings = strings
        self.link = strings
        self.info = 1  # the null symbol is the only local one
        imported = [target for target in targets if not is_hashed(target)]
        hashed = [target for target in targets if is_hashed(target)]
        self.hashes = {target: gnu_hash(encoded(base_name(target))) for target in hashed}
        buckets = bucket_count(len(hashed))
        hashed.sort(key=lambda target: self.hashes[target] % buckets)
        self.hashed = hashed
        self.symbols = imported + hashed
        for index, target in enumerate(self.symbols, 1):
            target.dynamic_index = index
            strings.add(base_name(target))
        self.size = SYM.size * (len(self.symbols) + 1)

    def write(self, buffer: memoryview) -> None:
        """Write the symbols; an undefined one has a value only where its PLT is canonical."""
        for target in self.symbols:
            record = symbol_record(target, self.strings.add(base_name(target)))
            SYM.pack_into(buffer, target.dynamic_index * SYM.size, *record)


def base_name(target: Resolved) -> str:
    """Return the name without a version (`.symver` writes `name@VERSION`)."""
    return target.name.partition("@")[0]


def symbol_record(target: Resolved, st_name: int) -> tuple[int, int, int, int, int, int]:
    """Return the Elf64_Sym of a global symbol in the output."""
    sym_type = target.type
    if sym_type == STT.GNU_IFUNC and (target.export or target.needs & Need.CANONICAL_PLT):
        sym_type = int(STT.FUNC)
    if sym_type == STT.COMMON:
        sym_type = int(STT.OBJECT)
    chunk = target.chunk
    is_absolute = target.rank > Rank.SHARED and chunk is None
    outside = int(SHN.ABS) if is_absolute else int(SHN.UNDEF)
    shndx = chunk.index if chunk is not None else outside
    is_defined = shndx != SHN.UNDEF
    value = target.value if is_defined or target.needs & Need.CANONICAL_PLT else 0
    size = target.size if is_defined else 0
    if sym_type == STT.TLS and is_defined and chunk is not None:
        value -= target.tls_start
    info = target.binding << 4 | sym_type
    return st_name, info, target.visibility, shndx, value & ADDRESS_MASK, size


class SysvHash(Chunk):
    """.hash: every dynamic symbol in chains by the System V hash."""

    __slots__ = ("_dynsym",)

    def __init__(self, dynsym: Dynsym) -> None:
        super().__init__(".hash", SHT.HASH, SHF.ALLOC, 8, 4)
        self._dynsym = dynsym
        self.link = dynsym
        count = len(dynsym.symbols)
        self.size = 4 * (2 + bucket_count(count) + count + 1)

    def write(self, buffer: memoryview) -> None:
        """Write the counts, the buckets and the chains."""
        symbols = self._dynsym.symbols
        nbucket = bucket_count(len(symbols))
        buckets = [0] * nbucket
        chains = [0] * (len(symbols) + 1)
        for target in reversed(symbols):
            bucket = sysv_hash(encoded(base_name(target))) % nbucket
            chains[target.dynamic_index] = buckets[bucket]
            buckets[bucket] = target.dynamic_index
        words = [nbucket, len(chains), *buckets, *chains]
        Struct(f"<{len(words)}I").pack_into(buffer, 0, *words)


class GnuHash(Chunk):
    """.gnu.hash: a bloom filter, and the exported symbols sorted by bucket."""

    __slots__ = ("_dynsym", "_mask_words", "_shift")

    def __init__(self, dynsym: Dynsym) -> None:
        super().__init__(".gnu.hash", SHT.GNU_HASH, SHF.ALLOC, 8)
        self._dynsym = dynsym
        self.link = dynsym
        count = len(dynsym.hashed)
        # the size of the filter is GNU ld's choice (bfd/elflink.c, bfd_elf_size_dynsym_hash_dynstr)
        bits = max(count - 1, 0).bit_length() + 1
        if bits < 3:
            bits = 5
        else:
            bits += 3 if 1 << bits - 2 & count else 2
        bits = max(bits, 6)
        self._shift = bits if count else 0
        self._mask_words = 1 << bits - 6 if count else 1
        self.size = 16 + 8 * self._mask_words + 4 * bucket_count(count) + 4 * count

    def write(self, buffer: memoryview) -> None:
        """Write the header, the filter, the buckets and the hash values with their end marks."""
        dynsym = self._dynsym
        count = len(dynsym.hashed)
        nbucket = bucket_count(count)
        first = len(dynsym.symbols) - count + 1
        bloom = [0] * self._mask_words
        buckets = [0] * nbucket
        values: list[int] = []
        for target in dynsym.hashed:
            value = dynsym.hashes[target]
            bits = 1 << value % WORD_BITS | 1 << (value >> self._shift) % WORD_BITS
            bloom[value // WORD_BITS % self._mask_words] |= bits
            bucket = value % nbucket
            if not buckets[bucket]:
                buckets[bucket] = target.dynamic_index
                if values:
                    values[-1] |= 1  # the former chain ends here
            values.append(value & ~1)
        if values:
            values[-1] |= 1
        layout = Struct(f"<4I{self._mask_words}Q{nbucket}I{count}I")
        layout.pack_into(
            buffer, 0, nbucket, first, self._mask_words, self._shift, *bloom, *buckets, *values
        )
