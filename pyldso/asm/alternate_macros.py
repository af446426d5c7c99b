"""What `.altmacro` adds to macros: LOCAL names, `%` and `<>` arguments, names without `\\`.

(gas manual, 7.4)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pyldso.asm.assembly import Assembly
from pyldso.asm.errors import StatementError

_LOCAL = re.compile(r"\s*local\s+(.*)", re.IGNORECASE)
_ESCAPE = re.compile(r"!(.)")
_STRING = re.compile(r'("(?:[^"\\]|\\.)*")')


def split_arguments(text: str) -> list[str]:
    """Split at the commas that stand outside of `<>`, brackets and strings."""
    parts: list[str] = []
    part = closes = ""
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif closes and char == closes[-1]:
            closes = closes[:-1]
        elif closes.endswith(('"', ">")):
            escaped = char == ("!" if closes[-1] == ">" else "\\")
            closes += ">" if char == "<" and closes[-1] == ">" else ""
        elif char in '(<"':
            closes += {"(": ")", "<": ">", '"': '"'}[char]
        elif char == ",":
            parts.append(part.strip())
            part = ""
            continue
        part += char
    return [*parts, part.strip()]


def read_argument(assembly: Assembly, text: str) -> str:
    """Return what an argument stands for: `%` gives the value of an expression, `<>` text.

    Raises StatementError for an expression without a value.
    """
    if text.startswith("%"):
        return str(assembly.absolute(text[1:]))
    if len(text) > 1 and text[0] == "<" and text[-1] == ">":
        return _ESCAPE.sub(r"\1", text[1:-1])
    return text


def replace_names(
    lines: Iterable[str], values: dict[str, str], new_name: Callable[[], str]
) -> list[str]:
    """Return the lines with parameters and LOCAL names replaced where they stand as words.

    In strings only `&name` is replaced.
    """
    values = dict(values)
    replaced = []
    for line in lines:
        local = _LOCAL.match(line)
        if local:
            values |= {name.strip(): new_name() for name in local[1].split(",")}
            replaced.append("")
            continue
        pieces = _STRING.split(line)
        # The odd pieces are the strings.
        replaced.append(
            "".join(_replace(piece, values, index % 2 == 1) for index, piece in enumerate(pieces))
        )
    return replaced


def _replace(text: str, values: dict[str, str], is_string: bool) -> str:
    if not values or not text:
        return text
    names = "|".join(re.escape(name) for name in values)
    before = "&" if is_string else r"(?:&|(?<![\w.$\\]))"
    return re.sub(rf"{before}({names})(?![\w.$])&?", lambda match: values[match[1]], text)


def switch(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.altmacro` and `.noaltmacro`."""
    if operands:
        raise StatementError(f"`{name}' takes no operands", operands)
    assembly.has_alternate_macros = name == ".altmacro"
