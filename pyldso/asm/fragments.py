"""A section's items to fragments, and fragments to bytes.

A fragment is a run of fixed bytes followed by one variable piece: a branch that may be short, an
alignment, a fill. Between the two steps relaxation.py finds the sizes of the variable pieces.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from operator import add
from typing import NamedTuple

from pyldso.asm.encoder import Code, Template
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, Operation, absolute, evaluate
from pyldso.asm.nops import nop_fill
from pyldso.asm.special import Jump
from pyldso.asm.symbols import AsmSection, AsmSymbol, Spot, Stream
from pyldso.elf.constants import STB, STT


class Instruction(NamedTuple):
    """An encoded instruction with symbolic fields: one (tree, relocation word) for each."""

    template: Template
    operands: tuple[tuple[Expression, str], ...]


class Branch(NamedTuple):
    """A jump to a symbol, in its short or its near form."""

    jump: Jump
    target: Expression


class Data(NamedTuple):
    """A symbolic number of `.long` and its kin; `is_pcrel` for what CFI writes."""

    size: int
    tree: Expression
    modifier: str = ""
    is_pcrel: bool = False


class Align(NamedTuple):
    """Padding to a multiple; `fill` None means nops in code and zeros elsewhere."""

    alignment: int
    fill: bytes | None
    maximum: int


class Fill(NamedTuple):
    """`repeat` copies of `unit`, where the number is known only after layout."""

    repeat: Expression
    unit: bytes


class Org(NamedTuple):
    """Padding up to an offset in the section."""

    target: Expression
    fill: int


class Leb(NamedTuple):
    """A LEB128 number known only after layout."""

    tree: Expression
    is_signed: bool


class Mark(NamedTuple):
    """A place where a relocation is wanted and no bytes are: `.reloc`, a TLS descriptor call.

    `.reloc` may name another place of the section: a label, or an offset from the start.
    """

    tree: Expression
    r_type: int
    at: Expression | None = None


_FieldOperand = tuple[tuple[int, int, str], tuple[Expression, str]]

Variable = Jump | Align | Fill | Org | Leb
_MEASURING = (Leb, Fill, Org)
Item = Template | Instruction | Branch | bytes | Spot | Data | Mark | Align | Fill | Org | Leb


class Field(NamedTuple):
    """What many fields have in common.

    `tail` bytes lie between the start of a field and what PC-relative counts from; `code` is the
    instruction, where the relocation depends on it.
    """

    size: int
    kind: str
    modifier: str
    tail: int
    code: bytes = b""


class Fixup(NamedTuple):
    """A field to fill in: where it is, what it holds, and which source line made it."""

    fragment: int
    offset: int
    field: Field
    tree: Expression
    place: int
    at: Expression | None


class Fixups:
    """The fields of a section in columns: a large source has many, which differ in little."""

    __slots__ = ("_elsewhere", "_fields", "_fragments", "_offsets", "_places", "_shared", "_trees")

    def __init__(self) -> None:
        self._fragments = array("I")
        self._offsets = array("I")
        self._fields: list[Field] = []
        self._trees: list[Expression] = []
        self._places = array("I")
        self._elsewhere: dict[int, Expression] = {}
        """Where else in the section a `.reloc` is for, by its number."""
        self._shared: dict[Field, Field] = {}

    def __len__(self) -> int:
        return len(self._trees)

    def __iter__(self) -> Iterator[Fixup]:
        at = self._elsewhere.get
        numbers = map(at, range(len(self)))
        columns = (self._fragments, self._offsets, self._fields, self._trees, self._places)
        return map(Fixup, *columns, numbers)

    def add(
        self,
        fragment: int,
        offset: int,
        field: Field,
        tree: Expression,
        place: int,
        at: Expression | None = None,
    ) -> None:
        """Append a field that stands `offset` bytes into a fragment."""
        if at is not None:
            self._elsewhere[len(self)] = at
        self._fragments.append(fragment)
        self._offsets.append(offset)
        self._fields.append(self._shared.setdefault(field, field))
        self._trees.append(tree)
        self._places.append(place)


class LayoutError(Exception):
    """A StatementError with the source line that made the item."""

    def __init__(self, error: StatementError, place: int) -> None:
        super().__init__(error.message)
        self.error = error
        self.place = place


class LineMarks:
    """Which source line made what: columns of equal length."""

    __slots__ = ("fragments", "offsets", "places")

    def __init__(self) -> None:
        self.fragments = array("I")
        self.offsets = array("I")
        self.places = array("I")

    def addresses(self, starts: array[int]) -> Iterator[int]:
        """Return the offset in the section of each mark."""
        fragments = map(starts.__getitem__, self.fragments)
        return map(add, fragments, self.offsets)


class Laid:
    """A section being laid out.

    `lengths[i]` bytes of `fixed` are followed by `variables[i]`, which takes `sizes[i]` bytes, and
    which for a jump leads to `targets[i]`.
    """

    __slots__ = (
        "fixed",
        "fixups",
        "lengths",
        "line_marks",
        "places",
        "regions",
        "section",
        "sizes",
        "start",
        "targets",
        "variables",
    )

    def __init__(self, section: AsmSection) -> None:
        self.section = section
        self.fixed = bytearray()
        self.start = 0
        """Where in `fixed` the bytes after the last piece start."""
        self.lengths = array("I")
        self.variables: list[Variable] = []
        self.targets: list[Expression] = []
        self.places = array("I")
        self.sizes: list[int] = []
        self.regions = array("I")
        self.fixups = Fixups()
        self.line_marks = LineMarks()
        """Of each instruction, in sections that keep lines."""

    def copy(self) -> Laid:
        """Return what was chopped so far once more, to go on without changing this."""
        copied = Laid(self.section)
        copied.fixed += self.fixed
        copied.start = self.start
        copied.lengths += self.lengths
        copied.variables += self.variables
        copied.targets += self.targets
        copied.places += self.places
        return copied

    def release(self) -> None:
        """Let go of the pieces, once they are joined: the memory is wanted for the object."""
        self.fixed = bytearray()
        self.variables.clear()
        self.targets.clear()
        self.sizes.clear()
        self.places = self.regions = array("I")
        self.fixups = Fixups()

    @property
    def measures(self) -> bool:
        """Tell whether sizes here depend on distances that may lie in other sections."""
        return any(type(variable) in _MEASURING for variable in self.variables)

    @property
    def size(self) -> int:
        """Bytes of the section by the present layout."""
        return self.section.starts[-1] + self.lengths[-1]


def measures(section: AsmSection) -> bool:
    """Tell whether sizes in a section depend on distances that may lie in other sections."""
    if section.laid is not None and section.laid.measures:
        return True
    streams = section.streams.values()
    return any(type(item) in _MEASURING for stream in streams for item in stream.items)


def chop_ahead(section: AsmSection) -> None:
    """Turn what was read of a section into fragments, so that its items can be forgotten.

    Labels at the end stay as well: an expression may ask what stands at the present place. Once
    there are subsections, everything waits for the end, where it is known what follows what.
    """
    stream = section.streams.get(0)
    if stream is None or len(section.streams) > 1:
        return
    items = stream.items
    end = len(items)
    while end and isinstance(items[end - 1], Spot):
        end -= 1
    if section.laid is None:
        if not end:
            return
        section.laid = Laid(section)
    _chop_stream(section.laid, stream)
    del items[:end], stream.places[:end]
    missing = len(section.laid.variables) + 1 - len(section.starts)
    section.starts.frombytes(bytes(missing * section.starts.itemsize))


def place_labels(section: AsmSection) -> None:
    """Give the labels that were read so far their places, though the section is not complete."""
    if section.laid is None:
        chop(section)
    elif len(section.streams) > 1:
        chop(section, section.laid.copy())


def chop(section: AsmSection, ahead: Laid | None = None) -> Laid:
    """Return the section's items as fragments, and give each label its fragment and offset."""
    laid = ahead or section.laid or Laid(section)
    for number in sorted(section.streams):
        _chop_stream(laid, section.streams[number])
    region = 0
    for variable in laid.variables:
        laid.regions.append(region)
        if isinstance(variable, Align | Org):
            region += 1
    laid.regions.append(region)
    laid.lengths.append(len(laid.fixed) - laid.start)
    starts = array("q", [0])
    for index, length in enumerate(laid.lengths[:-1]):
        at = starts[-1] + length
        size = _first_size(laid, index, at)
        laid.sizes.append(size)
        starts.append(at + size)
    section.starts = starts
    return laid


def _chop_stream(laid: Laid, stream: Stream) -> None:
    """Append one subsection; the loop is hot, one turn for each line of a program."""
    fixed = laid.fixed
    start = laid.start
    fragment = len(laid.variables)
    fixups = laid.fixups
    keeps_lines = laid.section.keeps_lines
    marks = laid.line_marks
    previous_line = marks.places[-1] if marks.places else 0
    for item, place in zip(stream.items, stream.places, strict=True):
        if type(item) is AsmSymbol or type(item) is Spot:
            item.fragment = fragment
            item.offset = len(fixed) - start
            continue
        if keeps_lines and place != previous_line:
            marks.fragments.append(fragment)
            marks.offsets.append(len(fixed) - start)
            marks.places.append(place)
            previous_line = place
        if type(item) is Code or type(item) is bytes:
            fixed += item
        elif type(item) is Template:
            fixed += item.code or b""
        elif isinstance(item, Instruction):
            code = item.template.code or b""
            fields: Iterable[_FieldOperand] = zip(item.template.fields, item.operands, strict=True)
            if len(item.operands) > 1:
                fields = sorted(fields, key=lambda pair: pair[0][0])
            for (offset, size, kind), (tree, modifier) in fields:
                where = len(fixed) - start + offset
                matters = code if kind == "i" or (kind == "r" and modifier == "GOTPCREL") else b""
                field = Field(size, kind, modifier, len(code) - offset, matters)
                fixups.add(fragment, where, field, tree, place)
            fixed += code
        elif isinstance(item, Data):
            field = Field(item.size, "p" if item.is_pcrel else "n", item.modifier, 0)
            fixups.add(fragment, len(fixed) - start, field, item.tree, place)
            fixed += bytes(item.size)
        elif isinstance(item, Mark):
            field = Field(0, "m", str(item.r_type), 0)
            fixups.add(fragment, len(fixed) - start, field, item.tree, place, item.at)
        elif isinstance(item, Leb) and (number := _settled_number(item.tree)) is not None:
            fixed += leb128(number, item.is_signed)
        else:
            if isinstance(item, Branch):
                laid.variables.append(item.jump)
                laid.targets.append(item.target)
            else:
                # A Variable is left, but `type() is` above, quicker than isinstance, hides it.
                laid.variables.append(item)  # type: ignore[arg-type]
                laid.targets.append(0)
            laid.places.append(place)
            fragment += 1
            laid.lengths.append(len(fixed) - start)
            laid.start = start = len(fixed)


def _is_near(laid: Laid, modifier: str, tree: Expression) -> bool:
    """Tell whether a jump can never be short: a target that is elsewhere or may be replaced."""
    value = evaluate(tree)
    target = value.plus
    return (
        target is None
        or value.minus is not None
        or target.section is not laid.section
        or target.type == STT.GNU_IFUNC
        or target.binding == STB.WEAK
        or bool(modifier and (modifier != "PLT" or target.is_external))
    )


def _settled_number(tree: Expression) -> int | None:
    """Return what a LEB128 number is worth, where everything that it measures has its place."""
    if isinstance(tree, Operation):
        left, right = tree.left, tree.right
        if (
            tree.operator == "-"
            and type(left) is AsmSymbol
            and type(right) is AsmSymbol
            and left.section is not None
            and left.section is right.section
            and left.section.is_settled
            and left.equated is right.equated is None
        ):
            return left.address - right.address
    elif isinstance(tree, AsmSymbol) and isinstance(tree.equated, int) and not tree.awaits_view:
        return tree.equated
    return None


def _first_size(laid: Laid, index: int, at: int) -> int:
    """Return the size from which relaxation starts: jumps short, LEB128 one byte."""
    variable = laid.variables[index]
    if isinstance(variable, Align):
        return variable_size(variable, at)
    if isinstance(variable, Jump):
        try:
            is_near = _is_near(laid, variable.modifier, laid.targets[index])
        except StatementError:
            is_near = True
        return len(variable.near) + 4 if is_near else len(variable.short) + 1
    if isinstance(variable, Leb):
        return 1
    return 0


def variable_size(variable: Variable, at: int) -> int:
    """Return the bytes that a piece other than a jump takes by the present layout.

    Raises StatementError where that is not known.
    """
    if isinstance(variable, Align):
        padding = -at % variable.alignment
        return padding if not variable.maximum or padding <= variable.maximum else 0
    if isinstance(variable, Leb):
        return len(leb128(absolute(variable.tree), variable.is_signed))
    if isinstance(variable, Fill):
        count = absolute(variable.repeat)
        if count < 0:
            raise StatementError(f"negative repeat count {count}")
        return count * len(variable.unit)
    if isinstance(variable, Org):
        value = evaluate(variable.target)
        target = value.constant + (value.plus.address if value.plus else 0)
        if target < at:
            raise StatementError("attempt to move `.org' backwards")
        return target - at
    raise StatementError("internal: a jump has no other size")


def leb128(value: int, is_signed: bool) -> bytes:
    """Return a number as LEB128 (DWARF 5, 7.6)."""
    out = bytearray()
    if not is_signed:
        value &= 0xFFFFFFFFFFFFFFFF
    while True:
        byte = value & 0x7F
        value >>= 7
        is_last = (value == 0 and not byte & 0x40) or (value == -1 and byte & 0x40)
        if is_last if is_signed else value == 0:
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def join(laid: Laid) -> bytearray:
    """Return the section's bytes, and add a fixup for each branch's displacement."""
    out = bytearray()
    fixed, start = memoryview(laid.fixed), 0
    for index, variable in enumerate(laid.variables):
        end = start + laid.lengths[index]
        out += fixed[start:end]
        start = end
        size = laid.sizes[index]
        if isinstance(variable, Jump):
            is_short = size == len(variable.short) + 1
            opcode = variable.short if is_short else variable.near
            width = size - len(opcode)
            tree = laid.targets[index]
            if is_short and type(tree) is AsmSymbol and tree.equated is None:
                # Short ones are decided: nearly all branches are that.
                distance = tree.address - len(out) - size
                if -128 <= distance <= 127:
                    out += opcode
                    out.append(distance & 0xFF)
                    continue
            where = laid.lengths[index] + len(opcode)
            field = Field(width, "j", variable.modifier, width)
            laid.fixups.add(index, where, field, tree, laid.places[index])
            out += opcode + bytes(width)
        else:
            out += _padding(laid.section, variable, size)
    out += fixed[start:]
    return out


def _padding(section: AsmSection, variable: Variable, size: int) -> bytes:
    if isinstance(variable, Align):
        if variable.fill is None:
            return nop_fill(size) if section.is_code else bytes(size)
        # gas puts what does not fit a whole pattern first, as zeros.
        count, rest = divmod(size, len(variable.fill))
        return bytes(rest) + variable.fill * count
    if isinstance(variable, Fill):
        return variable.unit * (size // len(variable.unit)) if variable.unit else b""
    if isinstance(variable, Org):
        return bytes([variable.fill]) * size
    if isinstance(variable, Leb):
        code = leb128(absolute(variable.tree), variable.is_signed)
        if len(code) < size:
            code = code[:-1] + bytes([code[-1] | 0x80]) + b"\x80" * (size - len(code) - 1) + b"\0"
        return code
    return b""
