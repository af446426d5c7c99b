"""Symbols that the linker itself or `--defsym` defines, and common symbols."""

from __future__ import annotations

from collections.abc import Sequence

from pyldso.elf.constants import PF, PT, SHF, SHN, SHT, STB, STT, STV
from pyldso.elf.object import Section, Symbol
from pyldso.errors import Diagnostic
from pyldso.linker.chunk import Chunk
from pyldso.linker.create import TlsBase
from pyldso.linker.exports import DefinedSymbol
from pyldso.linker.inputs import LinkedShared
from pyldso.linker.layout import Layout
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.sections import InputSection, OutputSection, is_c_identifier
from pyldso.linker.symbols import LinkedObject, Rank, Resolved

START, END = "start of ", "end of "
IPLT = "relocations of IFUNCs"
"""What a static program's start code applies; where there is a dynamic linker, nothing."""
TLS_BASE = "thread-local block"
IMAGE, CODE_END, DATA_END, BSS, MEMORY_END = "image", "code", "data", "bss", "memory"

BOUNDARIES = {
    "_DYNAMIC": START + ".dynamic",
    "_GLOBAL_OFFSET_TABLE_": START + ".got.plt",
    "__GNU_EH_FRAME_HDR": START + ".eh_frame_hdr",
    "__ehdr_start": IMAGE,
    "__executable_start": IMAGE,
    "_TLS_MODULE_BASE_": TLS_BASE,
    "_etext": CODE_END,
    "__etext": CODE_END,
    "_edata": DATA_END,
    "__bss_start": BSS,
    "_end": MEMORY_END,
    "__preinit_array_start": START + ".preinit_array",
    "__preinit_array_end": END + ".preinit_array",
    "__init_array_start": START + ".init_array",
    "__init_array_end": END + ".init_array",
    "__fini_array_start": START + ".fini_array",
    "__fini_array_end": END + ".fini_array",
    "__rela_iplt_start": START + IPLT,
    "__rela_iplt_end": END + IPLT,
}
PROVIDED = {"etext": CODE_END, "edata": DATA_END, "end": MEMORY_END}
"""Names that a program may also define itself (`PROVIDE` in GNU ld's script)."""


def allocate_commons(symbols: SymbolTable) -> None:
    """Give each common symbol a section of its own, which goes to .bss."""
    for resolved in symbols.resolved.values():
        owner = resolved.file
        if resolved.rank != Rank.COMMON or not isinstance(owner, LinkedObject):
            continue
        common = resolved.symbol
        if common is None:
            continue
        is_tls = common.type == STT.TLS
        flags = SHF.ALLOC | SHF.WRITE | (SHF.TLS if is_tls else 0)
        name = ".tbss" if is_tls else ".bss"
        alignment = max(common.st_value, 1)
        section = Section(name, SHT.NOBITS, flags, alignment, b"", common.st_size)
        place = InputSection(section, owner)
        owner.sections.append(place)
        owner.places[section] = place
        resolved.place = place
        resolved.symbol = Symbol(
            common.name, common.binding, STT.TLS if is_tls else STT.OBJECT, common.visibility,
            section, 0, 0, common.st_size,
        )  # fmt: skip


def define_boundaries(
    symbols: SymbolTable, outputs: list[OutputSection], *, is_dynamic: bool, edge_visibility: int
) -> list[Resolved]:
    """Define the linker's own symbols where they are referred to.

    Return those that other files may see, `__start_NAME` and `__stop_NAME`, of `edge_visibility`.
    """
    for names, weakest in ((BOUNDARIES, Rank.SHARED), (PROVIDED, Rank.UNDEFINED)):
        for name, boundary in names.items():
            resolved = symbols.resolved.get(name)
            if resolved is not None and resolved.rank <= weakest:
                if name == "_DYNAMIC" and not is_dynamic:
                    continue  # start code asks by its address whether there is a dynamic section
                define(resolved, boundary)
    edges: list[Resolved] = []
    for output in outputs:
        if not output.flags & SHF.ALLOC or not is_c_identifier(output.name):
            continue
        for prefix, edge in (("__start_", START), ("__stop_", END)):
            resolved = symbols.resolved.get(prefix + output.name)
            if resolved is not None and resolved.rank <= Rank.SHARED:
                wanted = resolved.visibility
                define(resolved, edge + output.name)
                resolved.visibility = wanted
                resolved.merge_visibility(edge_visibility)
                edges.append(resolved)
    return edges


def define(resolved: Resolved, boundary: str) -> None:
    """Make `resolved` a hidden symbol of the linker."""
    resolved.rank = Rank.STRONG
    resolved.boundary = boundary
    resolved.file = resolved.export = resolved.place = None
    resolved.version = ""
    resolved.symbol = Symbol(resolved.name, STB.GLOBAL, STT.NOTYPE, STV.HIDDEN, None, SHN.ABS)
    resolved.visibility = int(STV.HIDDEN)


def place_boundaries(
    symbols: SymbolTable, layout: Layout, tls: TlsBase, *, is_shared: bool
) -> None:
    """Give the linker's own symbols their addresses."""
    named = {chunk.name: chunk for chunk in layout.chunks}
    loads = [phdr for phdr in layout.segments if phdr.p_type == PT.LOAD]
    code = [phdr for phdr in loads if phdr.p_flags & PF.X] or loads
    edges = {
        IMAGE: loads[0].p_vaddr,
        CODE_END: code[-1].p_vaddr + code[-1].p_memsz,
        DATA_END: loads[-1].p_vaddr + loads[-1].p_filesz,
        BSS: loads[-1].p_vaddr + loads[-1].p_filesz,
        MEMORY_END: loads[-1].p_vaddr + loads[-1].p_memsz,
    }
    first = next(chunk for chunk in layout.chunks if chunk.flags & SHF.ALLOC)
    for resolved in symbols.resolved.values():
        boundary = resolved.boundary
        if not boundary:
            continue
        if boundary == TLS_BASE:
            # in an executable it is where TP points, so that offsets from both are the same
            resolved.value = tls.start if is_shared else tls.pointer
            resolved.tls_start = tls.start
            continue
        if boundary in edges:
            resolved.value = edges[boundary]
            resolved.chunk = chunk_at(layout, resolved.value)
            continue
        edge, name = (START, boundary[len(START) :])
        if boundary.startswith(END):
            edge, name = END, boundary[len(END) :]
        if name == IPLT:
            name = ".rela.plt" if ".dynamic" not in named else ""
        if name == ".got.plt" and name not in named:
            name = ".got"
        chunk = named.get(name, first)  # an empty array starts and ends anywhere
        resolved.chunk = chunk
        resolved.value = chunk.address
        if edge == END and chunk is not first:
            resolved.value += chunk.size


def chunk_at(layout: Layout, vaddr: int) -> Chunk | None:
    """Return the chunk that holds or ends at `vaddr`; None stands for SHN_ABS."""
    for chunk in reversed(layout.chunks):
        if chunk.flags & SHF.ALLOC and chunk.address <= vaddr <= chunk.address + chunk.size:
            return chunk
    return None


def drop_unneeded(symbols: SymbolTable) -> None:
    """Leave out the `--as-needed` libraries that no strong reference is bound to."""
    for resolved in symbols.resolved.values():
        if isinstance(resolved.file, LinkedShared) and not resolved.is_weak_reference:
            resolved.file.is_used = True
    kept = [shared for shared in symbols.shared if shared.is_used or not shared.is_as_needed]
    for resolved in symbols.resolved.values():
        if resolved.rank == Rank.SHARED and resolved.file not in kept:
            resolved.rank = Rank.UNDEFINED
            resolved.file = resolved.export = None
            resolved.version = ""
    symbols.shared[:] = kept


def define_given(symbols: SymbolTable, given: Sequence[DefinedSymbol]) -> list[Diagnostic]:
    """Give the symbols of `--defsym` what they are now that every name has its definition.

    Return an error for each that counts from a symbol which the output does not define.
    """
    errors: list[Diagnostic] = []
    for name, base, offset in given:
        resolved = symbols.resolved[name]
        source = symbols.resolved.get(base)
        if base and (source is None or source.rank <= Rank.SHARED or source.symbol is None):
            text = f"undefined symbol: {base}, from which --defsym={name} counts"
            errors.append(Diagnostic(text))
            continue
        kind, section, value, size = int(STT.NOTYPE), None, offset, 0
        if source is not None and source.symbol is not None:
            resolved.place = source.place
            resolved.file = source.file
            kind, section, size = source.symbol.type, source.symbol.section, source.symbol.st_size
            size = 0 if offset else size
            value = source.symbol.st_value + offset
        resolved.symbol = Symbol(
            name, STB.GLOBAL, kind, resolved.visibility, section, SHN.ABS, value, size
        )
    return errors
