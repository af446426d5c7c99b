"""Directives that choose the section which items go to."""

from __future__ import annotations

from collections.abc import Callable

from pyldso.asm.assembly import Assembly
from pyldso.asm.att import split_operands
from pyldso.asm.errors import StatementError
from pyldso.asm.lexer import unquote
from pyldso.asm.section_names import default_attributes, read_flags, read_type
from pyldso.asm.symbols import AsmSection
from pyldso.elf.constants import SHF, SHT

_NO_ATTRIBUTES = 0xFFF00000 | SHF.MERGE | SHF.STRINGS | SHF.LINK_ORDER
"""SHF_MASKOS, SHF_MASKPROC, and what says how a section is kept."""

_ARRAYS = (SHT.INIT_ARRAY, SHT.FINI_ARRAY, SHT.PREINIT_ARRAY)
"""Types that a section has by its name whatever the source says."""


def standard(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.text`, `.data` and `.bss`, with a subsection number."""
    number = assembly.absolute(operands) if operands else 0
    assembly.switch(assembly.sections[name, None].stream(number), number)


def section(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.section name, "flags", @type, entry size, link order, group, comdat`."""
    found = find_section(assembly, operands)
    assembly.switch(found.stream())


def find_section(assembly: Assembly, operands: str) -> AsmSection:
    """Return the section that the operands of `.section` name, new if need be.

    Raises StatementError for attributes that make no sense or differ from those it has.
    """
    parts = split_operands(operands)
    name = unquote(parts.pop(0))
    if not name:
        raise StatementError("a section needs a name", operands)
    sh_type, flags = default_attributes(name)
    if not parts:
        known = assembly.sections.get((name, None)) or next(
            (
                known
                for (other, key), known in assembly.sections.items()
                if other == name and "\0" not in (key or "")
            ),
            None,
        )
        return known or assembly.create_section(name, None, sh_type, flags)
    if parts[0].startswith("#"):
        raise StatementError("Solaris section attributes are not supported", parts[0])
    given = parts.pop(0)
    if len(given) < 2 or given[0] != '"':
        raise StatementError("section flags stand in double quotes", given)
    explicit, in_present_group = read_flags(given.strip('"'))
    # What the name says comes on top, unless the source says other things (gas/config/obj-elf.c).
    has_other = explicit & ~_NO_ATTRIBUTES & ~flags
    type_by_name, has_fixed_type = sh_type, sh_type in _ARRAYS or flags & SHF.X86_64_LARGE
    flags = explicit if has_other else explicit | flags
    if parts and parts[0][:1] in ("@", "%", '"'):
        sh_type = read_type(parts.pop(0))
        if sh_type != type_by_name and has_fixed_type:
            sh_type = type_by_name
            message = f"the type of section {name} follows from its name, not from what stands here"
            assembly.report(message, name, severity="warning")
    elif parts and explicit & (SHF.MERGE | SHF.GROUP) and parts[0][:1].isalpha():
        raise StatementError("a section type such as @progbits must come first", parts[0])
    entry_size = 0
    if explicit & SHF.MERGE:
        if not parts:
            raise StatementError("a mergeable section needs an entry size", given)
        entry_size = assembly.absolute(parts.pop(0))
    linked = None
    if explicit & SHF.LINK_ORDER:
        if not parts:
            raise StatementError("flag `o' needs the name of a section to follow", given)
        linked = parts.pop(0)
    group, is_comdat = None, False
    if in_present_group and not explicit & SHF.GROUP:
        present = assembly.stream.section
        group, is_comdat = present.group, present.is_comdat
    elif explicit & SHF.GROUP:
        if not parts:
            raise StatementError("flag `G' needs the name of a group", given)
        group = unquote(parts.pop(0))
        is_comdat = bool(parts) and parts.pop(0) == "comdat"
    if group is not None:
        flags |= SHF.GROUP
    number = None
    if parts and parts[0] == "unique":
        number = assembly.absolute(parts[1]) if len(parts) > 1 else -1
        if not 0 <= number < 0xFFFFFFFF:
            raise StatementError("`unique' takes a number of 32 bits", operands)
        del parts[:2]
    if parts:
        raise StatementError(f"junk `{parts[0]}' after the section", parts[0])
    return _get(assembly, name, group, number, is_comdat, sh_type, flags, entry_size, linked)


def _get(
    assembly: Assembly,
    name: str,
    group: str | None,
    number: int | None,
    is_comdat: bool,
    sh_type: int,
    flags: int,
    entry_size: int,
    linked: str | None,
) -> AsmSection:
    # Sections of one name are told apart by their group and their number.
    key = group if number is None else f"{group or ''}\0{number}"
    known = assembly.sections.get((name, key))
    if known is not None:
        if known.flags != flags and not known.is_empty:
            message = f"changed section attributes for {name} are ignored"
            assembly.report(message, name, severity="warning")
        elif known.flags != flags and not known.streams.get(0):
            known.flags, known.type, known.entry_size = flags, sh_type, entry_size
        return known
    created = assembly.create_section(name, group, sh_type, flags, entry_size, key)
    created.is_comdat = is_comdat
    if linked is not None and linked != "0":
        created.linked_to = assembly.lookup(unquote(linked))
    return created


def push(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.pushsection`."""
    assembly.section_stack.append((assembly.stream, assembly.subsection, assembly.previous))
    parts = split_operands(operands)
    subsection = 0
    if len(parts) > 1 and parts[1] and parts[1][0] not in '"@%':
        subsection = assembly.absolute(parts.pop(1))
    found = find_section(assembly, ",".join(parts))
    assembly.switch(found.stream(subsection), subsection)


def pop(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.popsection`."""
    if not assembly.section_stack:
        raise StatementError("`.popsection' without `.pushsection'")
    assembly.mark_line()
    assembly.stream, assembly.subsection, assembly.previous = assembly.section_stack.pop()


def previous(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.previous`: swap with the section before this one."""
    if assembly.previous is None:
        raise StatementError("`.previous' without a section before it")
    stream, number = assembly.previous
    assembly.switch(stream, number)


def subsection(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.subsection`: another part of the same section."""
    number = assembly.absolute(operands) if operands else 0
    assembly.switch(assembly.stream.section.stream(number), number)


def attach_to_group(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.attach_to_group`: make the present section a member of a group."""
    group = unquote(operands)
    section = assembly.stream.section
    if not group:
        raise StatementError("`.attach_to_group' takes the name of a group", operands)
    if section.group is not None:
        message = f"section {section.name} already has a group (`{section.group}')"
        assembly.report(message, operands, severity="warning")
        return
    section.group = group
    section.flags |= SHF.GROUP


def ident(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.ident`: a string in .comment, which starts with an empty one."""
    from pyldso.asm.lexer import read_strings

    flags = SHF.MERGE | SHF.STRINGS
    comment = assembly.sections.get((".comment", None))
    if comment is None:
        comment = assembly.create_section(".comment", None, SHT.PROGBITS, flags, 1)
        comment.stream().add(b"\0", assembly.place)
    for text in read_strings(operands):
        comment.stream().add(text + b"\0", assembly.place)


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {
    ".text": standard,
    ".data": standard,
    ".bss": standard,
    ".section": section,
    ".pushsection": push,
    ".popsection": pop,
    ".previous": previous,
    ".subsection": subsection,
    ".ident": ident,
    ".attach_to_group": attach_to_group,
}
