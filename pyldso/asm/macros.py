"""`.macro`, `.rept`, `.irp` and `.irpc`: lines that are read again, with names replaced."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from pyldso.asm.alternate_macros import read_argument, replace_names, split_arguments, switch
from pyldso.asm.assembly import Assembly
from pyldso.asm.att import split_operands
from pyldso.asm.errors import StatementError
from pyldso.asm.lexer import unquote

_MOST_LINES = 500_000
_MOST_EXPANSIONS = 100_000
"""Bounds of time, not of taste: macros that call two of their kind grow beyond any machine."""

_LONGEST_LINE = 100_000

_REFERENCE = re.compile(r"\\(?:(@)|(\(\))|([A-Za-z_.$][\w.$]*))")
_BLOCK = re.compile(r"\s*\.(rept|irpc?|macro|endr|endm)\b", re.IGNORECASE)
_PARAMETER = re.compile(r"([A-Za-z_.$][\w.$]*)\s*(?::\s*(req|vararg))?\s*(?:=\s*(.*))?\Z")
_ONE_ARGUMENT = re.compile(
    r"""((?:"(?:[^"\\]|\\.)*"|\((?:[^()]|\([^()]*\))*\)|\s*[-+*/|&^=]\s*|[^\s",(])*)"""
    r"""\s*(?:,\s*|(?<=\s)|\Z)""",
    re.DOTALL,
)
_BLANKS = re.compile(r'"(?:[^"\\]|\\.)*"|\([^()]*\)|[^\s"]+')


class Parameter(NamedTuple):
    """A macro's parameter: `default` is None where it has none."""

    name: str
    kind: str
    default: str | None


class Macro(NamedTuple):
    """A macro's parameters and lines; `place` is where its first line stands."""

    name: str
    parameters: tuple[Parameter, ...]
    lines: list[str]
    place: int


def _take_block(assembly: Assembly, name: str, ends: tuple[str, ...]) -> list[str]:
    """Read the lines up to the directive that ends the block, over nested blocks."""
    start = assembly.place
    depth = 0
    lines: list[str] = []
    for place, line in assembly.sources[-1].numbered:
        assembly.place = place
        match = _BLOCK.match(line)
        if match is not None:
            word = match[1].lower()
            if word in ("endr", "endm"):
                if depth == 0:
                    return lines
                depth -= 1
            else:
                depth += 1
        lines.append(line)
    assembly.place = start
    raise StatementError(f"`{name}' without `{ends[0]}'", name)


def _expand(
    assembly: Assembly,
    lines: list[str],
    called_at: int,
    title: str,
    first_line: int,
    period: int = 0,
) -> None:
    """Read lines before what follows, within what an assembly may expand to."""
    assembly.expanded_lines += len(lines)
    if assembly.expanded_lines > _MOST_LINES:
        assembly.give_up(f"macros and repetitions expand to more than {_MOST_LINES} lines")
    assembly.expansions += 1
    if assembly.expansions > _MOST_EXPANSIONS:
        assembly.give_up(f"there are more than {_MOST_EXPANSIONS} macro calls and repetitions")
    path = assembly.source_map.locate(called_at).path
    source = assembly.source_map.open(path, lines, first_line, called_at, title, period)
    assembly.push_source(source)


def _substitute(lines: list[str], values: dict[str, str], count: int) -> list[str]:
    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return str(count)
        if match[2]:
            return ""
        return values.get(match[3], match[0])

    replaced = [_REFERENCE.sub(replace, line) if "\\" in line else line for line in lines]
    _check_lengths(replaced)
    return replaced


def _check_lengths(lines: list[str]) -> None:
    if any(len(line) > _LONGEST_LINE for line in lines):
        raise StatementError(f"a line expands to more than {_LONGEST_LINE} characters")


def rept(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.rept count`."""
    place = assembly.place
    count = assembly.absolute(operands)
    lines = _take_block(assembly, name, (".endr",))
    if count < 0:
        raise StatementError(f"negative repeat count {count}", operands)
    if count * len(lines) > _MOST_LINES:
        raise StatementError(f"`.rept' of {count * len(lines)} lines is too large", operands)
    first = assembly.source_map.locate(place).line + 1
    _expand(assembly, lines * count, place, "repetition", first, len(lines) or 1)


def irp(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.irp symbol, values` and `.irpc symbol, characters`."""
    place = assembly.place
    symbol, _, rest = operands.partition(",")
    symbol = symbol.strip()
    if not symbol:
        raise StatementError(f"`{name}' takes a symbol and values", name)
    lines = _take_block(assembly, name, (".endr",))
    values = list(unquote(rest)) if name == ".irpc" else _arguments(rest)
    expanded: list[str] = []
    for value in values or [""]:
        expanded += _substitute(lines, {symbol: value}, 0)
        if len(expanded) > _MOST_LINES:
            raise StatementError(f"`{name}' expands to too many lines", name)
    first = assembly.source_map.locate(place).line + 1
    _expand(assembly, expanded, place, "repetition", first, len(lines) or 1)


def macro(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.macro name parameters`."""
    place = assembly.place
    match = re.match(r"([^\s,]+)\s*,?\s*(.*)\Z", operands, re.DOTALL)
    lines = _take_block(assembly, name, (".endm",))
    if match is None:
        raise StatementError("a macro needs a name", name)
    parameters: list[Parameter] = []
    for text in _parameter_texts(match[2]):
        found = _PARAMETER.match(text)
        if found is None:
            raise StatementError(f"bad macro parameter `{text}'", text)
        default = unquote(found[3]) if found[3] is not None else None
        parameters.append(Parameter(found[1], found[2] or "", default))
    key = match[1].lower()
    if key in assembly.macros:
        raise StatementError(f"macro `{match[1]}' is already defined", match[1])
    assembly.macros[key] = Macro(match[1], tuple(parameters), lines, place)
    # Lines remembered as instructions may mean the macro from here on.
    assembly.volatile_equates = True


def _parameter_texts(text: str) -> list[str]:
    if "," in text:
        return [part for part in split_operands(text) if part]
    return re.sub(r"\s*([:=])\s*", r"\1", text).split()


def _arguments(text: str) -> list[str]:
    """Split arguments at commas, or at blanks where there are no commas."""
    if not text.strip():
        return []
    parts = split_operands(text)
    if len(parts) == 1:
        parts = _BLANKS.findall(parts[0])
    return [unquote(part) for part in parts]


def _call_arguments(macro: Macro, operands: str) -> list[str]:
    """Split what a macro is called with; the rest for a `vararg` is not taken apart."""
    kinds = [parameter.kind for parameter in macro.parameters]
    if "vararg" not in kinds:
        return split_operands(operands)
    pieces: list[str] = []
    rest = operands.strip()
    while rest and len(pieces) < kinds.index("vararg"):
        match = _ONE_ARGUMENT.match(rest)
        if match is None:
            break
        pieces.append(match[1])
        rest = rest[match.end() :]
    return [*pieces, rest] if rest else pieces


def call(assembly: Assembly, macro: Macro, operands: str) -> None:
    """Expand a macro with its arguments.

    Raises StatementError for arguments that it does not take.
    """
    values: dict[str, str] = {}
    names = [parameter.name for parameter in macro.parameters]
    raw: list[str] = []
    if assembly.has_alternate_macros and operands.strip():
        raw = [read_argument(assembly, text) for text in split_arguments(operands)]
    elif operands.strip():
        raw = _call_arguments(macro, operands)
    if len(raw) == 1 and not assembly.has_alternate_macros and len(names) > 1:
        raw = _BLANKS.findall(raw[0])
    position = 0
    for index, text in enumerate(raw):
        keyword = re.match(r"([A-Za-z_.$][\w.$]*)\s*=\s*(?!=)(.*)\Z", text, re.DOTALL)
        if keyword and keyword[1] in names:
            values[keyword[1]] = unquote(keyword[2])
            continue
        if position >= len(names):
            raise StatementError(f"too many arguments for macro `{macro.name}'", text)
        parameter = macro.parameters[position]
        if parameter.kind == "vararg":
            values[parameter.name] = ", ".join(raw[index:])
            break
        if text:
            values[parameter.name] = text if assembly.has_alternate_macros else unquote(text)
        position += 1
    for parameter in macro.parameters:
        if parameter.name not in values:
            if parameter.kind == "req":
                message = f"macro `{macro.name}' needs a value for `{parameter.name}'"
                raise StatementError(message, macro.name)
            values[parameter.name] = parameter.default or ""
    lines = _substitute(macro.lines, values, assembly.macro_count)
    if assembly.has_alternate_macros:
        lines = replace_names(lines, values, assembly.new_local_name)
        _check_lengths(lines)
    assembly.macro_count += 1
    first = assembly.source_map.locate(macro.place).line + 1
    _expand(assembly, lines, assembly.place, f"expansion of macro `{macro.name}'", first)


def purge(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.purgem`."""
    if assembly.macros.pop(operands.strip().lower(), None) is None:
        raise StatementError(f"macro `{operands}' is not defined", operands)


def exit_macro(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.exitm`: leave the innermost expansion."""
    if len(assembly.sources) < 2:
        raise StatementError("`.exitm' outside of a macro", name)
    source = assembly.sources[-1]
    for _ in source.numbered:
        pass


def stray_end(assembly: Assembly, name: str, operands: str) -> None:
    """Refuse an end without a beginning."""
    opener = ".macro" if name == ".endm" else ".rept"
    raise StatementError(f"`{name}' without `{opener}'", name)


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {
    ".rept": rept,
    ".irp": irp,
    ".irpc": irp,
    ".macro": macro,
    ".altmacro": switch,
    ".noaltmacro": switch,
    ".purgem": purge,
    ".exitm": exit_macro,
    ".endm": stray_end,
    ".endr": stray_end,
}
