"""What a link tells of itself: its files, where a symbol comes from, and the map of the output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyldso.elf.constants import STB, STT
from pyldso.linker.chunk import Chunk
from pyldso.linker.inputs import Input, LinkedShared
from pyldso.linker.layout import Layout
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.sections import InputSection, OutputSection

NAME_WIDTH = 50
HEADING = f"{'VMA':>16} {'Offset':>8} {'Size':>8} Align Out     In      Symbol"


def file_names(inputs: Sequence[Input]) -> list[str]:
    """Return the objects, archives and libraries that were read, as `-t` names them."""
    names = [item.name if isinstance(item, LinkedShared) else item.path for item in inputs]
    return list(dict.fromkeys(names))


def symbol_trace(symbols: SymbolTable, names: Sequence[str]) -> Iterator[str]:
    """Yield in GNU ld's words which files define and which use the symbols of `-y`."""
    wanted = set(names)
    for linked in symbols.objects if wanted else []:
        for symbol in linked.object.symbols:
            if symbol.name in wanted and symbol.binding != STB.LOCAL:
                verb = "definition of" if symbol.is_defined else "reference to"
                yield f"{linked.name}: {verb} {symbol.name}"
    for shared in symbols.shared if wanted else []:
        undefined = set(shared.file.undefined())
        for name in names:
            if shared.file.defines(name):
                yield f"{shared.name}: definition of {name}"
            elif name in undefined:
                yield f"{shared.name}: reference to {name}"


def cross_references(symbols: SymbolTable) -> str:
    """Return GNU ld's table of symbols by name: the file that defines each, then those that use it.

    What a library defines is left out where no object refers to it.
    """
    definers: dict[str, list[str]] = {}
    users: dict[str, list[str]] = {}
    for linked in symbols.objects:
        for symbol in linked.object.symbols:
            if symbol.binding != STB.LOCAL and symbol.name:
                table = definers if symbol.is_defined else users
                table.setdefault(symbol.name, []).append(linked.name)
    for shared in symbols.shared:
        undefined = set(shared.file.undefined())
        for name in (definers.keys() | users.keys()) & undefined:
            users.setdefault(name, []).append(shared.name)
        for name in users.keys() | definers.keys():
            if shared.find(name, "") is not None:
                definers.setdefault(name, []).append(shared.name)
    lines = ["", "Cross Reference Table", "", f"{'Symbol':<{NAME_WIDTH}}File"]
    for name in sorted(definers.keys() | users.keys()):
        files = definers.get(name, []) + users.get(name, [])
        label = f"{name:<{NAME_WIDTH}}" if len(name) < NAME_WIDTH else f"{name}\n{'':<{NAME_WIDTH}}"
        lines.append(label + files[0])
        lines += [" " * NAME_WIDTH + file for file in files[1:]]
    return "\n".join(lines) + "\n"


def link_map(layout: Layout) -> str:
    """Return the map of the output in lld's form: sections, their parts, symbols in each."""
    lines = [HEADING]
    for chunk in layout.chunks:
        lines.append(row(chunk.address, chunk.offset, chunk.size, chunk.alignment) + chunk.name)
        if isinstance(chunk, OutputSection):
            lines += member_lines(chunk)
    return "\n".join(lines) + "\n"


def member_lines(chunk: OutputSection) -> Iterator[str]:
    """Yield the input sections of an output section, each with its symbols."""
    for member in chunk.members:
        start = chunk.address + member.offset
        name = f"{member.owner.name}:({member.section.name})"
        at = chunk.offset + member.offset
        yield row(start, at, member.size, member.alignment) + " " * 8 + name
        yield from symbol_lines(chunk, member, start, at)


def symbol_lines(chunk: Chunk, member: InputSection, start: int, at: int) -> Iterator[str]:
    """Yield the symbols of an input section by address."""
    section = member.section
    found = [
        symbol
        for symbol in member.owner.object.symbols
        if symbol.section is section and symbol.type != STT.SECTION and symbol.name
    ]
    for symbol in sorted(found, key=lambda symbol: symbol.st_value):
        if not symbol.name.startswith(".L"):
            place = row(start + symbol.st_value, at + symbol.st_value, symbol.st_size, 1)
            yield place + " " * 16 + symbol.name


def row(address: int, offset: int, size: int, alignment: int) -> str:
    """Return the columns of numbers."""
    return f"{address:16x} {offset:8x} {size:8x} {alignment:5} "
