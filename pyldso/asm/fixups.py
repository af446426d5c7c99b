"""Fields to numbers where the assembler knows them, and to relocations where it does not.

The choices - which symbols are reduced to their section, which type a field gets - are those of
GNU as (gas/write.c, fixup_segment and adjust_reloc_syms; gas/config/tc-i386.c).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.relocations import R_X86_64 as R
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import GOT_NAME, Expression, Value, address_of, evaluate, signed
from pyldso.asm.fragments import Field, Fixup, Laid, join
from pyldso.asm.symbols import AsmSection, AsmSymbol, is_local_label
from pyldso.elf.constants import SHF, SHT, STB, STT

if TYPE_CHECKING:
    from pyldso.asm.assembly import Assembly

# Relocation word, bytes of the field, PC-relative -> type. 0 bytes: the field does not matter.
_WORDS: dict[tuple[str, int, bool], int] = {
    ("GOTPCREL", 4, True): R.GOTPCREL,
    ("GOTPCREL", 4, False): R.GOTPCREL,
    ("GOTPCREL", 8, False): R.GOTPCREL64,
    ("PLT", 4, True): R.PLT32,
    ("PLT", 4, False): R.PLT32,
    ("GOTOFF", 8, False): R.GOTOFF64,
    ("GOT", 4, False): R.GOT32,
    ("GOT", 8, False): R.GOT64,
    ("PLTOFF", 8, False): R.PLTOFF64,
    ("TLSGD", 4, True): R.TLSGD,
    ("TLSGD", 4, False): R.TLSGD,
    ("TLSLD", 4, True): R.TLSLD,
    ("TLSLD", 4, False): R.TLSLD,
    ("DTPOFF", 4, False): R.DTPOFF32,
    ("DTPOFF", 8, False): R.DTPOFF64,
    ("GOTTPOFF", 4, True): R.GOTTPOFF,
    ("GOTTPOFF", 4, False): R.GOTTPOFF,
    ("TPOFF", 4, False): R.TPOFF32,
    ("TPOFF", 8, False): R.TPOFF64,
    ("TLSDESC", 4, True): R.GOTPC32_TLSDESC,
    ("SIZE", 4, False): R.SIZE32,
    ("SIZE", 8, False): R.SIZE64,
}
WORDS = frozenset(word for word, _, _ in _WORDS) | {"TLSCALL", "TLSLDM"}
_TLS_TYPES = frozenset(
    (
        R.TLSGD,
        R.TLSLD,
        R.DTPOFF32,
        R.DTPOFF64,
        R.GOTTPOFF,
        R.TPOFF32,
        R.TPOFF64,
        R.GOTPC32_TLSDESC,
        R.TLSDESC_CALL,
    )
)

_ABSOLUTE = {8: R.ABS64, 4: R.ABS32, 2: R.ABS16, 1: R.ABS8}
_RELATIVE = {8: R.PC64, 4: R.PC32, 2: R.PC16, 1: R.PC8}

# The linker needs the symbol itself for these, not its section (tc_i386_fix_adjustable).
_KEEP_SYMBOL = _TLS_TYPES | {
    R.GOTPCREL, R.GOTPCRELX, R.REX_GOTPCRELX, R.GOT32, R.GOT64, R.GOTOFF64, R.GOTPCREL64,
    R.PLTOFF64, R.SIZE32, R.SIZE64,
}  # fmt: skip

# Opcodes that the linker can turn from `foo@GOTPCREL(%rip)` to a direct form (psABI B.2).
_ARITHMETIC = frozenset(0x03 | operation << 3 for operation in range(8))
_RELAXABLE = _ARITHMETIC | {0x8B, 0x85, 0xFF}


class AsmRelocation(NamedTuple):
    """A relocation before symbols have their numbers; no symbol means an absolute address."""

    r_offset: int
    r_type: int
    symbol: AsmSymbol | None
    r_addend: int


class AsmRelocations:
    """The relocations of a section in columns: a large source has hundreds of thousands."""

    __slots__ = ("_addends", "_offsets", "_types", "symbols")

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._types = array("I")
        self.symbols: list[AsmSymbol | None] = []
        self._addends = array("q")

    def __iter__(self) -> Iterator[AsmRelocation]:
        return map(AsmRelocation, self._offsets, self._types, self.symbols, self._addends)

    def add(self, row: AsmRelocation) -> None:
        """Append a relocation."""
        self._offsets.append(row.r_offset)
        self._types.append(row.r_type)
        self.symbols.append(row.symbol)
        self._addends.append(row.r_addend)


def fix_up(assembly: Assembly, laid: Laid) -> AsmRelocations:
    """Fill in the fields of a section; return the relocations that remain."""
    section = laid.section
    relocations = AsmRelocations()
    if section.type == SHT.NOBITS:
        _check_empty(assembly, laid)
        return relocations
    try:
        contents = join(laid)
    except StatementError as error:
        assembly.error(error)
        return relocations
    elsewhere: list[AsmRelocation] = []
    for fixup in laid.fixups:
        try:
            relocation = _resolve(laid, fixup, contents)
        except StatementError as error:
            assembly.error(error, fixup.place)
            continue
        if relocation is None:
            continue
        if not assembly.options.relaxes and fixup.field.kind != "m":
            relocation = _plain(relocation)
        if fixup.at is None:
            relocations.add(relocation)
        else:
            elsewhere.append(relocation)
    if elsewhere:
        relocations = _merged(relocations, elsewhere)
    section.contents = contents
    # Only the line marks are asked for after this.
    laid.release()
    return relocations


def _check_empty(assembly: Assembly, laid: Laid) -> None:
    if laid.fixups or any(laid.fixed):
        place = next((fixup.place for fixup in laid.fixups), assembly.place)
        assembly.report(
            f"section {laid.section.name} takes no file space and cannot hold data", place=place
        )


def _resolve(laid: Laid, fixup: Fixup, contents: bytearray) -> AsmRelocation | None:
    """Write a field's value into `contents`, or return the relocation that the linker needs.

    Raises StatementError where neither is possible or the value does not fit.
    """
    section, field = laid.section, fixup.field
    place = section.starts[fixup.fragment] + fixup.offset
    is_pcrel = field.kind in "rbjp"
    value = evaluate(fixup.tree)
    constant = value.constant
    if field.kind == "m":
        return _mark(int(field.modifier), value, _marked_place(laid, fixup.at, place))
    if value.minus is not None:
        if value.plus is None or is_pcrel or value.minus.section is not section:
            raise _cannot_subtract(value)
        constant += place - address_of(value.minus)
        is_pcrel = True
    if value.plus is None and not is_pcrel:
        if field.modifier:
            raise StatementError(f"`@{field.modifier}' needs a symbol")
        _store(contents, place, field, constant)
        return None
    target = value.plus
    if (
        target is not None
        and is_pcrel
        and target.section is section
        and field.modifier in ("", "PLT")
        and not _is_replaceable(target, field.kind == "j" and not field.modifier)
    ):
        distance = constant + address_of(target) - place
        if field.kind != "n":
            distance -= field.tail
        _store(contents, place, field, distance)
        return None
    r_type = _choose_type(field, value, is_pcrel)
    if is_pcrel and field.kind in "rbj":
        constant -= field.tail
    elif field.kind == "i" and value.minus is None and r_type in (R.GOTPC32, R.GOTPC64):
        # The distance to the GOT counts from the start of the instruction.
        constant += len(field.code) - field.tail
    return _against(target, r_type, place, constant, is_pcrel, section)


def _merged(relocations: AsmRelocations, elsewhere: list[AsmRelocation]) -> AsmRelocations:
    """Return the relocations with those of `.reloc` where gas puts them (write_relocs).

    Each goes before the first one further on, but none before the one that stands before it.
    """
    joined = AsmRelocations()
    waiting = iter(elsewhere)
    head = next(waiting, None)
    for relocation in relocations:
        while head is not None and head.r_offset < relocation.r_offset:
            joined.add(head)
            head = next(waiting, None)
        joined.add(relocation)
    if head is not None:
        joined.add(head)
    for relocation in waiting:
        joined.add(relocation)
    return joined


def _plain(relocation: AsmRelocation) -> AsmRelocation:
    """Return the relocation without the leave to turn a load through the GOT to a direct one."""
    is_relaxable = relocation.r_type in (R.GOTPCRELX, R.REX_GOTPCRELX)
    return relocation._replace(r_type=R.GOTPCREL) if is_relaxable else relocation


def _mark(r_type: int, value: Value, place: int) -> AsmRelocation:
    if value.plus is not None:
        value.plus.is_used = True
        if r_type in _TLS_TYPES:
            value.plus.type = STT.TLS
    return AsmRelocation(place, r_type, value.plus, signed(value.constant))


def _marked_place(laid: Laid, at: Expression | None, place: int) -> int:
    """Return the offset that `.reloc` names, as a label or as a number."""
    if at is None:
        return place
    value = evaluate(at)
    offset = value.constant
    if value.plus is not None:
        if value.plus.section is not laid.section:
            name = value.plus.name
            raise StatementError(f"`{name}' is not in the section of this `.reloc'", name)
        offset += address_of(value.plus)
    if value.minus is not None or not 0 <= offset <= laid.size:
        raise StatementError(f"`.reloc' at {offset:#x} is not within the section")
    return offset


def _cannot_subtract(value: Value) -> StatementError:
    minus = value.minus.name if value.minus else ""
    plus = value.plus.name if value.plus else "0"
    return StatementError(
        f"cannot represent `{plus} - {minus}': the two are not in one section", minus
    )


def _is_replaceable(symbol: AsmSymbol, is_jump: bool = False) -> bool:
    """Tell whether another object may give the symbol; gas takes a jump to a global as its own."""
    if symbol.type == STT.GNU_IFUNC:
        return True
    return symbol.binding == STB.WEAK if is_jump else symbol.is_external


def _choose_type(field: Field, value: Value, is_pcrel: bool) -> int:
    size, word = field.size, field.modifier
    if word:
        found = _WORDS.get((word, size, is_pcrel))
        if found is None:
            if word not in WORDS:
                raise StatementError(f"unknown relocation word `@{word}'", f"@{word}")
            raise StatementError(f"`@{word}' does not fit a field of {size} bytes here")
        return _relaxable_type(field.code) if found == R.GOTPCREL and field.kind == "r" else found
    if value.plus is not None and value.plus.name == GOT_NAME:
        if size == 4:
            return R.GOTPC32
        if size == 8:
            return R.GOTPC64
    if field.kind in "bj":
        return R.PLT32 if size == 4 else _RELATIVE[size]
    if is_pcrel:
        return _RELATIVE[size]
    if size == 4 and (field.kind == "d" or (field.kind == "i" and _sign_extends(field.code))):
        return R.ABS32S
    return _ABSOLUTE[size]


def _opcode_start(code: bytes) -> tuple[int, int]:
    """Return (REX prefix or 0, offset of the opcode)."""
    place = 0
    while place < len(code) and code[place] in (0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x64, 0x65, 0x2E):
        place += 1
    if place < len(code) and code[place] & 0xF0 == 0x40:
        return code[place], place + 1
    return 0, place


def _sign_extends(code: bytes) -> bool:
    """Tell whether a 32-bit immediate is extended to 64 bits: REX.W, or a push."""
    rex, place = _opcode_start(code)
    return bool(rex & 8) or code[place : place + 1] == b"\x68"


def _relaxable_type(code: bytes) -> int:
    rex, place = _opcode_start(code)
    opcode = code[place]
    if opcode not in _RELAXABLE or len(code) != place + 6:
        return R.GOTPCREL
    if opcode == 0xFF and code[place + 1] >> 3 & 7 not in (2, 4):
        return R.GOTPCREL
    return R.REX_GOTPCRELX if rex else R.GOTPCRELX


def _against(
    target: AsmSymbol | None,
    r_type: int,
    place: int,
    addend: int,
    is_pcrel: bool,
    section: AsmSection,
) -> AsmRelocation:
    """Return the relocation, against the target's section where gas reduces it so."""
    if target is None:
        r_type = R.PC32 if r_type == R.PLT32 else r_type
        return AsmRelocation(place, r_type, None, signed(addend))
    if r_type in _TLS_TYPES and target.section is None:
        target.type = STT.TLS
    home = target.section
    if home is not None and _is_reducible(target, home, section, r_type, addend, is_pcrel):
        addend += address_of(target)
        target = home.symbol
        if r_type == R.PLT32:
            r_type = R.PC32
    elif r_type == R.PLT32 and home is not None and not target.is_external:
        r_type = R.PC32
    target.is_used = True
    return AsmRelocation(place, r_type, target, signed(addend))


def _is_reducible(
    target: AsmSymbol,
    home: AsmSection,
    section: AsmSection,
    r_type: int,
    addend: int,
    is_pcrel: bool,
) -> bool:
    if target.type == STT.SECTION or _is_replaceable(target) or r_type in _KEEP_SYMBOL:
        return False
    if home.flags & SHF.TLS:
        return False
    if home.flags & SHF.MERGE:
        return not is_pcrel and addend == 0
    is_once = home.is_comdat or home.name.startswith(".gnu.linkonce")
    # A linker may drop the section and keep another file's; only a name finds its way there.
    return not is_once or home is section or is_local_label(target.name)


def _store(contents: bytearray, place: int, field: Field, value: int) -> None:
    """Write a number, after a check that the field holds it."""
    size = field.size
    bits = 8 * size
    if field.kind in "rbjd":
        fits = -(1 << bits - 1) <= value < 1 << bits - 1
    else:
        fits = -(1 << bits - 1) <= value < 1 << bits
    if not fits and size < 8:
        raise StatementError(f"value {value:#x} does not fit in {size} byte{'s'[: size > 1]}")
    contents[place : place + size] = (value & (1 << bits) - 1).to_bytes(size, "little")
