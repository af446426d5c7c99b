"""Note segments: owner, type and description (gABI ch. 5; GNU properties: x86-64 psABI 5.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pyldso.elf.constants import NT_GNU_PROPERTY_TYPE_0
from pyldso.elf.records import NHDR

GNU = b"GNU\0"


def parse_notes(data: bytes, alignment: int) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield (owner, type, description) of the notes in `data`; a cut one ends them."""
    at = 0
    while at + NHDR.size <= len(data):
        name_size, description_size, kind = NHDR.unpack_from(data, at)
        start = at + NHDR.size + (name_size + 3 & ~3)
        end = start + description_size
        if end > len(data):
            return
        yield data[at + NHDR.size : at + NHDR.size + name_size], kind, data[start:end]
        at = -(-end // alignment) * alignment


def gnu_properties(data: bytes) -> dict[int, int]:
    """Return the four-byte values of a .note.gnu.property section by their pr_type."""
    properties: dict[int, int] = {}
    for owner, kind, description in parse_notes(data, 8):
        if owner != GNU or kind != NT_GNU_PROPERTY_TYPE_0:
            continue
        at = 0
        while at + 8 <= len(description):
            pr_type, size = struct.unpack_from("<II", description, at)
            if size == 4 and at + 12 <= len(description):
                (properties[pr_type],) = struct.unpack_from("<I", description, at + 8)
            at += 8 + (size + 7 & ~7)
    return properties
