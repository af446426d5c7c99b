"""Intel instructions to keystone's one canonical form, as `.intel_syntax noprefix` has them."""

from __future__ import annotations

import re

from pyldso.asm.att import (
    AttReader,
    Fields,
    addressing_register,
    check_displacement,
    hexadecimal,
    split_operands,
)
from pyldso.asm.encoder import FIELD_32, FIELD_64, INTEL
from pyldso.asm.errors import StatementError
from pyldso.asm.fragments import Instruction, Item
from pyldso.asm.registers import NAMES

_SIZE = re.compile(
    r"(byte|word|dword|qword|tbyte|oword|xmmword|ymmword|zmmword|fword|mmword)\s+(?:ptr|bcst)\b\s*",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"offset\s+(?:flat\s*:)?\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
_SEGMENT = re.compile(r"%?([c-gs]s)\s*:\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
_DECORATION = re.compile(r"(?:\s*\{[\w%-]+\})+\Z")
_TLS_CALL = re.compile(r"\[?\s*(?:qword\s+ptr\s+)?([^\[\]]+)@tlscall\[rax\]\s*\]?\Z", re.IGNORECASE)

_NOT_IN_INTEL = ("riz", "eiz")
"""In Intel syntax gas takes the index that is none for a symbol."""


def _register(text: str) -> str:
    """Return the name of a register, or an empty string."""
    name = text.strip().lower().lstrip("%").replace(" ", "")
    return name if name in NAMES and name not in _NOT_IN_INTEL else ""


def _terms(text: str) -> list[tuple[str, str]]:
    """Split an address at the signs that stand outside of parentheses; brackets add."""
    terms: list[tuple[str, str]] = []
    sign, start, depth = "+", 0, 0
    text = text.replace("[", "+ ").replace("]", " ") + "+"
    for place, char in enumerate(text):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char in "+-" and depth == 0:
            term = text[start:place].strip()
            if term and term[-1] in "*/%<>&|^":
                continue
            if term:
                terms.append((sign, term))
                sign = char
            elif char == "-":
                sign = "-" if sign == "+" else "+"
            start = place + 1
    return terms


class _Address:
    """What the terms of an address add up to."""

    __slots__ = ("base", "index", "rest", "scale")

    def __init__(self, text: str) -> None:
        self.base = ""
        self.index = ""
        self.scale = "1"
        rest: list[str] = []
        for sign, term in _terms(text):
            factors = [factor.strip() for factor in term.split("*")]
            registers = [name for name in map(_register, factors) if name]
            for name in registers:
                addressing_register(name)
            if not registers:
                rest.append(sign + term)
            elif sign == "-" or len(registers) > 1 or len(factors) > 2:
                raise StatementError(f"`{term}' cannot be part of an address", term)
            elif len(factors) == 2:
                self._set_index(registers[0], factors[_register(factors[0]) != ""])
            elif not self.base:
                self.base = registers[0]
            else:
                self._set_index(registers[0], "1")
        if self.index in ("rsp", "esp") and self.scale == "1":
            self.base, self.index = self.index, self.base
        if self.index in ("rsp", "esp", "rip", "eip"):
            raise StatementError(f"`{self.index}' cannot be an index", self.index)
        self.rest = "".join(rest).removeprefix("+")

    def _set_index(self, register: str, scale: str) -> None:
        if self.index:
            raise StatementError("an address has at most a base and an index", register)
        if scale not in ("1", "2", "4", "8"):
            raise StatementError(f"scale factor `{scale}' is not 1, 2, 4 or 8", scale)
        self.index, self.scale = register, scale


class IntelReader(AttReader):
    """Reads Intel instructions; all but their operands is as in AT&T syntax."""

    syntax = INTEL

    def _is_direct(self, operands: str) -> bool:
        return not ("[" in operands or _register(operands) or _SIZE.match(operands))

    def _tls_call(self, mnemonic: str, operands: str) -> str:
        match = _TLS_CALL.match(operands) if mnemonic == "call" else None
        return match[1] if match else ""

    def _ordinary(self, mnemonic: str, operands: str) -> tuple[Item, bool]:
        fields = Fields(self._scope)
        if not operands:
            return self._template(mnemonic, ""), False
        texts = [self._intel_operand(mnemonic, part, fields) for part in split_operands(operands)]
        if mnemonic == "movsx" and len(texts) == 2 and texts[1].startswith("dword"):
            mnemonic = "movsxd"
        template = self._template(f"{mnemonic} {', '.join(texts)}", fields.kinds)
        if not fields.kinds:
            return template, False
        return Instruction(template, tuple(fields.operands)), fields.is_positional

    def _with_immediate(self, value: int, operands: str) -> str:
        return f"{operands}, {value}"

    def _intel_operand(self, mnemonic: str, text: str, fields: Fields) -> str:
        if not text:
            raise StatementError("an operand is missing")
        name = _register(text)
        if name:
            return name
        decoration = ""
        found = _DECORATION.search(text)
        if found:
            decoration, text = found[0].replace(" ", ""), text[: found.start()].rstrip()
            name = _register(text)
            if name or not text:
                return name + decoration
        wide = FIELD_64 if mnemonic == "movabs" else FIELD_32
        offset = _OFFSET.match(text)
        if offset:
            value = fields.number_or_field(offset[1], "i", wide, is_offset=True)
            return value if isinstance(value, str) else hexadecimal(value)
        size = ""
        if text[0] == "[" and text[-1] == "]" and _SIZE.match(text[1:].lstrip()):
            text = text[1:-1].strip()
        match = _SIZE.match(text)
        if match:
            size, text = f"{match[1].lower()} ptr ", text[match.end() :]
        segment = ""
        match = _SEGMENT.match(text.lstrip("[ "))
        if match and not _register(match[2]):
            segment = match[1].lower() + ":"
            text = "[" * (text.lstrip()[:1] == "[") + match[2]
        if not size and not segment and "[" not in text:
            number = fields.peek_number(text)
            if number is not None:
                if 0x66 in self._prefixes:
                    message = "`data16' before an immediate is not supported"
                    raise StatementError(message, "data16")
                return hexadecimal(number)
        return size + segment + self._address(mnemonic, text, fields) + decoration

    def _address(self, mnemonic: str, text: str, fields: Fields) -> str:
        address = _Address(text)
        marker = FIELD_64 if mnemonic == "movabs" else FIELD_32
        kind = "r" if address.base in ("rip", "eip") else "d"
        if address.base == "eip":
            # Keystone loses the prefix that makes it of rip.
            address.base = "rip"
            self._prefixes += b"\x67"
        value: int | str = 0
        if address.rest:
            # gas reads the symbol twice here, which shows in the order of its symbol table.
            fields.peek_number(address.rest.partition("@")[0])
            value = fields.number_or_field(address.rest, kind, marker)
        parts = [address.base] if address.base else []
        if address.index:
            parts.append(f"{address.index}*{address.scale}")
        if not parts and 0x67 in self._prefixes and mnemonic[:3] == "mov":
            raise StatementError("`addr32' before an absolute address is not supported", "addr32")
        if mnemonic == "movabs" and not parts:
            return f"[{value if isinstance(value, str) else hexadecimal(value)}]"
        if not parts:
            parts = ["riz*1"]
        if isinstance(value, str):
            return f"[{'+'.join(parts)}+{value}]"
        if value:
            shown = check_displacement(value, text)
            parts.append(shown if value < 0 else f"+{shown}")
            return f"[{'+'.join(parts[:-1])}{parts[-1]}]"
        return f"[{'+'.join(parts)}]"
