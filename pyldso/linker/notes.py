"""Notes: the build-id that names a file by its content, and the properties of all inputs."""

from __future__ import annotations

import os
from importlib import import_module
from struct import Struct

from pyldso.elf.constants import (
    GNU_PROPERTY_X86_FEATURE_1_AND,
    NT_FDO_PACKAGING_METADATA,
    NT_GNU_BUILD_ID,
    NT_GNU_PROPERTY_TYPE_0,
    SHF,
    SHT,
)
from pyldso.elf.records import NHDR
from pyldso.errors import PyldsoError
from pyldso.linker.chunk import BytesChunk, encoded
from pyldso.linker.symbols import LinkedObject

PROPERTY = Struct("<III")
"""pr_type, pr_datasz and a four-byte value."""
OWNER = b"GNU\0"
PACKAGER = b"FDO\0"
FEATURE_1_IBT, FEATURE_1_SHSTK = 1, 2
"""GNU_PROPERTY_X86_FEATURE_1_*: marked jump targets, and a shadow stack."""

GNU_PROPERTY_X86_UINT32_AND = range(0xC0000002, 0xC0008000)
GNU_PROPERTY_X86_UINT32_OR = range(0xC0008000, 0xC0010000)
GNU_PROPERTY_X86_UINT32_OR_AND = range(0xC0010000, 0xC0018000)


def digest(name: str, content: bytearray) -> bytes:
    """Return the SHA-1 or MD5 of the output; it names a file and protects nothing."""
    try:
        make = getattr(import_module(f"_{name}"), name)  # hashlib loads OpenSSL: 10 ms of a link
    except ImportError:
        make = getattr(import_module("hashlib"), name)
    value: bytes = make(content).digest()
    return value


class Note(BytesChunk):
    """A note section of the linker's own."""

    __slots__ = ()

    def __init__(self, name: str, content: bytes, alignment: int) -> None:
        super().__init__(name, SHT.NOTE, SHF.ALLOC, content, alignment)

    def seal(self, image: bytearray) -> None:
        """Put into the finished image what depends on all of it."""


def package_note(text: str) -> Note | None:
    """Return .note.package with JSON about a package, None where it is none.

    The form is systemd's (systemd.io/ELF_PACKAGE_METADATA).
    """
    import json  # few links have such a note

    try:
        known = json.loads(text)
    except ValueError:
        return None
    if not isinstance(known, dict | list):
        return None
    body = encoded(text) + b"\0"
    body += bytes(-len(body) % 4)
    header = NHDR.pack(len(PACKAGER), len(body), NT_FDO_PACKAGING_METADATA)
    return Note(".note.package", header + PACKAGER + body, 4)


DIGEST_SIZES = {"sha1": 20, "md5": 16}
UUID_SIZE = 16


class BuildId(Note):
    """.note.gnu.build-id; for `sha1` and `md5` a hash of the file with zeros in its place."""

    __slots__ = ("_style",)

    def __init__(self, style: str) -> None:
        self._style = style
        if style in DIGEST_SIZES:
            value = bytes(DIGEST_SIZES[style])
        elif style == "uuid":
            value = os.urandom(UUID_SIZE)
        else:
            value = given_id(style)
        note = NHDR.pack(len(OWNER), len(value), NT_GNU_BUILD_ID) + OWNER + value
        note += bytes(-len(note) % 4)
        super().__init__(".note.gnu.build-id", note, 4)

    def seal(self, image: bytearray) -> None:
        """Put the hash of the finished image into the note."""
        size = DIGEST_SIZES.get(self._style)
        if size is not None:
            at = self.offset + NHDR.size + len(OWNER)
            image[at : at + size] = digest(self._style, image)


def given_id(style: str) -> bytes:
    """Return the bytes of `0x` and digits; raises PyldsoError."""
    try:
        if style.startswith("0x") and len(style) > 2:
            return bytes.fromhex(style[2:].replace("-", "").replace(":", ""))
    except ValueError:
        pass
    raise PyldsoError(f"--build-id={style}: use sha1, md5, uuid, none or 0x<digits>")


def properties_of(linked: LinkedObject) -> dict[int, int]:
    """Return the four-byte properties of an object's .note.gnu.property."""
    found: dict[int, int] = {}
    for member in linked.sections:
        if member.section.name != ".note.gnu.property":
            continue
        data = bytes(member.section.data)
        at = 0
        while at + NHDR.size + len(OWNER) <= len(data):
            name_size, size, kind = NHDR.unpack_from(data, at)
            start = at + NHDR.size + (name_size + 3 & ~3)
            if kind == NT_GNU_PROPERTY_TYPE_0:
                found.update(parse_properties(data[start : start + size]))
            at = start + (size + 7 & ~7)
    return found


def parse_properties(body: bytes) -> dict[int, int]:
    """Return pr_type to value for the properties of four bytes."""
    found: dict[int, int] = {}
    at = 0
    while at + PROPERTY.size <= len(body):
        pr_type, size, value = PROPERTY.unpack_from(body, at)
        if size == 4:
            found[pr_type] = value
        at += 8 + (size + 7 & ~7)
    return found


def merge_properties(objects: list[LinkedObject]) -> dict[int, int]:
    """Combine the inputs' properties by the rule of each range (x86-64 psABI, 11.1.1)."""
    if not objects:
        return {}
    all_found = [properties_of(linked) for linked in objects]
    merged: dict[int, int] = {}
    for pr_type in sorted({pr_type for found in all_found for pr_type in found}):
        values = [found.get(pr_type) for found in all_found]
        present = [value for value in values if value is not None]
        is_everywhere = len(present) == len(values)
        result = 0
        if pr_type in GNU_PROPERTY_X86_UINT32_AND and is_everywhere:
            result = ~0
            for value in present:
                result &= value
        elif pr_type in GNU_PROPERTY_X86_UINT32_OR or (
            pr_type in GNU_PROPERTY_X86_UINT32_OR_AND and is_everywhere
        ):
            for value in present:
                result |= value
        if result:
            merged[pr_type] = result
    return merged


def wants_marked_jumps(merged: dict[int, int]) -> bool:
    """Tell whether all inputs mark where indirect jumps may go (`-fcf-protection`)."""
    return bool(merged.get(GNU_PROPERTY_X86_FEATURE_1_AND, 0) & FEATURE_1_IBT)


def property_note(merged: dict[int, int]) -> Note | None:
    """Return the output's .note.gnu.property, None where nothing is left to say."""
    if not merged:
        return None
    return Note(".note.gnu.property", property_content(merged), 8)


def property_content(merged: dict[int, int]) -> bytes:
    """Return the note that states the properties."""
    body = b"".join(PROPERTY.pack(t, 4, value) + bytes(4) for t, value in merged.items())
    return NHDR.pack(len(OWNER), len(body), NT_GNU_PROPERTY_TYPE_0) + OWNER + body
