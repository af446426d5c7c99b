"""Mutants of what a linker reads, each with the name of the field that was changed.

The fields of an ELF file or archive are found where the pristine file has them; a mutant has a few
of them changed to values that are wrong in an interesting way, two records swapped, or its end cut.
Texts are changed token by token.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from pyldso.elf.constants import SHT
from pyldso.elf.records import (
    DYN,
    EHDR,
    PHDR,
    RELA,
    SHDR,
    SYM,
    Ehdr,
    Phdr,
    Rela,
    Shdr,
    Sym,
)

WIDTHS = {"s": 1, "B": 1, "H": 2, "I": 4, "Q": 8, "q": 8}


class Field(NamedTuple):
    """A number in a file, or with `width` 0 a byte of some content."""

    name: str
    offset: int
    width: int


Fields = dict[str, list[Field]]
"""By the kind of record: a kind is as likely to be hit as any other, however many records."""


def record_fields(kind: str, at: int, record: struct.Struct, names: tuple[str, ...]) -> list[Field]:
    """Return the fields of the record at offset `at`."""
    fields: list[Field] = []
    offset = at
    letters = re.findall(r"(\d*)([A-Za-z])", record.format)
    expanded = [letter for count, letter in letters for _ in range(int(count or 1))
                if letter != "s"]  # fmt: skip
    offset += record.size - sum(WIDTHS[letter] for letter in expanded)
    for letter, name in zip(expanded, names[-len(expanded) :], strict=True):
        fields.append(Field(f"{kind} at {at:#x}: {name}", offset, WIDTHS[letter]))
        offset += WIDTHS[letter]
    return fields


def table_fields(
    kind: str, at: int, size: int, record: struct.Struct, names: tuple[str, ...]
) -> list[Field]:
    """Return the fields of all records of a table."""
    return [
        field
        for place in range(at, at + size - record.size + 1, record.size)
        for field in record_fields(kind, place, record, names)
    ]


DYN_NAMES = ("d_tag", "d_val")
VERSION_TYPES = {SHT.GNU_VERDEF: "verdef", SHT.GNU_VERNEED: "verneed"}
WORD_TYPES = {
    SHT.GROUP: ("group", 4),
    SHT.GNU_VERSYM: ("versym", 2),
    SHT.HASH: ("hash", 4),
    SHT.GNU_HASH: ("gnu hash", 4),
    SHT.NOTE: ("note", 4),
}


def elf_fields(data: bytes) -> Fields:
    """Return the fields of an object or shared object."""
    header = Ehdr(*EHDR.unpack_from(data))
    fields: Fields = {
        "ident": [Field(f"e_ident[{n}]", n, 1) for n in range(16)],
        "header": record_fields("header", 0, EHDR, Ehdr._fields),
        "section header": table_fields(
            "section header", header.e_shoff, header.e_shnum * SHDR.size, SHDR, Shdr._fields
        ),
    }
    if header.e_phnum:
        size = header.e_phnum * PHDR.size
        fields["program header"] = table_fields("phdr", header.e_phoff, size, PHDR, Phdr._fields)
    for index in range(header.e_shnum):
        section = Shdr(*SHDR.unpack_from(data, header.e_shoff + index * SHDR.size))
        at, size, kind = section.sh_offset, section.sh_size, section.sh_type
        if kind in (SHT.SYMTAB, SHT.DYNSYM):
            fields.setdefault("symbol", []).extend(
                table_fields("symbol", at, size, SYM, Sym._fields)
            )
        elif kind == SHT.RELA:
            fields.setdefault("relocation", []).extend(
                table_fields("relocation", at, size, RELA, Rela._fields)
            )
            # a symbol and a type are half a field each
            fields["relocation"] += [
                Field(f"relocation at {place:#x}: {name}", place + offset, 4)
                for place in range(at, at + size, RELA.size)
                for name, offset in (("type", 8), ("symbol", 12))
            ]
        elif kind == SHT.DYNAMIC:
            fields["dynamic"] = table_fields("dynamic", at, size, DYN, DYN_NAMES)
        elif kind in VERSION_TYPES:
            name = VERSION_TYPES[SHT(kind)]
            fields[name] = [Field(f"{name} at {n:#x}", n, width)
                            for width in (2, 4) for n in range(at, at + size, width)]  # fmt: skip
        elif kind in WORD_TYPES:
            name, width = WORD_TYPES[SHT(kind)]
            fields.setdefault(name, []).extend(
                Field(f"{name} at {n:#x}", n, width) for n in range(at, at + size, width)
            )
        elif kind == SHT.STRTAB:
            fields.setdefault("name", []).extend(
                Field(f"name at {n:#x}", n, 1) for n in range(at, at + size)
            )
        elif kind != SHT.NOBITS and size:
            fields.setdefault("content", []).extend(
                Field(f"content at {n:#x}", n, 4) for n in range(at, at + size - 3, 4)
            )
    return {kind: found for kind, found in fields.items() if found}


def archive_fields(data: bytes) -> Fields:
    """Return the fields of an archive: headers, the index, and what its objects have."""
    fields: Fields = {"magic": [Field("magic", n, 1) for n in range(8)]}
    at = 8
    while at + 60 <= len(data):
        size = int(data[at + 48 : at + 58])
        fields.setdefault("member header", []).extend(
            Field(f"member header at {at:#x}+{n}", at + n, 1) for n in range(60)
        )
        body = at + 60
        if data[at : at + 2] == b"/ ":
            words = 1 + int.from_bytes(data[body : body + 4], "big")
            fields["index"] = [Field(f"index word {n}", body + 4 * n, 4) for n in range(words)]
        elif data[at : at + 3] == b"// ":
            fields["long names"] = [Field("long name", body + n, 1) for n in range(size)]
        elif data[body : body + 4] == b"\x7fELF":
            for kind, found in elf_fields(data[body : body + size]).items():
                fields.setdefault(kind, []).extend(
                    Field(f"member at {at:#x}: {name}", offset + body, width)
                    for name, offset, width in found
                )
        at = body + size + size % 2
    return fields


def strange_value(chance: Random, old: int, width: int, size: int) -> int:
    """Return a value that is wrong in an interesting way."""
    top = 1 << 8 * width
    choices: list[Callable[[], int]] = [
        lambda: 0,
        lambda: 1,
        lambda: top - 1,
        lambda: top // 2,
        lambda: top // 2 - 1,
        lambda: old + 1,
        lambda: old - 1,
        lambda: old ^ 1 << chance.randrange(8 * width),
        lambda: old + chance.randrange(-64, 64),
        lambda: size,
        lambda: size - 1,
        lambda: chance.randrange(256),
        lambda: chance.randrange(top),
        lambda: 1 << chance.randrange(8 * width),
    ]
    return chance.choice(choices)() % top


class Mutant(NamedTuple):
    """Changed bytes, and what was changed."""

    data: bytes
    changes: list[str]


def mutate(data: bytes, fields: Fields, chance: Random) -> Mutant:
    """Return the file with one to four fields changed, and sometimes two swapped or an end cut."""
    changed = bytearray(data)
    changes: list[str] = []
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        found = fields[chance.choice(sorted(fields))]
        name, at, width = chance.choice(found)
        if chance.random() < 0.1:
            other = chance.choice(found)
            if other.width == width:
                first, second = changed[at : at + width], changed[other.offset :][:width]
                changed[at : at + width], changed[other.offset : other.offset + width] = (
                    second, first,
                )  # fmt: skip
                changes.append(f"{name} <-> {other.name}")
                continue
        old = int.from_bytes(changed[at : at + width], "little")
        value = strange_value(chance, old, width, len(data))
        changed[at : at + width] = value.to_bytes(width, "little")
        changes.append(f"{name} = {value:#x} (was {old:#x})")
    if chance.random() < 0.04:
        size = chance.randrange(len(changed))
        del changed[size:]
        changes.append(f"cut to {size} bytes")
    return Mutant(bytes(changed), changes)


TOKEN = re.compile(r"\s+|\w+|\S")
STRANGE_TOKENS = (
    "{", "}", "(", ")", ";", ":", '"', "*", "[", "]", "?", "/*", "*/", ",", "@", "@@", "\\", "\0",
    "local", "global", "extern", "C++", "AS_NEEDED", "GROUP", "INPUT", "SECTIONS", "-l", "-lnone",
    "\ud800", "[z-a]", "[!", "****************b", "0" * 4000, "V1", "V2", "#", "//", "\n",
)  # fmt: skip


def mutate_text(text: str, chance: Random) -> Mutant:
    """Return a text with a few tokens lost, doubled, swapped or put in; sometimes nested deeply."""
    tokens = TOKEN.findall(text)
    changes: list[str] = []
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(tokens))
        kind = chance.randrange(5)
        if kind == 0:
            changes.append(f"without {tokens[at]!r} at {at}")
            tokens[at] = ""
        elif kind == 1:
            other = chance.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
            changes.append(f"{at} <-> {other}")
        elif kind == 2:
            count = chance.choice((2, 2, 3, 3000))
            changes.append(f"{tokens[at]!r} {count} times")
            tokens[at] = tokens[at][:20] * count
        else:
            token = chance.choice(STRANGE_TOKENS)
            tokens.insert(at, token)
            changes.append(f"{token[:20]!r} at {at}")
    return Mutant("".join(tokens).encode("utf-8", "surrogatepass"), changes)
