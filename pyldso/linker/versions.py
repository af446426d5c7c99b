"""The version tables: what is needed of others, what is defined, and each symbol's (LSB 2.7)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from pyldso.elf.constants import SHF, SHT, VER_FLG_BASE, VER_FLG_WEAK, VERSYM_HIDDEN
from pyldso.elf.dynamic import sysv_hash
from pyldso.elf.records import VERDAUX, VERDEF, VERNAUX, VERNEED
from pyldso.linker.chunk import Chunk, StringTable, encoded
from pyldso.linker.dynsym import Dynsym
from pyldso.linker.inputs import LinkedShared
from pyldso.linker.symbols import Rank, Resolved
from pyldso.linker.version_script import VersionNode

HALF = Struct("<H")
VER_NDX_BASE = 1
"""The file itself, and what has no version."""


class VersionPlan(NamedTuple):
    """The versions that the output defines, and the name of the file as a whole."""

    base: str
    nodes: list[VersionNode]


class VersionDefinitions(Chunk):
    """.gnu.version_d: the file's own name, then each version with those that it inherits."""

    __slots__ = ("_rows", "numbers", "strings")

    def __init__(self, plan: VersionPlan, strings: StringTable) -> None:
        super().__init__(".gnu.version_d", SHT.GNU_VERDEF, SHF.ALLOC, 8)
        self.link = strings
        self.strings = strings
        self.numbers: dict[str, int] = {}
        self._rows: list[tuple[int, list[str]]] = []
        """Flags, and the names: the version's own and its parents'."""
        if not plan.nodes:
            return
        self._rows.append((int(VER_FLG_BASE), [plan.base]))
        for number, node in enumerate(plan.nodes, VER_NDX_BASE + 1):
            self.numbers[node.name] = number
            is_empty = not (node.exported.patterns or node.local.patterns or node.is_used)
            self._rows.append((int(VER_FLG_WEAK) if is_empty else 0, [node.name, *node.parents]))
        for _, names in self._rows:
            self.size += VERDEF.size + len(names) * VERDAUX.size
            for name in names:
                strings.add(name)
        self.info = len(self._rows)

    @property
    def next_number(self) -> int:
        """The first number that is free for the versions of others."""
        return VER_NDX_BASE + 1 + len(self.numbers)

    def write(self, buffer: memoryview) -> None:
        """Write an Elf64_Verdef for each version, followed by its Elf64_Verdaux."""
        at = 0
        for number, (flags, names) in enumerate(self._rows, VER_NDX_BASE):
            size = VERDEF.size + len(names) * VERDAUX.size
            following = size if number < len(self._rows) else 0
            name_hash = sysv_hash(encoded(names[0]))
            VERDEF.pack_into(
                buffer, at, 1, flags, number, len(names), name_hash, VERDEF.size, following
            )
            for index, name in enumerate(names, 1):
                step = VERDAUX.size if index < len(names) else 0
                place = at + VERDEF.size + (index - 1) * VERDAUX.size
                VERDAUX.pack_into(buffer, place, self.strings.add(name), step)
            at += size


class VersionNeeds(Chunk):
    """.gnu.version_r: of each library the versions that the symbols were bound to."""

    __slots__ = ("_next", "numbers", "strings")

    def __init__(self, symbols: list[Resolved], strings: StringTable, first: int) -> None:
        super().__init__(".gnu.version_r", SHT.GNU_VERNEED, SHF.ALLOC, 8)
        self.link = strings
        self.strings = strings
        self.numbers: dict[str, dict[str, int]] = {}
        """By file and version the number that stands in DT_VERSYM."""
        self._next = first
        for target in symbols:
            if target.rank != Rank.SHARED or not target.version:
                continue
            if isinstance(target.file, LinkedShared):
                self._add(target.file.needed_name, target.version)

    def _add(self, file: str, version: str) -> None:
        versions = self.numbers.setdefault(file, {})
        if version not in versions:
            versions[version] = self._next
            self._next += 1

    def require(self, version: str, libraries: list[LinkedShared]) -> None:
        """Need a version, which has no symbols, of the libraries that define it."""
        for shared in libraries:
            if version in shared.file.versions and shared.needed_name in self.numbers:
                self._add(shared.needed_name, version)

    def finish(self) -> None:
        """Fix the size."""
        strings = self.strings
        for file, versions in self.numbers.items():
            for name in (file, *versions):
                strings.add(name)
        total = sum(map(len, self.numbers.values()))
        self.size = len(self.numbers) * VERNEED.size + total * VERNAUX.size
        self.info = len(self.numbers)

    def number_of(self, target: Resolved) -> int:
        """Return the DT_VERSYM entry of a symbol; 1 for one without version."""
        if target.rank == Rank.SHARED and target.version and isinstance(target.file, LinkedShared):
            return self.numbers[target.file.needed_name][target.version]
        return VER_NDX_BASE

    def write(self, buffer: memoryview) -> None:
        """Write an Elf64_Verneed for each file, followed by its Elf64_Vernaux."""
        at = 0
        for position, (file, versions) in enumerate(self.numbers.items(), 1):
            size = VERNEED.size + len(versions) * VERNAUX.size
            following = size if position < len(self.numbers) else 0
            name = self.strings.add(file)
            VERNEED.pack_into(buffer, at, 1, len(versions), name, VERNEED.size, following)
            aux = at + VERNEED.size
            for index, (version, number) in enumerate(versions.items(), 1):
                step = VERNAUX.size if index < len(versions) else 0
                text = self.strings.add(version)
                VERNAUX.pack_into(buffer, aux, sysv_hash(encoded(version)), 0, number, text, step)
                aux += VERNAUX.size
            at += size


class Versym(Chunk):
    """.gnu.version: the version number of each dynamic symbol."""

    __slots__ = ("_definitions", "_dynsym", "_needs")

    def __init__(
        self, dynsym: Dynsym, needs: VersionNeeds, definitions: VersionDefinitions
    ) -> None:
        super().__init__(".gnu.version", SHT.GNU_VERSYM, SHF.ALLOC, 2, 2)
        self._dynsym = dynsym
        self._needs = needs
        self._definitions = definitions
        self.link = dynsym
        self.size = HALF.size * (len(dynsym.symbols) + 1)

    def write(self, buffer: memoryview) -> None:
        """Write the numbers; 0 for the null symbol."""
        for target in self._dynsym.symbols:
            HALF.pack_into(buffer, HALF.size * target.dynamic_index, self._number_of(target))

    def _number_of(self, target: Resolved) -> int:
        if target.rank <= Rank.SHARED:
            return self._needs.number_of(target)
        number = self._definitions.numbers.get(target.version, VER_NDX_BASE)
        return number | VERSYM_HIDDEN if target.is_hidden_version else number
