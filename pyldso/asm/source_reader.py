"""Source lines to items: directives are obeyed, instructions become templates and then code.

keystone encodes templates in batches while the reading goes on: code becomes fragments then, and
its lines are forgotten, so that a large source takes little memory.
"""

from __future__ import annotations

import re

from pyldso.asm.assembly import Assembly
from pyldso.asm.att import AttReader
from pyldso.asm.data_directives import FIELD_SIZES, LEB_WORDS
from pyldso.asm.debug_lines import simple_loc
from pyldso.asm.directives import DIRECTIVES, OFTEN_REPEATED, Directive
from pyldso.asm.encoder import ATT, BATCH, Code, Encoder, Template
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, Operation
from pyldso.asm.fragments import Branch, Data, Instruction, Item, Leb, chop_ahead
from pyldso.asm.lexer import cut, read_statement, split_lines
from pyldso.asm.macros import call
from pyldso.asm.source_map import FileLines, Lines
from pyldso.asm.special import BRANCHES
from pyldso.asm.symbols import AsmSymbol

# Lines remembered, and again as many older ones: more would be much of the memory, and fewer are
# parsed too often. A large source may have more, in proportion.
_MOST_KNOWN = 6000
_LINES_FOR_ONE_KNOWN = 40
_MOST_ITEMS = 8000

_SIMPLE_LINE = re.compile(r"\t(\.?[a-z0-9]+)[ \t](\.L\w+)(?:-(\.L\w+))?\Z")
_LINE_WISE = (".if", ".else", ".endif", ".rept", ".irp", ".macro", ".endm", ".endr")


class SourceReader:
    """One source on its way to the items of sections.

    It `forgets` the items of code that it has read, which a subsection below 0 does not allow.
    """

    def __init__(self, assembly: Assembly, encoder: Encoder, *, forgets: bool = True) -> None:
        self._assembly = assembly
        self._encoder = encoder
        self._forgets = forgets
        self._most_items = _MOST_ITEMS
        """So many items of a section are waited for before what was read is encoded."""
        self._readers = {ATT: AttReader(assembly)}
        assembly.encode_pending = self._encode_pending
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

    def read(self, text: str | FileLines) -> None:
        """Obey every statement of the source and of what it includes, and encode instructions."""
        assembly = self._assembly
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
        self._check_ends()
        self._encode_waiting()
        # From here on nothing is read.
        self._known.clear()
        self._known_before.clear()
        self._readers.clear()

    def _read_source(self) -> None:
        """Read the innermost source until it ends or opens another."""
        assembly = self._assembly
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
        assembly = self._assembly
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
                self._encode_waiting()
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
        assembly = self._assembly
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
        assembly = self._assembly
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
        assembly = self._assembly
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
            self._encode_waiting()

    def _check_ends(self) -> None:
        """Report what the source leaves open or never defines."""
        assembly = self._assembly
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

    def _encode_pending(self) -> None:
        """Encode what was read so far, for an expression that needs the length of it.

        Raises StatementError where an instruction has no encoding.
        """
        self._encode_waiting()
        if self._has_refused:
            raise StatementError("the size of an instruction before this is not known")

    def _encode_waiting(self) -> None:
        """Encode what waits, and let code become fragments: a large source takes little memory.

        Each line whose instruction has no encoding is reported.
        """
        waiting = [template for one in self._readers.values() for template in one.take_waiting()]
        self._encoder.encode(waiting)
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
            for section in self._assembly.sections.values():
                if section.is_code:
                    chop_ahead(section)
        self._most_items = len(self._assembly.stream.items) + _MOST_ITEMS

    def _reader(self) -> AttReader:
        """Return the reader of the present syntax."""
        syntax = self._assembly.syntax
        if syntax not in self._readers:
            from pyldso.asm.intel import IntelReader  # few sources need it

            self._readers[syntax] = IntelReader(self._assembly)
        return self._readers[syntax]

    def _report_bad_instructions(self) -> None:
        from pyldso.asm.mnemonics import explain  # an error only

        assembly = self._assembly
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


def _unknown_directive(word: str) -> StatementError:
    return StatementError(f"unknown directive `{word}'", word, _similar(word, list(DIRECTIVES)))


def _similar(name: str, known: list[str]) -> str:
    from pyldso.spelling import similar  # an error only

    close = similar(name, known)
    return f"did you mean `{close}'?" if close else ""
