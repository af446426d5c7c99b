"""AT&T instructions to keystone's one canonical form, with markers for the symbolic fields."""

from __future__ import annotations

import re

from pyldso.arch.x86_64.relocations import R_X86_64
from pyldso.asm.encoder import ATT, FIELD_32, FIELD_64, Template, fixed_template
from pyldso.asm.errors import StatementError
from pyldso.asm.evex import needs_evex
from pyldso.asm.expression import Expression, Scope, parse, signed
from pyldso.asm.fragments import Branch, Instruction, Item, Mark
from pyldso.asm.prefixes import with_prefixes
from pyldso.asm.registers import NAMES, can_address, suffix_of
from pyldso.asm.special import (
    BRANCHES,
    COMPARISONS,
    FIXED_BRANCHES,
    PREFIXES,
    special_code,
)
from pyldso.asm.stand_ins import STAND_INS, VEX
from pyldso.asm.symbols import AsmSymbol

_MEMORY = re.compile(
    r"""(?:%(?P<segment>[c-gs]s)\s*:)?\s*
        (?P<displacement>.*?)\s*
        \(\s*(?:%(?P<base>\w+))?\s*
          (?:,\s*(?:%(?P<index>\w+))?\s*(?:,\s*(?P<scale>\w*)\s*)?)?\)\Z""",
    re.VERBOSE | re.DOTALL,
)
_SEGMENT = re.compile(r"%([c-gs]s)\s*:\s*(.*)\Z", re.DOTALL)
_SEPARATORS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:\\.|.)\'?|[][(){},]')
_DECORATION = re.compile(r"(?:\s*\{[\w%-]+\})+\Z")
_PAIR = re.compile(r"([a-zA-Z][\w.]*)(?:\s+(.*))?\Z", re.DOTALL)
_PSEUDO_PREFIX = re.compile(r"(\{\s*\w+\s*\})\s*(\w*)", re.DOTALL)
_COMPARISON = re.compile(r"vcmp([a-z_]+)(ps|pd|ss|sd)\Z")
_BRANCH_HINTS = {",pn": 0x2E, ",pt": 0x3E}

# Mnemonics that take their size from a register when an immediate comes first.
_SIZED_BY_REGISTER = frozenset(
    ["mov", "add", "sub", "and", "or", "xor", "cmp", "test", "adc", "sbb"]
)
_SHIFTS = frozenset(
    [
        "sal",
        "sar",
        "shl",
        "shr",
        "rol",
        "ror",
        "rcl",
        "rcr",
        "shld",
        "shrd",
        "bt",
        "bts",
        "btr",
        "btc",
    ]
)
# What `lock` may stand before (Intel SDM 2, LOCK).
_LOCKABLE = frozenset(
    (
        "adc", "add", "and", "btc", "btr", "bts", "cmpxchg", "cmpxchg8b", "cmpxchg16b", "dec",
        "inc", "neg", "not", "or", "sbb", "sub", "xadd", "xchg", "xor",
    )
)  # fmt: skip
_BITS = {"b": 8, "w": 16, "l": 32, "q": 64}
_BYTE_IMMEDIATE = frozenset(["int", "outb", "outw", "outl", "inb", "inw", "inl", "aam", "aad"])


_REPEATS = ("rep", "repe", "repz", "repne", "repnz")
_REPEATABLE = re.compile(
    r"(?:movs|cmps|stos|lods|scas|ins|outs)[bwldq]?\Z|ret[qwl]?\Z|nop\Z|bs[fr][wlq]?\Z"
    r"|xstore|xcrypt|montmul|xsha"
)
"""What a repeat prefix may stand before in one statement, as in gas (tc-i386.c, PrefixRepOK)."""
_PORTS = {
    "int": b"\xcd", "in": b"\xe4", "inb": b"\xe4", "inw": b"\xe4", "inl": b"\xe4",
    "out": b"\xe6", "outb": b"\xe6", "outw": b"\xe6", "outl": b"\xe6",
}  # fmt: skip
_ACCUMULATORS = {"%al": (b"", 0), "%ax": (b"\x66", 1), "%eax": (b"", 1)}
"""The prefix that an accumulator needs, and what it adds to the opcode of `in` or `out`."""


def split_operands(text: str) -> list[str]:
    """Split at the commas that stand outside of brackets and strings."""
    if "(" not in text and "{" not in text and '"' not in text and "'" not in text:
        return [part.strip() for part in text.split(",")]
    parts: list[str] = []
    depth = start = 0
    for match in _SEPARATORS.finditer(text):
        char = match[0]
        if char == "," and depth == 0:
            parts.append(text[start : match.start()].strip())
            start = match.end()
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
    parts.append(text[start:].strip())
    return parts


class Fields:
    """The symbolic fields of one instruction, as its operands are read."""

    __slots__ = ("is_positional", "kinds", "operands", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.kinds = ""
        self.operands: list[tuple[Expression, str]] = []
        self.is_positional = False

    def number_or_field(
        self, text: str, kind: str, marker: str = FIELD_32, *, is_offset: bool = False
    ) -> int | str:
        """Return the number a text is worth, or the marker of a field that a fixup will fill."""
        # gas lists a `.L` name for an address, but not for an immediate other than an OFFSET.
        self.scope.in_data = kind == "i" and not is_offset
        try:
            tree, modifier, is_positional = parse(text, self.scope)
        finally:
            self.scope.in_data = False
        self.is_positional |= is_positional
        if isinstance(tree, int) and not modifier:
            return tree
        self.kinds += kind
        self.operands.append((tree, modifier))
        return marker

    def peek_number(self, text: str) -> int | None:
        """Return the number that a text is worth, or None where it is an address."""
        tree, modifier, _ = parse(text, self.scope)
        return tree if isinstance(tree, int) and not modifier else None


def _read_pseudo_prefix(text: str) -> str:
    """Return the text of an instruction without what stands in braces before it.

    Raises StatementError for what asks for an encoding that is not known here.
    """
    match = _PSEUDO_PREFIX.match(text)
    if match is None:
        raise StatementError("expected an instruction", text.split()[0])
    word, mnemonic = match[1].replace(" ", "").lower(), match[2].lower()
    if word in ("{vex}", "{vex2}") and mnemonic[:1] == "v" and not needs_evex(text[match.end() :]):
        mark = VEX if VEX + mnemonic in STAND_INS else ""
        return mark + text[match.start(2) :]
    if word == "{nooptimize}" and mnemonic:
        return text[match.start(2) :]
    raise StatementError(f"`{match[1]}' is not supported here", match[1])


def _check_lockable(mnemonic: str, operands: str) -> None:
    """Raise StatementError for an instruction that the processor does not run after `lock`."""
    name = mnemonic if mnemonic in _LOCKABLE else mnemonic[:-1]
    if name not in _LOCKABLE or not re.search(r"[(\[:]|[\w.]+(?:,|\Z)", operands):
        raise StatementError(
            f"`{mnemonic}' cannot follow `lock'", mnemonic, "`lock' takes what changes memory"
        )


def _alone(prefixes: bytes) -> list[Item]:
    """Return prefixes as an item of their own."""
    return [with_prefixes(prefixes, b"")] if prefixes else []


def _before_branch(mnemonic: str, prefixes: bytes) -> list[Item]:
    """Return the prefixes of a branch to a label.

    Raises StatementError for one that gas would leave out, or that changes what follows.
    """
    is_wide = any(prefix & 0xF8 == 0x48 for prefix in prefixes)
    for prefix in prefixes:
        is_hint = prefix in (0x2E, 0x3E) and mnemonic in BRANCHES
        is_size = prefix == 0x66 and is_wide
        if not (prefix == 0xF2 or prefix & 0xF0 == 0x40 or is_hint or is_size):
            raise StatementError(f"`{mnemonic}' to a label takes no such prefix", mnemonic)
    return _alone(prefixes)


def hexadecimal(value: int) -> str:
    """Write a number as keystone reads it rightly."""
    return f"-{-value:#x}" if value < 0 else f"{value:#x}"


class AttReader:
    """Reads AT&T instructions; templates are shared between equal texts."""

    syntax = ATT

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._memories: dict[str, str] = {}
        """Operands of memory without symbols, as they stand and as keystone reads them."""
        self.templates: dict[tuple[str, str, bytes], Template] = {}
        """By text, kinds and prefixes: those that wait, and those with symbolic fields."""
        self.waiting: list[Template] = []
        """Templates that the encoder has to encode."""
        self._prefixes = b""
        """What was written before the instruction that is being read."""

    def _is_direct(self, operands: str) -> bool:
        return operands[0] != "*"

    def _tls_call(self, mnemonic: str, operands: str) -> str:
        """Return the symbol of a call through a TLS descriptor, or an empty string."""
        if operands[-14:].lower() == "@tlscall(%rax)":
            return operands.lstrip("* ")[:-14].rstrip()
        return ""

    def read(self, text: str) -> tuple[list[Item], bool]:
        """Return the items of one instruction, and whether they depend on where it stands.

        Raises StatementError.
        """
        prefixes = b""
        repeat = ""
        while True:
            match = _PAIR.match(text)
            if match is None and text[0] == "{":
                text = _read_pseudo_prefix(text)
                continue
            if match is None:
                raise StatementError("expected an instruction", text.split()[0])
            mnemonic, operands = match[1].lower(), (match[2] or "").strip()
            prefix = PREFIXES.get(mnemonic)
            if prefix is None:
                break
            prefixes += bytes([prefix])
            repeat = mnemonic if mnemonic in _REPEATS else repeat
            text = operands.lstrip(";, \t")
            if not text:
                return [with_prefixes(prefixes, b"")], False
        if repeat and not _REPEATABLE.match(mnemonic):
            raise StatementError(f"`{mnemonic}' cannot follow `{repeat}'", mnemonic)
        is_branch = mnemonic in BRANCHES or mnemonic in FIXED_BRANCHES
        if is_branch and operands[:3] in _BRANCH_HINTS:
            prefixes += bytes([_BRANCH_HINTS[operands[:3]]])
            operands = operands[3:].lstrip()
        if is_branch and operands and self._is_direct(operands):
            item, is_positional = self._branch(mnemonic, operands)
            return [*_before_branch(mnemonic, prefixes), item], is_positional
        code = special_code(mnemonic, operands)
        if code is not None:
            return [fixed_template(with_prefixes(prefixes, code))], False
        symbol = self._tls_call(mnemonic, operands)
        if symbol:
            tree, _, is_positional = parse(symbol, self._scope)
            self._scope.lookup("_GLOBAL_OFFSET_TABLE_")
            # call *(%rax), which the linker recognises by its relocation (psABI, TLS descriptors)
            call: list[Item] = [Mark(tree, R_X86_64.TLSDESC_CALL), b"\xff\x10"]
            return [*_alone(prefixes), *call], is_positional
        if b"\xf0"[0] in prefixes:
            _check_lockable(mnemonic, operands)
        self._prefixes = prefixes
        if mnemonic in _PORTS:
            port = self._symbolic_port(mnemonic, operands)
            if port is not None:
                return [*_alone(prefixes), port], False
        if mnemonic[:4] == "vcmp":
            mnemonic, operands = self._comparison(mnemonic, operands)
        item, is_positional = self._ordinary(mnemonic, operands)
        return [item], is_positional

    def _symbolic_port(self, mnemonic: str, operands: str) -> Item | None:
        """Return an interrupt or port instruction whose number is a symbol, else None."""
        parts = split_operands(operands)
        number = next((part for part in parts if part[:1] == "$"), "")
        register = next((part for part in parts if part[:1] == "%"), "")
        is_interrupt = mnemonic == "int"
        if (
            not number
            or len(parts) != 2 - is_interrupt
            or (parts[0] == number) == (mnemonic[:3] == "out")
        ):
            return None
        if not is_interrupt and register not in _ACCUMULATORS:
            return None
        fields = Fields(self._scope)
        if not isinstance(fields.number_or_field(number[1:], "i"), str):
            return None
        prefix, width = _ACCUMULATORS.get(register, (b"", 0))
        code = prefix + bytes([_PORTS[mnemonic][0] | width, 0])
        template = fixed_template(code)
        template.fields = ((len(code) - 1, 1, "i"),)
        return Instruction(template, tuple(fields.operands))

    def _comparison(self, mnemonic: str, operands: str) -> tuple[str, str]:
        """Return a comparison whose name tells the predicate as one with an immediate."""
        match = _COMPARISON.match(mnemonic)
        if match is None or match[1] not in COMPARISONS:
            return mnemonic, operands
        return f"vcmp{match[2]}", self._with_immediate(COMPARISONS[match[1]], operands)

    def _with_immediate(self, value: int, operands: str) -> str:
        return f"${value}, {operands}"

    def _branch(self, mnemonic: str, operands: str) -> tuple[Item, bool]:
        target = operands.removesuffix(",pt").removesuffix(",pn").rstrip()
        if target[0] in "%$(" or (target.endswith(")") and "%" in target):
            raise StatementError(
                f"the target of `{mnemonic}' must be a label",
                target,
                f"write `*{target}' for an indirect jump or call",
            )
        tree, modifier, is_positional = parse(target, self._scope)
        if mnemonic in FIXED_BRANCHES:
            opcode, width = FIXED_BRANCHES[mnemonic]
            template = fixed_template(opcode + bytes(width))
            template.fields = ((len(opcode), width, "b"),)
            return Instruction(template, ((tree, modifier),)), is_positional
        jump = BRANCHES[mnemonic]
        if modifier:
            jump = jump._replace(modifier=modifier)
        return Branch(jump, tree), is_positional

    def _ordinary(self, mnemonic: str, operands: str) -> tuple[Item, bool]:
        fields = Fields(self._scope)
        if not operands:
            return self._template(mnemonic, ""), False
        parts = split_operands(operands)
        last = parts[-1]
        size = _operand_size(mnemonic, last)
        if mnemonic in _SIZED_BY_REGISTER and parts[0][:1] == "$" and last[:1] == "%" and size:
            mnemonic += {8: "b", 16: "w", 32: "l", 64: "q"}[size]
        texts = [self._operand(mnemonic, part, size, fields) for part in parts]
        template = self._template(f"{mnemonic} {', '.join(texts)}", fields.kinds)
        if not fields.kinds:
            return template, False
        if mnemonic == "movq" and "mm" not in operands:
            # gas reads the operands twice: first for the movq of SSE, then for mov.
            for (tree, _), kind in zip(fields.operands, fields.kinds, strict=True):
                if isinstance(tree, AsmSymbol) and kind != "i":
                    self._scope.lookup(tree.name)
        return Instruction(template, tuple(fields.operands)), fields.is_positional

    def _template(self, text: str, kinds: str) -> Template:
        prefixes = self._prefixes
        template = self.templates.get((text, kinds, prefixes))
        if template is None:
            template = Template(text, kinds, self.syntax, prefixes)
            self.templates[text, kinds, prefixes] = template
            self.waiting.append(template)
        return template

    def take_waiting(self) -> list[Template]:
        """Return the templates that are to be encoded, and forget those that are only bytes then.

        The lines that gave them are what is remembered.
        """
        taken, self.waiting = self.waiting, []
        for template in taken:
            if not template.kinds:
                del self.templates[template.text, "", template.prefixes]
        return taken

    def _operand(self, mnemonic: str, text: str, size: int, fields: Fields) -> str:
        if not text:
            raise StatementError("an operand is missing")
        first = text[0]
        if first == "%":
            name = text[1:]
            if name in NAMES:
                return text
            if "{" not in text and ":" not in text:
                return _register(text)
        elif first == "$":
            return self._immediate(mnemonic, text, size, fields)
        star = ""
        if first == "*":
            star, text = "*", text[1:].lstrip()
            if text[:1] == "%" and ":" not in text:
                return star + _register(text)
        decoration = ""
        if text[-1:] == "}":
            found = _DECORATION.search(text)
            if found:
                decoration, text = found[0].replace(" ", ""), text[: found.start()].rstrip()
                if not text:
                    return decoration
                if text[0] == "%" and ":" not in text:
                    return _register(text) + decoration
        known = self._memories.get(text)
        if known is None:
            count = len(fields.kinds)
            known = self._memory(mnemonic, text, fields)
            if len(fields.kinds) == count and text[-1:] == ")" and "eip" not in text:
                self._memories[text] = known
        return star + known + decoration

    def _immediate(self, mnemonic: str, text: str, size: int, fields: Fields) -> str:
        marker = FIELD_64 if mnemonic.startswith("movabs") else FIELD_32
        value = fields.number_or_field(text[1:], "i", marker)
        if 0x66 in self._prefixes:
            raise StatementError("`data16' before an immediate is not supported", "data16")
        if isinstance(value, str):
            return "$" + value
        if size == 64 and not mnemonic.startswith("mov"):
            fits = -(1 << 31) <= value < 1 << 31 or (1 << 64) - (1 << 31) <= value < 1 << 64
        elif size:
            fits = -(1 << size - 1) <= value < 1 << size
        else:
            fits = -(1 << 63) <= value < 1 << 64
        if not fits:
            raise StatementError(f"immediate {value:#x} does not fit in {size or 64} bits", text)
        return "$" + hexadecimal(value)

    def _memory(self, mnemonic: str, text: str, fields: Fields) -> str:
        match = _MEMORY.match(text) if text.endswith(")") else None
        if match is None or not (match["base"] or match["index"] or "," in text):
            return self._absolute(mnemonic, text, fields)
        segment, displacement, base, index, scale = match.groups()
        out = f"%{_known(segment)}:" if segment else ""
        if displacement:
            kind = "r" if base in ("rip", "eip") else "d"
            value = fields.number_or_field(displacement, kind)
            if isinstance(value, str):
                out += value
            else:
                out += check_displacement(value, displacement)
        if base == "eip":
            # Keystone loses the prefix that makes %rip of it.
            base = "rip"
            self._prefixes += b"\x67"
        out += "(" + ("%" + addressing_register(base) if base else "")
        if index:
            if index.lower() in ("rsp", "esp", "rip", "eip"):
                raise StatementError(f"`%{index}' cannot be an index", f"%{index}")
            out += ",%" + addressing_register(index)
            if scale:
                if scale not in ("1", "2", "4", "8"):
                    raise StatementError(f"scale factor `{scale}' is not 1, 2, 4 or 8", scale)
                out += "," + scale
        elif not base:
            out += ",%riz,1"
        return out + ")"

    def _absolute(self, mnemonic: str, text: str, fields: Fields) -> str:
        """Read an address without registers; keystone needs an index to keep it absolute."""
        out = ""
        if 0x67 in self._prefixes and mnemonic[:3] == "mov":
            raise StatementError("`addr32' before an absolute address is not supported", "addr32")
        match = _SEGMENT.match(text)
        if match:
            out, text = f"%{match[1]}:", match[2]
        elif text[:1] == "%":
            return _register(text)
        if mnemonic.startswith("movabs"):
            value = fields.number_or_field(text, "d", FIELD_64)
            return out + (value if isinstance(value, str) else hexadecimal(value))
        value = fields.number_or_field(text, "d")
        out += value if isinstance(value, str) else check_displacement(value, text)
        return out + "(,%riz,1)"


def _operand_size(mnemonic: str, last: str) -> int:
    """Return the bits of an instruction's immediate, 0 where nothing tells."""
    if mnemonic in _BYTE_IMMEDIATE or mnemonic in _SHIFTS or mnemonic[:-1] in _SHIFTS:
        return 8
    if mnemonic[0] in "pv" and "mm" in last:
        return 8
    if last[:1] == "%":
        suffix = suffix_of(last[1:])
    else:
        suffix = mnemonic[-1] if mnemonic[:-1] in _SIZED_BY_REGISTER else ""
    return _BITS.get(suffix, 0)


def check_displacement(value: int, text: str) -> str:
    """Return a displacement in hex; raises StatementError beyond 32 bits."""
    value = signed(value)
    if not -(1 << 31) <= value < 1 << 31:
        raise StatementError(f"displacement {value:#x} does not fit in 32 bits", text)
    return hexadecimal(value)


def _known(name: str) -> str:
    lowered = name.lower()
    if lowered not in NAMES:
        raise bad_register("%" + name)
    return lowered


def addressing_register(name: str) -> str:
    """Return a register in lower case; raises StatementError where it cannot form an address."""
    known = _known(name)
    if not can_address(known):
        raise StatementError(f"`{name}' cannot be part of an address", name)
    return known


def _register(text: str) -> str:
    name = text[1:].replace(" ", "").lower()
    if name not in NAMES:
        raise bad_register(text)
    return "%" + name


def bad_register(text: str) -> StatementError:
    """Return the error for a register that does not exist, with one that does."""
    from pyldso.spelling import similar  # an error only

    name = text.lstrip("%").lower()
    close = similar(name, NAMES - {"riz", "eiz"}, 0.5)
    mark = "%" if text.startswith("%") else ""
    hint = f"did you mean `{mark}{close}'?" if close else ""
    return StatementError(f"bad register name `{text}'", text, hint)
