"""The assembled sections and symbols as an ObjectFile, ordered as GNU as orders them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from pyldso.asm.assembly import Assembly, SymbolOptions
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, address_of, evaluate
from pyldso.asm.fixups import AsmRelocations
from pyldso.asm.fragments import Laid
from pyldso.asm.symbols import AsmSection, AsmSymbol, is_local_label
from pyldso.elf.constants import EM, SHF, SHN, SHT, STB, STT, STV
from pyldso.elf.object import Group, LineMap, ObjectFile, Section, Symbol
from pyldso.elf.object_writer import CHDR_ALIGNMENT, compressed
from pyldso.elf.rela import RelaTable

_ENTRY_SIZES: dict[int, int] = {SHT.INIT_ARRAY: 8, SHT.FINI_ARRAY: 8, SHT.PREINIT_ARRAY: 8}


def build_object(
    assembly: Assembly,
    laid: dict[AsmSection, Laid],
    relocations: dict[AsmSection, AsmRelocations],
) -> ObjectFile:
    """Return the object; errors in symbols are reported to the assembly."""
    built = ObjectFile(assembly.path, EM.X86_64)
    sections: dict[AsmSection, Section] = {}
    for section in assembly.sections.values():
        made = _build_section(assembly, section, laid[section])
        sections[section] = made
        built.sections.append(made)
    for section, made in sections.items():
        if section.linked_to is not None and section.linked_to.section is not None:
            made.link_order = sections[section.linked_to.section]
    _build_groups(built, sections)
    numbers = _build_symbols(assembly, built, sections, relocations.values())
    for section, rows in relocations.items():
        sections[section].relocations = RelaTable.of(
            (r_offset, (numbers.get(symbol, 0) if symbol else 0) << 32 | r_type, r_addend)
            for r_offset, r_type, symbol, r_addend in rows
        )
    return built


def _build_section(assembly: Assembly, section: AsmSection, laid: Laid) -> Section:
    made = Section(
        section.name,
        section.type,
        section.flags,
        section.alignment,
        section.contents,
        laid.size,
        section.entry_size or _ENTRY_SIZES.get(section.type, 0),
    )
    is_debugging = section.name.startswith(".debug_") and not section.flags & SHF.ALLOC
    if assembly.options.compresses and is_debugging and section.has_contents:
        packed = compressed(section.contents, section.alignment)
        if len(packed) < made.size:
            made.data, made.size = packed, len(packed)
            made.sh_flags |= SHF.COMPRESSED
            made.sh_addralign = CHDR_ALIGNMENT
    if section.is_code and assembly.options.keeps_lines:
        made.lines = LineMap()
        marks = laid.line_marks
        made.lines.offsets = array("Q", marks.addresses(section.starts))
        made.lines.paths, made.lines.lines = assembly.source_map.locate_all(marks.places)
    return made


def _build_groups(built: ObjectFile, sections: dict[AsmSection, Section]) -> None:
    groups: dict[str, Group] = {}
    for section, made in sections.items():
        if section.group is None:
            continue
        group = groups.get(section.group)
        if group is None:
            group = groups[section.group] = Group(section.group, section.is_comdat)
            built.groups.append(group)
        group.sections.append(made)
        made.group = group


def _build_symbols(
    assembly: Assembly,
    built: ObjectFile,
    sections: dict[AsmSection, Section],
    relocations: Iterable[AsmRelocations],
) -> dict[AsmSymbol, int]:
    """Fill the symbol table; return the index of each symbol that is in it."""
    built.symbols.append(Symbol(""))
    if assembly.file_name is not None:
        built.symbols.append(Symbol(assembly.file_name, type=STT.FILE, shndx=SHN.ABS))
    signatures = {group.signature for group in built.groups}
    rows: list[tuple[AsmSymbol, Symbol]] = []
    versioned: list[tuple[AsmSymbol, Symbol]] = []
    # What only a relocation made a full symbol follows in the order of the relocations.
    targets = dict.fromkeys(symbol for part in relocations for symbol in part.symbols)
    late = [
        symbol
        for symbol in targets
        if symbol and not symbol.is_listed and assembly.symbols.get(symbol.name) is symbol
    ]
    for symbol in (*assembly.ordered_symbols, *assembly.namesakes, *late):
        try:
            if not _is_wanted(symbol, signatures, assembly.options.symbols):
                continue
            made = _build_symbol(symbol, sections)
            if symbol.is_common and assembly.options.symbols.has_common_type:
                made.type = STT.COMMON
        except StatementError as error:
            assembly.error(error, symbol.place)
            continue
        kept, added = _versions(symbol, made)
        rows += [(symbol, row) for row in kept]
        versioned += [(symbol, row) for row in added]
    for group in built.groups:
        if group.signature not in assembly.symbols:
            made = Symbol(group.signature, shndx=SHN.ABS)
            rows.append((AsmSymbol(group.signature), made))
    rows += versioned
    numbers: dict[AsmSymbol, int] = {}
    rows.sort(key=lambda row: row[1].binding != STB.LOCAL)
    for symbol, made in rows:
        numbers.setdefault(symbol, len(built.symbols))
        built.symbols.append(made)
    return numbers


def _is_wanted(symbol: AsmSymbol, signatures: set[str], options: SymbolOptions) -> bool:
    if symbol.type == STT.SECTION:
        return symbol.is_used
    if symbol.is_used or symbol.name in signatures:
        return True
    is_kept = options.keeps_labels and "\x01" not in symbol.name
    if (is_local_label(symbol.name) and not is_kept) or symbol.is_weakref:
        return False
    if not symbol.is_defined:
        # gas forgets a weak symbol that nothing refers to.
        return symbol.binding != STB.WEAK
    if symbol.equated is not None and symbol.section is None:
        value = evaluate(symbol.equated)
        if value.plus is None and options.drops_numbers:
            return symbol.is_external or symbol.type == STT.FILE
        return value.plus is None or value.plus.section is not None
    return True


def _build_symbol(symbol: AsmSymbol, sections: dict[AsmSection, Section]) -> Symbol:
    if symbol.type == STT.SECTION and symbol.section is not None:
        return Symbol("", type=STT.SECTION, section=sections[symbol.section])
    made = Symbol(symbol.name.replace("\x02", ""), visibility=symbol.visibility, type=symbol.type)
    if symbol.size is not None:
        value = evaluate(symbol.size)
        if value.plus is not None or value.minus is not None:
            raise StatementError(f"the size of `{symbol.name}' is not a number", symbol.name)
        made.st_size = value.constant & 0xFFFFFFFFFFFFFFFF
    if symbol.is_common:
        made.shndx = SHN.X86_64_LCOMMON if symbol.is_large else SHN.COMMON
        made.st_value = symbol.common_alignment
    elif symbol.equated is not None:
        _place_equate(symbol.name, symbol.equated, made, sections)
    elif symbol.section is not None:
        made.section = sections[symbol.section]
        made.st_value = address_of(symbol)
    if symbol.section is not None and symbol.section.flags & SHF.TLS:
        made.type = STT.TLS
    default = STB.LOCAL if made.is_defined else STB.GLOBAL
    made.binding = default if symbol.binding is None else symbol.binding
    if not made.is_defined:
        if symbol.is_weakref:
            made.binding = STB.WEAK
        elif made.binding == STB.LOCAL:
            made.binding = STB.GLOBAL
    return made


def _place_equate(
    name: str, tree: Expression, made: Symbol, sections: dict[AsmSection, Section]
) -> None:
    value = evaluate(tree)
    if value.minus is not None:
        raise StatementError(f"`{name}' is set to no single address", name)
    if value.plus is None:
        made.shndx = SHN.ABS
        made.st_value = value.constant & 0xFFFFFFFFFFFFFFFF
    elif value.plus.section is not None:
        made.section = sections[value.plus.section]
        made.st_value = address_of(value.plus) + value.constant


def _versions(symbol: AsmSymbol, made: Symbol) -> tuple[list[Symbol], list[Symbol]]:
    """Return what stands in the symbol's own place, and the further names that `.symver` gives."""
    named = []
    for text in symbol.versions:
        name, _, version = text.partition("@")
        if version[:2] == "@@":
            version = version[1:] if made.is_defined else version[2:]
        again = Symbol(
            name, made.binding, made.type, made.visibility, made.section, made.shndx,
            made.st_value, made.st_size, "@" + version,
        )  # fmt: skip
        named.append(again)
    if named and (not made.is_defined or "@@@" in symbol.versions[0]):
        return named[:1], named[1:]
    if symbol.unversioned == "remove":
        return [], named
    if symbol.unversioned == "local":
        made.binding = STB.LOCAL
    elif symbol.unversioned == "hidden":
        made.visibility = STV.HIDDEN
    return [made], named
