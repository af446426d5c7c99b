"""What C libraries expect of their dynamic linker beyond the ABI: one row of functions for each.

Which one a program's library is shows in the symbols that it exports, never in version strings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pyldso.ldso.initialise import announce_program, run_initialisers, run_preinitialisers
from pyldso.ldso.sort_maps import sort_maps
from pyldso.ldso.tls import ThreadFormat

if TYPE_CHECKING:
    from pyldso.kernel.exec import InitialStack
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.namespace import Namespace


class UnknownLibc(Exception):  # noqa: N818 - no error: the program's own ld.so takes over
    """The program's C library expects a dynamic linker that this one does not know to be."""


class Personality(NamedTuple):
    """How to be the dynamic linker of one kind of C library.

    `threads` is its layout of the thread control block; `adjusts_dynamic` tells whether it reads
    relocated addresses in dynamic sections; `control_block_size` is in bytes. In the order of a
    start come `install` (our definitions in place of its own), `prepare` (after relocation: what
    it reads of its dynamic linker) and `initialise` (run the initialisers, or see to it that the
    library has them run).
    """

    threads: ThreadFormat
    adjusts_dynamic: bool
    control_block_size: Callable[[Namespace], int]
    install: Callable[[Namespace], None]
    prepare: Callable[[Namespace, InitialStack], None]
    initialise: Callable[[Namespace], Calls]


def initialise_all(namespace: Namespace) -> Calls:
    """Run the program's DT_PREINIT_ARRAY and all libraries' initialisers."""
    if namespace.audit is not None:
        namespace.audit.changed(namespace)
    yield from run_preinitialisers(namespace, namespace.arguments)
    order = sort_maps(namespace.global_scope, keeps_first=True)
    yield from run_initialisers(namespace, order, namespace.arguments)
    announce_program(namespace)
    return None
