"""Directives that say what symbols are: binding, type, visibility, size, value."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from pyldso.asm.assembly import Assembly
from pyldso.asm.att import split_operands
from pyldso.asm.errors import StatementError
from pyldso.asm.fragments import Align, Fill
from pyldso.asm.lexer import unquote
from pyldso.asm.section_names import default_attributes
from pyldso.asm.symbols import AsmSymbol
from pyldso.elf.constants import SHT, STB, STT, STV

_TYPES = {
    "function": STT.FUNC,
    "object": STT.OBJECT,
    "tls_object": STT.TLS,
    "common": STT.COMMON,
    "notype": STT.NOTYPE,
    "gnu_indirect_function": STT.GNU_IFUNC,
    "gnu_unique_object": STT.OBJECT,
    "stt_func": STT.FUNC,
    "stt_object": STT.OBJECT,
    "stt_tls": STT.TLS,
    "stt_common": STT.COMMON,
    "stt_notype": STT.NOTYPE,
    "stt_gnu_ifunc": STT.GNU_IFUNC,
}


def _names(assembly: Assembly, operands: str) -> list[AsmSymbol]:
    names = [unquote(name) for name in split_operands(operands)]
    if not all(names):
        raise StatementError("expected the name of a symbol", operands)
    for name in names:
        if name[0].isdigit():
            raise StatementError(f"`{name}' is no name of a symbol", name)
    return [assembly.lookup(name) for name in names]


def bind(binding: int, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.globl`, `.weak` and `.local`."""
    for symbol in _names(assembly, operands):
        if binding == STB.GLOBAL and symbol.binding == STB.WEAK:
            continue
        symbol.binding = binding


def show(visibility: int, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.hidden`, `.internal` and `.protected`."""
    for symbol in _names(assembly, operands):
        symbol.visibility = visibility


def type_(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.type name, @function`."""
    text, comma, kind = operands.partition(",")
    if not comma:
        text, _, kind = operands.partition(" ")
    word = kind.strip().strip('"').lstrip("@%#").strip('"').lower()
    if word not in _TYPES:
        hint = "types are @function, @object, @tls_object, @notype, @common, "
        raise StatementError(
            f"unknown symbol type `{kind.strip()}'", kind.strip(), hint + "@gnu_indirect_function"
        )
    symbol = assembly.lookup(unquote(text))
    symbol.type = _TYPES[word]
    if word == "gnu_unique_object":
        symbol.binding = STB.GNU_UNIQUE


def size(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.size name, expression`."""
    text, comma, value = operands.partition(",")
    if not comma:
        raise StatementError("`.size' takes a symbol and a size", operands)
    symbol = assembly.lookup(unquote(text))
    symbol.size = assembly.expression(value)


def set_(once: bool, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.set`, `.equ` and `.equiv`."""
    text, comma, value = operands.partition(",")
    if not comma:
        raise StatementError(f"`{name}' takes a symbol and a value", operands)
    symbol_name = unquote(text)
    if symbol_name == ".":
        from pyldso.asm.data_directives import org

        org(assembly, name, value)
        return
    if symbol_name in assembly.symbols:
        # A name that was used takes its turn in the symbol table before what it is set to.
        assembly.lookup(symbol_name)
    assembly.equate(symbol_name, assembly.expression(value), once=once)


def common(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.comm` and `.largecomm name, size, alignment`: after `.local`, space in .(l)bss."""
    is_large = name == ".largecomm"
    symbol, amount, alignment = _common_operands(assembly, name, operands)
    if symbol.section is not None or symbol.equated is not None:
        raise StatementError(f"symbol `{symbol.name}' is already defined", symbol.name)
    if symbol.binding == STB.LOCAL:
        _put_in_bss(assembly, symbol, amount, alignment or _natural(amount), is_large)
        return
    symbol.is_common = True
    symbol.is_large = is_large
    symbol.size = amount
    symbol.type = symbol.type or STT.OBJECT
    if not alignment:
        alignment = next((power for power in (1, 2, 4, 8) if power >= amount), 16)
    symbol.common_alignment = max(symbol.common_alignment, alignment)
    symbol.binding = symbol.binding or STB.GLOBAL
    symbol.place = assembly.place


def local_common(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.lcomm name, size, alignment`: local space in .bss."""
    symbol, amount, alignment = _common_operands(assembly, name, operands)
    if symbol.is_defined:
        raise StatementError(f"symbol `{symbol.name}' is already defined", symbol.name)
    _put_in_bss(assembly, symbol, amount, alignment or min(_natural(amount), _LCOMM_ALIGNMENT))


_LCOMM_ALIGNMENT = 8
"""At most, where the source names none (gas's TC_IMPLICIT_LCOMM_ALIGNMENT)."""


def _natural(amount: int) -> int:
    """Return the alignment that gas gives to a common of a size: up to 16."""
    alignment = 1
    while alignment < 16 and alignment * 2 <= amount:
        alignment *= 2
    return alignment


def _common_operands(assembly: Assembly, name: str, operands: str) -> tuple[AsmSymbol, int, int]:
    parts = split_operands(operands)
    if len(parts) not in (2, 3):
        raise StatementError(f"`{name}' takes a symbol, a size and an alignment", operands)
    symbol = assembly.lookup(unquote(parts[0]))
    amount = assembly.absolute(parts[1])
    if amount < 0:
        raise StatementError(f"negative size {amount}", parts[1])
    alignment = assembly.absolute(parts[2]) if len(parts) > 2 and parts[2] else 0
    if alignment < 0 or alignment & (alignment - 1):
        raise StatementError(f"alignment {alignment} is not a power of two", parts[2])
    return symbol, amount, alignment


def _put_in_bss(
    assembly: Assembly, symbol: AsmSymbol, amount: int, alignment: int, is_large: bool = False
) -> None:
    # gas collects these after everything else in .bss (subsection 1, obj-elf.c).
    name = ".lbss" if is_large else ".bss"
    home = assembly.sections.get((name, None))
    if home is None:
        home = assembly.create_section(name, None, *default_attributes(name))
    stream = home.stream(1)
    section = stream.section
    section.alignment = max(section.alignment, alignment)
    if alignment > 1:
        stream.add(Align(alignment, None, 0), assembly.place)
    symbol.section = section
    symbol.binding = STB.LOCAL
    symbol.type = symbol.type or STT.OBJECT
    symbol.size = amount
    symbol.place = assembly.place
    stream.add(symbol, assembly.place)
    if amount:
        stream.add(Fill(amount, b"\0"), assembly.place)


def version(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.version`: a note of the name given (gABI, SHT_NOTE)."""
    from pyldso.asm.lexer import read_strings

    note = assembly.sections.get((".note", None))
    if note is None:
        note = assembly.create_section(".note", None, SHT.NOTE, 0)
    text = b"".join(read_strings(operands)) + b"\0"
    head = struct.pack("<III", len(text), 0, _NT_VERSION)
    note.alignment = max(note.alignment, 4)
    note.stream().add(head + text + bytes(-len(text) % 4), assembly.place)


_NT_VERSION = 1


def symver(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.symver name, name@VERSION, what becomes of the name without`."""
    parts = split_operands(operands)
    if len(parts) not in (2, 3) or "@" not in parts[1]:
        raise StatementError("`.symver' takes a symbol and a name with a version", operands)
    symbol = assembly.lookup(unquote(parts[0]))
    symbol.versions = (*symbol.versions, unquote(parts[1]))
    if len(parts) > 2:
        if parts[2] not in ("local", "hidden", "remove"):
            message = f"`{parts[2]}' is none of local, hidden and remove"
            raise StatementError(message, parts[2])
        symbol.unversioned = parts[2]


def weakref(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.weakref alias, target`: a weak reference under another name."""
    parts = split_operands(operands)
    if len(parts) != 2:
        raise StatementError("`.weakref' takes an alias and a target", operands)
    alias, target = assembly.lookup(unquote(parts[0])), assembly.lookup(unquote(parts[1]))
    alias.equated = target
    alias.is_weakref = True
    target.is_weakref = target.binding is None and target.section is None


def file(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.file "name"`: the STT_FILE symbol, or with a number a row of the line table."""
    if operands[:1].isdigit():
        from pyldso.asm.debug_lines import numbered_file

        numbered_file(assembly, operands)
        return
    name = unquote(operands)
    source = assembly.sources[-1]
    if source.markers:
        # Lines keep the numbers that markers gave them, in a file of this name.
        source.note_line(assembly.place, name, assembly.source_map.locate(assembly.place).line)
    if assembly.file_name is None:
        assembly.file_name = name
        return
    # The first one opens the symbol table, and all others take their turn (elf_file_symbol).
    symbol = AsmSymbol(name)
    symbol.type, symbol.equated = STT.FILE, 0
    symbol.is_listed = symbol.is_used = True
    assembly.ordered_symbols.append(symbol)


def ignore(assembly: Assembly, name: str, operands: str) -> None:
    """Obey a directive that changes no byte."""


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {
    ".globl": partial(bind, STB.GLOBAL),
    ".global": partial(bind, STB.GLOBAL),
    ".weak": partial(bind, STB.WEAK),
    ".local": partial(bind, STB.LOCAL),
    ".hidden": partial(show, STV.HIDDEN),
    ".internal": partial(show, STV.INTERNAL),
    ".protected": partial(show, STV.PROTECTED),
    ".type": type_,
    ".size": size,
    ".set": partial(set_, False),
    ".equ": partial(set_, False),
    ".equiv": partial(set_, True),
    ".eqv": partial(set_, True),
    ".comm": common,
    ".largecomm": common,
    ".common": common,
    ".lcomm": local_common,
    ".symver": symver,
    ".weakref": weakref,
    ".file": file,
    ".addrsig": ignore,
    ".addrsig_sym": ignore,
    ".extern": ignore,
    ".version": version,
    ".arch": ignore,
    ".code64": ignore,
    ".allow_index_reg": ignore,
    ".disallow_index_reg": ignore,
    ".sse_check": ignore,
    ".operand_check": ignore,
}
