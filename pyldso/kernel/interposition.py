"""Gives functions of a library that is loaded another address: interposition by its GOT.

A library calls the functions that it exports through slots of its own GOT, so that others may take
their place (CS:APP 7.13). The dynamic linker has filled these slots in; its relocations tell where
they are.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Mapping
from struct import pack
from typing import cast

from pyldso.arch.x86_64.relocations import R_X86_64
from pyldso.elf.constants import DT
from pyldso.elf.records import RELA
from pyldso.elf.shared_reader import SharedFile, read_shared
from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_MASK, PAGE_SIZE

_TABLES = (
    (DT.JMPREL, DT.PLTRELSZ, R_X86_64.JUMP_SLOT),
    (DT.RELA, DT.RELASZ, R_X86_64.GLOB_DAT),
)
_INFO_OFFSET = 8
"""Of r_info in an Elf64_Rela."""


class Interposition:
    """The slots of some functions, by their names, of a library that was loaded from `path`.

    `addresses` are those of the functions. Raises LookupError where one has no slot, OSError and
    ElfFormatError.
    """

    def __init__(self, path: str, addresses: Mapping[str, int]) -> None:
        # Closed again: the guest would see the descriptor that the map holds.
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content,
        ):
            library = read_shared(cast(bytes, content), path)
            slots = {
                name: _slot_addresses(library, name, address) for name, address in addresses.items()
            }
        self._former = {
            name: [(slot, _word(slot).value) for slot in places] for name, places in slots.items()
        }
        """The host address and the content of each slot."""

    def begin(self, substitutes: Mapping[str, int]) -> None:
        """Let calls of functions go to other addresses; raises OSError."""
        for name, substitute in substitutes.items():
            for slot, _ in self._former[name]:
                # The dynamic linker may have protected it (PT_GNU_RELRO).
                writable = host.PROT_READ | host.PROT_WRITE
                host.protect_memory(slot & ~PAGE_MASK, PAGE_SIZE, writable)
                _word(slot).value = substitute

    def end(self) -> None:
        """Let all calls go to the library's own functions again."""
        for slots in self._former.values():
            for slot, former in slots:
                _word(slot).value = former


def _slot_addresses(library: SharedFile, name: str, address: int) -> list[int]:
    """Return the host addresses of the slots for a function that is at `address`."""
    export = library.find(name)
    offsets = _slot_offsets(library, export.number) if export is not None else []
    if export is None or not offsets:
        raise LookupError(f"{library.path} has no slot for {name}")
    base = address - export.symbol.st_value
    return [base + offset for offset in offsets]


def _slot_offsets(library: SharedFile, number: int) -> list[int]:
    """Return the r_offset of each slot for a dynamic symbol."""
    offsets = []
    for table, size, kind in _TABLES:
        start, end = library.table(table, size)
        info = pack("<II", kind, number)
        at = library.data.find(info, start, end)
        while at >= 0:
            if (at - start) % RELA.size == _INFO_OFFSET:
                offsets.append(RELA.unpack_from(library.data, at - _INFO_OFFSET)[0])
            at = library.data.find(info, at + 1, end)
    return offsets


def _word(address: int) -> ctypes.c_uint64:
    return ctypes.c_uint64.from_address(address)
