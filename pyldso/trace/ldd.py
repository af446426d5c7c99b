"""What `ldd` prints: the loaded files, the versions that they need, what is undefined or unused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pyldso.elf.constants import DT
from pyldso.elf.dynamic import parse_verneed
from pyldso.ldso.dso import MANY
from pyldso.ldso.errors import DlError, reading
from pyldso.ldso.lookup import resolve
from pyldso.ldso.relocate import symbol_references
from pyldso.ldso.sort_maps import dependencies_first
from pyldso.ldso.versions import defines, provider

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.load import Missing
    from pyldso.ldso.namespace import Namespace


def listing(namespace: Namespace, missing: Sequence[Missing]) -> str:
    """Return a line for each library: its name, where it was found, and its address."""
    program, *libraries = namespace.objects
    if not any(tag == DT.NEEDED for tag, _ in program.needed):
        return "\tstatically linked\n"
    lines = []
    for dso in libraries:
        name = "" if dso is namespace.interpreter else dso.requested_as
        arrow = f"{name} => " if name not in ("", dso.path) else ""
        lines.append(f"\t{arrow}{dso.path} ({dso.start:#018x})\n")
    for library in reversed(missing):
        lines.insert(library.position - 1, f"\t{library.name} => not found\n")
    return "".join(lines)


def version_information(namespace: Namespace) -> str:
    """Return which versions each file needs of which other, as `ldd -v` shows them."""
    lines = []
    for dso in namespace.objects:
        if DT.VERNEED not in dso.dynamic:
            continue
        with reading(dso.label, "version table"):
            table = bytes(dso.tail(dso.dynamic[DT.VERNEED]))
            needs = parse_verneed(table, MANY, dso.strings)
        lines.append(f"\t{dso.label}:")
        for need in needs:
            file = need.file.decode(errors="surrogateescape")
            target = provider(namespace, file)
            found = target.path if target and defines(target, need.name, need.hash) else "not found"
            weak = "[WEAK] " if need.is_weak else ""
            lines.append(f"\t\t{file} ({need.name.decode(errors='replace')}) {weak}=> {found}")
    return "\n".join(["", "\tVersion information:", *lines, ""]) if lines else ""


def undefined_symbols(namespace: Namespace, *, is_lazy: bool) -> list[str]:
    """Return a line for each reference that nothing defines, as `ldd -d` and `ldd -r` show them."""
    order = dependencies_first(namespace.objects)
    return [
        f"{error.message}\t({error.object_name})"
        for dso in order
        if dso is not namespace.interpreter
        for error in _unresolved(namespace, dso, is_lazy)
    ]


def _unresolved(namespace: Namespace, dso: Dso, is_lazy: bool) -> Iterator[DlError]:
    for index, is_plt in symbol_references(dso, is_lazy=is_lazy and not dso.bind_now):
        try:
            resolve(namespace, dso, index, is_plt=is_plt)
        except DlError as error:
            yield error


def unused_dependencies(namespace: Namespace, *, is_lazy: bool) -> list[str]:
    """Return the files that the program needs and takes nothing from (`ldd -u`)."""
    program = namespace.program
    used = set(_providers(namespace, program, is_lazy))
    return [dso.path for dso in program.dependencies if dso not in used]


def _providers(namespace: Namespace, dso: Dso, is_lazy: bool) -> Iterable[Dso]:
    for index, is_plt in symbol_references(dso, is_lazy=is_lazy and not dso.bind_now):
        try:
            definition = resolve(namespace, dso, index, is_plt=is_plt)
        except DlError:
            continue
        if definition is not None:
            yield definition.dso
