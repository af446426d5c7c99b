"""One canonical instruction to its bytes: how keystone (engine.py) is to be asked.

Keystone is a sound encoder of one canonical instruction and a trap as an assembler, so it sees a
whitelist of characters, numbers in 0x hex only and no symbols. A symbolic field is encoded twice,
with two values that differ in every byte: the bytes that differ are the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyldso.asm.corrections import correct
from pyldso.asm.engine import SYNTAX_ATT, SYNTAX_INTEL, Engine
from pyldso.asm.errors import StatementError
from pyldso.asm.prefixes import with_prefixes
from pyldso.asm.special import is_string_with_operands
from pyldso.asm.stand_ins import STAND_INS, StandIn

FIELD_32, FIELD_64 = "\0", "\1"

# Two sets of placeholder values; each further field of an instruction is `_STEP` apart.
_PLACEHOLDERS = (
    {FIELD_32: 0x12345678, FIELD_64: 0x1122334455667788},
    {FIELD_32: 0x3A5B6C7D, FIELD_64: 0x3A4B5C6D7E8F9AAB},
)
_STEP = 0x01010101

# Longer than any instruction and without a border, so that splitting at it is exact.
_MARKER = bytes([0x0E] + [6] * 15)
_SEPARATOR = "\n.byte " + ",".join(f"{byte:#x}" for byte in _MARKER) + "\n"
BATCH = 400
_MOST_REMEMBERED = 8000

_FIELD = re.compile("[\0\1]")
_WHITELIST = re.compile(r"[a-z][a-z0-9]*(?: [-a-z0-9%$(),:*+\[\]{} ]*)?\Z")
_LONGEST = 200

ATT, INTEL = "att", "intel"


class Code(bytes):
    """The bytes of an instruction; data is plain bytes, and gets no row in the line table."""

    __slots__ = ()


INVALID, NOT_SYMBOLIC = "invalid instruction", "no encoding with a symbol here"


class Template:
    """An instruction in canonical text; \\0 and \\1 stand for symbolic fields of 4 and 8 bytes.

    `kinds` tells what each field holds, in the order of the text: `d` a displacement, `r` one from
    %rip, `i` an immediate. Once encoded, `code` has zeros in the fields, and `fields` is
    (offset, size, kind) for each, in the same order. `prefixes` are those that the source wrote
    before the instruction.
    """

    __slots__ = ("code", "error", "fields", "kinds", "prefixes", "syntax", "text")

    def __init__(
        self, text: str, kinds: str = "", syntax: str = ATT, prefixes: bytes = b""
    ) -> None:
        self.text = text
        self.kinds = kinds
        self.syntax = syntax
        self.prefixes = prefixes
        self.code: bytes | None = None
        self.error = ""
        self.fields: tuple[tuple[int, int, str], ...] = ()


def fixed_template(code: bytes) -> Template:
    """Return a template of bytes that are known without keystone."""
    template = Template("")
    template.code = code
    return template


class Encoder:
    """Encodes templates in batches and remembers texts, so that many small sources share them."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._memo: dict[tuple[str, str], bytes | None] = {}

    def encode(self, templates: Iterable[Template]) -> None:
        """Fill in `code` and `fields`, or `error`, of every template that lacks them."""
        if len(self._memo) > _MOST_REMEMBERED:
            self._memo.clear()
        waiting = [template for template in templates if template.code is None]
        wanted: dict[str, dict[str, None]] = {}
        for template in waiting:
            texts = wanted.setdefault(template.syntax, {})
            texts[_render(template.text, 0)] = None
            if template.kinds:
                texts[_render(template.text, 1)] = None
        for syntax, batch in wanted.items():
            memo = self._memo
            self._encode_texts([text for text in batch if (syntax, text) not in memo], syntax)
        for template in waiting:
            self._finish(template)
            if template.prefixes and template.code is not None:
                _put_prefixes(template)

    def _encode_texts(self, texts: list[str], syntax: str) -> None:
        sound = []
        replaced: list[tuple[str, str, StandIn]] = []
        for text in texts:
            mnemonic, _, operands = text.partition(" ")
            row = STAND_INS.get(mnemonic) if operands else None
            if row is not None:
                shown = f"{row.mnemonic} {operands}"
                replaced.append((text, shown, row))
                self._memo.setdefault((syntax, shown), None)
                text = shown
            is_safe = len(text) <= _LONGEST and _WHITELIST.match(text)
            if is_safe and not is_string_with_operands(mnemonic, operands):
                sound.append(text)
            else:
                self._memo[syntax, text] = None
        for start in range(0, len(sound), BATCH):
            self._encode_batch(sound[start : start + BATCH], syntax)
        for text, shown, row in replaced:
            code = self._memo[syntax, shown]
            self._memo[syntax, text] = row.put(code) if code is not None else None

    def _encode_batch(self, texts: list[str], syntax: str) -> None:
        """Encode texts in one call, and by halves where one of them is wrong."""
        encoded = self.raw(_SEPARATOR.join(texts), syntax)
        pieces = encoded.split(_MARKER) if encoded is not None else []
        if len(pieces) == len(texts) and all(pieces):
            for text, code in zip(texts, pieces, strict=True):
                self._memo[syntax, text] = correct(text, code, syntax, self)
        elif len(texts) == 1:
            self._memo[syntax, texts[0]] = None
        else:
            middle = len(texts) // 2
            self._encode_batch(texts[:middle], syntax)
            self._encode_batch(texts[middle:], syntax)

    def raw(self, text: str, syntax: str) -> bytes | None:
        """Return keystone's own bytes for a text, or None where it refuses it."""
        engine = self._engines.get(syntax)
        if engine is None:
            engine = Engine(SYNTAX_ATT if syntax == ATT else SYNTAX_INTEL)
            self._engines[syntax] = engine
        code = engine.encode(text)
        if code is None:
            # After an error an engine is not to be trusted: some later call may crash.
            self._engines.pop(syntax).close()
        return code

    def _finish(self, template: Template) -> None:
        first = self._memo[template.syntax, _render(template.text, 0)]
        if first is None:
            template.error = INVALID
            return
        if not template.kinds:
            template.code = first
            return
        second = self._memo[template.syntax, _render(template.text, 1)]
        if second is None or len(second) != len(first):
            template.error = NOT_SYMBOLIC
            return
        self._locate_fields(template, first, second)

    def _locate_fields(self, template: Template, first: bytes, second: bytes) -> None:
        """Find the fields where the two encodings differ: displacement first, then immediate."""
        pairs = zip(first, second, strict=True)
        differing = [place for place, (one, other) in enumerate(pairs) if one != other]
        markers = _FIELD.findall(template.text)
        in_code_order = sorted(range(len(markers)), key=lambda i: template.kinds[i] == "i")
        located: dict[int, tuple[int, int, str]] = {}
        taken = 0
        for rank, index in enumerate(in_code_order):
            width = 4 if markers[index] == FIELD_32 else 8
            if rank == len(in_code_order) - 1:
                width = min(width, len(differing) - taken)
            if width not in (1, 2, 4, 8) or taken + width > len(differing):
                template.error = NOT_SYMBOLIC
                return
            located[index] = (differing[taken], width, template.kinds[index])
            taken += width
        if taken != len(differing):
            template.error = NOT_SYMBOLIC
            return
        code = bytearray(first)
        for place in differing:
            code[place] = 0
        template.code = bytes(code)
        template.fields = tuple(located[index] for index in range(len(markers)))


def _put_prefixes(template: Template) -> None:
    code = template.code or b""
    try:
        template.code = with_prefixes(template.prefixes, code)
    except StatementError as error:
        template.code, template.error = None, error.message
        return
    more = len(template.code) - len(code)
    template.fields = tuple((place + more, size, kind) for place, size, kind in template.fields)


def _render(text: str, which: int) -> str:
    if "\0" not in text and "\1" not in text:
        return text
    count = 0

    def value(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"{_PLACEHOLDERS[which][match[0]] + count * _STEP:#x}"

    return _FIELD.sub(value, text)
