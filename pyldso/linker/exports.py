"""What the output shows to other files: version scripts, dynamic lists, and the rules of old."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyldso.elf.constants import STB, STT
from pyldso.errors import Diagnostic, PyldsoError
from pyldso.linker.inputs import load_file
from pyldso.linker.options import LinkOptions
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.symbols import LinkedObject, Rank, Resolved
from pyldso.linker.version_script import (
    VersionNode,
    VersionScript,
    export_list,
    parse_dynamic_list,
    parse_version_script,
)

ALL_LIBRARIES = "ALL"


class ExportRules(NamedTuple):
    """What the options say of the visibility of names."""

    versions: VersionScript | None
    dynamic_list: VersionScript | None
    """Names that an executable exports; in a shared object those that others may interpose."""
    lists_data: bool = False
    """The list has all variables, too."""

    @property
    def version_nodes(self) -> list[VersionNode]:
        """The versions that the output defines, an anonymous one aside."""
        return [node for node in self.versions.nodes if node.name] if self.versions else []


def read_export_rules(options: LinkOptions) -> ExportRules:
    """Read the files that the options name; raises PyldsoError with file and line."""
    versions = dynamic_list = None
    if options.version_script is not None:
        versions = parse_version_script(read_text(options.version_script), options.version_script)
    nodes: list[VersionNode] = []
    for path in options.dynamic_lists:
        nodes += parse_dynamic_list(read_text(path), path).nodes
    for path in options.export_dynamic_symbol_lists:
        nodes += parse_dynamic_list(read_text(path), path).nodes
    if options.export_dynamic_symbols:
        nodes.append(export_list(options.export_dynamic_symbols))
    if options.dynamic_list_globs:
        nodes.append(export_list(options.dynamic_list_globs, is_cplusplus=True))
    if nodes:
        dynamic_list = VersionScript(nodes)
    return ExportRules(versions, dynamic_list, options.dynamic_list_data)


def read_text(path: str) -> str:
    """Return the text of a script."""
    return bytes(load_file(path)).decode("utf-8", "surrogateescape")


def assign_versions(
    symbols: SymbolTable, rules: ExportRules, options: LinkOptions
) -> list[Diagnostic]:
    """Give every definition its version, and make local what a script or `--exclude-libs` hides.

    Return an error for each `.symver` that names a version which the script lacks.
    """
    errors: list[Diagnostic] = []
    excluded = excluded_libraries(options)
    known = {node.name: node for node in rules.version_nodes}
    for resolved in symbols.resolved.values():
        if resolved.rank <= Rank.SHARED or resolved.boundary:
            continue
        owner = resolved.file
        if excluded and isinstance(owner, LinkedObject) and owner.archive:
            library = os.path.basename(owner.archive)
            resolved.is_local = ALL_LIBRARIES in excluded or library in excluded
        if resolved.version:
            node = known.get(resolved.version)
            if node is not None and rules.versions is not None:
                node.is_used = True
                resolved.is_local |= rules.versions.hides(node, resolved.name.partition("@")[0])
            elif options.is_shared:
                errors.append(unknown_version_error(resolved))
        elif rules.versions is not None and not resolved.is_local:
            found = rules.versions.find(resolved.name)
            if found is not None:
                listed, resolved.is_local = found
                resolved.version = "" if resolved.is_local else listed.name
    return errors


def excluded_libraries(options: LinkOptions) -> set[str]:
    """Return the file names of `--exclude-libs`, which separates them with commas or colons."""
    names = {name for text in options.exclude_libs for name in text.replace(":", ",").split(",")}
    return names | {f"{name}.a" for name in names}


def unknown_version_error(resolved: Resolved) -> Diagnostic:
    """Return the error for a symbol of a version that no script defines."""
    name = resolved.name.partition("@")[0]
    sign = "@" if resolved.is_hidden_version else "@@"
    notes = [f">>> define {resolved.version} in the version script (--version-script)"]
    if isinstance(resolved.file, LinkedObject):
        notes.insert(0, f">>> defined in {resolved.file.name}")
    text = f"version node not found for symbol {name}{sign}{resolved.version}"
    return Diagnostic(text, notes=tuple(notes))


def may_be_interposed(resolved: Resolved, rules: ExportRules, options: LinkOptions) -> bool:
    """Tell whether another file's definition may take the place of the output's own."""
    if not options.is_shared or resolved.is_local:
        return False
    if resolved.binding == STB.GNU_UNIQUE:
        return True
    if rules.dynamic_list is not None or rules.lists_data:
        return is_listed(resolved, rules)
    if options.bsymbolic:
        return False
    is_function = resolved.type in (STT.FUNC, STT.GNU_IFUNC)
    return not (options.bsymbolic_functions and is_function)


def is_listed(resolved: Resolved, rules: ExportRules) -> bool:
    """Tell whether the dynamic list has the symbol."""
    if rules.lists_data and resolved.type in (STT.OBJECT, STT.COMMON):
        return True
    found = rules.dynamic_list.find(resolved.name) if rules.dynamic_list is not None else None
    return found is not None and not found[1]


def export_edges(
    edges: Sequence[Resolved], symbols: SymbolTable, rules: ExportRules, options: LinkOptions
) -> None:
    """Mark the linker's own symbols that other files see, by the rules for all others."""
    for edge in edges:
        found = rules.versions.find(edge.name) if rules.versions is not None else None
        if found is not None:
            edge.is_local = found[1]
            edge.version = "" if edge.is_local else found[0].name
    mark_exports(edges, symbols, rules, options)


def mark_exports(
    candidates: Iterable[Resolved], symbols: SymbolTable, rules: ExportRules, options: LinkOptions
) -> None:
    """Mark the definitions that other files see.

    A shared object's are all that are not hidden; an executable's those that its libraries refer
    to or define too, so that theirs are interposed, those of a dynamic list, or all with
    `--export-dynamic`.
    """
    is_open = options.is_shared or options.export_dynamic
    wanted: set[str] = set()
    if not is_open:
        for shared in symbols.shared:
            wanted.update(shared.file.undefined())
    for resolved in candidates:
        if resolved.rank <= Rank.SHARED or resolved.is_hidden:
            continue
        resolved.is_exported = (
            is_open
            or resolved.name in wanted
            or is_listed(resolved, rules)
            or any(shared.find(resolved.name, "") for shared in symbols.shared)
        )


def own_name(options: LinkOptions) -> str:
    """Return the name that the output's base version carries."""
    return options.soname or os.path.basename(options.output)


class DefinedSymbol(NamedTuple):
    """A `--defsym`: the symbol whose address is taken (empty for a number), and what is added."""

    name: str
    base: str
    offset: int


def parse_defsym(text: str) -> DefinedSymbol:
    """Read `NAME=EXPRESSION`, of numbers and at most one symbol with `+` and `-` between."""
    import re  # few links define symbols

    name, equals, expression = text.partition("=")
    terms = re.findall(r"\s*([+-]?)\s*([\w.$@]+)\s*", expression)
    joined = "".join(sign + term for sign, term in terms)
    if not (name.strip() and equals and terms and joined == re.sub(r"\s", "", expression)):
        raise PyldsoError(f"--defsym={text}: use NAME=SYMBOL, NAME=NUMBER or NAME=SYMBOL+NUMBER")
    base, offset = "", 0
    for sign, term in terms:
        if term[0].isdigit():
            try:
                offset += int(term, 0) * (-1 if sign == "-" else 1)
            except ValueError:
                raise PyldsoError(f"--defsym={text}: {term} is not a number") from None
        elif base or sign == "-":
            raise PyldsoError(f"--defsym={text}: only one symbol, and no difference of two")
        else:
            base = term
    return DefinedSymbol(name.strip(), base, offset)
