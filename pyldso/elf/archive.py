"""`ar` archives: the symbol index and the members (System V and GNU form, thin ones too)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from pyldso.elf.records import Buffer
from pyldso.errors import ElfFormatError, PyldsoError

MAGIC, THIN_MAGIC = b"!<arch>\n", b"!<thin>\n"
HEADER_SIZE = 60
INDEX_NAMES = ("/", "/SYM64/", "__.SYMDEF")


class Member(NamedTuple):
    """A member: its name, and where header and content stand (size 0 in a thin archive's file)."""

    name: str
    header_offset: int
    offset: int
    size: int


class Archive:
    """An archive; `index` tells for each symbol the offset of the member that defines it."""

    __slots__ = ("_long_names", "data", "index", "is_thin", "path")

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self.is_thin = bytes(data[:8]) == THIN_MAGIC
        self._long_names = b""
        self.index: dict[str, int] | None = None
        """None where the archive has no index (`ar S`): the members must be asked."""
        for member in self._walk():
            if member.name in INDEX_NAMES:
                self.index = self._read_index(member)
            elif member.name == "//":
                self._long_names = bytes(data[member.offset : member.offset + member.size])
            else:
                break

    def _walk(self) -> Iterator[Member]:
        at = len(MAGIC)
        while at + HEADER_SIZE <= len(self.data):
            member = self.member_at(at)
            yield member
            is_stored = not self.is_thin or member.name in (*INDEX_NAMES, "//")
            at = member.offset + (member.size + 1 & ~1 if is_stored else 0)

    def member_at(self, at: int) -> Member:
        """Return the member whose header stands at offset `at`; raises ElfFormatError."""
        header = bytes(self.data[at : at + HEADER_SIZE])
        if len(header) < HEADER_SIZE or header[58:] != b"`\n":
            raise ElfFormatError(self.path, "no archive member header", at)
        try:
            size = int(header[48:58])
            name = self._name(header[:16].decode("utf-8", "surrogateescape").rstrip(), at)
        except ValueError:
            raise ElfFormatError(self.path, "damaged archive member header", at) from None
        is_stored = not self.is_thin or name in (*INDEX_NAMES, "//")
        if size < 0 or (is_stored and at + HEADER_SIZE + size > len(self.data)):
            raise ElfFormatError(self.path, f"the member {name} is cut", at)
        return Member(name, at, at + HEADER_SIZE, size)

    def _name(self, field: str, at: int) -> str:
        if field in ("/", "//", "/SYM64/"):
            return field
        if not field.startswith("/"):
            return field.removesuffix("/")
        start = int(field[1:])
        end = self._long_names.find(b"\n", start)
        if start < 0 or end < 0:
            raise ElfFormatError(self.path, f"no member name at {start} of the name table", at)
        return self._long_names[start:end].decode("utf-8", "surrogateescape").removesuffix("/")

    def _read_index(self, member: Member) -> dict[str, int]:
        body = bytes(self.data[member.offset : member.offset + member.size])
        word = ">Q" if member.name == "/SYM64/" else ">I"
        width = struct.calcsize(word)
        if len(body) < width:
            raise ElfFormatError(self.path, "cut archive index", member.offset)
        count = struct.unpack_from(word, body)[0]
        if (count + 1) * width > len(body):
            raise ElfFormatError(self.path, "cut archive index", member.offset)
        offsets = struct.unpack_from(f">{count}{word[1]}", body, width)
        names = body[(count + 1) * width :].split(b"\0")
        index: dict[str, int] = {}
        for name, offset in zip(names, offsets, strict=False):
            index.setdefault(name.decode("utf-8", "surrogateescape"), offset)
        return index

    def members(self) -> list[Member]:
        """Return the members that are files, in their order."""
        return [m for m in self._walk() if m.name not in (*INDEX_NAMES, "//")]

    def content(self, member: Member) -> Buffer:
        """Return a view of a member, for a thin archive the bytes of the file that it names."""
        if not self.is_thin:
            return memoryview(self.data)[member.offset : member.offset + member.size]
        path = os.path.join(os.path.dirname(self.path), member.name)
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise PyldsoError(f"{self.path}: member {path}: {error.strerror}") from None
