"""The loaded files and the scope they share: what glibc calls a link-map namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyldso.elf.constants import PT
from pyldso.ldso.dso import Dso, NameHashes, TlsModule
from pyldso.ldso.guest_heap import GuestHeap
from pyldso.ldso.search import LibrarySearch
from pyldso.ldso.tls import TlsLayout

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.ldso.dl import DlFunctions
    from pyldso.ldso.lookup import Definition


class Statistics:
    """Counts for LD_DEBUG=statistics."""

    __slots__ = ("cached", "relative", "relocations")

    def __init__(self) -> None:
        self.relocations = self.cached = self.relative = 0


class Namespace:
    """The files of one process in the order of their loading, and what binding them needs.

    `global_scope` is the program, the preloaded files and their dependencies, breadth first, then
    what was opened with RTLD_GLOBAL. `overrides` are the definitions that the dynamic linker itself
    gives (`__tls_get_addr`), which bind before any file's.
    """

    def __init__(self, process: Process, search: LibrarySearch, program_name: str) -> None:
        self.process = process
        self.memory = process.memory
        self.events = process.events
        self.search = search
        self.dl_functions: DlFunctions
        self.program_name = program_name
        self.heap = GuestHeap(process)
        self.objects: list[Dso] = []
        self.global_scope: list[Dso] = []
        self.overrides: dict[bytes, int] = {}
        self.hashes = NameHashes()
        self.unique: dict[bytes, Definition] = {}
        """STB_GNU_UNIQUE symbols: the first definition that was bound is everybody's."""
        self.statistics = Statistics()
        self.interpreter: Dso | None = None
        """The program's PT_INTERP file, mapped as an ordinary library whose code is not entered."""
        self.libc: Dso | None = None
        self.tls = TlsLayout(self)
        self.r_debug = 0
        self.arguments = (0, 0, 0)
        """argc, argv and envp, which initialisers are called with."""
        self.initialised: list[Dso] = []
        """The files in the order in which their initialisers began to run."""
        self.argv0_address = 0
        self.adjusts_dynamic = False
        """The C library reads relocated addresses in dynamic sections (glibc)."""
        self.is_lazy = True
        self.bind_not = False
        """LD_BIND_NOT: bind at every call, leave the GOT as it is."""
        self.dynamic_weak = False
        self.lazy_resolver = 0
        """Address of the stub that GOT[2] points to; 0 until the first lazy file."""

    @property
    def program(self) -> Dso:
        """The executable: always the first file."""
        return self.objects[0]

    def add(self, dso: Dso) -> None:
        """Append a file to the list and number its TLS module with the lowest free number."""
        tls = next((phdr for phdr in dso.phdrs if phdr.p_type == PT.TLS), None)
        if tls is not None and tls.p_memsz:
            taken = {other.tls.module for other in self.objects if other.tls}
            number = next(n for n in range(1, len(taken) + 2) if n not in taken)
            dso.tls = TlsModule(number, tls, dso.base)
        self.objects.append(dso)

    def containing(self, address: int) -> Dso | None:
        """Return the file whose segments span `address`."""
        for dso in self.objects:
            if dso.start <= address < dso.end:
                return dso
        return None

    def by_link_map(self, link_map: int) -> Dso | None:
        """Return the file whose link map (its dlopen handle) is at `link_map`."""
        for dso in self.objects:
            if dso.link_map == link_map:
                return dso
        return None
