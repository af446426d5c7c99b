"""The loaded files and the scope they share: what glibc calls a link-map namespace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from pyldso.elf.constants import PT
from pyldso.kernel.thread import TrapLock
from pyldso.ldso.dso import Dso, NameHashes, TlsModule
from pyldso.ldso.guest_heap import GuestHeap
from pyldso.ldso.search import LibrarySearch
from pyldso.ldso.tls import TlsLayout

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.ldso.audit import Audit
    from pyldso.ldso.dl import DlFunctions
    from pyldso.ldso.lookup import Definition


class CloseState(IntEnum):
    """Whether a dlclose is under way, and whether a destructor has called another meanwhile."""

    NONE = 0
    PENDING = 1
    AGAIN = 2


class Statistics:
    """Counts for LD_DEBUG=statistics, and how many files were ever loaded."""

    __slots__ = ("cached", "loads", "relative", "relocations")

    def __init__(self) -> None:
        self.relocations = self.cached = self.relative = self.loads = 0


class Namespace:
    """The files of one process in the order of their loading, and what binding them needs.

    `global_scope` is the program, the preloaded files and their dependencies, breadth first, then
    what was opened with RTLD_GLOBAL. `overrides` are the definitions that the dynamic linker itself
    gives (`__tls_get_addr`), which bind before any file's.
    """

    def __init__(self, process: Process, search: LibrarySearch, program_name: str) -> None:
        self.id = 0
        """What dlinfo(3) calls the namespace: LM_ID_BASE, or a number that dlmopen has given."""
        self.family: list[Namespace] = [self]
        """All namespaces of the process, the program's first."""
        self.process = process
        self.memory = process.memory
        self.events = process.events
        self.search = search
        self.dl_functions: DlFunctions
        self.program_name = program_name
        self.origin_path = ""
        """LD_ORIGIN_PATH: the program's folder where the kernel does not tell it."""
        self.heap = GuestHeap(process)
        self.lock = TrapLock(process)
        """Held by the thread that loads, unloads or looks up (dl_load_lock)."""
        self.walk_lock = TrapLock(process, is_released_by_exceptions=True)
        """Held by the thread that walks through the files (dl_load_write_lock)."""
        self.objects: list[Dso] = []
        self.global_scope: list[Dso] = []
        self.overrides: dict[bytes, int] = {}
        self.hashes = NameHashes()
        self.unique: dict[bytes, Definition] = {}
        """STB_GNU_UNIQUE symbols: the first definition that was bound is everybody's."""
        self.statistics = Statistics()
        self.close_state = CloseState.NONE
        self.interpreter: Dso | None = None
        """The program's PT_INTERP file, mapped as an ordinary library whose code is not entered."""
        self.libc: Dso | None = None
        self.vdso_address = 0
        self.vdso: Dso | None = None
        self.vdso_functions: dict[bytes, int] = {}
        """The vDSO's functions that the C library uses, by libc's names for them."""
        self.chosen: dict[int, int] = {}
        """What IFUNC resolvers that would ask ld.so's private parts are known to answer."""
        self.tls = TlsLayout(self)
        self.r_debug = 0
        self.debug_state = 0
        """Address of the function on which a debugger stops when files come or go (r_brk)."""
        self.arguments = (0, 0, 0)
        """argc, argv and envp, which initialisers are called with."""
        self.initialised: list[Dso] = []
        """The files in the order in which their initialisers began to run."""
        self.has_executable_stack = False
        self.argv0_address = 0
        self.adjusts_dynamic = False
        """The C library reads relocated addresses in dynamic sections (glibc)."""
        self.is_lazy = True
        self.bind_not = False
        """LD_BIND_NOT: bind at every call, leave the GOT as it is."""
        self.dynamic_weak = False
        self.verbose = False
        """LD_WARN: tell of what is only suspicious."""
        self.tunables: Mapping[bytes, bytes] = {}
        """What GLIBC_TUNABLES and its like ask for."""
        self.registers_rseq = True
        self.sorts_as_before = False
        """Initialisers run in the order of glibc before 2.35."""
        self.audit: Audit | None = None
        """Who is told of what happens here (LD_AUDIT); auditors' own namespaces have none."""
        self.prepare_library: Callable[[Dso], None] = lambda dso: None
        """Fills what the C library keeps in a file that comes later, once it is relocated."""
        self.warn: Callable[[str], object] = lambda line: None
        """Takes what the user is told, and what does not end the program, as lines."""
        self.call_early_init: Callable[[Dso], None] = lambda libc: None
        """Prepares a C library that dlmopen has loaded, before all initialisers."""
        self.lazy_resolver = 0
        """Address of the stub that GOT[2] points to; 0 until the first lazy file."""

    @property
    def program(self) -> Dso:
        """The executable: always the first file of the first namespace."""
        return self.family[0].objects[0]

    def sibling(self) -> Namespace:
        """Return a new, empty namespace of the same process (dlmopen(3)).

        What belongs to the process is shared, what belongs to a set of files is its own.
        """
        other = object.__new__(Namespace)
        other.__dict__.update(self.__dict__)
        taken = {namespace.id for namespace in self.family}
        other.id = next(number for number in range(1, len(taken) + 1) if number not in taken)
        other.objects, other.global_scope, other.initialised = [], [], []
        other.unique = {}
        other.close_state = CloseState.NONE
        other.libc = other.interpreter = other.vdso = None
        other.r_debug = 0
        self.family.append(other)
        return other

    def every_object(self) -> Iterator[Dso]:
        """Yield the files of all namespaces."""
        for namespace in self.family:
            for dso in namespace.objects:
                if dso.real is None:
                    yield dso

    def add(self, dso: Dso) -> None:
        """Append a file to the list and number its TLS module with the lowest free number."""
        tls = next((phdr for phdr in dso.phdrs if phdr.p_type == PT.TLS), None)
        if tls is not None and tls.p_memsz:
            taken = {other.tls.module for other in self.every_object() if other.tls}
            number = next(n for n in range(1, len(taken) + 2) if n not in taken)
            dso.tls = TlsModule(number, tls, dso.base)
        dso.owner = self
        self.statistics.loads += 1
        self.objects.append(dso)

    def containing(self, address: int) -> Dso | None:
        """Return the file whose segments span `address`."""
        for dso in self.every_object():
            if dso.start <= address < dso.end:
                return dso
        return None

    def by_link_map(self, link_map: int) -> Dso | None:
        """Return the file whose link map (its dlopen handle) is at `link_map`."""
        for namespace in self.family:
            for dso in namespace.objects:
                if dso.link_map == link_map:
                    return dso
        return None
