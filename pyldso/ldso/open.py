"""Loading a file into a running process and unloading it: dl-open.c and dl-close.c of glibc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyldso.events import Topic
from pyldso.kernel.mmu import page_down, page_up
from pyldso.ldso import link_map, tls
from pyldso.ldso.errors import DlError, VersionError
from pyldso.ldso.events import (
    FileClosed,
    FileOpened,
    KeptLoaded,
    LinkMapDestroyed,
    MadeGlobal,
    ScopeBuilt,
)
from pyldso.ldso.initialise import run_finalisers, run_initialisers
from pyldso.ldso.load import Mode, load_dependencies, load_library
from pyldso.ldso.lookup import find_in
from pyldso.ldso.namespace import CloseState
from pyldso.ldso.relocate import protect_relro, relocate
from pyldso.ldso.sort_maps import sort_maps
from pyldso.ldso.vdso import choose_for
from pyldso.ldso.versions import check_versions

if TYPE_CHECKING:
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

LA_ACT_CONSISTENT, LA_ACT_DELETE = 0, 2
RTLD_NOW, RTLD_NOLOAD, RTLD_DEEPBIND, RTLD_GLOBAL, RTLD_NODELETE = 2, 4, 8, 0x100, 0x1000

ISA_LEVELS = 0b11
"""GNU_PROPERTY_X86_ISA_1_*: what the emulated CPU has, x86-64 baseline and x86-64-v2."""
ISA_TOO_LOW = "CPU ISA level is lower than required"


def open_object(namespace: Namespace, name: str, mode: int, caller: Dso | None) -> Calls:
    """Load, relocate and initialise the file for `name` with all that it needs; return its handle.

    An empty name is the program. 0 stands for a file that RTLD_NOLOAD does not find loaded.
    Raises DlError, with everything unloaded that the call loaded.
    """
    if not name:
        dso = namespace.program
        dso.direct_opencount += 1
        return dso.link_map
    had_libc = namespace.libc is not None
    found = _load(namespace, name, mode, caller)
    if found is None:
        return 0
    dso = found
    if namespace.audit:
        namespace.audit.changed(namespace)
    dso.direct_opencount += 1
    is_kept = bool(mode & RTLD_NODELETE and not dso.is_nodelete)
    dso.is_nodelete |= is_kept
    if mode & RTLD_GLOBAL:
        _make_global(namespace, dso.searchlist)
    if namespace.libc is not None and not had_libc:
        namespace.call_early_init(namespace.libc)
    arguments = current_arguments(caller or namespace.program)
    yield from run_initialisers(namespace, dso.init_order, arguments)
    if namespace.events.wanted & Topic.FILES:
        namespace.events.emit(FileOpened(dso.label, namespace.id, dso.direct_opencount))
        if is_kept:
            namespace.events.emit(KeptLoaded(dso.label, namespace.id, True))
    return dso.link_map


def _load(namespace: Namespace, name: str, mode: int, caller: Dso | None) -> Dso | None:
    """Load a file and all that it needs, ready to be initialised; else unload it all again."""
    known = list(namespace.objects)
    load_mode = Mode.DLOPEN | (Mode.NOLOAD if mode & RTLD_NOLOAD else Mode.NONE)
    link_map.set_debug_state(namespace, link_map.RT_ADD)
    try:
        dso = load_library(namespace, name, caller, load_mode)
        if dso is None:
            return None
        searchlist, _ = load_dependencies(namespace, [dso], Mode.DLOPEN)
        added = [other for other in namespace.objects if other not in known]
        if not dso.searchlist:
            dso.searchlist = searchlist
        if not dso.init_order:
            fresh = dso if dso in added else None
            dso.init_order = sort_maps(searchlist, keeps_first=True, fresh=fresh)
            for target in dso.relocation_dependencies.keys() & set(searchlist):
                del dso.relocation_dependencies[target]
        if not known:  # the first file of a namespace has its global scope
            namespace.global_scope = dso.searchlist
        _prepare(namespace, dso, added, mode)
    except BaseException:
        unload(namespace, [other for other in namespace.objects if other not in known])
        raise
    finally:
        namespace.search.release_cache()
        link_map.set_debug_state(namespace, link_map.RT_CONSISTENT)
    return dso


def current_arguments(caller: Dso) -> tuple[int, int, int]:
    """Return argc, argv and envp as the C library of the file that calls dlopen has them now."""
    namespace = caller.owner
    argc, argv, envp = namespace.arguments
    variable = find_in(namespace, namespace.libc, b"__environ")
    if namespace.libc is not None and variable is not None:
        envp = namespace.memory.read_u64(namespace.libc.symbol_address(variable))
    return argc, argv, envp


def _prepare(namespace: Namespace, opened: Dso, added: Sequence[Dso], mode: int) -> None:
    """Give the new files link maps and scopes, and relocate them, dependencies first."""
    try:
        check_versions(namespace, added)
    except VersionError as error:
        text = str(error).partition(": ")[2].partition("\n")[0]
        raise DlError("", text) from None
    for dso in added:
        _enlist(namespace, dso)
    is_first = not opened.is_initial and not opened.direct_opencount
    watched = is_first and bool(namespace.events.wanted & Topic.SCOPES)
    # How many scopes each had before; those of ld.so's start are not told again.
    shown = [
        (dso, 0 if dso in added or dso.is_initial else len(dso.scopes)) for dso in opened.searchlist
    ]
    _extend_scopes(namespace, opened, added, is_deep=bool(mode & RTLD_DEEPBIND))
    if watched:
        announce_scopes(namespace, opened)
    is_lazy = namespace.is_lazy and not mode & RTLD_NOW
    for dso in reversed(opened.init_order):
        if dso in added and dso.real is None:
            relocate(namespace, dso, is_lazy=is_lazy)
            protect_relro(namespace, dso)
            tls.fill_late_block(namespace, dso)
            namespace.prepare_library(dso)
            if dso.is_nodelete and namespace.events.wanted & Topic.FILES:
                namespace.events.emit(KeptLoaded(dso.label, namespace.id, False))
    for dso, first in shown if watched else ():
        announce_scopes(namespace, dso, first)


def _enlist(namespace: Namespace, dso: Dso) -> None:
    """Give a new file what debuggers, libc and other threads look for: link map, TLS module."""
    if dso.isa_needed & ~ISA_LEVELS:
        raise DlError(dso.name, ISA_TOO_LOW)
    if namespace.libc is None and find_in(namespace, dso, b"__libc_start_main"):
        namespace.libc = dso
        choose_for(namespace, dso)
    if not dso.link_map:
        link_map.add_link_map(namespace, dso)
    if namespace.adjusts_dynamic and dso.real is None:
        link_map.adjust_dynamic(namespace, dso)
    tls.add_late_module(namespace, dso)


def _extend_scopes(
    namespace: Namespace, opened: Dso, added: Sequence[Dso], *, is_deep: bool
) -> None:
    """Let all files of a search list look symbols up in it, the new ones in the global scope too.

    That comes first, but for RTLD_DEEPBIND (dl-open.c, update_scopes).
    """
    for dso in opened.searchlist:
        if dso in added:
            scopes = [namespace.global_scope]
            if opened.searchlist is not namespace.global_scope:
                scopes.append(opened.searchlist)
            dso.scopes = scopes[::-1] if is_deep else scopes
            if dso.is_symbolic:
                dso.scopes.insert(0, [dso])
            dso.searchlist = dso.searchlist or own_searchlist(dso)
        elif not dso.is_initial and opened.searchlist not in dso.scopes:
            dso.scopes.append(opened.searchlist)


def announce_scopes(namespace: Namespace, dso: Dso, first: int = 0) -> None:
    """Emit the scopes of a file from number `first` on; ld.so itself shows none."""
    is_interpreter = dso is namespace.interpreter and dso.real is None
    parts = () if is_interpreter else dso.scopes[first:]
    labels = tuple(tuple(member.label for member in part) for part in parts)
    namespace.events.emit(ScopeBuilt(dso.label, namespace.id, first, labels))


def own_searchlist(dso: Dso) -> list[Dso]:
    """Return `dso` and all that it needs, breadth first."""
    found = [dso]
    for member in found:
        found += [d for d in member.dependencies if d not in found]
    return found


def _make_global(namespace: Namespace, searchlist: Sequence[Dso]) -> None:
    """Add the files to the global scope, behind all that are there."""
    for dso in searchlist:
        if dso not in namespace.global_scope:
            namespace.global_scope.append(dso)
            if namespace.events.wanted & Topic.SCOPES:
                namespace.events.emit(MadeGlobal(dso.label, namespace.id))
            dso.is_global = True


def close_object(namespace: Namespace, dso: Dso) -> Calls:
    """Take back one handle of `dso`, and unload every file that is then no longer used.

    A call from a destructor only makes the one that is under way look once more, when it is done.
    """
    dso.direct_opencount -= 1
    is_used = dso.is_initial or bool(dso.direct_opencount)
    if is_used or namespace.close_state != CloseState.NONE:
        if not is_used:
            namespace.close_state = CloseState.AGAIN
        if namespace.events.wanted & Topic.FILES:
            namespace.events.emit(FileClosed(dso.label, dso.direct_opencount))
        return 0
    namespace.close_state = CloseState.AGAIN
    try:
        while namespace.close_state == CloseState.AGAIN:
            namespace.close_state = CloseState.PENDING
            yield from _close_unused(namespace)
    finally:
        namespace.close_state = CloseState.NONE
    return 0


def _close_unused(namespace: Namespace) -> Calls:
    """Finalise and unload the files that nothing uses."""
    used = _used_objects(namespace)
    unused = [other for other in namespace.objects if other not in used]
    is_base = not namespace.id
    sorted_all = sort_maps(namespace.objects, keeps_first=is_base, is_final=True, used=used)
    order = [dso for dso in sorted_all if dso not in used]
    for dso in order:
        yield from run_finalisers(namespace, [dso])
        if namespace.audit:
            namespace.audit.closed(dso)
        dso.is_closing = True
    if namespace.audit and unused:
        namespace.audit.activity(namespace, LA_ACT_DELETE)
    link_map.set_debug_state(namespace, link_map.RT_DELETE)
    unload(namespace, order)
    if namespace.audit and unused:
        namespace.audit.activity(namespace, LA_ACT_CONSISTENT)
    link_map.set_debug_state(namespace, link_map.RT_CONSISTENT)
    if not namespace.objects and namespace.id:
        namespace.family.remove(namespace)
    return None


def _used_objects(namespace: Namespace) -> set[Dso]:
    """Return the files that handles, other files, threads or their own flags keep (mark, sweep)."""
    waiting = [
        dso
        for dso in namespace.objects
        if dso.is_initial
        or dso.is_nodelete
        or dso.direct_opencount
        or link_map.has_thread_destructors(namespace, dso)
    ]
    used = set(waiting)
    while waiting:
        dso = waiting.pop()
        for target in (*dso.dependencies, *dso.relocation_dependencies):
            if target not in used:
                used.add(target)
                waiting.append(target)
    return used


def unload(namespace: Namespace, objects: Sequence[Dso]) -> None:
    """Unmap `objects` and take them out of every list."""
    for dso in objects:
        if namespace.events.wanted & Topic.FILES:
            namespace.events.emit(LinkMapDestroyed(dso.label, namespace.id))
        if dso.link_map:
            link_map.remove_link_map(namespace, dso)
        if namespace.audit:
            namespace.audit.forget(dso)
        namespace.objects.remove(dso)
        if dso in namespace.initialised:
            namespace.initialised.remove(dso)
        if dso in namespace.global_scope:
            namespace.global_scope.remove(dso)
        if dso.real is None:
            tls.remove_module(namespace, dso)
            start, end = page_down(dso.start), page_up(dso.end)
            namespace.process.munmap(start, end - start)
    gone = set(objects)
    if namespace.libc in gone:
        namespace.libc = None
    for dso in namespace.objects:
        dso.scopes = [scope for scope in dso.scopes if not (scope and scope[0] in gone)]
        for target in gone & dso.relocation_dependencies.keys():
            del dso.relocation_dependencies[target]
