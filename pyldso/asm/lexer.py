"""Lines of GAS source to statements: labels, comments, separators and strings (gas manual, 3)."""

from __future__ import annotations

import re
from typing import NamedTuple

from pyldso.asm.errors import StatementError
from pyldso.asm.source_map import Lines

_BLOCK_COMMENT = r'"(?:[^"\\\n]|\\.)*"|\'(?:\\.|[^\n])|#[^\n]*|/\*.*?(?:\*/|\Z)'
_CUT = re.compile(r'"(?:[^"\\]|\\.)*("?)|\'(?:\\.|.)|[;#]')
_LABEL = re.compile(r'\s*(?:((?:[^\W\d]|[.$])[\w.$?@]*|\d+)|"((?:[^"\\]|\\.)*)")\s*:(?!:)')
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_.$][\w.$]*)\s*(==?)(?!=)\s*(.*)\Z", re.DOTALL)
_WORD = re.compile(r"\s*([^\s,:;\"'(]+)\s*(.*)\Z", re.DOTALL)
_SPECIAL = frozenset("\"'#;")


class Statement(NamedTuple):
    """One statement: labels before it, a first word (empty for labels alone), and the rest."""

    labels: tuple[str, ...]
    word: str
    rest: str
    is_assignment: bool = False


def split_lines(text: str) -> Lines:
    """Return the physical lines, with `/* */` comments blanked out.

    Raises StatementError for a comment without an end.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "/*" in text:
        text = re.sub(_BLOCK_COMMENT, _blank, text, flags=re.DOTALL)
    return Lines(text)


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    if not found.startswith("/*"):
        return found
    if not found.endswith("*/") or len(found) < 4:
        raise StatementError("`/*' without `*/'", found[:20].split("\n")[0])
    return " " + "\n" * found.count("\n")


def cut(line: str) -> list[str]:
    """Return the statements of a line as text, without comments.

    Raises StatementError for a string without an end.
    """
    stripped = line.strip()
    if not stripped or stripped[0] in "#/":
        return []
    if _SPECIAL.isdisjoint(stripped):
        return [stripped]
    pieces = []
    start = 0
    for match in _CUT.finditer(stripped):
        found = match[0]
        if found[0] == '"':
            if not match[1]:
                raise StatementError("unterminated string", found)
        elif found == ";":
            pieces.append(stripped[start : match.start()].strip())
            start = match.end()
        elif found == "#":
            pieces.append(stripped[start : match.start()].strip())
            start = len(stripped)
            break
    if start < len(stripped):
        pieces.append(stripped[start:].strip())
    return [piece for piece in pieces if piece]


def read_statement(text: str) -> Statement:
    """Split one statement into labels, first word and rest."""
    labels = []
    while ":" in text and (match := _LABEL.match(text)):
        labels.append(match[1] if match[1] is not None else match[2])
        text = text[match.end() :]
    if "=" in text:
        assignment = _ASSIGNMENT.match(text)
        if assignment:
            return Statement(tuple(labels), assignment[1], assignment[3].strip(), True)
    match = _WORD.match(text)
    if match is None:
        if text.strip():
            raise StatementError("expected a mnemonic or a directive", text.strip())
        return Statement(tuple(labels), "", "")
    return Statement(tuple(labels), match[1], match[2].strip())


def unquote(text: str) -> str:
    """Return the content of a quoted name, or the name as it is."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


_ESCAPES = {"b": 8, "f": 12, "n": 10, "r": 13, "t": 9, '"': 34, "\\": 92}
_ESCAPE = re.compile(r"\\([0-7]{1,3}|[xX][0-9a-fA-F]*|.)", re.DOTALL)
_STRING = re.compile(r'\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)


def read_strings(text: str) -> list[bytes]:
    """Return the bytes of comma-separated string literals, with gas's escapes.

    Raises StatementError for what is not a string.
    """
    strings: list[bytes] = []
    place = 0
    continues = False
    while place < len(text.rstrip()):
        match = _STRING.match(text, place)
        if match is None:
            raise StatementError("expected a string in double quotes", text[place:].strip())
        content = _unescape(match[1])
        # Literals without a comma between them are one string: `.asciz "a" "b"`.
        if continues:
            strings[-1] += content
        else:
            strings.append(content)
        place = match.end()
        rest = text[place:].lstrip()
        continues = rest[:1] == '"'
        if rest and not continues:
            if rest[0] != ",":
                raise StatementError(f"junk `{rest}' after a string", rest)
            place = text.index(",", place) + 1
            if not text[place:].strip():
                raise StatementError("expected a string after `,'", ",")
    return strings


def _unescape(text: str) -> bytes:
    if "\\" not in text:
        return text.encode("utf-8", "surrogateescape")
    out = bytearray()
    place = 0
    for match in _ESCAPE.finditer(text):
        out += text[place : match.start()].encode("utf-8", "surrogateescape")
        place = match.end()
        code = match[1]
        if code[0] in "01234567":
            out.append(int(code, 8) & 0xFF)
        elif code[0] in "xX" and len(code) > 1:
            out.append(int(code[1:], 16) & 0xFF)
        elif code in _ESCAPES:
            out.append(_ESCAPES[code])
        else:
            out += code.encode("utf-8", "surrogateescape")
    return bytes(out + text[place:].encode("utf-8", "surrogateescape"))
