"""What the dynamic linker does, as events; trace/ld_debug.py words them as LD_DEBUG does."""

from __future__ import annotations

from pyldso.events import Event, Topic


class LibraryNeeded(Event, topic=Topic.FILES):
    """A file is needed by another, or `is_dlopen`ed by it."""

    name: str
    namespace: int
    by: str
    by_namespace: int
    is_dlopen: bool


class LinkMapMade(Event, topic=Topic.FILES):
    """A file has been mapped: where, and how large."""

    name: str
    namespace: int
    dynamic: int
    base: int
    size: int
    entry: int
    phdr: int
    phnum: int


class SearchBegun(Event, topic=Topic.LIBS):
    """A name without a slash is looked for."""

    name: str
    namespace: int


class SearchPath(Event, topic=Topic.LIBS):
    """The folders of one source (`RUNPATH from file ./prog`) are tried."""

    directories: tuple[str, ...]
    source: str


class CacheSearched(Event, topic=Topic.LIBS):
    """The cache of ldconfig(8) is asked."""

    path: str


class PathTried(Event, topic=Topic.LIBS):
    """A file is tried as the library."""

    path: str


class SearchEnded(Event, topic=Topic.LIBS):
    """The search is over; `path` is empty where nothing was found."""

    name: str
    path: str


class VersionChecked(Event, topic=Topic.VERSIONS):
    """A version that `by` needs is looked for in `file`."""

    version: str
    file: str
    by: str
    namespace: int


class ScopeBuilt(Event, topic=Topic.SCOPES):
    """The scopes in which the references of `name` are looked up, each a tuple of files.

    They are those from number `first` on.
    """

    name: str
    namespace: int
    first: int
    scopes: tuple[tuple[str, ...], ...]


class ScopesListed(Event, topic=Topic.SCOPES):
    """The list of scopes begins."""


class SymbolLookedUp(Event, topic=Topic.SYMBOLS):
    """The symbol is looked for in one file of the scope."""

    name: str
    file: str
    namespace: int


class SymbolBound(Event, topic=Topic.BINDINGS):
    """A reference of `file` is bound to a definition in `to`."""

    file: str
    to: str
    namespace: int
    symbol: str
    version: str
    is_protected: bool


class LookupFailed(Event, topic=Topic.CALLS | Topic.SCOPES):
    """A lookup failed; where `is_fatal` is false, the linker goes on."""

    file: str
    occasion: str
    message: str
    is_fatal: bool


class RelocationBegun(Event, topic=Topic.RELOC):
    """The relocations of a file are processed."""

    name: str
    is_lazy: bool


class InitCalled(Event, topic=Topic.CALLS):
    """The initialisers of a library run."""

    name: str


class ProgramInitialised(Event, topic=Topic.CALLS):
    """The program's own pre-initialisers run."""

    name: str


class ControlTransferred(Event, topic=Topic.CALLS):
    """The program's entry point is about to run."""

    name: str


class FiniCalled(Event, topic=Topic.CALLS):
    """The finalisers of a file run."""

    name: str
    namespace: int


class FileOpened(Event, topic=Topic.FILES):
    """A dlopen handle is given out."""

    name: str
    namespace: int
    direct_opencount: int


class FileClosed(Event, topic=Topic.FILES):
    """A dlopen handle is given back."""

    name: str
    direct_opencount: int


class LinkMapDestroyed(Event, topic=Topic.FILES):
    """A file is unmapped."""

    name: str
    namespace: int


class LoaderStatistics(Event, topic=Topic.STATISTICS):
    """Times in nanoseconds and counts of relocations, at start-up and (`is_final`) at the end."""

    is_final: bool
    startup_time: int
    relocation_time: int
    load_time: int
    relocations: int
    cached_relocations: int
    relative_relocations: int


class DependencyNoted(Event, topic=Topic.FILES):
    """A file uses another that it does not need by name, and which stays loaded with it."""

    name: str
    by: str
    namespace: int


class KeptLoaded(Event, topic=Topic.FILES):
    """A file will never be unloaded: by its own flag, or (`is_asked`) by that of dlopen."""

    name: str
    namespace: int
    is_asked: bool


class MadeGlobal(Event, topic=Topic.SCOPES):
    """A file joins the global scope."""

    name: str
    namespace: int
