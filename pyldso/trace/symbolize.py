"""Guest addresses to names: `main+0x10 in prog`, and one line for a process that a signal ended.

An address leads to its mapping, the mapping to its file, the file's program headers back to the
address that the linker gave (vaddr), and the symbol table to the symbol that covers it. Files are
read when they are asked about; one that is damaged or gone leaves a module without symbols.
"""

from __future__ import annotations

import os
import signal
import struct
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.registers import RSP
from pyldso.elf.constants import ET, PT, SHT, STB, STT
from pyldso.elf.object_reader import read_header
from pyldso.elf.records import PHDR, SHDR, SYM, Ehdr, Phdr, Shdr, Sym, c_string
from pyldso.elf.shared_reader import read_shared
from pyldso.errors import ElfFormatError
from pyldso.kernel.mmu import EXECUTE, PAGE_SIZE
from pyldso.kernel.vdso import LABEL as VDSO_LABEL
from pyldso.kernel.vdso import SONAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyldso.kernel.memory import AddressSpace
    from pyldso.kernel.process import Process
    from pyldso.kernel.status import Killed
    from pyldso.kernel.vma import MappedFile, Vma

_LARGEST_FILE = 1 << 30
VDSO_NAME = SONAME.decode()
_NAMED_TYPES = frozenset((STT.NOTYPE, STT.OBJECT, STT.FUNC, STT.GNU_IFUNC))
_DAMAGED = (ElfFormatError, OSError, struct.error, ValueError, IndexError, MemoryError)
_LENGTH_OF_CALL = 1
"""The address before a return address belongs to the call, and so to the caller."""


def describe_end(process: Process, status: Killed) -> str:
    """Return one line on the signal that ended the process and where that happened."""
    name = signal_text(status.signal)
    if status.signal == signal.SIGINT:
        return name
    symbolizer = Symbolizer(process.memory)
    line = name
    if status.address is not None and status.signal in (signal.SIGSEGV, signal.SIGBUS):
        line += f" at address {status.address:#x}"
        if (place := symbolizer.describe(status.address)) and status.address != status.pc:
            line += f", {place}"
    places = [f"pc {status.pc:#x}", symbolizer.describe(status.pc)]
    if caller := _caller(process, status.pc):
        places.append(f"called from {symbolizer.describe(caller - _LENGTH_OF_CALL, shift=1)}")
    line += f" ({', '.join(filter(None, places))})"
    return f"{line}: {status.reason}" if status.reason else line


def signal_text(number: int) -> str:
    """Return what a shell says of a signal: `Segmentation fault`."""
    try:
        return signal.strsignal(number) or f"Signal {number}"
    except ValueError:
        return f"Signal {number}"


def _caller(process: Process, pc: int) -> int | None:
    """Return the return address on the stack where `pc` went astray by a call, else None."""
    if _is_code(process.memory, pc):
        return None
    try:
        address = process.memory.read_u64(process.cpu.get(RSP))
    except OSError:
        return None
    return address if _is_code(process.memory, address) else None


def _is_code(memory: AddressSpace, address: int) -> bool:
    vma = memory.find(address)
    return vma is not None and bool(vma.prot & EXECUTE) and not vma.is_sealed


class Place(NamedTuple):
    """A symbol's part of its file: [start, end) in vaddrs."""

    start: int
    end: int
    name: str


class Module(NamedTuple):
    """A file's own view: its segments, and its symbols in ascending order."""

    segments: list[Phdr]
    places: list[Place]

    def holds(self, vaddr: int) -> bool:
        """Tell whether a segment has memory at `vaddr`."""
        return any(0 <= vaddr - phdr.p_vaddr < phdr.p_memsz for phdr in self.segments)

    def shows(self, vaddr: int, offset: int) -> bool:
        """Tell whether a segment has the file's page at `offset` at `vaddr`."""
        return any(
            phdr.p_vaddr & -PAGE_SIZE <= vaddr < phdr.p_vaddr + phdr.p_filesz
            and vaddr - offset == _gap(phdr)
            for phdr in self.segments
        )

    def place_of(self, vaddr: int) -> Place | None:
        """Return the last symbol that covers `vaddr`."""
        covering = (place for place in reversed(self.places) if place.start <= vaddr < place.end)
        return next(covering, None)


def _gap(phdr: Phdr) -> int:
    """Return how far a segment's addresses are from its file offsets."""
    return phdr.p_vaddr - phdr.p_offset


class Symbolizer:
    """Names the addresses of one process, keeping the symbols of each file that it has read."""

    def __init__(self, memory: AddressSpace) -> None:
        self._memory = memory
        self._modules: dict[MappedFile, Module] = {}

    def describe(self, address: int, shift: int = 0) -> str:
        """Return `symbol+0x10 in file`, `file+0x1234`, the mapping's label, or nothing.

        `shift` is added to the offset that is shown: a return address is looked up by the call
        before it, which may be the last instruction of its function.
        """
        vma = self._memory.find(address)
        if vma is None:
            return ""
        mapped = self._file_mapping(vma)
        if vma.label == VDSO_LABEL:
            return self._describe_in_vdso(vma, address, shift)
        if mapped is None or mapped.file is None:
            return vma.label
        name = os.path.basename(mapped.file.path)
        module = self._module(mapped.file)
        base = self._base(mapped, module)
        if base is None:
            distance = address - mapped.start + mapped.offset
            return f"{name}+{distance + shift:#x}" if vma is mapped else vma.label
        vaddr = address - base
        if vma is not mapped and not module.holds(vaddr):
            return vma.label
        return _named(module, name, vaddr, shift)

    def _describe_in_vdso(self, vma: Vma, address: int, shift: int) -> str:
        data = self._memory.read(vma.start, vma.end - vma.start)
        return _named(parse_module(data, vma.label), VDSO_NAME, address - vma.start, shift)

    def _file_mapping(self, vma: Vma) -> Vma | None:
        """Return the mapping of a file that `vma` is, or that it continues (.bss)."""
        while vma.file is None:
            below = self._memory.find(vma.start - 1)
            if below is None or vma.label:
                return None
            vma = below
        return vma

    def _base(self, mapped: Vma, module: Module) -> int | None:
        """Return the load bias of a file: its first mapping tells, which `mapped` must agree with.

        `mapped` alone does not: two segments may show the same page of the file.
        """
        for vma in self._memory.vmas:
            if vma.file == mapped.file and module.segments:
                base = vma.start - vma.offset - _gap(module.segments[0])
                if module.shows(mapped.start - base, mapped.offset):
                    return base
        return None

    def _module(self, file: MappedFile) -> Module:
        module = self._modules.get(file)
        if module is None:
            module = self._modules[file] = read_module(file)
        return module


def _named(module: Module, name: str, vaddr: int, shift: int) -> str:
    """Return the place of a vaddr in the file called `name`."""
    place = module.place_of(vaddr)
    if place is None:
        return f"{name}+{vaddr + shift:#x}"
    distance = vaddr - place.start + shift
    return f"{place.name}{f'+{distance:#x}' if distance else ''} in {name}"


def read_module(file: MappedFile) -> Module:
    """Return segments and symbols of a mapped file; both are empty where it is damaged or gone."""
    try:
        with open(file.path, "rb") as stream:
            status = os.fstat(stream.fileno())
            if (status.st_dev, status.st_ino) != (file.device, file.inode):
                return Module([], [])  # replaced since it was mapped
            data = stream.read(_LARGEST_FILE)
    except OSError:
        return Module([], [])
    return parse_module(data, file.path)


def parse_module(data: bytes, path: str) -> Module:
    """Return segments and symbols of a file's content; both are empty where it is damaged."""
    try:
        header = read_header(data, path)
        rows = data[header.e_phoff : header.e_phoff + header.e_phnum * PHDR.size]
        phdrs = [Phdr(*row) for row in PHDR.iter_unpack(rows)]
    except _DAMAGED:
        return Module([], [])
    try:
        places = sorted(read_symbols(data, header, path), key=_rank)
    except _DAMAGED:
        places = []
    return Module([phdr for phdr in phdrs if phdr.p_type == PT.LOAD], [row[-1] for row in places])


class _Ranked(NamedTuple):
    """A symbol's place, and what makes one name for it better than another."""

    is_typed: bool
    is_global: bool
    place: Place


def _rank(ranked: _Ranked) -> tuple[int, bool, bool, bool, str]:
    """Sort by address; of several names for one place the last is the one that people know."""
    place = ranked.place
    is_public = not place.name.startswith("_")
    return place.start, ranked.is_typed, ranked.is_global, is_public, place.name


def read_symbols(data: bytes, header: Ehdr, path: str) -> list[_Ranked]:
    """Return the defined symbols of .symtab, else of .dynsym; raises ElfFormatError and the like.

    A file without section headers gives those that its hash table holds.
    """
    sections: list[Shdr] = []
    if header.e_shoff:
        table = data[header.e_shoff : header.e_shoff + header.e_shnum * SHDR.size]
        sections = [Shdr(*row) for row in SHDR.iter_unpack(table)]
    for sh_type in (SHT.SYMTAB, SHT.DYNSYM):
        for section in sections:
            if section.sh_type == sh_type:
                symbols = _named_symbols(data, section, sections[section.sh_link])
                return list(_ranked(symbols, sections))
    if header.e_type == ET.DYN:
        exports = read_shared(data, path).exports()
        return list(_ranked(((export.symbol, export.name) for export in exports), []))
    return []


def _named_symbols(data: bytes, section: Shdr, strings: Shdr) -> Iterator[tuple[Sym, str]]:
    names = data[strings.sh_offset : strings.sh_offset + strings.sh_size]
    for row in SYM.iter_unpack(data[section.sh_offset : section.sh_offset + section.sh_size]):
        symbol = Sym(*row)
        if symbol.st_name:
            yield symbol, os.fsdecode(c_string(names, symbol.st_name))


def _ranked(symbols: Iterable[tuple[Sym, str]], sections: list[Shdr]) -> Iterator[_Ranked]:
    for symbol, name in symbols:
        if not symbol.is_defined or symbol.type not in _NAMED_TYPES:
            continue
        end = symbol.st_value + symbol.st_size
        if not symbol.st_size and symbol.st_shndx < len(sections):
            # Hand-written assembly tells no size: such a symbol reaches to its section's end.
            section = sections[symbol.st_shndx]
            end = section.sh_addr + section.sh_size
        place = Place(symbol.st_value, end, name)
        yield _Ranked(symbol.type != STT.NOTYPE, symbol.binding != STB.LOCAL, place)
