"""What is right and yet worth a word, as GNU ld has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyldso.elf.object_reader import contents, read_section_table
from pyldso.errors import Diagnostic, ElfFormatError
from pyldso.linker.inputs import LinkedShared
from pyldso.linker.report import Reporter
from pyldso.linker.resolve import CommonClash, SymbolTable
from pyldso.linker.scan import Place
from pyldso.linker.sections import WARNING_PREFIX, InputSection


def spoken_warnings(
    symbols: SymbolTable, sections: Sequence[InputSection], reporter: Reporter
) -> list[Diagnostic]:
    """Return the texts of sections `.gnu.warning.NAME` for the NAMEs that objects refer to.

    libc warns so of `tmpnam`, and of what would do nothing.
    """
    texts = {
        name: text
        for name, text in all_texts(symbols)
        if name in symbols.resolved and symbols.resolved[name].is_referenced
    }
    warned = {symbols.resolved[name]: text for name, text in texts.items()}
    diagnostics: list[Diagnostic] = []
    for member in sections if warned else ():
        targets = member.owner.targets
        for r_offset, r_info, _ in member.relocations:
            text = warned.pop(targets[r_info >> 32], "")
            if text:
                notes = reporter.place_notes("referenced by", Place(member, r_offset))
                diagnostics.append(Diagnostic(text, severity="warning", notes=tuple(notes)))
    return diagnostics


def all_texts(symbols: SymbolTable) -> Iterator[tuple[str, str]]:
    """Yield each name that an input warns of, with what it says."""
    for linked in symbols.objects:
        for member in linked.sections:
            name = member.section.name
            if name.startswith(WARNING_PREFIX):
                yield name.removeprefix(WARNING_PREFIX), text_of(bytes(member.section.data))
    for shared in symbols.shared:
        yield from texts_of_library(shared)


def texts_of_library(shared: LinkedShared) -> Iterator[tuple[str, str]]:
    """Yield what a shared object warns of; one with damaged section headers says nothing."""
    file = shared.file
    try:
        table = read_section_table(file.data, file.header, file.path)
        for header, name in zip(table.headers, table.names, strict=True):
            if name.startswith(WARNING_PREFIX):
                body = bytes(contents(file.data, header, file.path))
                yield name.removeprefix(WARNING_PREFIX), text_of(body)
    except ElfFormatError:
        return


def text_of(body: bytes) -> str:
    """Return the text of a warning section."""
    return body.partition(b"\0")[0].decode("utf-8", "replace")


def common_warning(clash: CommonClash, reporter: Reporter) -> Diagnostic:
    """Return the warning of `--warn-common` about two definitions, one at least a common symbol."""
    shown, old, new = f"`{reporter.readable(clash.name)}'", clash.first_size, clash.second_size
    first, second = clash.first.name, clash.second.name
    if old is not None and new is not None:
        if old == new:
            return Diagnostic(f"{second} and {first}: multiple common of {shown}", None, "warning")
        how = "overridden by larger" if old > new else "overriding smaller"
        text = f"common of {shown} {how} common from {first}"
    elif new is None:
        text = f"definition of {shown} overriding common from {first}"
    else:
        text = f"common of {shown} overridden by definition from {first}"
    return Diagnostic(f"{second}: {text}", severity="warning")


def stack_warning(member: InputSection) -> Diagnostic:
    """Return the warning about an object that wants its stack executable."""
    name = member.section.name
    text = (
        f"{member.owner.name}: requires executable stack (because the {name} section is executable)"
    )
    return Diagnostic(text, severity="warning")


def text_relocation_warning(*, is_shared: bool) -> Diagnostic:
    """Return the warning of `--warn-textrel`: the dynamic linker must write into the code."""
    kind = "a shared object" if is_shared else "a PIE"
    return Diagnostic(f"creating DT_TEXTREL in {kind}", severity="warning")
