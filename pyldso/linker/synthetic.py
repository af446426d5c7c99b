"""The chunks that the linker makes: GOT, PLT, dynamic relocations, the dynamic section."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from pyldso.arch.machine import Machine, PltFormat
from pyldso.elf.constants import DT, SHF, SHT
from pyldso.elf.records import DYN, RELA
from pyldso.elf.rela import RelaTable
from pyldso.linker.chunk import Chunk
from pyldso.linker.scan import AddendOf, DynamicRelocation
from pyldso.linker.symbols import Resolved

WORD = Struct("<Q")
RESERVED_SLOTS = 3
"""GOT[0] is _DYNAMIC, GOT[1] and GOT[2] are the dynamic linker's (psABI 5.2)."""


class Got(Chunk):
    """The global offset table: one word, for TLS pairs two, each slot with what fills it.

    A slot is a value that is known after the layout (`_values`), a dynamic relocation, or both.
    """

    __slots__ = ("_values", "relocations")

    def __init__(self) -> None:
        super().__init__(".got", SHT.PROGBITS, SHF.ALLOC | SHF.WRITE, 8, 8)
        self._values: list[Callable[[], int] | None] = []
        self.relocations: list[DynamicRelocation] = []

    def add(self, value: Callable[[], int] | None = None) -> int:
        """Add a slot and return its offset."""
        self._values.append(value)
        self.size += WORD.size
        return self.size - WORD.size

    def add_relocated(
        self,
        r_type: int,
        target: Resolved | None,
        base: AddendOf = AddendOf.NOTHING,
        value: Callable[[], int] | None = None,
    ) -> int:
        """Add a slot that the dynamic linker fills and return its offset."""
        offset = self.add(value)
        self.relocations.append(DynamicRelocation(self, offset, r_type, target, 0, base))
        return offset

    def write(self, buffer: memoryview) -> None:
        """Write the slots whose values are known."""
        for index, value in enumerate(self._values):
            if value is not None:
                WORD.pack_into(buffer, index * WORD.size, value() & 0xFFFFFFFFFFFFFFFF)


class GotPlt(Chunk):
    """The slots of the PLT behind the three reserved words; each leads into its PLT entry."""

    __slots__ = ("_dynamic", "_plt")

    def __init__(self, plt: Plt, dynamic: Chunk | None) -> None:
        super().__init__(".got.plt", SHT.PROGBITS, SHF.ALLOC | SHF.WRITE, 8, 8)
        self._plt = plt
        self._dynamic = dynamic
        self.size = WORD.size * (RESERVED_SLOTS + len(plt.symbols))

    def slot_offset(self, index: int) -> int:
        """Return the offset of PLT entry `index`'s slot."""
        return WORD.size * (RESERVED_SLOTS + index)

    def write(self, buffer: memoryview) -> None:
        """Write the address of the dynamic section and the ways to the lazy resolver."""
        if self._dynamic is not None:
            WORD.pack_into(buffer, 0, self._dynamic.address)
        for index in range(len(self._plt.symbols)):
            WORD.pack_into(buffer, self.slot_offset(index), self._plt.lazy_address(index))


class Plt(Chunk):
    """The procedure linkage table; entry i goes through slot i of .got.plt."""

    __slots__ = ("_format", "got_plt", "symbols")

    def __init__(self, symbols: list[Resolved], form: PltFormat) -> None:
        super().__init__(".plt", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, 16, 16)
        self.symbols = symbols
        self._format = form
        self.got_plt: GotPlt | None = None
        if symbols:
            self.size = self._format.header_size + len(symbols) * self._format.entry_size

    def entry_address(self, index: int) -> int:
        """Return the vaddr of entry `index`."""
        return self.address + self._format.header_size + index * self._format.entry_size

    def lazy_address(self, index: int) -> int:
        """Return where slot `index` leads before it is bound."""
        return self.entry_address(index) + self._format.entry_lazy_offset

    def write(self, buffer: memoryview) -> None:
        """Write the header and the entries."""
        if self.got_plt is None:
            return
        form = self._format
        buffer[: form.header_size] = form.header(self.address, self.got_plt.address)
        for index in range(len(self.symbols)):
            entry = self.entry_address(index)
            slot = self.got_plt.address + self.got_plt.slot_offset(index)
            at = entry - self.address
            buffer[at : at + form.entry_size] = form.entry(entry, self.address, slot, index)


class PltGot(Chunk):
    """Entries for functions that have a GOT slot anyway, because their address is taken."""

    __slots__ = ("_format", "_got", "_slots", "symbols")

    def __init__(self, symbols: list[Resolved], slots: list[int], got: Got, form: PltFormat):
        alignment = form.got_entry_size
        super().__init__(".plt.got", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, alignment, alignment)
        self.symbols = symbols
        self._slots = slots
        self._got = got
        self._format = form
        self.size = len(symbols) * self._format.got_entry_size

    def entry_address(self, index: int) -> int:
        """Return the vaddr of entry `index`."""
        return self.address + index * self._format.got_entry_size

    def write(self, buffer: memoryview) -> None:
        """Write the entries."""
        form = self._format
        for index, slot in enumerate(self._slots):
            at = index * form.got_entry_size
            code = form.got_entry(self.address + at, self._got.address + slot)
            buffer[at : at + form.got_entry_size] = code


class PltSecond(Chunk):
    """What is called instead of the entries of a PLT which only lead to the lazy resolver."""

    __slots__ = ("_format", "_plt")

    def __init__(self, plt: Plt, form: PltFormat) -> None:
        super().__init__(".plt.sec", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, 16, 16)
        self._plt = plt
        self._format = form
        if form.has_second:
            self.size = len(plt.symbols) * form.got_entry_size

    @property
    def symbols(self) -> list[Resolved]:
        """The symbols of the entries, none where the PLT itself is called."""
        return self._plt.symbols if self.size else []

    def entry_address(self, index: int) -> int:
        """Return the vaddr of entry `index`."""
        return self.address + index * self._format.got_entry_size

    def write(self, buffer: memoryview) -> None:
        """Write the entries."""
        got_plt = self._plt.got_plt
        if got_plt is None:
            return
        size = self._format.got_entry_size
        for index in range(len(self._plt.symbols)):
            slot = got_plt.address + got_plt.slot_offset(index)
            code = self._format.got_entry(self.entry_address(index), slot)
            buffer[index * size : (index + 1) * size] = code


class CopyArea(Chunk):
    """The executable's copies of variables of shared objects."""

    __slots__ = ("offsets",)

    def __init__(self, name: str, sh_type: int) -> None:
        super().__init__(name, sh_type, SHF.ALLOC | SHF.WRITE)
        self.offsets: dict[Resolved, int] = {}

    def add(self, target: Resolved, size: int, alignment: int) -> int:
        """Reserve the room for one variable and return its offset."""
        self.alignment = max(self.alignment, alignment)
        offset = -(-self.size // alignment) * alignment
        self.offsets[target] = offset
        self.size = offset + size
        return offset

    def write(self, buffer: memoryview) -> None:
        """Leave the zeros: the dynamic linker copies the initial values."""


class Rela(Chunk):
    """.rela.plt, in the order of the PLT's slots."""

    __slots__ = ("rows",)

    def __init__(self, name: str, rows: list[DynamicRelocation], sh_flags: int = 0) -> None:
        super().__init__(name, SHT.RELA, int(SHF.ALLOC) | sh_flags, 8, RELA.size)
        self.rows = rows
        self.size = len(rows) * RELA.size

    def records(self) -> list[tuple[int, int, int]]:
        """Return (r_offset, r_info, r_addend) in the order of the file."""
        return [relocation_record(row) for row in self.rows]

    def write(self, buffer: memoryview) -> None:
        """Write the records."""
        buffer[:] = RelaTable.of(self.records()).content


class RelaDyn(Rela):
    """.rela.dyn: relative ones by address, the others by symbol (what `-z combreloc` is)."""

    __slots__ = ("_relative", "relative_count")

    def __init__(self, rows: list[DynamicRelocation], machine: Machine) -> None:
        super().__init__(".rela.dyn", rows)
        self._relative = machine.types.relative
        self.relative_count = sum(row.r_type == self._relative for row in rows)

    def records(self) -> list[tuple[int, int, int]]:
        """Return the records as they stand in the file."""
        relative = self._relative
        return sorted(
            super().records(),
            key=lambda row: (row[1] & 0xFFFFFFFF != relative, row[1] >> 32, row[0]),
        )


def relocation_record(row: DynamicRelocation) -> tuple[int, int, int]:
    """Return the Elf64_Rela of a dynamic relocation."""
    place, offset, r_type, target, addend, base = row
    index = 0
    if target is not None:
        if base == AddendOf.TARGET:
            addend += target.S
        elif base == AddendOf.DEFINITION:
            addend += target.value
        elif base == AddendOf.BLOCK:
            addend += target.S - target.tls_start
        else:
            index = target.dynamic_index
    return place.address + offset, index << 32 | r_type, addend


class Dynamic(Chunk):
    """The dynamic section: (tag, value), a value being a number or known after the layout."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        super().__init__(".dynamic", SHT.DYNAMIC, SHF.ALLOC | SHF.WRITE, 8, DYN.size)
        self.entries: list[tuple[int, int | Callable[[], int]]] = []

    def add(self, tag: DT, value: int | Callable[[], int]) -> None:
        """Add one entry."""
        self.entries.append((tag, value))

    def finish(self) -> None:
        """Add the DT_NULL at the end and fix the size."""
        self.add(DT.NULL, 0)
        self.size = len(self.entries) * DYN.size

    def values(self) -> list[tuple[int, int]]:
        """Return the entries with their final values."""
        return [(tag, v if isinstance(v, int) else v()) for tag, v in self.entries]

    def write(self, buffer: memoryview) -> None:
        """Write the entries."""
        for index, (tag, value) in enumerate(self.values()):
            DYN.pack_into(buffer, index * DYN.size, tag, value)
