"""Initialisers and finalisers, in the order of glibc's dl-init.c, dl-fini.c and dl-sort-maps.c."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyldso.elf.constants import DT
from pyldso.events import Topic
from pyldso.ldso.events import FiniCalled, InitCalled, ProgramInitialised

if TYPE_CHECKING:
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace


def dependencies_first(
    objects: Sequence[Dso], *, with_relocation_dependencies: bool = False
) -> list[Dso]:
    """Return `objects` so that each comes after what it depends on; circles are cut where met.

    The walk starts from the last object and goes depth first, as _dl_sort_maps_dfs does: the order
    of initialisers among independent files follows from it. glibc before 2.35 had another one,
    which glibc.rtld.dynamic_sort=1 asks for.
    """
    if objects and objects[0].owner.sorts_as_before:
        return _dependents_moved_behind(objects, with_relocation_dependencies)[::-1]
    inside = set(objects)
    visited: set[Dso] = set()
    order: list[Dso] = []
    for root in reversed(objects):
        if root in visited:
            continue
        visited.add(root)
        stack = [(root, iter(_uses(root, with_relocation_dependencies)))]
        while stack:
            dso, following = stack[-1]
            target = next((d for d in following if d in inside and d not in visited), None)
            if target is None:
                order.append(dso)
                stack.pop()
            else:
                visited.add(target)
                uses = _uses(target, with_relocation_dependencies)
                stack.append((target, iter(uses)))
    return order


def _dependents_moved_behind(
    objects: Sequence[Dso], with_relocation_dependencies: bool
) -> list[Dso]:
    """Return `objects`, each before what it depends on, as _dl_sort_maps_original moves them.

    Each in turn goes behind the last one that depends on it, until nothing moves; how often an
    object was looked at ends circles.
    """
    order, seen = list(objects), [0] * len(objects)
    at = 0
    while at < len(order):
        seen[at] += 1
        dso, behind = order[at], len(order) - 1
        while behind > at and dso not in _uses(order[behind], with_relocation_dependencies):
            behind -= 1
        if behind == at:
            at += 1
            seen[at:] = [0] * (len(order) - at)
            continue
        order.insert(behind, order.pop(at))
        if seen[at + 1] > len(order) - at:
            at += 1
            seen[at:] = [0] * (len(order) - at)
        else:
            seen.insert(behind, seen.pop(at))
    return order


def _uses(dso: Dso, with_relocation_dependencies: bool) -> Sequence[Dso]:
    if not with_relocation_dependencies:
        return dso.dependencies
    extra = sorted(dso.relocation_dependencies, key=lambda other: other.link_map)
    return [*dso.dependencies, *extra]


def run_initialisers(
    namespace: Namespace, objects: Sequence[Dso], arguments: tuple[int, int, int]
) -> Calls:
    """Run DT_INIT and DT_INIT_ARRAY of each of `objects`, dependencies first.

    `arguments` are argc, argv and envp, which initialisers get. The program itself is left out:
    its start code runs its initialisers. A file marked DF_1_INITFIRST goes before all others.
    """
    program = namespace.program
    order = dependencies_first([dso for dso in objects if dso is not program])
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
        ahead = [namespace.program] if not member.id else []
        others = [dso for dso in member.objects if dso is not namespace.program]
        sorted_others = dependencies_first(others, with_relocation_dependencies=True)
        order += [*ahead, *reversed(sorted_others)]
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
