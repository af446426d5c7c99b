"""Every piece of the output file is a Chunk: a section header, a size, a way to write itself."""

from __future__ import annotations

from pyldso.elf.constants import SHT


class Chunk:
    """A section of the output (or its headers, which have no name).

    `size` is final before addresses are assigned; `link` and `info_section` are the chunks whose
    section numbers stand in sh_link and sh_info.
    """

    __slots__ = (
        "address",
        "alignment",
        "entsize",
        "flags",
        "index",
        "info",
        "info_section",
        "link",
        "name",
        "offset",
        "size",
        "type",
    )

    def __init__(
        self, name: str, sh_type: int, sh_flags: int, alignment: int = 1, entsize: int = 0
    ) -> None:
        self.name = name
        self.type = int(sh_type)
        self.flags = int(sh_flags)
        self.alignment = alignment
        self.entsize = entsize
        self.size = 0
        self.address = 0
        self.offset = 0
        self.index = 0
        self.info = 0
        self.link: Chunk | None = None
        self.info_section: Chunk | None = None

    @property
    def takes_file_space(self) -> bool:
        """Tell whether the file holds the content."""
        return self.type != SHT.NOBITS

    def write(self, buffer: memoryview) -> None:
        """Write the content into `buffer`, which has the chunk's size and holds zeros."""
        raise NotImplementedError


class BytesChunk(Chunk):
    """A chunk whose content is known before the layout: a note, .interp."""

    __slots__ = ("content",)

    def __init__(
        self, name: str, sh_type: int, sh_flags: int, content: bytes, alignment: int = 1
    ) -> None:
        super().__init__(name, sh_type, sh_flags, alignment)
        self.content = content
        self.size = len(content)

    def write(self, buffer: memoryview) -> None:
        """Copy the content."""
        buffer[:] = self.content


def encoded(text: str) -> bytes:
    """Return the bytes of a name, also of one that is not UTF-8 in its file."""
    return text.encode("utf-8", "surrogateescape")


class StringTable(Chunk):
    """A string table; equal strings stand once."""

    __slots__ = ("_content", "_offsets")

    def __init__(self, name: str, sh_flags: int = 0) -> None:
        super().__init__(name, SHT.STRTAB, sh_flags)
        self._content = bytearray(1)
        self._offsets = {"": 0}
        self.size = 1

    def add(self, text: str) -> int:
        """Return the offset of `text`, adding it where it is new."""
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self._content)
            self._content += encoded(text) + b"\0"
            self.size = len(self._content)
        return offset

    def write(self, buffer: memoryview) -> None:
        """Copy the strings."""
        buffer[:] = self._content
