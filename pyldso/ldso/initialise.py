"""Initialisers and finalisers: glibc's dl-init.c and dl-fini.c."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyldso.elf.constants import DT
from pyldso.events import Topic
from pyldso.ldso.events import FiniCalled, InitCalled, ProgramInitialised
from pyldso.ldso.sort_maps import sort_maps

if TYPE_CHECKING:
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace


def run_initialisers(
    namespace: Namespace, objects: Sequence[Dso], arguments: tuple[int, int, int]
) -> Calls:
    """Run DT_INIT and DT_INIT_ARRAY of each of `objects`, the last, which depends on none, first.

    `arguments` are argc, argv and envp, which initialisers get. The program itself is left out:
    its start code runs its initialisers. A file marked DF_1_INITFIRST goes before all others.
    """
    order = [dso for dso in reversed(objects) if dso is not namespace.program]
    order.sort(key=lambda dso: not dso.is_initfirst)
    for dso in order:
        if dso.is_initialised:
            continue
        dso.is_initialised = True
        namespace.initialised.append(dso)
        if namespace.events.wanted & Topic.CALLS:
            namespace.events.emit(InitCalled(dso.label))
        if DT.INIT in dso.dynamic:
            yield (dso.base + dso.dynamic[DT.INIT], *arguments)
        for function in dso.function_array(DT.INIT_ARRAY, DT.INIT_ARRAYSZ):
            yield (function, *arguments)
    return None


def run_preinitialisers(namespace: Namespace, arguments: tuple[int, int, int]) -> Calls:
    """Run the program's DT_PREINIT_ARRAY, before all initialisers."""
    program = namespace.program
    functions = program.function_array(DT.PREINIT_ARRAY, DT.PREINIT_ARRAYSZ)
    for function in functions:
        yield (function, *arguments)
    return None


def announce_program(namespace: Namespace) -> None:
    """Emit that the program's own initialisation is next."""
    namespace.program.is_initialised = True
    if namespace.events.wanted & Topic.CALLS:
        namespace.events.emit(ProgramInitialised(namespace.program_name))


def finalisation_order(namespace: Namespace) -> list[Dso]:
    """Return all files, each before what it depends on, the program first (_dl_fini).

    Those that dlmopen has loaded come before, the latest namespace first.
    """
    order: list[Dso] = []
    for member in sorted(namespace.family, key=lambda other: -other.id):
        files = [dso for dso in member.objects if dso.real is None]
        order += sort_maps(files, keeps_first=not member.id, is_final=True)
    return order


def run_finalisers(namespace: Namespace, objects: Sequence[Dso]) -> Calls:
    """Run DT_FINI_ARRAY, last entry first, and DT_FINI of each initialised one of `objects`."""
    for dso in objects:
        if not dso.is_initialised:
            continue
        dso.is_initialised = False
        if namespace.events.wanted & Topic.CALLS:
            namespace.events.emit(FiniCalled(dso.name, dso.owner.id))
        for function in reversed(dso.function_array(DT.FINI_ARRAY, DT.FINI_ARRAYSZ)):
            yield (function,)
        if DT.FINI in dso.dynamic:
            yield (dso.base + dso.dynamic[DT.FINI],)
    return None
