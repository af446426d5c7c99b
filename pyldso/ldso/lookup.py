"""From a symbol's name and version to its definition, by the rules of glibc's dl-lookup.c."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyldso.elf.constants import SHN, STB, STT, STV, VERSYM_HIDDEN, VERSYM_VERSION
from pyldso.elf.records import Sym
from pyldso.events import Topic
from pyldso.ldso.dso import Dso, Version
from pyldso.ldso.errors import DAMAGED, SYMBOL_LOOKUP, DlError, InconsistencyError, reading
from pyldso.ldso.events import DependencyNoted, LookupFailed, SymbolBound, SymbolLookedUp
from pyldso.ldso.namespace import Namespace

FOUND_TYPES = frozenset({STT.NOTYPE, STT.OBJECT, STT.FUNC, STT.COMMON, STT.TLS, STT.GNU_IFUNC})


class Definition(NamedTuple):
    """Where a reference is bound: the symbol and the file that defines it."""

    dso: Dso
    symbol: Sym


class SymbolReference(NamedTuple):
    """What is looked up, and how.

    `is_plt` references do not take an undefined symbol with a value (a canonical PLT entry: the
    address of a function for comparisons, not for calls); `newest` takes the newest of several
    versions where none is asked for (dlsym).
    """

    name: bytes
    version: Version | None = None
    is_plt: bool = False
    newest: bool = False


def find_symbol(
    namespace: Namespace,
    reference: SymbolReference,
    scopes: Iterable[Sequence[Dso]],
    skip: Dso | None = None,
) -> Definition | None:
    """Return the first definition of `reference` in the scopes, each searched in order.

    `skip` is left out: the program itself for a copy relocation.
    """
    name = reference.name
    gnu = namespace.hashes[name]
    word, low = gnu >> 6, gnu & 63
    watched = bool(namespace.events.wanted & Topic.SYMBOLS)
    weak: Definition | None = None
    for scope in scopes:
        for dso in scope:
            if dso is skip:
                continue
            if watched:
                namespace.events.emit(
                    SymbolLookedUp(name.decode(errors="replace"), dso.label, dso.owner.id)
                )
            try:
                table = dso.hash
                bits = table.bloom[word & table.bloom_mask]
                if not bits >> low & bits >> (gnu >> table.bloom_shift & 63) & 1:
                    continue
                indices = table.find(name, gnu)
                if not indices:
                    continue
                definition = _match(dso, indices, reference)
            except DAMAGED as error:
                raise DlError(dso.label, f"damaged symbol table ({error})") from None
            if definition is None:
                continue
            if namespace.dynamic_weak and definition.symbol.binding == STB.WEAK:
                weak = weak or definition
                continue
            if definition.symbol.binding == STB.GNU_UNIQUE:
                return _unique(namespace, name, definition)
            return definition
    return weak


def _unique(namespace: Namespace, name: bytes, definition: Definition) -> Definition:
    """Return the one definition that all of the process shares, whatever the scope says.

    A file whose STB_GNU_UNIQUE symbol was bound once is never unloaded (dl-lookup.c).
    """
    first = namespace.unique.setdefault(name, definition)
    first.dso.is_nodelete = True
    return first


def _match(dso: Dso, indices: Sequence[int], reference: SymbolReference) -> Definition | None:
    """Return the one among the same-named symbols of `dso` whose version suits the reference."""
    newest: Sym | None = None
    candidates = 0
    for index in indices:
        symbol = dso.symbol(index)
        if not _is_candidate(symbol, reference.is_plt):
            continue
        if not dso.versym:
            if reference.version is not None and reference.version.file:
                _check_disappeared(dso, reference.version)
            return Definition(dso, symbol)
        versym = dso.versym[index]
        if reference.version is not None:
            if _version_matches(dso, versym, reference.version):
                return Definition(dso, symbol)
        elif versym & VERSYM_VERSION < (2 if reference.newest else 3):
            return Definition(dso, symbol)
        elif not versym & VERSYM_HIDDEN:
            candidates += 1
            newest = newest or symbol
    return Definition(dso, newest) if newest is not None and candidates == 1 else None


def _check_disappeared(dso: Dso, version: Version) -> None:
    """Refuse a file that is needed for a version and has none; others' symbols are taken."""
    if dso.answers_to(os.fsdecode(version.file)):
        assertion = "version->filename == NULL || ! _dl_name_match_p (version->filename, map)"
        raise InconsistencyError("dl-lookup.c: 107", "check_match", assertion)


def _is_candidate(symbol: Sym, is_plt: bool) -> bool:
    if symbol.st_value == 0 and symbol.st_shndx != SHN.ABS and symbol.type != STT.TLS:
        return False
    if symbol.st_shndx == SHN.UNDEF and (is_plt or symbol.st_value == 0):
        return False
    if symbol.binding not in (STB.GLOBAL, STB.WEAK, STB.GNU_UNIQUE):
        return False
    return symbol.type in FOUND_TYPES and symbol.visibility not in (STV.HIDDEN, STV.INTERNAL)


def _version_matches(dso: Dso, versym: int, wanted: Version) -> bool:
    """Tell whether a definition's version is the wanted one, or a base one that any may take."""
    offered = dso.versions.get(versym & VERSYM_VERSION)
    if offered is not None and offered.hash == wanted.hash and offered.name == wanted.name:
        return True
    return not (wanted.is_hidden or offered is not None or versym & VERSYM_HIDDEN)


def resolve(
    namespace: Namespace,
    dso: Dso,
    index: int,
    *,
    is_plt: bool = False,
    skip: Dso | None = None,
) -> Definition | None:
    """Return the definition for the reference at `index` of `dso`'s symbol table.

    None stands for a weak reference that nothing defines. Raises DlError for any other.
    """
    symbol = dso.symbol(index)
    if symbol.binding == STB.LOCAL or (symbol.visibility and symbol.st_shndx != SHN.UNDEF):
        return Definition(dso, symbol)
    name = dso.bytes_at(symbol.st_name)
    version = dso.wanted_version(index)
    reference = SymbolReference(name, version, is_plt)
    definition = find_symbol(namespace, reference, dso.scopes, skip)
    if definition is None:
        if symbol.binding == STB.WEAK:
            return None
        raise announced(namespace, undefined_symbol(dso.label, name, version))
    if symbol.visibility == STV.PROTECTED and definition.dso is not dso:
        definition = Definition(dso, symbol) if symbol.is_defined else definition
    if (
        definition.symbol.visibility == STV.PROTECTED
        and dso is namespace.program is not definition.dso
    ):
        _warn_of_protected(namespace, definition, name, symbol, is_plt=is_plt, is_copy=skip is dso)
    note_dependency(namespace, dso, definition.dso)
    if namespace.events.wanted & Topic.BINDINGS:
        announce_binding(namespace, dso, definition.dso, name, version)
    return definition


def _warn_of_protected(
    namespace: Namespace,
    definition: Definition,
    name: bytes,
    symbol: Sym,
    *,
    is_plt: bool,
    is_copy: bool,
) -> None:
    """Warn of a program whose own copy, or whose own address, the library will not use."""
    label = f"`{name.decode(errors='replace')}' in `{definition.dso.label}'"
    if is_copy:
        text = f"copy relocation against non-copyable protected symbol {label}"
    elif is_plt and symbol.st_value and not symbol.is_defined:
        text = f"direct reference to protected function {label} may break pointer equality"
    else:
        return
    namespace.warn(f"warning: {text}")
    if definition.dso.needs_indirect_access:
        message = "error due to GNU_PROPERTY_1_NEEDED_INDIRECT_EXTERN_ACCESS"
        raise DlError(definition.dso.label, message)


def announce_binding(
    namespace: Namespace, dso: Dso, to: Dso, name: bytes, version: Version | None
) -> None:
    """Emit that a reference of `dso` is bound to a definition in `to`."""
    namespace.events.emit(
        SymbolBound(
            dso.label,
            to.label,
            dso.owner.id,
            name.decode(errors="replace"),
            version.name.decode(errors="replace") if version else "",
            False,
        )
    )


def definition_address(namespace: Namespace, definition: Definition) -> int:
    """Return the address that a reference to `definition` takes.

    An IFUNC's is what its resolver answers, which runs in the guest. What libc and ld.so define and
    the dynamic linker does itself is bound to the dynamic linker's stub.
    """
    dso, symbol = definition
    if dso is dso.owner.libc or dso is dso.owner.interpreter:
        override = namespace.overrides.get(dso.bytes_at(symbol.st_name))
        if override is not None:
            return override
    address = dso.symbol_address(symbol)
    if symbol.type == STT.GNU_IFUNC and symbol.is_defined:
        return call_resolver(namespace, address)
    return address


def call_resolver(namespace: Namespace, address: int) -> int:
    """Return what the IFUNC resolver at an address answers, which runs in the guest."""
    chosen = namespace.chosen.get(address)
    return namespace.process.call_alone(address) if chosen is None else chosen


def find_in(namespace: Namespace, dso: Dso | None, name: bytes) -> Sym | None:
    """Return the first symbol that `dso` defines as `name`, whatever its version."""
    if dso is None:
        return None
    with reading(dso.label, "symbol table"):
        for index in dso.hash.find(name, namespace.hashes[name]):
            symbol = dso.symbol(index)
            if _is_candidate(symbol, True):
                return symbol
    return None


def announced(namespace: Namespace, error: DlError) -> DlError:
    """Return an error of a lookup, after telling those who watch."""
    if namespace.events.wanted & (Topic.CALLS | Topic.SCOPES):
        namespace.events.emit(LookupFailed(error.object_name, SYMBOL_LOOKUP, error.message, True))
    return error


def note_dependency(namespace: Namespace, dso: Dso, target: Dso) -> None:
    """Remember that `dso` uses `target`, which must not be unloaded before it (add_dependency)."""
    if target is dso or target.is_initial or target.is_nodelete:
        return
    if target not in (dso.init_order or dso.dependencies):
        if namespace.events.wanted & Topic.FILES and target not in dso.relocation_dependencies:
            namespace.events.emit(DependencyNoted(target.label, dso.label, target.owner.id))
        dso.relocation_dependencies[target] = None
        dso.has_relocation_dependencies = True


def undefined_symbol(label: str, name: bytes, version: Version | None) -> DlError:
    """Return ld.so's error for a reference that nothing defines."""
    text = f"undefined symbol: {name.decode(errors='replace')}"
    if version is not None:
        text += f", version {version.name.decode(errors='replace')}"
    return DlError(label, text, occasion=SYMBOL_LOOKUP)
