"""GAS expressions: text to a tree, and a tree to `plus - minus + constant` (gas manual, ch. 6).

A tree is an int, an AsmSymbol or an Operation. Names are bound to symbols as they are read, and
constants folded, so that most trees are a leaf.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

from pyldso.asm.errors import StatementError
from pyldso.asm.symbols import AsmSymbol

_MASK = 0xFFFFFFFFFFFFFFFF
_DEEPEST = 100

NAME = r"(?:[^\W\d]|[.$])[\w.$]*"

GOT_NAME = "_GLOBAL_OFFSET_TABLE_"

# Relocation words whose use makes gas put _GLOBAL_OFFSET_TABLE_ into the symbol table.
GOT_WORDS = frozenset(
    [
        "GOT",
        "GOTPCREL",
        "GOTOFF",
        "PLTOFF",
        "TLSGD",
        "TLSLD",
        "TLSLDM",
        "GOTTPOFF",
        "TPOFF",
        "DTPOFF",
        "TLSDESC",
        "TLSCALL",
    ]
)

_SIMPLE = re.compile(
    rf"(?!\.[-+\s])({NAME})(?:\s*([-+])\s*(0[xX][0-9a-fA-F]+|0|[1-9]\d*))?(?:@(\w+))?\Z"
)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)\Z")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,16}\Z")
_DIFFERENCE = re.compile(rf"(?!\.-)({NAME})-(?!\.\Z)({NAME})\Z")
_CHAR_ESCAPES = {"n": 10, "t": 9, "r": 13, "b": 8, "f": 12}


@cache
def _token_pattern() -> re.Pattern[str]:
    """Return the pattern of one token; compiled when the first long expression is met."""
    return re.compile(
        rf"""\s*(?:
            (?P<number>0[xX][0-9a-fA-F]+|0[bB][01]+)(?!\w)
          | (?P<local>\d+)(?P<direction>[bf])(?!\w)
          | (?P<decimal>\d+)(?!\w)
          | (?P<name>{NAME})(?:@(?P<modifier>\w+))?
          | "(?P<quoted>(?:[^"\\]|\\.)*)"(?:@(?P<quoted_modifier>\w+))?
          | '(?P<char>\\?.)'?
          | (?P<operator><<|>>|==|!=|<>|<=|>=|&&|\|\||[-+*/%&|^!~<>()@])
        )""",
        re.VERBOSE,
    )


class Operation:
    """An operator over two trees; a unary one has 0 on its left."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, operator: str, left: Expression, right: Expression) -> None:
        self.operator = operator
        self.left = left
        self.right = right


Expression = int | AsmSymbol | Operation


class Value(NamedTuple):
    """What a tree is worth: `plus - minus + constant`."""

    plus: AsmSymbol | None
    minus: AsmSymbol | None
    constant: int


class Scope(Protocol):
    """Where names in an expression come from."""

    in_data: bool
    """What is read lists no `.L` name in the symbol table."""

    def lookup(self, name: str, *, quietly: bool = False) -> AsmSymbol:
        """Return the symbol called `name`, new if need be; quietly without a turn in the table."""

    def local_label(self, number: int, direction: str) -> AsmSymbol:
        """Return what `1b` or `1f` names here."""

    def here(self) -> AsmSymbol:
        """Return a label at the present place, for `.`."""


def signed(value: int) -> int:
    """Wrap a value to a signed 64-bit number, as gas computes."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise StatementError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _shift(left: int, right: int) -> int:
    return left << right if 0 <= right < 64 else 0


# Precedence and meaning of the binary operators (gas/expr.c, op_rank); a true comparison is -1.
_BINARY: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "*": (8, lambda a, b: a * b),
    "/": (8, _divide),
    "%": (8, lambda a, b: a - b * _divide(a, b)),
    "<<": (8, _shift),
    ">>": (8, lambda a, b: (a & _MASK) >> b if 0 <= b < 64 else 0),
    "|": (7, lambda a, b: a | b),
    "!": (7, lambda a, b: a | ~b),
    "^": (7, lambda a, b: a ^ b),
    "&": (7, lambda a, b: a & b),
    "+": (5, lambda a, b: a + b),
    "-": (5, lambda a, b: a - b),
    "==": (4, lambda a, b: -(a == b)),
    "!=": (4, lambda a, b: -(a != b)),
    "<>": (4, lambda a, b: -(a != b)),
    "<": (4, lambda a, b: -(a < b)),
    "<=": (4, lambda a, b: -(a <= b)),
    ">=": (4, lambda a, b: -(a >= b)),
    ">": (4, lambda a, b: -(a > b)),
    "&&": (3, lambda a, b: int(bool(a and b))),
    "||": (2, lambda a, b: int(bool(a or b))),
}
_UNARY: dict[str, Callable[[int], int]] = {
    "neg": lambda a: -a,
    "not": lambda a: ~a,
    "lnot": lambda a: int(not a),
}


def to_int(digits: str) -> int:
    """Return the number that gas reads: 0x hex, 0b binary, leading 0 octal, else decimal."""
    if len(digits) > 1 and digits[0] == "0":
        try:
            return int(digits, 0) if digits[1] in "xXbB" else int(digits, 8)
        except ValueError:
            raise StatementError(f"`{digits}' is not an octal number", digits) from None
    if len(digits) > 100:
        raise StatementError("number too long", digits)
    return int(digits)


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text = text
        self.scope = scope
        self.position = 0
        self.modifier = ""
        self.is_positional = False
        self.depth = 0
        self.match: re.Match[str] | None = None
        self.next_token = _token_pattern().match
        self.advance()

    def advance(self) -> None:
        """Read the next token into `match`; None at the end of the text."""
        self.match = self.next_token(self.text, self.position)
        if self.match:
            self.position = self.match.end()

    def operator(self) -> str:
        """Return the operator that is next, or an empty string."""
        return (self.match and self.match["operator"]) or ""

    def binary(self, lowest: int) -> Expression:
        """Parse operands joined by operators of at least the given rank."""
        left = self.unary()
        while True:
            operator = self.operator()
            if operator == "@":
                self.late_modifier()
                continue
            entry = _BINARY.get(operator)
            if entry is None or entry[0] < lowest:
                return left
            self.advance()
            left = combine(operator, left, self.binary(entry[0] + 1))

    def late_modifier(self) -> None:
        """Take the `@WORD` that follows a whole operand, as in `foo+4@GOTPCREL`."""
        self.advance()
        if not (self.match and self.match["name"]):
            raise StatementError("expected a relocation name after `@'", self.text)
        self.modifier = self.match["name"].upper()
        self.advance()

    def unary(self) -> Expression:
        """Parse one operand with its signs."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise StatementError("expression nested too deeply")
        try:
            operator = self.operator()
            if operator in ("-", "~", "!"):
                self.advance()
                operand = self.unary()
                name = {"-": "neg", "~": "not", "!": "lnot"}[operator]
                return _UNARY[name](operand) if isinstance(operand, int) else _negate(name, operand)
            if operator == "+":
                self.advance()
                return self.unary()
            if operator == "(":
                self.advance()
                inside = self.binary(0)
                if self.operator() != ")":
                    raise StatementError("missing `)' in expression", self.text)
                self.advance()
                return inside
            return self.leaf()
        finally:
            self.depth -= 1

    def leaf(self) -> Expression:
        """Parse a number, a character, a name or a numeric label."""
        match = self.match
        if match is None or match["operator"]:
            raise self.failure()
        self.advance()
        if digits := match["number"] or match["decimal"]:
            return to_int(digits)
        if match["char"] is not None:
            char = match["char"]
            return _CHAR_ESCAPES.get(char[1], ord(char[1])) if len(char) == 2 else ord(char)
        if match["local"]:
            self.is_positional = True
            return self.scope.local_label(int(match["local"]), match["direction"])
        modifier = match["modifier"] or match["quoted_modifier"]
        if modifier:
            self.modifier = modifier.upper()
            if self.modifier in GOT_WORDS:
                self.scope.lookup(GOT_NAME)
        name = match["quoted"] if match["quoted"] is not None else match["name"]
        if name == ".":
            self.is_positional = True
            return self.scope.here()
        # gas makes a full symbol of a `.L` name only where it is the first operand.
        is_first = not self.text[: match.start()].strip()
        return self.scope.lookup(name, quietly=not is_first and name.startswith(".L"))

    def failure(self) -> StatementError:
        """Return the error for what stands where an operand should."""
        rest = self.text[self.match.start() if self.match else self.position :].strip()
        if not rest:
            return StatementError("expression expected", self.text.strip())
        return StatementError(f"junk `{rest}' in expression", rest)


def _negate(name: str, operand: Expression) -> Expression:
    return Operation("-", 0, operand) if name == "neg" else Operation(name, 0, operand)


def combine(operator: str, left: Expression, right: Expression) -> Expression:
    """Return the tree of two operands, folded where both are numbers."""
    if isinstance(left, int) and isinstance(right, int):
        return signed(_BINARY[operator][1](left, right))
    return Operation(operator, left, right)


def parse(text: str, scope: Scope) -> tuple[Expression, str, bool]:
    """Return the tree, the relocation word after `@` in upper case, and whether `.`/`1b` occur.

    Raises StatementError on anything that is not one whole expression.
    """
    text = text.strip()
    if len(text) < 30 and _DECIMAL.match(text):
        return int(text), "", False
    if text[:1] == "0" and _HEXADECIMAL.match(text):
        return int(text, 16), "", False
    simple = _SIMPLE.match(text)
    if simple and text != ".":
        name, sign, digits, modifier = simple.groups()
        modifier = modifier.upper() if modifier else ""
        if modifier in GOT_WORDS:
            scope.lookup(GOT_NAME)
        tree: Expression = scope.lookup(name)
        if sign:
            tree = Operation(sign, tree, to_int(digits))
        return tree, modifier, False
    difference = _DIFFERENCE.match(text)
    if difference:
        first, second = difference.groups()
        left = scope.lookup(first)
        return Operation("-", left, scope.lookup(second, quietly=second[:2] == ".L")), "", False
    parser = _Parser(text, scope)
    tree = parser.binary(0)
    if parser.match is not None or text[parser.position :].strip():
        raise parser.failure()
    return tree, parser.modifier, parser.is_positional


def evaluate(tree: Expression, depth: int = 0) -> Value:
    """Return the value of a tree by the present layout; labels of one section cancel out.

    Raises StatementError where operators other than `+` and `-` meet symbols that stay symbolic,
    or where a symbol is defined by itself.
    """
    if isinstance(tree, int):
        return Value(None, None, tree)
    if depth > _DEEPEST:
        raise StatementError("symbol definition loop or expression nested too deeply")
    if isinstance(tree, AsmSymbol):
        return _evaluate_symbol(tree, depth)
    distance = _distance(tree)
    if distance is not None:
        return Value(None, None, distance)
    left = evaluate(tree.left, depth + 1)
    right = evaluate(tree.right, depth + 1)
    operator = tree.operator
    if operator == "+":
        return _sum(left, right, 1)
    if operator == "-":
        return _sum(left, right, -1)
    if left.plus is None and left.minus is None and right.plus is None and right.minus is None:
        if operator in _UNARY:
            return Value(None, None, signed(_UNARY[operator](right.constant)))
        return Value(None, None, signed(_BINARY[operator][1](left.constant, right.constant)))
    symbol = left.plus or right.plus or left.minus or right.minus
    if operator in ("==", "!=", "<>", "<", "<=", ">", ">="):
        difference = _sum(left, right, -1)
        if difference.plus is None and difference.minus is None:
            truth = _BINARY[operator][1](difference.constant, 0)
            return Value(None, None, truth)
    name = symbol.name if symbol else ""
    raise StatementError(f"`{operator}' needs numbers, but `{name}' is an address", name)


def _distance(tree: Operation) -> int | None:
    """Return the difference of two labels of one section: nearly all operations are that."""
    left, right = tree.left, tree.right
    if (
        tree.operator == "-"
        and type(left) is AsmSymbol
        and type(right) is AsmSymbol
        and left.section is right.section is not None
        and left.equated is None
        and right.equated is None
    ):
        return left.address - right.address
    return None


def _evaluate_symbol(symbol: AsmSymbol, depth: int) -> Value:
    if symbol.equated is None:
        return Value(symbol, None, 0)
    value = evaluate(symbol.equated, depth + 1)
    if value.plus is not None and value.plus.section is not None and value.minus is None:
        # A second name of a place: relocations may name it, so it stays a symbol of its own.
        symbol.section = value.plus.section
        return Value(symbol, None, 0)
    return value


def address_of(symbol: AsmSymbol) -> int:
    """Return the offset in its section of a label or of an equate to one."""
    if symbol.equated is None:
        return symbol.address
    value = evaluate(symbol.equated)
    if value.plus is None or value.plus is symbol:
        return value.constant
    return address_of(value.plus) + value.constant


def _sum(left: Value, right: Value, sign: int) -> Value:
    if sign < 0:
        right = Value(right.minus, right.plus, -right.constant)
    constant = signed(left.constant + right.constant)
    pluses = [symbol for symbol in (left.plus, right.plus) if symbol is not None]
    minuses = [symbol for symbol in (left.minus, right.minus) if symbol is not None]
    for plus in list(pluses):
        for minus in minuses:
            if plus is minus or (plus.section is not None and plus.section is minus.section):
                constant = signed(constant + address_of(plus) - address_of(minus))
                pluses.remove(plus)
                minuses.remove(minus)
                break
    if len(pluses) > 1 or len(minuses) > 1:
        names = " and ".join(f"`{symbol.name}'" for symbol in (pluses if pluses[1:] else minuses))
        raise StatementError(f"invalid sum of symbols {names}")
    return Value(pluses[0] if pluses else None, minuses[0] if minuses else None, constant)


def leaves(tree: Expression) -> list[AsmSymbol]:
    """Return the symbols of a tree, with those that equates stand for."""
    found: list[AsmSymbol] = []
    waiting: list[Expression] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Operation):
            waiting += [node.left, node.right]
        elif isinstance(node, AsmSymbol):
            if node in found:
                continue
            found.append(node)
            if node.equated is not None:
                waiting.append(node.equated)
    return found


def absolute(tree: Expression) -> int:
    """Return the number a tree is worth now.

    Raises StatementError where it depends on a symbol.
    """
    if isinstance(tree, int):
        return tree
    value = evaluate(tree)
    symbol = value.plus or value.minus
    if symbol is not None:
        raise StatementError(f"`{symbol.name}' has no constant value here", symbol.name)
    return value.constant
