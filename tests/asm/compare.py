"""Comparison of pyldso's objects with GNU as's, section by section and relocation by relocation."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pyldso.arch.x86_64.relocations import relocation_name
from pyldso.asm.assembler import assemble
from pyldso.elf.constants import SHT, STT
from pyldso.elf.object import ObjectFile, Section
from pyldso.elf.object_reader import read_object
from pyldso.elf.object_writer import write_object


def gnu_object(source: Path, gnu_as: str = "as", *flags: str) -> bytes:
    """Return the bytes that GNU as makes of a source."""
    target = source.with_suffix(".gnu.o")
    subprocess.run([gnu_as, *flags, "-o", target, source], check=True, capture_output=True)
    return target.read_bytes()


def our_object(source: Path) -> bytes:
    """Return the bytes that pyldso makes of a source."""
    return write_object(assemble(source.read_bytes(), str(source)))


def symbol_rows(obj: ObjectFile) -> list[tuple[object, ...]]:
    """Return what the symbol table says, in its order."""
    return [
        (
            symbol.name,
            symbol.version,
            symbol.binding,
            symbol.type,
            symbol.visibility,
            symbol.section.name if symbol.section else symbol.shndx,
            symbol.st_value,
            symbol.st_size,
        )
        for symbol in obj.symbols
    ]


def relocation_rows(obj: ObjectFile, section: Section) -> list[str]:
    """Return readable relocations of a section."""
    rows = []
    for offset, info, addend in section.relocations:
        symbol = obj.symbols[info >> 32]
        name = symbol.name
        if symbol.type == STT.SECTION and symbol.section:
            name = symbol.section.name
        rows.append(f"{offset:#x} {relocation_name(info & 0xFFFFFFFF)} {name}{addend:+#x}")
    return rows


def differences(ours: bytes, theirs: bytes) -> list[str]:
    """Return what differs between two objects, in words; nothing when the bytes are the same."""
    if ours == theirs:
        return []
    left, right = read_object(ours, "ours"), read_object(theirs, "gas")
    found = []
    names = [section.name for section in left.sections], [s.name for s in right.sections]
    if names[0] != names[1]:
        found.append(f"sections {names[0]} instead of {names[1]}")
    for mine, other in zip(left.sections, right.sections, strict=False):
        found += _section_differences(left, right, mine, other)
    if symbol_rows(left) != symbol_rows(right):
        mine_rows, other_rows = symbol_rows(left), symbol_rows(right)
        found += [f"symbol {row} only in ours" for row in mine_rows if row not in other_rows]
        found += [f"symbol {row} only in gas's" for row in other_rows if row not in mine_rows]
        if not found:
            found.append("symbols in another order")
    return found or ["the files differ in their layout"]


def _section_differences(
    left: ObjectFile, right: ObjectFile, mine: Section, other: Section
) -> list[str]:
    found = []
    head = (mine.sh_type, mine.sh_flags, mine.sh_addralign, mine.size, mine.sh_entsize)
    other_head = (other.sh_type, other.sh_flags, other.sh_addralign, other.size, other.sh_entsize)
    if head != other_head:
        found.append(f"{mine.name}: header {head} instead of {other_head}")
    if mine.sh_type != SHT.NOBITS and bytes(mine.data) != bytes(other.data):
        pairs = zip(mine.data, other.data, strict=False)
        shorter = min(len(mine.data), len(other.data))
        place = next((i for i, (a, b) in enumerate(pairs) if a != b), shorter)
        line = mine.lines.find(place) if mine.lines else None
        ours, theirs = (bytes(part.data[place : place + 16]).hex() for part in (mine, other))
        found.append(f"{mine.name}: differs at {place:#x} ({line}): {ours} instead of {theirs}")
    rows, other_rows = relocation_rows(left, mine), relocation_rows(right, other)
    if rows != other_rows:
        found += [f"{mine.name}: {row} only in ours" for row in rows if row not in other_rows][:5]
        found += [f"{mine.name}: {row} only in gas's" for row in other_rows if row not in rows][:5]
        if sorted(rows) == sorted(other_rows):
            found.append(f"{mine.name}: relocations in another order")
    return found
