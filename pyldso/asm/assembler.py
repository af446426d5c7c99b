"""GAS source to a relocatable object: the pipeline of `as`.

read -> encode -> layout -> call frames -> fix up -> object

Reading obeys directives at once and turns instructions to templates, which keystone encodes in
batches while the reading goes on: code becomes fragments then, and its lines are forgotten, so that
a large source takes little memory. Layout finds the place of every label, after which each field
is a number or a relocation.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable

from pyldso.asm.assembly import AsmOptions, Assembly, TooManyErrorsError
from pyldso.asm.att import AttReader
from pyldso.asm.data_directives import FIELD_SIZES, LEB_WORDS
from pyldso.asm.debug_lines import simple_loc
from pyldso.asm.directives import DIRECTIVES, OFTEN_REPEATED, Directive
from pyldso.asm.eh_frame import FrameWriter
from pyldso.asm.encoder import ATT, BATCH, Code, Encoder, Template
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, Operation
from pyldso.asm.fixups import AsmRelocation, AsmRelocations, merged, plain, resolve
from pyldso.asm.fragments import (
    Branch,
    Data,
    Instruction,
    Item,
    Laid,
    LayoutError,
    Leb,
    chop,
    chop_ahead,
    join,
    measures,
)
from pyldso.asm.lexer import cut, read_statement, split_lines
from pyldso.asm.line_table import LineTable
from pyldso.asm.macros import call
from pyldso.asm.objects import build_object
from pyldso.asm.relaxation import relax
from pyldso.asm.source_map import FileLines, Lines
from pyldso.asm.special import BRANCHES
from pyldso.asm.symbols import AsmSection, AsmSymbol, PlaceTakenError
from pyldso.elf.constants import SHF, SHT
from pyldso.elf.object import ObjectFile
from pyldso.errors import AsmError, Diagnostic

DEFAULT_OPTIONS = AsmOptions()

# More than this in one object is a slip in an alignment or a fill.
_LARGEST_CONTENTS = 256 << 20

# Lines remembered, and again as many older ones: more would be much of the memory, and fewer are
# parsed too often. A large source may have more, in proportion.
_MOST_KNOWN = 6000
_LINES_FOR_ONE_KNOWN = 40
_MOST_ITEMS = 8000

# Place 1 is the command line, where --defsym stands.
_FIRST_PLACE = 2

_SIMPLE_LINE = re.compile(r"\t(\.?[a-z0-9]+)[ \t](\.L\w+)(?:-(\.L\w+))?\Z")
_LINE_WISE = (".if", ".else", ".endif", ".rept", ".irp", ".macro", ".endm", ".endr")


def assemble(
    text: str | bytes,
    path: str,
    options: AsmOptions = DEFAULT_OPTIONS,
    encoder: Encoder | None = None,
) -> ObjectFile:
    """Return the object that a source assembles to.

    An `encoder` that is passed again remembers instructions from one source to the next.
    Raises AsmError with every error of the source.
    """
    return assemble_with_warnings(text, path, options, encoder)[0]


def assemble_with_warnings(
    text: str | bytes | FileLines,
    path: str,
    options: AsmOptions = DEFAULT_OPTIONS,
    encoder: Encoder | None = None,
) -> tuple[ObjectFile, list[Diagnostic]]:
    """Return the object and the warnings of a source.

    Raises AsmError with every error of the source.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    assembler = Assembler(path, options, encoder or Encoder())
    collects = gc.isenabled()
    # Nothing here is garbage before the end, and looking for it takes a fifth of the time.
    gc.disable()
    try:
        try:
            built = assembler.assemble(text)
        except PlaceTakenError:
            assembler = Assembler(path, options, assembler.encoder, forgets=False)
            built = assembler.assemble(text)
    except TooManyErrorsError:
        built = None
    finally:
        if collects:
            gc.enable()
    diagnostics = assembler.assembly.diagnostics()
    if built is None or assembler.assembly.error_count:
        raise AsmError(diagnostics)
    return built, diagnostics


class Assembler:
    """One source on its way through the pipeline.

    It `forgets` the items of code that it has read, which a subsection below 0 does not allow.
    """

    def __init__(
        self, path: str, options: AsmOptions, encoder: Encoder, *, forgets: bool = True
    ) -> None:
        self.assembly = Assembly(path, options)
        self.encoder = encoder
        self._forgets = forgets
        self._most_items = _MOST_ITEMS
        """So many items of a section are waited for before what was read is encoded."""
        self._readers = {ATT: AttReader(self.assembly)}
        self.assembly.encode_pending = self.encode_pending
        self._size = 0
        """Bytes of the sections that are laid out and have contents."""
        self._known: dict[str, Item] = {}
        """Lines that are one instruction and mean the same wherever they stand."""
        self._known_before: dict[str, Item] = {}
        """Those that are forgotten next, if they are not met again."""
        self._most_known = _MOST_KNOWN
        self._new_lines: list[str] = []
        """Those of them whose instruction is still to be encoded."""
        self._has_refused = False
        """An instruction has no encoding."""
        self._directives: dict[str, tuple[Directive, str, str]] = {}
        """Lines that are one directive of OFTEN_REPEATED, and how to obey it again."""

    def assemble(self, text: str | FileLines) -> ObjectFile | None:
        """Run the pipeline; None where errors stand in the way of the next step."""
        assembly = self.assembly
        self.read(text)
        self.check_ends()
        self.encode()
        if assembly.error_count:
            return None
        laid = self.lay_out(assembly.sections.values())
        # From here on every label of the source has its place.
        if laid is None:
            return None
        laid |= self.write_debug_sections(laid) or {}
        laid |= self.write_frames() or {}
        relocations = {section: self.fix_up(part) for section, part in laid.items()}
        if assembly.error_count:
            return None
        if assembly.options.listing is not None:
            from pyldso.asm.listing import write_listing  # few ask for it

            main = assembly.source_map.source_of(_FIRST_PLACE)
            kinds = assembly.options.listing_kinds
            assembly.options.listing(write_listing(assembly, main, laid, kinds))
        return build_object(assembly, laid, relocations)

    # Reading

    def read(self, text: str | FileLines) -> None:
        """Obey every statement of the source and of what it includes."""
        assembly = self.assembly
        assembly.source_map.open(assembly.path, [])
        try:
            lines = split_lines(text) if isinstance(text, str) else text
        except StatementError as error:
            lines = Lines(str(text))
            source = assembly.source_map.open(assembly.path, lines)
            before = next(number for number, line in enumerate(lines) if error.token in line)
            assembly.error(error, source.base + before)
            return
        source = assembly.source_map.open(assembly.path, lines)
        self._most_known = max(_MOST_KNOWN, len(lines) // _LINES_FOR_ONE_KNOWN)
        for name, value in assembly.options.define_symbols:
            assembly.equate(name, value)
        assembly.push_source(source)
        while assembly.sources:
            self._read_source()
        assembly.mark_line()

    def _read_source(self) -> None:
        """Read the innermost source until it ends or opens another."""
        assembly = self.assembly
        source = assembly.sources[-1]
        depth = len(assembly.sources)
        known, before, directives = self._known, self._known_before, self._directives
        for assembly.place, line in source.numbered:
            item = known.get(line)
            if item is None and line in before:
                item = known[line] = before[line]
            if item is not None:
                stream = assembly.stream
                if assembly.line_table is not None and type(item) is not bytes:
                    assembly.mark_instruction()
                stream.items.append(item)
                stream.places.append(assembly.place)
                continue
            again = directives.get(line)
            if again is not None:
                directive, name, operands = again
                try:
                    directive(assembly, name, operands)
                except StatementError as error:
                    assembly.error(error)
                continue
            if self._read_simply(line):
                continue
            self._read_line(line)
            if assembly.volatile_equates:
                known.clear()
                before.clear()
                directives.clear()
                assembly.volatile_equates = False
            if len(assembly.sources) != depth:
                return
        if assembly.sources and assembly.sources[-1] is source:
            assembly.sources.pop()

    def _read_simply(self, line: str) -> bool:
        """Obey a line of the commonest kinds, and tell if it was one.

        These are a `.L` label, a branch or a number that names one, or a distance of two; a `.loc`.
        """
        assembly = self.assembly
        if assembly.options.symbols.keeps_labels:
            return False  # then `.L` labels are symbols like all others
        symbols = assembly.symbols
        if line[-1:] == ":":
            name = line[:-1]
            label = symbols.get(name)
            if label is None:
                if not (name[:2] == ".L" and name[2:].isalnum()):
                    return False
                label = symbols[name] = AsmSymbol(name)
            elif label.is_defined or name[:2] != ".L":
                return False
            assembly.put_label(label)
            if len(assembly.stream.items) > self._most_items:
                self.encode_waiting()
            return True
        match = _SIMPLE_LINE.match(line)
        if assembly.macros:
            return False
        if match is None:
            try:
                return line[:6] == "\t.loc " and simple_loc(assembly, line[6:])
            except StatementError as error:
                assembly.error(error)
                return True
        word, first, second = match.groups()
        size = FIELD_SIZES.get(word)
        if size is not None:
            # gas lists no `.L` name that stands in such data.
            tree: Expression = symbols.get(first) or assembly.lookup(first)
            if second:
                tree = Operation("-", tree, symbols.get(second) or assembly.lookup(second))
            assembly.add(Data(size, tree))
        elif word in LEB_WORDS:
            tree = assembly.lookup(first)
            if second:
                tree = Operation("-", tree, assembly.lookup(second, quietly=True))
            assembly.add(Leb(tree, LEB_WORDS[word]))
        elif word in BRANCHES and not second:
            if assembly.line_table is not None:
                assembly.mark_instruction()
            # Not remembered: few branches stand twice, and all together they take much memory.
            assembly.add(Branch(BRANCHES[word], assembly.lookup(first)))
        else:
            return False
        return True

    def _read_line(self, line: str) -> None:
        assembly = self.assembly
        try:
            statements = cut(line)
            if not statements:
                if line.lstrip().startswith("#"):
                    assembly.sources[-1].note_marker(assembly.place, line)
                return
            if len(statements) == 1:
                self._obey(statements[0], line)
            elif any(statement.startswith(_LINE_WISE) for statement in statements):
                # Conditions and repetitions are read by lines: make lines of the statements.
                source = assembly.sources[-1]
                first = source.first_line + assembly.place - source.base
                again = assembly.source_map.open(source.path, statements, first)
                assembly.push_source(again)
            else:
                for statement in statements:
                    self._obey(statement, None)
        except StatementError as error:
            assembly.error(error)
        except RecursionError:
            assembly.report("the line is nested too deeply")

    def _obey(self, text: str, line: str | None) -> None:
        """Obey one statement; `line` is the whole line where the statement is all of it."""
        assembly = self.assembly
        labels, word, rest, is_assignment = read_statement(text)
        for label in labels:
            assembly.define_label(label)
        if not word:
            return
        if is_assignment:
            if word == ".":
                DIRECTIVES[".org"](assembly, ".org", rest)
            else:
                assembly.equate(word, assembly.expression(rest), once="==" in text)
        elif assembly.macros and word.lower() in assembly.macros:
            call(assembly, assembly.macros[word.lower()], rest)
        elif word[0] == ".":
            directive = DIRECTIVES.get(word) or DIRECTIVES.get(word.lower())
            if directive is None:
                raise _unknown_directive(word)
            assembly.plain = None
            directive(assembly, word.lower(), rest)
            if line is not None and not labels:
                if assembly.plain is not None:
                    self._known[line] = assembly.plain
                elif word in OFTEN_REPEATED:
                    self._directives[line] = (directive, word, rest)
        else:
            self._instruction(f"{word} {rest}" if rest else word, None if labels else line)

    def _instruction(self, text: str, line: str | None) -> None:
        assembly = self.assembly
        assembly.is_first_mention = False
        if assembly.line_table is not None:
            assembly.mark_instruction()
        reader = self._reader()
        items, is_positional = reader.read(text)
        is_positional |= assembly.is_first_mention
        for item in items:
            assembly.stream.add(item, assembly.place)
        if (
            line is not None
            and not is_positional
            and len(items) == 1
            and type(items[0]) is not bytes
        ):
            self._known[line] = items[0]
            if type(items[0]) is Template:
                self._new_lines.append(line)
        if len(reader.waiting) >= BATCH:
            self.encode_waiting()

    def check_ends(self) -> None:
        """Report what the source leaves open or never defines."""
        assembly = self.assembly
        if assembly.cfi.open is not None:
            place = assembly.cfi.open.place
            assembly.report("`.cfi_startproc' without `.cfi_endproc'", place=place)
        for place in assembly.conditions:
            assembly.report("`.if' without `.endif'", place=place)
        undefined = assembly.undefined_local_labels()
        symbols = assembly.symbols.values() if undefined else ()
        defined = [symbol.name for symbol in symbols if symbol.is_defined]
        for symbol in undefined:
            if "\x02" in symbol.name:
                number = symbol.name.strip(".L\x02")
                assembly.report(
                    f"no label `{number}:' follows `{number}f'", f"{number}f", place=symbol.place
                )
            else:
                assembly.report(
                    f"undefined local label `{symbol.name}'",
                    symbol.name,
                    _similar(symbol.name, defined),
                    place=symbol.place,
                )

    # Encoding

    def encode_pending(self) -> None:
        """Encode what was read so far, for an expression that needs the length of it.

        Raises StatementError where an instruction has no encoding.
        """
        self.encode_waiting()
        if self._has_refused:
            raise StatementError("the size of an instruction before this is not known")

    def encode(self) -> None:
        """Encode the rest."""
        self.encode_waiting()
        # From here on nothing is read.
        self._known.clear()
        self._known_before.clear()
        self._readers.clear()

    def encode_waiting(self) -> None:
        """Encode what waits, and let code become fragments: a large source takes little memory.

        Each line whose instruction has no encoding is reported.
        """
        waiting = [template for one in self._readers.values() for template in one.take_waiting()]
        self.encoder.encode(waiting)
        self._has_refused |= any(template.error for template in waiting)
        known = self._known
        for line in self._new_lines:
            item = known.get(line)
            if type(item) is Template and item.code is not None:
                known[line] = Code(item.code)
        self._new_lines.clear()
        if len(known) > self._most_known:
            self._known_before.clear()
            self._known_before.update(known)
            known.clear()
        if self._has_refused:
            self._report_bad_instructions()
        if self._forgets:
            for section in self.assembly.sections.values():
                if section.is_code:
                    chop_ahead(section)
        self._most_items = len(self.assembly.stream.items) + _MOST_ITEMS

    def _reader(self) -> AttReader:
        """Return the reader of the present syntax."""
        syntax = self.assembly.syntax
        if syntax not in self._readers:
            from pyldso.asm.intel import IntelReader  # few sources need it

            self._readers[syntax] = IntelReader(self.assembly)
        return self._readers[syntax]

    def _report_bad_instructions(self) -> None:
        from pyldso.asm.mnemonics import explain  # an error only

        assembly = self.assembly
        bad: list[tuple[int, Template]] = []
        for section in assembly.sections.values():
            for stream in section.streams.values():
                for index, item in enumerate(stream.items):
                    template = item.template if isinstance(item, Instruction) else item
                    if isinstance(template, Template) and template.error:
                        bad.append((stream.places[index], template))
                        stream.items[index] = b""  # it has been reported
        for place, template in sorted(bad, key=lambda pair: pair[0]):
            assembly.error(explain(template), place)

    # Layout

    def lay_out(self, sections: Iterable[AsmSection]) -> dict[AsmSection, Laid] | None:
        """Give every label its place; None after an error."""
        sections = list(sections)
        table = self.assembly.line_table
        try:
            # Code mostly depends on itself alone; what measures it can wait until it stands still.
            steady = {section: chop(section) for section in sections if not measures(section)}
            relax(list(steady.values()))
            for section in steady:
                section.is_settled = True
            if table is not None and all(section.is_settled for section in table.rows):
                table.set_views()
            laid = {section: steady.get(section) or chop(section) for section in sections}
            measuring = [part for section, part in laid.items() if section not in steady]
            relax(measuring)
            # Numbers of views show in LEB128 data, so that sizes may change once more.
            if table is not None and measuring and table.set_views():
                relax(measuring)
        except LayoutError as error:
            self.assembly.error(error.error, error.place)
            return None
        except StatementError as error:
            self.assembly.error(error)
            return None
        for part in laid.values():
            # The file has padding before a section up to its alignment, before .bss as well.
            self._size += part.section.alignment
            self._size += part.size if part.section.has_contents else 0
            if self._size > _LARGEST_CONTENTS:
                size = f"{part.size >> 20} MiB (aligned to {part.section.alignment:#x})"
                self.assembly.report(
                    f"section {part.section.name} of {size} is too large: with it the object has "
                    f"more than {_LARGEST_CONTENTS >> 20} MiB"
                )
                return None
        return laid

    def write_debug_sections(self, laid: dict[AsmSection, Laid]) -> dict[AsmSection, Laid] | None:
        """Write the line table, and a compile unit where the source has none; lay them out."""
        assembly = self.assembly
        table = assembly.line_table

        def is_empty(name: str) -> bool:
            section = assembly.sections.get((name, None))
            return section is None or not laid[section].size

        wants_unit, wants_lines = is_empty(".debug_info"), is_empty(".debug_line")
        if not (table is not None and table.rows if wants_unit else wants_lines):
            return None
        # gas writes an empty table beside a .debug_info that has none.
        table = table or LineTable(assembly.options.debug)
        if not (wants_lines or table.generates):
            assembly.report("`.loc' makes a .debug_line, and the source has one already")
            return None
        changed = []
        if wants_lines:
            table.number_files()
            lines = self._debug_section(".debug_line")
            changed = [lines]
            strings = None
            if table.version >= 5 and table.files:
                strings = self._debug_section(".debug_line_str", SHF.MERGE | SHF.STRINGS, 1)
                changed.append(strings)
            for item in table.items(lines, strings or lines, laid):
                lines.stream().add(item, assembly.place)
        if wants_unit:
            from pyldso.asm.debug_unit import write_unit  # few sources want it

            changed += write_unit(table, assembly.ordered_symbols, laid, self._debug_section)
            for name in (".debug_info", ".debug_abbrev", ".debug_line"):
                assembly.lookup(name)
        return self.lay_out(changed)

    def _debug_section(
        self, name: str, flags: int = 0, entry_size: int = 0, alignment: int = 1
    ) -> AsmSection:
        """Return a section for debug information, new if need be."""
        assembly = self.assembly
        section = assembly.sections.get((name, None))
        if section is None:
            section = assembly.create_section(name, None, SHT.PROGBITS, flags, entry_size)
            if assembly.ordered_symbols[-1] is section.symbol:
                # In gas its symbol is made when something refers to it.
                assembly.ordered_symbols.pop().is_listed = False
        section.alignment = max(section.alignment, alignment)
        return section

    def write_frames(self) -> dict[AsmSection, Laid] | None:
        """Write .eh_frame and .debug_frame, and lay them out."""
        assembly = self.assembly
        cfi = assembly.cfi
        written = []
        for name, is_wanted, flags in (
            (".eh_frame", cfi.in_eh_frame, SHF.ALLOC),
            (".debug_frame", cfi.in_debug_frame, SHF(0)),
        ):
            if not is_wanted or not cfi.frames:
                continue
            section = assembly.sections.get((name, None))
            if section is None:
                section = assembly.create_section(name, None, SHT.PROGBITS, flags)
            section.alignment = max(section.alignment, 8)
            try:
                FrameWriter(section, name == ".eh_frame").write(cfi.frames)
            except StatementError as error:
                assembly.error(error)
                return None
            written.append(section)
        return self.lay_out(written)

    def fix_up(self, laid: Laid) -> AsmRelocations:
        """Fill in the fields of a section; return the relocations that remain."""
        section = laid.section
        relocations = AsmRelocations()
        if section.type == SHT.NOBITS:
            self._check_empty(laid)
            return relocations
        try:
            contents = join(laid)
        except StatementError as error:
            self.assembly.error(error)
            return relocations
        elsewhere: list[AsmRelocation] = []
        for fixup in laid.fixups:
            try:
                relocation = resolve(laid, fixup, contents)
            except StatementError as error:
                self.assembly.error(error, fixup.place)
                continue
            if relocation is None:
                continue
            if not self.assembly.options.relaxes and fixup.field.kind != "m":
                relocation = plain(relocation)
            if fixup.at is None:
                relocations.add(relocation)
            else:
                elsewhere.append(relocation)
        if elsewhere:
            relocations = merged(relocations, elsewhere)
        section.contents = contents
        # Only the line marks are asked for after this.
        laid.release()
        return relocations

    def _check_empty(self, laid: Laid) -> None:
        if laid.fixups or any(laid.fixed):
            place = next((fixup.place for fixup in laid.fixups), self.assembly.place)
            self.assembly.report(
                f"section {laid.section.name} takes no file space and cannot hold data", place=place
            )


def _unknown_directive(word: str) -> StatementError:
    return StatementError(f"unknown directive `{word}'", word, _similar(word, list(DIRECTIVES)))


def _similar(name: str, known: list[str]) -> str:
    from pyldso.spelling import similar  # an error only

    close = similar(name, known)
    return f"did you mean `{close}'?" if close else ""
