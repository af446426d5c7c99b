"""Version scripts and dynamic lists: text to nodes, and a symbol's name to its node.

The language is GNU ld's (its manual, 3.9, VERSION); which of several patterns wins is as in
bfd/linker.c, bfd_find_version_for_sym.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pyldso.errors import PyldsoError
from pyldso.linker.demangle import Demangle, demangler

TOKEN = re.compile(r'\s+|/\*.*?\*/|#[^\n]*|(?P<word>"[^"\n]*"|[{};]|[^\s{};"#]+)', re.S)
WILDCARDS = frozenset("*?[")
EVERYTHING = "*"


LONGEST_SHOWN = 300
"""A message repeats no more of a script than this."""


class Pattern(NamedTuple):
    """A name or, with wildcards, many; `is_cplusplus` compares demangled names."""

    text: str
    is_literal: bool
    is_cplusplus: bool


class Patterns:
    """The `global:` or `local:` part of a node."""

    __slots__ = ("_literals", "_wild", "is_everything", "patterns")

    def __init__(self) -> None:
        self.patterns: list[Pattern] = []
        self.is_everything = False
        self._literals: tuple[set[str], set[str]] = (set(), set())
        self._wild: list[tuple[re.Pattern[str], bool]] = []

    def add(self, pattern: Pattern) -> None:
        """Add one pattern."""
        from fnmatch import translate  # few links have a version script

        self.patterns.append(pattern)
        if pattern.is_literal:
            self._literals[pattern.is_cplusplus].add(pattern.text)
        elif pattern.text == EVERYTHING and not pattern.is_cplusplus:
            self.is_everything = True
        else:
            self._wild.append((re.compile(translate(pattern.text)), pattern.is_cplusplus))

    def has_literal(self, name: str, readable: str) -> bool:
        """Tell whether the name itself is listed."""
        return name in self._literals[0] or readable in self._literals[1]

    def has_wild(self, name: str, readable: str) -> bool:
        """Tell whether a pattern other than a lone `*` matches."""
        return any(
            wild.match(readable if is_cplusplus else name) for wild, is_cplusplus in self._wild
        )

    def match(self, name: str, readable: str) -> bool:
        """Tell whether any pattern matches."""
        is_listed = self.is_everything or self.has_literal(name, readable)
        return is_listed or self.has_wild(name, readable)


class VersionNode:
    """A version: its name (empty for an anonymous one), its symbols, and what it inherits."""

    __slots__ = ("exported", "is_used", "local", "name", "parents")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_used = False
        """A `.symver` names it, though it may list nothing."""
        self.exported = Patterns()
        self.local = Patterns()
        self.parents: list[str] = []


class VersionScript:
    """The nodes of a script in their order."""

    __slots__ = ("_demangle", "nodes")

    def __init__(self, nodes: list[VersionNode]) -> None:
        self.nodes = nodes
        patterns = [p for node in nodes for part in (node.exported, node.local)
                    for p in part.patterns]  # fmt: skip
        uses_cplusplus = any(pattern.is_cplusplus for pattern in patterns)
        self._demangle: Demangle = demangler() if uses_cplusplus else str

    @property
    def names(self) -> list[str]:
        """The versions that the output defines."""
        return [node.name for node in self.nodes if node.name]

    def hides(self, node: VersionNode, name: str) -> bool:
        """Tell whether a node that a `.symver` names keeps the symbol inside (`local:`)."""
        readable = self._demangle(name)
        return node.local.match(name, readable) and not node.exported.match(name, readable)

    def find(self, name: str) -> tuple[VersionNode, bool] | None:
        """Return the node of a symbol and whether it is local there; None where none matches.

        A name wins over a pattern, a pattern over `*`, and global over local among equals.
        """
        readable = self._demangle(name)
        exported: VersionNode | None = None
        every_exported: VersionNode | None = None
        local: VersionNode | None = None
        every_local: VersionNode | None = None
        for node in self.nodes:
            if node.exported.has_literal(name, readable):
                return node, False
            if node.exported.has_wild(name, readable):
                exported = node
            if node.exported.is_everything:
                every_exported = node
            if node.local.has_literal(name, readable):
                return node, True
            if node.local.has_wild(name, readable):
                local = node
            if node.local.is_everything:
                every_local = node
        if exported is None and local is None:
            exported = every_exported
        if exported is not None:
            return exported, False
        local = local or every_local
        return (local, True) if local is not None else None


class Reader:
    """Reads the words of a script; errors name file and line."""

    __slots__ = ("_at", "_lines", "_path", "_words")

    def __init__(self, text: str, path: str) -> None:
        self._path = path
        self._words: list[str] = []
        self._lines: list[int] = []
        self._at = 0
        end = 0
        while end < len(text):
            found = TOKEN.match(text, end)
            line = text.count("\n", 0, end) + 1
            if found is None:
                raise PyldsoError(f"{path}:{line}: a quote or comment without end")
            end = found.end()
            if found["word"]:
                self._words.append(found["word"])
                self._lines.append(line)

    def fail(self, message: str) -> PyldsoError:
        """Return the error for what is wrong at the next word."""
        line = self._lines[min(self._at, len(self._lines) - 1)] if self._lines else 1
        shown = message if len(message) <= LONGEST_SHOWN else f"{message[:LONGEST_SHOWN]}..."
        return PyldsoError(f"{self._path}:{line}: {shown}")

    def peek(self) -> str:
        """Return the next word, empty at the end."""
        return self._words[self._at] if self._at < len(self._words) else ""

    def take(self) -> str:
        """Return the next word and go on."""
        word = self.peek()
        if not word:
            raise self.fail("the file ends inside a version or list")
        self._at += 1
        return word

    def expect(self, wanted: str) -> None:
        """Go over a word that must stand here."""
        word = self.peek()
        if word != wanted:
            raise self.fail(f"expected `{wanted}`, found {f'`{word}`' if word else 'the end'}")
        self._at += 1

    def takes(self, wanted: str) -> bool:
        """Go over a word if it stands here, and tell so."""
        if self.peek() != wanted:
            return False
        self._at += 1
        return True


def parse_version_script(text: str, path: str) -> VersionScript:
    """Return the nodes of a version script; raises PyldsoError with file and line."""
    reader = Reader(text, path)
    nodes: list[VersionNode] = []
    while reader.peek():
        name = "" if reader.peek() == "{" else reader.take()
        node = VersionNode(name)
        read_node(reader, node)
        while reader.peek() not in (";", ""):
            parent = reader.take()
            if parent not in [known.name for known in nodes]:
                raise reader.fail(f"the version {parent} that {name} inherits is not defined")
            node.parents.append(parent)
        reader.expect(";")
        if name in [known.name for known in nodes]:
            raise reader.fail(f"the version {name or '{ }'} is defined twice")
        nodes.append(node)
    if len(nodes) > 1 and "" in [node.name for node in nodes]:
        raise reader.fail("an anonymous version cannot stand beside others")
    if not nodes:
        raise reader.fail("the version script is empty")
    return VersionScript(nodes)


def parse_dynamic_list(text: str, path: str) -> VersionScript:
    """Return a dynamic list, `{ foo; bar*; };`, as one anonymous node."""
    script = parse_version_script(text, path)
    if script.names:
        raise PyldsoError(f"{path}: a dynamic list has no version names")
    return script


def export_list(globs: Iterable[str], *, is_cplusplus: bool = False) -> VersionNode:
    """Return a node that exports names and patterns (`--export-dynamic-symbol`)."""
    node = VersionNode("")
    for text in globs:
        node.exported.add(Pattern(text, not WILDCARDS & set(text), is_cplusplus=is_cplusplus))
    return node


def read_node(reader: Reader, node: VersionNode) -> None:
    """Read `{ global: ...; local: ...; }` into `node`."""
    reader.expect("{")
    part = node.exported
    while not reader.takes("}"):
        word = reader.take()
        if word in ("global:", "local:") or (word in ("global", "local") and reader.takes(":")):
            part = node.exported if word.startswith("global") else node.local
        elif word == "extern":
            read_extern(reader, part)
        else:
            part.add(pattern_of(word, is_cplusplus=False))
            if reader.peek() != "}":
                reader.expect(";")


def read_extern(reader: Reader, part: Patterns) -> None:
    """Read `extern "C++" { ...; };`."""
    language = reader.take()
    if language not in ('"C++"', '"C"'):
        raise reader.fail(f"extern {language}: the languages are C and C++")
    reader.expect("{")
    while not reader.takes("}"):
        part.add(pattern_of(reader.take(), is_cplusplus=language == '"C++"'))
        if reader.peek() != "}":
            reader.expect(";")
    reader.expect(";")


def pattern_of(word: str, *, is_cplusplus: bool) -> Pattern:
    """Return the pattern that a word is; in quotes it is a name, whatever it holds."""
    if word.startswith('"'):
        return Pattern(word[1:-1], is_literal=True, is_cplusplus=is_cplusplus)
    return Pattern(word, not WILDCARDS & set(word), is_cplusplus)
