"""What a name that nothing defines was probably meant to be; imported only where one is missing."""

from __future__ import annotations

from collections.abc import Iterator

from pyldso.elf.object import ObjectFile
from pyldso.errors import PyldsoError
from pyldso.linker.demangle import MANGLED, Demangle
from pyldso.linker.inputs import InputReader, LinkedShared
from pyldso.linker.options import Library, LinkOptions
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.symbols import LinkedObject, Rank
from pyldso.spelling import similar

LIBRARIES = ("m", "stdc++", "pthread", "dl", "rt", "z", "crypt", "util", "ncurses", "tinfo")
"""What programs forget to name, by its `-l`."""
VTABLE = "_ZTV"
CUTOFF = 0.75


class Hints:
    """What the files of a failed link, and the libraries that were not named, define."""

    __slots__ = ("_demangle", "_libraries", "_names", "_options", "_symbols")

    def __init__(self, symbols: SymbolTable, options: LinkOptions, demangle: Demangle) -> None:
        self._symbols = symbols
        self._options = options
        self._demangle = demangle
        self._names = known_names(symbols)
        self._libraries: dict[str, LinkedShared] | None = None

    def notes(self, name: str) -> list[str]:
        """Return the notes on an undefined name: a likely other one, a library, a reason."""
        plain = name.partition("@")[0]
        found = self._versions(name) or self._language(plain) or self._library(plain)
        if not found:
            guess = similar(plain, self._names, CUTOFF)
            if guess and self._are_alike(plain, guess):
                found = self._meant(self._demangle(guess), guess)
        if name.startswith(VTABLE):
            found.append(">>> the vtable is where the class's first virtual function is defined "
                         "that is neither inline nor pure; it may be missing")  # fmt: skip
        return found

    def _are_alike(self, name: str, guess: str) -> bool:
        """Tell whether C++ functions are alike without their parameters, which say little."""
        if not (name.startswith(MANGLED) and guess.startswith(MANGLED)):
            return True
        function, other = (self._demangle(one).partition("(")[0] for one in (name, guess))
        return function == other or bool(similar(function, [other], CUTOFF))

    def _meant(self, shown: str, name: str) -> list[str]:
        return [f">>> did you mean: {shown}", f">>> defined in: {self._names[name]}"]

    def _versions(self, name: str) -> list[str]:
        """Return a note where other versions of the name are defined than the one asked for."""
        plain, at, _ = name.partition("@")
        if not at:
            return []
        return [
            f">>> {shared.name} defines {plain}{'@@' if export.is_default else '@'}{export.version}"
            for shared in self._symbols.shared
            for export in shared.file.exports()
            if export.name == plain and export.version
        ]

    def _language(self, name: str) -> list[str]:
        """Return a note where one side is C and the other C++."""
        if name.startswith(MANGLED):
            plain = self._demangle(name).partition("(")[0]
            return self._meant(f'extern "C" {plain}', plain) if plain in self._names else []
        for other, file in self._names.items():
            if other.startswith(MANGLED) and name in other:
                shown = self._demangle(other)
                if shown.partition("(")[0] == name:
                    return [f'>>> did you mean to declare {shown} as extern "C"?',
                            f">>> defined in: {file}"]  # fmt: skip
        return []

    def _library(self, name: str) -> list[str]:
        """Return a note where a library defines the name that is not part of the link."""
        if self._libraries is None:
            self._libraries = dict(self._forgotten())
        for library, shared in self._libraries.items():
            if shared.file.defines(name):
                by_driver = ", or link with g++" if library == "stdc++" else ""
                return [f">>> {shared.needed_name} defines it: add -l{library}{by_driver}"]
        return []

    def _forgotten(self) -> Iterator[tuple[str, LinkedShared]]:
        """Yield the well-known libraries that this machine has and the link does not name."""
        known = {shared.needed_name for shared in self._symbols.shared}
        reader = InputReader(self._options._replace(is_static=False), no_source)
        for name in LIBRARIES:
            try:
                items = reader.read(Library(name))
            except PyldsoError:
                continue  # it is not there
            for item in items:
                if isinstance(item, LinkedShared) and item.needed_name not in known:
                    yield name, item
                    break


def no_source(path: str) -> ObjectFile:
    """Refuse to assemble: no library is a source."""
    raise PyldsoError(f"{path}: a source is no library")


def known_names(symbols: SymbolTable) -> dict[str, str]:
    """Return all defined names, each with its file; an object's before a library's."""
    names: dict[str, str] = {}
    for resolved in symbols.resolved.values():
        if resolved.rank > Rank.SHARED and isinstance(resolved.file, LinkedObject):
            names[resolved.name] = resolved.file.name
    for shared in symbols.shared:
        for export in shared.file.exports():
            names.setdefault(export.name, shared.name)
    return names
