"""What the linker asks of a CPU, as one record; each CPU's folder fills it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple, Protocol

from pyldso.elf.constants import EM
from pyldso.elf.object import ObjectFile
from pyldso.elf.records import Buffer
from pyldso.elf.rela import RelaTable
from pyldso.errors import PyldsoError


class RelocationLike(Protocol):
    """A row of a CPU's relocation table."""

    @property
    def number(self) -> int:
        """The r_type."""

    @property
    def name(self) -> str:
        """The specification's name."""

    @property
    def expression(self) -> str:
        """The formula over the psABI's operands."""

    @property
    def size(self) -> int:
        """The field's width in bytes."""

    @property
    def range(self) -> str:
        """How a value is checked: s, u, e or not at all."""


class DynamicTypes(NamedTuple):
    """The r_type of each thing that a linker asks of the dynamic linker."""

    relative: int
    symbolic: int
    global_data: int
    jump_slot: int
    copy: int
    irelative: int
    tls_module: int
    tls_offset: int
    tls_thread_offset: int
    tls_descriptor: int


class PltFormat(NamedTuple):
    """The procedure linkage table: sizes, and who writes its parts.

    Writers take the vaddrs of the entry, of the header and of the GOT slot; the index is that of
    the relocation in DT_JMPREL.
    """

    header_size: int
    entry_size: int
    got_entry_size: int
    header: Callable[[int, int], bytes]
    """(header, got_plt) -> bytes"""
    entry: Callable[[int, int, int, int], bytes]
    """(entry, header, slot, index) -> bytes"""
    got_entry: Callable[[int, int], bytes]
    """(entry, slot) -> bytes"""
    entry_lazy_offset: int
    """Where in an entry the way to the lazy resolver starts: what the slot holds at first."""
    has_second: bool = False
    """The entries only lead to the resolver; calls go to others, of the form of `got_entry`."""


class OutputKind(NamedTuple):
    """The questions on which code models depend."""

    is_shared: bool
    is_position_independent: bool
    avoids_got: bool = True
    """Let code take an address directly, instead of through the GOT, where its form allows."""


class Machine(NamedTuple):
    """A CPU as the linker sees it."""

    number: int
    word_size: int
    relocations: Mapping[int, RelocationLike]
    types: DynamicTypes
    plt: PltFormat
    guarded_plt: PltFormat
    """The one for code whose indirect jumps may only reach marked places (IBT)."""
    relaxable: frozenset[int]
    relax: Callable[
        [Buffer, RelaTable, Sequence[int], OutputKind],
        tuple[Buffer, RelaTable],
    ]
    """(data, rows, column of each symbol, output) -> (data, rows) with shorter ways taken."""
    thread_pointer: Callable[[int, int, int], int]
    """(start, size and alignment of the TLS segment) -> the vaddr that TP stands for."""
    static_start: Callable[..., ObjectFile]
    """(is_position_independent) -> the start code of a program without dynamic linker."""
    builtin_objects: Callable[..., dict[str, Callable[[], ObjectFile]]]


def machine_of(number: int) -> Machine:
    """Return the machine of an e_machine; raises PyldsoError for one that is not supported."""
    folders = {EM.X86_64: "x86_64"}
    folder = next((name for machine, name in folders.items() if machine == number), None)
    if folder is None:
        raise PyldsoError(f"machine {number} is not supported")
    module = import_module(f"pyldso.arch.{folder}.link")
    machine: Machine = module.MACHINE
    return machine
