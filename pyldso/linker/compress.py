"""`--compress-debug-sections`: what only debuggers read, packed by zlib (gABI ch. 4, Elf64_Chdr).

How small a section gets is known only when its relocations are applied, and what follows it in the
file moves then: so this comes after addresses are known, and before the file is written.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from pyldso.elf.constants import SHF
from pyldso.elf.object_reader import CHDR, OLD_MAGIC, OLD_PREFIX
from pyldso.elf.object_writer import CHDR_ALIGNMENT, compressed
from pyldso.linker.apply import Overflow
from pyldso.linker.chunk import BytesChunk, StringTable
from pyldso.linker.layout import Layout, place_outside
from pyldso.linker.sections import InputSection, OutputSection

DEBUG_PREFIX = ".debug"
OLD_SIZE = Struct(">Q")
ZLIB_GNU = "zlib-gnu"


def compress_debugging(
    layout: Layout,
    sections: list[InputSection],
    apply: Callable[[list[InputSection], bytearray], list[Overflow]],
    names: StringTable,
    style: str,
) -> tuple[Layout, list[InputSection], list[Overflow]]:
    """Pack the debugging sections that get smaller, and move what follows them in the file.

    Return the layout, the sections whose relocations are still to be applied, and what did not fit.
    """
    by_output: dict[OutputSection, list[InputSection]] = {}
    for member in sections:
        if member.output is not None:
            by_output.setdefault(member.output, []).append(member)
    packed: dict[int, BytesChunk] = {}
    overflows: list[Overflow] = []
    done: set[OutputSection] = set()
    for index, chunk in enumerate(layout.chunks):
        is_debugging = chunk.name.startswith(DEBUG_PREFIX) and not chunk.flags & SHF.ALLOC
        if not is_debugging or not isinstance(chunk, OutputSection):
            continue
        content = bytearray(chunk.size)
        chunk.write(memoryview(content))
        chunk.offset = 0  # the relocations are applied to the section by itself
        overflows += apply(by_output.get(chunk, []), content)
        done.add(chunk)
        packed[index] = pack(chunk, bytes(content), style)
        names.add(packed[index].name)
    chunks = [packed.get(index, chunk) for index, chunk in enumerate(layout.chunks)]
    rest = [member for member in sections if member.output not in done]
    return place_outside(layout, chunks), rest, overflows


def pack(chunk: OutputSection, content: bytes, style: str) -> BytesChunk:
    """Return the chunk that stands for a section: packed, or as it was where that is smaller."""
    packed_content = compressed(content, chunk.alignment)
    header, body = packed_content[: CHDR.size], packed_content[CHDR.size :]
    name, flags, alignment = chunk.name, chunk.flags | int(SHF.COMPRESSED), CHDR_ALIGNMENT
    if style == ZLIB_GNU:
        header = OLD_MAGIC + OLD_SIZE.pack(len(content))
        name = OLD_PREFIX + chunk.name[len(DEBUG_PREFIX) :]
        flags, alignment = chunk.flags, chunk.alignment
    if len(header) + len(body) >= len(content):
        header, body, name = b"", content, chunk.name
        flags, alignment = chunk.flags, chunk.alignment
    packed = BytesChunk(name, chunk.type, flags, header + body, alignment)
    packed.entsize, packed.index = chunk.entsize, chunk.index
    return packed
