"""The vDSO among the loaded files, and what its functions are used for (glibc's setup-vdso.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyldso.elf.constants import STT
from pyldso.elf.dynamic import sysv_hash
from pyldso.events import Topic
from pyldso.kernel.vdso import PREFIX, SONAME, VERSION
from pyldso.ldso.dso import Version
from pyldso.ldso.load import make_dso
from pyldso.ldso.lookup import SymbolReference, announce_binding, find_in, find_symbol
from pyldso.ldso.segments import read_phdrs

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

NAME = SONAME.decode()
USED = (b"clock_gettime", b"gettimeofday", b"time", b"getcpu", b"clock_getres")
"""The functions that glibc's ld.so looks up, in its order (dl-vdso-setup.h)."""
CHOSEN_BY_IFUNC = (b"gettimeofday", b"time")
"""Functions of libc whose resolvers ask a private function of ld.so for the vDSO's."""
NO_FILE = (-1, -1)


def add_vdso(namespace: Namespace, name: str, known_as: str) -> None:
    """Append the vDSO, which the kernel has mapped, to the list of files: in no scope but its own.

    `name` is what stands in its link map, `known_as` the name by which dlopen finds it.
    """
    address = namespace.vdso_address
    ehdr, phdrs = read_phdrs(NAME, namespace.memory.read(address, 4096))
    dso = make_dso(namespace, name, NAME, address, ehdr, phdrs, NO_FILE)
    dso.label, dso.soname = NAME, known_as
    dso.aliases.add(known_as)
    dso.searchlist = [dso]
    dso.scopes = [dso.searchlist]
    dso.is_relocated = dso.is_initial = True
    namespace.add(dso)
    namespace.vdso = dso


def find_functions(namespace: Namespace) -> dict[bytes, int]:
    """Return the addresses of those functions of the vDSO that glibc calls, by libc's names."""
    dso = namespace.vdso
    if dso is None:
        return {}
    version = Version(VERSION, sysv_hash(VERSION), b"", True)
    found = {}
    for name in USED:
        reference = SymbolReference(PREFIX + name, version)
        definition = find_symbol(namespace, reference, dso.scopes)
        if definition is not None:
            if namespace.events.wanted & Topic.BINDINGS:
                announce_binding(namespace, dso, dso, reference.name, version)
            found[name] = dso.symbol_address(definition.symbol)
    return found


def choose_for(namespace: Namespace, libc: Dso | None) -> None:
    """Answer for those IFUNC resolvers of a C library that would look for the vDSO's functions."""
    for name in CHOSEN_BY_IFUNC:
        symbol = find_in(namespace, libc, name)
        address = namespace.vdso_functions.get(name)
        if libc is not None and symbol is not None and symbol.type == STT.GNU_IFUNC and address:
            namespace.chosen[libc.symbol_address(symbol)] = address
