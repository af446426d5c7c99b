"""The second opinion: lief re-reads what was written, and it must be what was meant.

The only module that imports lief. Both sides are brought to rows of text, so that a difference is
shown as a person reads it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

import lief

from pyldso.elf.constants import SHT, STB, STT
from pyldso.elf.object import ObjectFile
from pyldso.errors import Diagnostic, DiagnosticsError
from pyldso.linker.create import Synthetic
from pyldso.linker.dynsym import base_name, symbol_record
from pyldso.linker.layout import Layout

Binary = Any
"""lief's parsed file: the package has no types that mypy --strict takes."""

R_TYPE = 0xFFFF
"""lief puts the machine into the upper bits of a relocation type."""


class VerificationError(DiagnosticsError):
    """A written file in which lief does not find what was meant."""


def verify_output(path: str, layout: Layout, synthetic: Synthetic, entry: int) -> None:
    """Compare a linked file with its layout; raises VerificationError with every difference."""
    binary = parse(path)
    problems = [] if binary.header.entrypoint == entry else ["the entry point differs"]
    problems += check_layout(binary)
    problems += compare("segment", meant_segments(layout), read_segments(binary))
    problems += compare("section", meant_sections(layout), read_sections(binary))
    if synthetic.dynamic is not None and synthetic.dynsym is not None:
        problems += compare(
            "dynamic entry",
            [f"{tag:#x} {value:#x}" for tag, value in synthetic.dynamic.values()],
            read_dynamic_entries(binary),
        )
        problems += compare(
            "dynamic symbol", meant_dynamic_symbols(synthetic), read_dynamic_symbols(binary)
        )
        problems += compare(
            "relocation", meant_relocations(synthetic), read_dynamic_relocations(binary)
        )
    raise_problems(path, problems)


def verify_object(path: str, source: ObjectFile) -> None:
    """Compare a relocatable file with the object that it was made of."""
    binary = parse(path)
    problems = compare("section", object_sections(source), read_object_sections(binary))
    problems += compare("symbol", object_symbols(source), read_object_symbols(binary))
    problems += compare("relocation", object_relocations(source), read_object_relocations(binary))
    raise_problems(path, problems)


def parse(path: str) -> Binary:
    """Return lief's reading of an ELF file."""
    binary = lief.parse(path)
    if not isinstance(binary, lief.ELF.Binary):
        raise VerificationError([Diagnostic(f"{path}: lief reads no ELF file")])
    return binary


def raise_problems(path: str, problems: list[str]) -> None:
    """Raise all differences together."""
    if problems:
        raise VerificationError([Diagnostic(f"{path}: verify: {text}") for text in problems])


def compare(kind: str, meant: Iterable[str], read: Iterable[str]) -> list[str]:
    """Return a line for each row that stands on one side only; the order does not matter."""
    wanted, found = Counter(meant), Counter(read)
    missing = [f"{kind} {row} is not in the file" for row in wanted - found]
    return missing + [f"{kind} {row} was not meant" for row in found - wanted]


def check_layout(binary: Binary) -> list[str]:
    """Return what lief's own check of overlaps and bounds says."""
    is_sound, message = lief.ELF.check_layout(binary)
    return [] if is_sound else [message]


def meant_segments(layout: Layout) -> list[str]:
    """Return a row for each program header."""
    return [
        f"{p.p_type:#x} {p.p_flags} {p.p_offset:#x} {p.p_vaddr:#x} {p.p_filesz:#x} {p.p_memsz:#x} "
        f"{p.p_align:#x}"
        for p in layout.segments
    ]


def read_segments(binary: Binary) -> list[str]:
    """Return the rows of lief's segments."""
    return [
        f"{s.type.value:#x} {int(s.flags)} {s.file_offset:#x} {s.virtual_address:#x} "
        f"{s.physical_size:#x} {s.virtual_size:#x} {s.alignment:#x}"
        for s in binary.segments
    ]


def meant_sections(layout: Layout) -> list[str]:
    """Return a row for each section header but the null one."""
    return [
        f"{c.name} {c.type:#x} {c.flags:#x} {c.address:#x} {c.offset:#x} {c.size:#x} {c.alignment}"
        for c in layout.chunks
    ]


def read_sections(binary: Binary) -> list[str]:
    """Return the rows of lief's sections."""
    return [
        f"{s.name} {s.type.value:#x} {int(s.flags):#x} {s.virtual_address:#x} {s.offset:#x} "
        f"{s.size:#x} {s.alignment}"
        for s in binary.sections
        if s.type.value != SHT.NULL
    ]


def read_dynamic_entries(binary: Binary) -> list[str]:
    """Return the rows of lief's dynamic entries; a tag without a name there is a bare number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lief warns of such a tag
        return [f"{getattr(e.tag, 'value', e.tag):#x} {e.value:#x}" for e in binary.dynamic_entries]


def meant_dynamic_symbols(synthetic: Synthetic) -> list[str]:
    """Return a row for each dynamic symbol but the null one, with its version."""
    rows: list[str] = []
    for target in synthetic.dynsym.symbols if synthetic.dynsym else []:
        _, info, other, shndx, value, size = symbol_record(target, 0)
        version = target.version
        rows.append(
            f"{base_name(target)}@{version} {info >> 4} {info & 15} {other} {shndx} {value:#x} "
            f"{size}"
        )
    return rows


def read_dynamic_symbols(binary: Binary) -> list[str]:
    """Return the rows of lief's dynamic symbols."""
    rows: list[str] = []
    for s in binary.dynamic_symbols:
        if not s.name:
            continue
        auxiliary = s.symbol_version.symbol_version_auxiliary if s.has_version else None
        version = auxiliary.name if auxiliary else ""
        rows.append(
            f"{s.name}@{version} {s.binding.value} {s.type.value} {s.visibility.value} {s.shndx} "
            f"{s.value:#x} {s.size}"
        )
    return rows


def meant_relocations(synthetic: Synthetic) -> list[str]:
    """Return a row for each dynamic relocation."""
    names = {0: ""}
    if synthetic.dynsym is not None:
        names.update({s.dynamic_index: base_name(s) for s in synthetic.dynsym.symbols})
    records = synthetic.rela_dyn.records() + synthetic.rela_plt.records()
    packed = [
        f"{row.place.address + row.offset:#x} {row.r_type} +0x0" for row in synthetic.relr.rows
    ]
    return packed + [
        f"{r_offset:#x} {r_info & R_TYPE} {names[r_info >> 32]}{r_addend:+#x}"
        for r_offset, r_info, r_addend in records
    ]


def read_dynamic_relocations(binary: Binary) -> list[str]:
    """Return the rows of lief's dynamic relocations."""
    found = [*binary.dynamic_relocations, *binary.pltgot_relocations]
    return [relocation_row(r) for r in found]


def relocation_row(relocation: Any) -> str:
    """Return the row of one of lief's relocations."""
    name = relocation.symbol.name if relocation.has_symbol else ""
    r_type = relocation.type.value & R_TYPE
    return f"{relocation.address:#x} {r_type} {name}{relocation.addend:+#x}"


def object_sections(source: ObjectFile) -> list[str]:
    """Return a row for each section with content."""
    return [
        f"{s.name} {s.sh_type:#x} {s.sh_addralign} {max(s.size, len(s.data)):#x}"
        for s in source.sections
    ]


BOOKKEEPING = frozenset(
    int(t) for t in (SHT.NULL, SHT.SYMTAB, SHT.STRTAB, SHT.RELA, SHT.GROUP, SHT.SYMTAB_SHNDX)
)


def read_object_sections(binary: Binary) -> list[str]:
    """Return the rows of lief's sections, without the tables that the writer adds."""
    return [
        f"{s.name} {s.type.value:#x} {s.alignment} {s.size:#x}"
        for s in binary.sections
        if s.type.value not in BOOKKEEPING
    ]


def object_symbols(source: ObjectFile) -> list[str]:
    """Return a row for each global symbol."""
    return [
        f"{s.name}{s.version} {s.binding} {s.type} {s.visibility} {s.st_value:#x} {s.st_size} "
        f"{s.section.name if s.section else ''}"
        for s in source.symbols
        if s.binding != STB.LOCAL
    ]


def read_object_symbols(binary: Binary) -> list[str]:
    """Return the rows of lief's global symbols."""
    return [
        f"{s.name} {s.binding.value} {s.type.value} {s.visibility.value} {s.value:#x} {s.size} "
        f"{s.section.name if s.section else ''}"
        for s in binary.symtab_symbols
        if s.binding.value != STB.LOCAL
    ]


def object_relocations(source: ObjectFile) -> list[str]:
    """Return a row for each relocation, by section."""
    rows: list[str] = []
    for section in source.sections:
        for r_offset, r_info, r_addend in section.relocations:
            symbol = source.symbols[r_info >> 32]
            name = "" if symbol.type == STT.SECTION else symbol.name
            rows.append(
                f"{section.name}+{r_offset:#x} {r_info & R_TYPE} {name}{symbol.version}"
                f"{r_addend:+#x}"
            )
    return rows


def read_object_relocations(binary: Binary) -> list[str]:
    """Return the rows of lief's relocations."""
    rows: list[str] = []
    for r in binary.relocations:
        is_section = r.has_symbol and r.symbol.type.value == STT.SECTION
        name = "" if is_section or not r.has_symbol else r.symbol.name
        rows.append(f"{r.section.name}+{r.address:#x} {r.type.value & R_TYPE} {name}{r.addend:+#x}")
    return rows
