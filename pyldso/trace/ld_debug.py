"""LD_DEBUG's text: the dynamic linker's events as glibc words them, each line behind the pid."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyldso.events import Event, Topic
from pyldso.ldso import events as ld

WORDS: dict[str, tuple[int, str]] = {
    "libs": (Topic.LIBS | Topic.CALLS, "display library search paths"),
    "reloc": (Topic.RELOC | Topic.CALLS, "display relocation processing"),
    "files": (Topic.FILES | Topic.CALLS, "display progress for input file"),
    "symbols": (Topic.SYMBOLS | Topic.CALLS, "display symbol table processing"),
    "bindings": (Topic.BINDINGS | Topic.CALLS, "display information about symbol binding"),
    "versions": (Topic.VERSIONS | Topic.CALLS, "display version dependencies"),
    "scopes": (Topic.SCOPES, "display scope information"),
    "statistics": (Topic.STATISTICS, "display relocation statistics"),
    "unused": (Topic.UNUSED, "determined unused DSOs"),
}
ALL = (
    Topic.LIBS
    | Topic.RELOC
    | Topic.FILES
    | Topic.SYMBOLS
    | Topic.BINDINGS
    | Topic.VERSIONS
    | Topic.SCOPES
    | Topic.CALLS
)
"""What `all` stands for: all words but statistics and unused, as in glibc."""
HELP = "help"


def parse_words(text: str) -> tuple[int, list[str]]:
    """Return the topics that LD_DEBUG's `text` names and the words that it does not know."""
    topics = 0
    unknown: list[str] = []
    for word in text.replace(",", " ").replace(":", " ").split():
        if word == "all":
            topics |= ALL
        elif word in WORDS:
            topics |= WORDS[word][0]
        elif word != HELP:
            unknown.append(word)
    return topics, unknown


def help_text() -> str:
    """Return what LD_DEBUG=help prints."""
    lines = ["Valid options for the LD_DEBUG environment variable are:", ""]
    ordered = [*list(WORDS)[:7], "all", *list(WORDS)[7:], HELP]
    described = {word: description for word, (_, description) in WORDS.items()}
    described["all"] = "all previous options combined"
    described[HELP] = "display this help message and exit"
    lines += [f"  {word:<10}  {described[word]}" for word in ordered]
    lines += [
        "",
        "To direct the debugging output into a file instead of standard output",
        "a filename can be specified using the LD_DEBUG_OUTPUT environment variable.",
    ]
    return "\n".join(lines) + "\n"


class LdDebugPrinter:
    """A subscriber that writes events as LD_DEBUG's lines."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __call__(self, event: Event) -> None:
        """Write `event`; events that LD_DEBUG has no words for are passed over."""
        wording = _WORDINGS.get(type(event))
        if wording is not None:
            text = wording(event)
            prefix = f"{os.getpid():>10}:\t"  # another in the child of a fork
            self._write("".join(f"{prefix}{line}\n" for line in text.split("\n")))


def _search_path(event: Any) -> str:
    return f" search path={':'.join(event.directories)}\t\t({event.source})"


def _library_needed(event: Any) -> str:
    how = "dynamically loaded by" if event.is_dlopen else "needed by"
    return f"\nfile={event.name} [{event.namespace}];  {how} {event.by} [{event.by_namespace}]"


def _link_map_made(event: Any) -> str:
    return (
        f"file={event.name} [{event.namespace}];  generating link map\n"
        f"  dynamic: {event.dynamic:#018x}  base: {event.base:#018x}   size: {event.size:#018x}\n"
        f"    entry: {event.entry:#018x}  phdr: {event.phdr:#018x}  phnum: {event.phnum:>18}\n"
    )


def _version_checked(event: Any) -> str:
    return (
        f"checking for version `{event.version}' in file {event.file} [{event.namespace}] "
        f"required by file {event.by} [{event.namespace}]"
    )


def _scope_built(event: Any) -> str:
    lines = [f"object={event.name} [{event.namespace}]"]
    for number, scope in enumerate(event.scopes, event.first):
        lines.append(f" scope {number}: {' '.join(scope)}")
    if not event.scopes:
        lines.append(" no scope")
    return "\n".join([*lines, ""])


def _symbol_bound(event: Any) -> str:
    kind = "protected" if event.is_protected else "normal"
    version = f" [{event.version}]" if event.version else ""
    return (
        f"binding file {event.file} [{event.namespace}] to {event.to} [{event.namespace}]:"
        f" {kind} symbol `{event.symbol}'{version}"
    )


def _relocation_begun(event: Any) -> str:
    return f"\nrelocation processing: {event.name}{' (lazy)' if event.is_lazy else ''}"


def _lookup_failed(event: Any) -> str:
    how = "fatal" if event.is_fatal else "continued"
    return f"{event.file}: error: {event.occasion}: {event.message} ({how})"


def _percent(part: int, whole: int) -> str:
    tenths = part * 1000 // whole if whole else 0
    return f"{tenths // 10}.{tenths % 10}%"


def _statistics(event: Any) -> str:
    if event.is_final:
        return (
            "\nruntime linker statistics:\n"
            f"           final number of relocations: {event.relocations}\n"
            f"final number of relocations from cache: {event.cached_relocations}"
        )
    startup, relocation, load = event.startup_time, event.relocation_time, event.load_time
    return (
        "\nruntime linker statistics:\n"
        f"  total startup time in dynamic loader: {startup} ns\n"
        f"            time needed for relocation: {relocation} ns"
        f" ({_percent(relocation, startup)})\n"
        f"                 number of relocations: {event.relocations}\n"
        f"      number of relocations from cache: {event.cached_relocations}\n"
        f"        number of relative relocations: {event.relative_relocations}\n"
        f"           time needed to load objects: {load} ns ({_percent(load, startup)})"
    )


_WORDINGS: dict[type[Event], Callable[[Any], str]] = {
    ld.LibraryNeeded: _library_needed,
    ld.LinkMapMade: _link_map_made,
    ld.SearchBegun: lambda event: f"find library={event.name} [{event.namespace}]; searching",
    ld.SearchPath: _search_path,
    ld.CacheSearched: lambda event: f" search cache={event.path}",
    ld.PathTried: lambda event: f"  trying file={event.path}",
    ld.SearchEnded: lambda event: "",
    ld.VersionChecked: _version_checked,
    ld.ScopesListed: lambda event: "\nInitial object scopes",
    ld.ScopeBuilt: _scope_built,
    ld.SymbolLookedUp: lambda event: (
        f"symbol={event.name};  lookup in file={event.file} [{event.namespace}]"
    ),
    ld.SymbolBound: _symbol_bound,
    ld.LookupFailed: _lookup_failed,
    ld.RelocationBegun: _relocation_begun,
    ld.InitCalled: lambda event: f"\ncalling init: {event.name}\n",
    ld.ProgramInitialised: lambda event: f"\ninitialize program: {event.name}\n",
    ld.ControlTransferred: lambda event: f"\ntransferring control: {event.name}\n",
    ld.FiniCalled: lambda event: f"\ncalling fini: {event.name} [{event.namespace}]\n",
    ld.FileOpened: lambda event: (
        f"opening file={event.name} [{event.namespace}];"
        f" direct_opencount={event.direct_opencount}\n"
    ),
    ld.FileClosed: lambda event: (
        f"\nclosing file={event.name}; direct_opencount={event.direct_opencount}"
    ),
    ld.LinkMapDestroyed: lambda event: (
        f"\nfile={event.name} [{event.namespace}];  destroying link map"
    ),
    ld.LoaderStatistics: _statistics,
    ld.DependencyNoted: lambda event: (
        f"\nfile={event.name} [{event.namespace}];  needed by {event.by} [{event.namespace}]"
        " (relocation dependency)\n"
    ),
    ld.KeptLoaded: lambda event: (
        f"marking {event.name} [{event.namespace}] as NODELETE"
        if event.is_asked
        else f"activating NODELETE for {event.name} [{event.namespace}]"
    ),
    ld.MadeGlobal: lambda event: f"add {event.name} [{event.namespace}] to global scope",
}
