"""The dynamic linker's part of a start, from loaded files to the program's first instruction."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.registers import RDX
from pyldso.errors import LoadError
from pyldso.events import Topic
from pyldso.ldso import glibc, link_map
from pyldso.ldso.bare import BARE
from pyldso.ldso.events import ControlTransferred, LoaderStatistics, ScopesListed
from pyldso.ldso.initialise import finalisation_order, run_finalisers
from pyldso.ldso.lookup import find_in
from pyldso.ldso.open import ISA_LEVELS, ISA_TOO_LOW, announce_scopes, own_searchlist
from pyldso.ldso.personality import Personality, UnknownLibc
from pyldso.ldso.relocate import (
    protect_relro,
    rebind_interpreter,
    relocate,
    relocate_interpreter,
)
from pyldso.ldso.sort_maps import dependencies_first

if TYPE_CHECKING:
    from pyldso.kernel.exec import InitialStack, Program
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.namespace import Namespace


def check_isa_level(namespace: Namespace) -> None:
    """Refuse files that are marked for a CPU beyond the emulated one (dl-prop.h)."""
    for dso in namespace.objects:
        if dso.isa_needed & ~ISA_LEVELS:
            name = dso.path if dso is not namespace.program else namespace.program_name
            raise LoadError(f"{name}: {ISA_TOO_LOW}")


def find_personality(namespace: Namespace) -> Personality:
    """Find the C library and its ld.so by what they export; UnknownLibc for strangers."""
    for dso in namespace.objects:
        if find_in(namespace, dso, b"_rtld_global_ro"):
            namespace.interpreter = dso
        elif find_in(namespace, dso, b"__libc_start_main"):
            namespace.libc = dso
    if namespace.libc is None:
        return BARE
    if glibc.is_glibc(namespace):
        return glibc.GLIBC
    if find_in(namespace, namespace.libc, b"_dl_open_hook"):
        from pyldso.ldso import old_glibc  # start-up: seldom needed

        if old_glibc.is_old_glibc(namespace):
            return old_glibc.OLD_GLIBC
    if find_in(namespace, namespace.libc, b"__dls3"):
        from pyldso.ldso.musl import MUSL  # start-up: seldom needed

        return MUSL
    raise UnknownLibc(f"{namespace.libc.label}: this kind of C library is not known")


def build_scopes(namespace: Namespace) -> None:
    """Give every file the global scope, and DT_SYMBOLIC ones themselves in front of it."""
    scope = namespace.global_scope
    watched = bool(namespace.events.wanted & Topic.SCOPES)
    if watched:
        namespace.events.emit(ScopesListed())
    for dso in namespace.objects:
        dso.is_initial = True
        dso.searchlist = scope if dso is namespace.program else own_searchlist(dso)
        dso.scopes = [[dso], scope] if dso.is_symbolic else [scope]
        if dso is namespace.vdso:
            dso.scopes.reverse()
        if watched:
            announce_scopes(namespace, dso)


def publish_link_maps(namespace: Namespace) -> None:
    """Make the link maps that debuggers and libc read."""
    for dso in namespace.objects:
        if dso.link_map:  # auditors have seen it
            link_map.join_list(namespace, dso)
        else:
            link_map.add_link_map(namespace, dso)
        if namespace.adjusts_dynamic and dso is not namespace.vdso:  # which is read-only
            link_map.adjust_dynamic(namespace, dso)


def relocate_all(namespace: Namespace) -> None:
    """Relocate ld.so first, for its cpu features; then libc; then dependencies before dependents.

    The program comes last, because its copy relocations copy what the libraries' made. ld.so is
    bound once more at the end, in the global scope, where some file needs it.
    """
    interpreter = namespace.interpreter
    if interpreter is not None and not interpreter.is_relocated:
        relocate_interpreter(namespace, interpreter)
    order = dependencies_first(namespace.objects[1:])
    for dso in ([namespace.libc] if namespace.libc else []) + [*order, namespace.program]:
        if dso is not interpreter:
            relocate(namespace, dso, is_lazy=namespace.is_lazy)
    if interpreter is not None and interpreter in namespace.global_scope:
        interpreter.scopes = [namespace.global_scope]
        rebind_interpreter(namespace, interpreter)
    for dso in namespace.objects:
        protect_relro(namespace, dso)


def announce_statistics(namespace: Namespace, started: int, loaded: int, relocated: int) -> None:
    """Emit what start-up cost."""
    counts = namespace.statistics
    namespace.events.emit(
        LoaderStatistics(
            False,
            perf_counter_ns() - started,
            relocated - loaded,
            loaded - started,
            counts.relocations,
            counts.cached,
            counts.relative,
        )
    )


def announce_final_statistics(namespace: Namespace) -> None:
    """Emit how many relocations lazy binding added."""
    counts = namespace.statistics
    namespace.events.emit(LoaderStatistics(True, 0, 0, 0, counts.relocations, counts.cached, 0))


def enter(namespace: Namespace, program: Program, stack: InitialStack) -> None:
    """Hand over control, with the finalisers in RDX for atexit(3) (psABI 3.4.1)."""
    cpu = namespace.process.cpu

    def finalise() -> Calls:
        audit, order = namespace.audit, finalisation_order(namespace)
        return run_finalisers(namespace, order) if audit is None else audit.finalise(order)

    if namespace.audit is not None and not namespace.audit.is_called_by_libc:
        namespace.audit.before_program()
    if namespace.events.wanted & Topic.CALLS:
        namespace.events.emit(ControlTransferred(namespace.program_name))
    cpu.sp = stack.sp
    cpu.set(RDX, namespace.process.stubs.add_trap(finalise))
    cpu.pc = program.entry
