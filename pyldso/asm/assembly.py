"""The state of one assembly: symbols, sections, where items go now, and what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from pyldso.asm.cfi_records import CfiRecords
from pyldso.asm.encoder import ATT
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, Operation, absolute, leaves, parse
from pyldso.asm.fragments import Align, Item, place_labels
from pyldso.asm.line_table import DebugOptions, LineRow, LineTable
from pyldso.asm.section_names import default_attributes
from pyldso.asm.source_map import Source, SourceMap
from pyldso.asm.symbols import AsmSection, AsmSymbol, Spot, Stream, is_local_label
from pyldso.elf.constants import SHF, STB, STT
from pyldso.errors import Diagnostic, Location

if TYPE_CHECKING:
    from pyldso.asm.macros import Macro

_MOST_ERRORS = 100
_MOST_WARNINGS = 1000
_LONGEST_MESSAGE = 300
_ANONYMOUS = ".L\x01"
_DEEPEST_EXPANSION = 100


class SymbolOptions(NamedTuple):
    """Which symbols the table has besides, or has not, and how common ones are marked."""

    keeps_labels: bool = False
    drops_numbers: bool = False
    has_common_type: bool = False


class AsmOptions(NamedTuple):
    """What the command line says: `-I` folders, `--defsym` values, and who takes the listing.

    `keeps_lines` lets the object tell which line made what, for the messages of a link.
    """

    include_path: tuple[str, ...] = ()
    define_symbols: tuple[tuple[str, int], ...] = ()
    listing: Callable[[str], None] | None = None
    keeps_lines: bool = True
    debug: DebugOptions = DebugOptions()
    symbols: SymbolOptions = SymbolOptions()
    relaxes: bool = True
    """Loads through the GOT are marked as such that a linker may turn to direct ones."""
    listing_kinds: str = "ln"
    """The letters of `-a`: what the listing has."""
    print: Callable[[str], None] | None = None
    """Takes what the source wants to be printed."""
    compresses: bool = False
    """Debugging sections that get smaller by it are packed."""


class TooManyErrorsError(Exception):
    """The source is so wrong that reading on helps nobody."""


class Assembly:
    """What the directives act on; it is the Scope of every expression."""

    def __init__(self, path: str, options: AsmOptions) -> None:
        self.path = path
        self.options = options
        self.source_map = SourceMap()
        self.sources: list[Source] = []
        self.place = 0
        self._diagnostics: list[tuple[int, Diagnostic]] = []
        self.error_count = self.warning_count = 0

        self.symbols: dict[str, AsmSymbol] = {}
        self.ordered_symbols: list[AsmSymbol] = []
        """In the order in which gas puts them into the symbol table."""
        self.namesakes: list[AsmSymbol] = []
        """Of sections whose name another section had before; they follow those in order."""
        self.file_name: str | None = None
        self.in_data = False
        """The operands of `.long` and its kin are read: gas lists no `.L` name for them."""
        self.is_first_mention = False
        """A `.L` name was just met for the first time; the next mention must not be skipped."""
        self.plain: bytes | None = None
        """All that a line of data gave, where the same line always gives the same."""
        self._local_labels: dict[int, list[AsmSymbol]] = {}
        self._forward_labels: dict[int, AsmSymbol] = {}

        self.sections: dict[tuple[str, str | None], AsmSection] = {}
        self.stream: Stream
        self.previous: tuple[Stream, int] | None = None
        self.subsection = 0
        self.section_stack: list[tuple[Stream, int, tuple[Stream, int] | None]] = []
        self.alignments: dict[Align, Align] = {}
        """One of each: compilers align every loop, and in few ways."""
        self.cfi = CfiRecords()
        self.line_table = LineTable(options.debug) if options.debug.generates else None
        self.encode_pending: Callable[[], None] = lambda: None
        """Encodes the instructions read so far; set by the assembler."""
        self.conditions: list[int] = []
        """Places of the `.if`s that are open."""
        self.macros: dict[str, Macro] = {}
        self.macro_count = 0
        self.local_names = 0
        self.has_alternate_macros = False
        self.expanded_lines = self.expansions = 0
        self.syntax = ATT
        self.volatile_equates = False
        """What a line means has changed: lines remembered before may not be used again."""
        for name in (".text", ".data", ".bss"):
            sh_type, flags = default_attributes(name)
            self.create_section(name, None, sh_type, flags)
        self.stream = self.sections[".text", None].stream()

    # Symbols

    def lookup(self, name: str, *, quietly: bool = False) -> AsmSymbol:
        """Return the symbol called `name`, which takes its turn in the symbol table.

        A `.L` name takes its turn when it is used and known already, as in gas, where it is no
        full symbol before (gas/symbols.c, local_symbol_convert).
        """
        symbol = self.symbols.get(name)
        if symbol is None:
            symbol = self.symbols[name] = AsmSymbol(name)
            symbol.place = self.place
            if self._is_unlisted(name):
                self.is_first_mention = True
                return symbol
        if not symbol.is_listed and not (quietly or (self.in_data and self._is_unlisted(name))):
            symbol.is_listed = True
            self.ordered_symbols.append(symbol)
        return symbol

    def _is_unlisted(self, name: str) -> bool:
        """Tell whether a label has no turn in the symbol table before a relocation names it."""
        return is_local_label(name) and not self.options.symbols.keeps_labels

    def define_label(self, name: str) -> None:
        """Give a label the present place.

        Raises StatementError where it has one already.
        """
        if name[0].isdigit():
            if not name.isdecimal() or len(name) > 9:
                raise StatementError(f"bad label name `{name}'", name)
            self._define_local(int(name))
            return
        symbol = self.symbols.get(name)
        if symbol is None:
            symbol = self.symbols[name] = AsmSymbol(name)
        elif symbol.is_defined:
            where = self.source_map.locate(symbol.place)
            raise StatementError(
                f"symbol `{name}' is already defined", name, f"{where}: note: it is defined here"
            )
        if not symbol.is_listed and not self._is_unlisted(name):
            symbol.is_listed = True
            self.ordered_symbols.append(symbol)
        self.put_label(symbol)

    def put_label(self, symbol: AsmSymbol) -> None:
        """Let a symbol be a label at the present place."""
        symbol.section = self.stream.section
        symbol.place = self.place
        self.stream.add(symbol, self.place)

    def _define_local(self, number: int) -> None:
        symbol = self._forward_labels.pop(number, None) or AsmSymbol(f".L{number}\x02")
        self._local_labels.setdefault(number, []).append(symbol)
        self.put_label(symbol)

    def local_label(self, number: int, direction: str) -> AsmSymbol:
        """Return what `1b` or `1f` names at the present place."""
        if direction == "f":
            symbol = self._forward_labels.get(number)
            if symbol is None:
                symbol = self._forward_labels[number] = AsmSymbol(f".L{number}\x02")
                symbol.place = self.place
            return symbol
        defined = self._local_labels.get(number)
        if not defined:
            raise StatementError(f"no label `{number}:' stands before `{number}b'", f"{number}b")
        return defined[-1]

    def here(self) -> AsmSymbol:
        """Return a label at the present place: one that stands there, else a new one."""
        for item in reversed(self.stream.items):
            if not isinstance(item, Spot):
                break
            if isinstance(item, AsmSymbol) and item.name == _ANONYMOUS:
                return item
        symbol = AsmSymbol(_ANONYMOUS)
        symbol.is_listed = True
        symbol.section = self.stream.section
        self.stream.add(symbol, self.place)
        return symbol

    def spot(self) -> Spot:
        """Return the present place where it needs no name: one that stands there, else a new one.

        Call frames have one for nearly every instruction, and nothing else is asked of them.
        """
        for item in reversed(self.stream.items):
            if not isinstance(item, Spot):
                break
            if not isinstance(item, AsmSymbol) or item.name == _ANONYMOUS:
                return item
        spot = Spot(self.stream.section)
        self.stream.add(spot, self.place)
        return spot

    def equate(self, name: str, tree: Expression, *, once: bool = False) -> None:
        """Give a symbol the value of an expression, as `.set` and `=` do.

        Raises StatementError where a label or an `.equiv` has the name.
        """
        symbol = self.lookup(name)
        if (symbol.section is not None and symbol.equated is None) or symbol.is_common:
            raise StatementError(f"symbol `{name}' is already defined", name)
        if symbol.equated is not None:
            if once:
                raise StatementError(f"symbol `{name}' is already defined", name)
            # What was read before keeps the old value; gas clones the symbol too.
            renewed = AsmSymbol(name)
            renewed.binding, renewed.type = symbol.binding, symbol.type
            renewed.visibility, renewed.size = symbol.visibility, symbol.size
            renewed.is_listed = True
            self.ordered_symbols[self.ordered_symbols.index(symbol)] = renewed
            self.symbols[name] = symbol = renewed
            self.volatile_equates = True
        symbol.equated = tree
        symbol.place = self.place
        if isinstance(tree, Operation) and isinstance(tree.right, int):
            tree = tree.left
        if isinstance(tree, AsmSymbol):
            _copy_attributes(symbol, tree)

    def undefined_local_labels(self) -> list[AsmSymbol]:
        """Return labels that were used and can never be defined: `.L` names and `1f`."""
        missing = [
            symbol
            for symbol in self.symbols.values()
            if not symbol.is_defined and symbol.name.startswith(".L")
        ]
        return [*missing, *self._forward_labels.values()]

    # Expressions

    def expression(self, text: str) -> Expression:
        """Return the tree of an expression that may not carry a relocation word."""
        tree, modifier, _ = parse(text, self)
        if modifier:
            raise StatementError(f"`@{modifier}' is not allowed here", f"@{modifier}")
        return tree

    def absolute(self, text: str) -> int:
        """Return the number that an expression is worth now.

        Raises StatementError where it is not known while reading; differences of labels with only
        fixed bytes between them are.
        """
        tree = self.expression(text)
        if isinstance(tree, int):
            return tree
        self._settle(tree)
        return absolute(tree)

    def _settle(self, tree: Expression) -> None:
        """Give the labels of an expression their places, if only fixed bytes lie between them.

        Raises StatementError where what lies between is not known before the whole source is.
        """
        labels = [symbol for symbol in leaves(tree) if symbol.section is not None]
        if not labels:
            return
        self.encode_pending()
        for section in {label.section for label in labels if label.section is not None}:
            place_labels(section)
            fragments = {label.fragment for label in labels if label.section is section}
            if len(fragments) > 1:
                raise StatementError(
                    "the distance of these labels is not known yet", labels[0].name
                )

    # Sections and items

    def create_section(
        self,
        name: str,
        group: str | None,
        sh_type: int,
        flags: int,
        entry_size: int = 0,
        key: str | None = None,
    ) -> AsmSection:
        """Return a new section, last in the file so far."""
        section = AsmSection(name, sh_type, flags, entry_size)
        section.group = group
        has_lines = self.options.keeps_lines and section.is_code
        section.keeps_lines = has_lines or self.options.listing is not None
        section.number = len(self.sections)
        self.sections[name, key or group] = section
        known = self.symbols.setdefault(name, section.symbol)
        if known is not section.symbol and not known.is_defined:
            # The name was used before as a symbol: it meant this section.
            known.section, known.type, known.binding = section, STT.SECTION, STB.LOCAL
            section.symbol = known
        elif known is not section.symbol and known.type == STT.SECTION and known.is_listed:
            self.namesakes.append(section.symbol)
            section.symbol.is_listed = True
        if not section.symbol.is_listed:
            section.symbol.is_listed = True
            self.ordered_symbols.append(section.symbol)
        return section

    def switch(self, stream: Stream, subsection: int = 0) -> None:
        """Let items go to another stream; `.previous` leads back."""
        self.mark_line()
        self.previous = (self.stream, self.subsection)
        self.stream = stream
        self.subsection = subsection

    def add(self, item: Item) -> None:
        """Append an item at the present place."""
        self.stream.add(item, self.place)

    def mark_line(self) -> None:
        """Put the pending row of the line table at the present place."""
        table = self.line_table
        if table is None or table.pending is None:
            return
        row, table.pending = table.pending, None
        if row.line:
            self._place_row(table, row)

    def mark_instruction(self) -> None:
        """Put a row of the line table, if there is one for the instruction that follows."""
        table = self.line_table
        if table is None or not table.generates:
            self.mark_line()
            return
        path, line = self.source_map.line_of_code(self.place)
        if table.last_line != (path, line):
            table.last_line = (path, line)
            row = LineRow(0, line, 0)
            row.path = path
            self._place_row(table, row)

    def _place_row(self, table: LineTable, row: LineRow) -> None:
        section = self.stream.section
        if not (section.is_code and section.flags & SHF.ALLOC and section.has_contents):
            if not table.generates:
                message = (
                    f"line number information for {section.name}, which is no code, is ignored"
                )
                self.report(message, severity="warning")
            return
        row.label.section = section
        self.stream.add(row.label, self.place)
        table.rows.setdefault(section, {}).setdefault(self.subsection, []).append(row)

    def new_local_name(self) -> str:
        """Return a label that nothing else has, for LOCAL in a macro."""
        self.local_names += 1
        return f".LL{self.local_names:04x}"

    # Sources and errors

    def push_source(self, source: Source) -> None:
        """Read another source before going on with this one.

        Raises StatementError where expansions nest without end.
        """
        if len(self.sources) >= _DEEPEST_EXPANSION:
            raise StatementError(
                "macros or includes are nested too deeply", hint="does one expand itself?"
            )
        self.sources.append(source)

    def diagnostics(self) -> list[Diagnostic]:
        """Return what was reported, in the order of the source."""
        return [pair[1] for pair in sorted(self._diagnostics, key=lambda pair: pair[0])]

    def give_up(self, message: str) -> NoReturn:
        """Report what makes it useless to read on, and stop."""
        self.report(message, hint="does something expand itself?")
        raise TooManyErrorsError

    def error(self, error: StatementError, place: int | None = None) -> None:
        """Remember an error at a place of the source."""
        self.report(error.message, error.token, error.hint, place)

    def report(
        self,
        message: str,
        token: str = "",
        hint: str = "",
        place: int | None = None,
        severity: str = "error",
    ) -> None:
        """Remember a diagnostic; the caret stands under `token` where the line has it.

        Raises TooManyErrorsError after a hundred errors.
        """
        if severity != "error":
            self.warning_count += 1
            if self.warning_count > _MOST_WARNINGS:
                return
        where = self.place if place is None else place
        location = self.source_map.locate(where)
        text = self.source_map.text(where)
        column = _column(text, token)
        notes = tuple(hint.split("\n")) if hint else ()
        diagnostic = Diagnostic(
            message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}...",
            Location(location.path, location.line, column),
            severity,
            text[:300],
            notes + tuple(self.source_map.expansions(where)),
        )
        self._diagnostics.append((where, diagnostic))
        if severity == "error":
            self.error_count += 1
            if self.error_count >= _MOST_ERRORS:
                raise TooManyErrorsError


def _column(text: str, token: str) -> int:
    """Return where a token stands as a word, else anywhere, else the start of the statement."""
    if token:
        pattern = re.escape(token)
        before = r"(?<![\w.$])" if token[0].isalnum() else ""
        for wanted in (rf"{before}{pattern}(?!\w)", pattern):
            match = re.search(wanted, text, re.IGNORECASE)
            if match:
                return match.start() + 1
    return len(text) - len(text.lstrip()) + 1


def _copy_attributes(symbol: AsmSymbol, source: AsmSymbol) -> None:
    """Give an alias what gas copies: type, size and visibility."""
    if not symbol.type:
        symbol.type = source.type
    if symbol.size is None:
        symbol.size = source.size
    if not symbol.visibility:
        symbol.visibility = source.visibility
