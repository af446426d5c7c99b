"""Command lines as gcc, ld and ld.so spell them, parsed after a table of options.

One table for each command is all there is to say about its options: this parser reads the command
line by it, and the click front end (front.py) makes help, completion and usage errors of it. The
order of arguments is kept, because to a linker it matters. Spellings that are understood:

    -shared --shared            a long option takes one dash or two
    -o FILE -oFILE -lfoo -L.    one letter takes its value with or without a space
    -soname NAME --soname=NAME  a long option takes it with a space or after `=`
    --aslr --aslr=7             a value that may be left out follows `=`
    -O2 -Wall -fno-plt          prefixes, whose rest is the value
    -Wl,-z,now -Xlinker now     wrappings, which are opened before the parser looks
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple


class Option(NamedTuple):
    """One row of a command's table.

    Without `metavar` the option is a flag that stores `constant`. With one it takes a value, which
    for `is_optional` may be left out, and for `is_prefix` is always the rest of the same word.
    """

    names: tuple[str, ...]
    dest: str
    help: str
    group: str
    metavar: str = ""
    constant: bool = True
    is_optional: bool = False
    is_prefix: bool = False

    @property
    def takes_next_word(self) -> bool:
        """Tell whether the value may stand as a word of its own."""
        return bool(self.metavar) and not self.is_optional and not self.is_prefix


class Command(NamedTuple):
    """A command: what help says of it, its options, and the function that carries it out."""

    name: str
    synopsis: str
    summary: str
    description: str
    examples: str
    options: tuple[Option, ...]
    execute: Callable[[Arguments], int]
    ends_options_at_operand: bool = False
    is_compiler_driver: bool = False


class UsageError(Exception):
    """A command line that is not understood; `unknown_option` is set where that is why."""

    def __init__(self, message: str, unknown_option: str = "") -> None:
        super().__init__(message)
        self.unknown_option = unknown_option


class Arguments:
    """What a command line says, in its order: (dest, value), with dest "" for operands."""

    __slots__ = ("items",)

    def __init__(self, items: list[tuple[str, str | bool]]) -> None:
        self.items = items

    def operands(self) -> list[str]:
        """Return the arguments that are no options."""
        return self.all("")

    def all(self, dest: str) -> list[str]:
        """Return every value of an option, in order."""
        return [str(value) for name, value in self.items if name == dest]

    def last(self, dest: str) -> str | None:
        """Return the value that stands last, or None where the option is not given."""
        values = self.all(dest)
        return values[-1] if values else None

    def flag(self, dest: str, default: bool = False) -> bool:
        """Return what the last flag of `dest` stored, so that `-pie -no-pie` means the second."""
        stored = [bool(value) for name, value in self.items if name == dest]
        return stored[-1] if stored else default


HELP = Option(("--help",), "help", "Show this message and exit.", "Other")


def parse_arguments(command: Command, argv: Sequence[str]) -> Arguments:
    """Read `argv` by the table of `command`.

    Raises UsageError for what the table does not know.
    """
    parser = _Parser((*command.options, HELP))
    words = iter(argv)
    if command.is_compiler_driver:
        words = _open_wrappings(expand_response_files(argv))
    for word in words:
        if word == "--":
            parser.items.extend(("", operand) for operand in words)
        elif word.startswith("-") and word != "-":
            parser.read_option(word, words)
        else:
            parser.items.append(("", word))
            if command.ends_options_at_operand:
                parser.items.extend(("", operand) for operand in words)
    return Arguments(parser.items)


RESPONSE_DEPTH = 16
"""How deep response files may name others, so that one which names itself comes to an end."""


def expand_response_files(argv: Iterable[str], depth: int = 0) -> Iterator[str]:
    """Yield the words of `argv`, for `@FILE` those in FILE; where there is none, `@FILE` itself.

    Words in a file stand apart by white space, with quotes and backslashes as in a shell.
    """
    for word in argv:
        if not word.startswith("@"):
            yield word
            continue
        try:
            with open(word[1:], encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except OSError:
            yield word
            continue
        import shlex  # few command lines name a file of words

        if depth == RESPONSE_DEPTH:
            raise UsageError(f"{word}: response files name each other without end")
        try:
            words = shlex.split(text)
        except ValueError:
            raise UsageError(f"{word}: a quote has no end") from None
        yield from expand_response_files(words, depth + 1)


def _open_wrappings(argv: Iterable[str]) -> Iterator[str]:
    """Yield the words of `argv` with -Wl,a,b and -Xlinker a opened into their contents."""
    words = iter(argv)
    for word in words:
        if word.startswith("-Wl,"):
            yield from word.split(",")[1:]
        elif word == "-Xlinker":
            linker_word = next(words, None)
            if linker_word is None:
                raise UsageError("option '-Xlinker' requires an argument")
            yield linker_word
        else:
            yield word


class _Parser:
    """Reads options one after the other into `items`."""

    def __init__(self, options: Sequence[Option]) -> None:
        self.by_name = {name: option for option in options for name in option.names}
        self.prefixes = tuple(
            (name, option) for option in options if option.is_prefix for name in option.names
        )
        self.items: list[tuple[str, str | bool]] = []

    def read_option(self, word: str, following: Iterator[str]) -> None:
        """Store the option that `word` begins, with its value, which may be the next word."""
        option = self._named(word)
        if option is not None:
            self._store_with_next_word(option, word, following)
            return
        name, equals, value = word.partition("=")
        option = self._named(name)
        if option is not None and equals:
            if not option.metavar:
                raise UsageError(f"option '{name}' does not take a value")
            self.items.append((option.dest, value))
            return
        letter = self.by_name.get(word[:2])
        if letter is not None and letter.takes_next_word:
            self.items.append((letter.dest, word[2:]))
            return
        for prefix, option in self.prefixes:
            if word.startswith(prefix):
                self.items.append((option.dest, word))
                return
        raise UsageError(f"no such option: {name}", name)

    def _named(self, word: str) -> Option | None:
        """Return the option of that very name; a long one may have one dash or two.

        A single dash before `o` is always `-o FILE`, as in GNU ld.
        """
        option = self.by_name.get(word)
        if option is None and len(word) > 2 and word[1] not in "-o":
            option = self.by_name.get("-" + word)
        if option is None and word.startswith("--") and len(word) > 3:
            option = self.by_name.get(word[1:])
        return option

    def _store_with_next_word(self, option: Option, word: str, following: Iterator[str]) -> None:
        if option.takes_next_word:
            value = next(following, None)
            if value is None:
                raise UsageError(f"option '{word}' requires an argument")
            self.items.append((option.dest, value))
        elif option.is_prefix:
            self.items.append((option.dest, word))
        else:
            self.items.append((option.dest, "" if option.metavar else option.constant))
