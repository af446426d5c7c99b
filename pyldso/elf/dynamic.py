"""The dynamic section and its tables: tags, versions, hash functions (gABI ch. 5; LSB 2.7)."""

from __future__ import annotations

from typing import NamedTuple

from pyldso.elf.constants import DT, VER_FLG_WEAK
from pyldso.elf.records import DYN, VERDAUX, VERDEF, VERNAUX, VERNEED, c_string

VERSION_RECORD = 1
"""VER_NEED_CURRENT and VER_DEF_CURRENT."""


class RecordVersionError(ValueError):
    """A version table whose records have a form that is not known: `record` names it."""

    def __init__(self, version: int, record: str) -> None:
        super().__init__(f"unsupported version {version} of {record} record")


class VersionNeed(NamedTuple):
    """One version that a file needs of another (Elf64_Vernaux under its Elf64_Verneed)."""

    file: bytes
    name: bytes
    number: int
    """What DT_VERSYM entries carry for it."""
    is_weak: bool
    hash: int


class VersionDefinition(NamedTuple):
    """One version that a file defines (Elf64_Verdef); `parents` are the versions it inherits."""

    name: bytes
    number: int
    flags: int
    hash: int
    parents: tuple[bytes, ...]


def parse_dynamic(data: bytes | memoryview) -> list[tuple[int, int]]:
    """Return the (d_tag, d_val) pairs of a dynamic section up to DT_NULL."""
    pairs: list[tuple[int, int]] = []
    whole = len(data) - len(data) % DYN.size
    for tag, value in DYN.iter_unpack(data[:whole]):
        if tag == DT.NULL:
            break
        pairs.append((tag, value))
    return pairs


def parse_verneed(data: bytes, count: int, strings: bytes) -> list[VersionNeed]:
    """Return the needs of a DT_VERNEED table of `count` files.

    Raises IndexError, ValueError or struct.error on a damaged table, RecordVersionError on a
    strange one.
    """
    needs: list[VersionNeed] = []
    offset = 0
    for _ in range(count):
        version, aux_count, file, aux, following = VERNEED.unpack_from(data, offset)
        if version != VERSION_RECORD:
            raise RecordVersionError(version, "Verneed")
        file_name = c_string(strings, file)
        at = offset + aux
        for _ in range(aux_count):
            vna_hash, flags, other, name, next_aux = VERNAUX.unpack_from(data, at)
            is_weak = bool(flags & VER_FLG_WEAK)
            needs.append(VersionNeed(file_name, c_string(strings, name), other, is_weak, vna_hash))
            if not next_aux:
                break
            at += next_aux
        if not following:
            break
        offset += following
    return needs


def parse_verdef(data: bytes, count: int, strings: bytes) -> list[VersionDefinition]:
    """Return the definitions of a DT_VERDEF table.

    Raises IndexError, ValueError or struct.error on a damaged table, RecordVersionError on a
    strange one.
    """
    definitions: list[VersionDefinition] = []
    offset = 0
    for _ in range(count):
        version, flags, number, aux_count, vd_hash, aux, following = VERDEF.unpack_from(
            data, offset
        )
        if version != VERSION_RECORD:
            raise RecordVersionError(version, "Verdef")
        names: list[bytes] = []
        at = offset + aux
        for _ in range(aux_count):
            name, next_aux = VERDAUX.unpack_from(data, at)
            names.append(c_string(strings, name))
            if not next_aux:
                break
            at += next_aux
        name, *parents = names or [b""]
        definitions.append(VersionDefinition(name, number, flags, vd_hash, tuple(parents)))
        if not following:
            break
        offset += following
    return definitions


def gnu_hash(name: bytes) -> int:
    """Return the DT_GNU_HASH hash of a symbol name (32 bits)."""
    value = 5381
    for byte in name:
        value = value * 33 + byte & 0xFFFFFFFF
    return value


def sysv_hash(name: bytes) -> int:
    """Return the DT_HASH and version hash of a name (28 bits; gABI ch. 5, hash table)."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ (value >> 24 & 0xF0)) & 0x0FFFFFFF
    return value
