"""From what the scan demanded to the chunks that the linker makes itself."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from pyldso.arch.machine import Machine, OutputKind, PltFormat
from pyldso.elf.constants import DF, DF1, DT, SHF, SHT
from pyldso.elf.records import RELA, SYM
from pyldso.linker.chunk import BytesChunk, Chunk, StringTable, encoded
from pyldso.linker.dynsym import Dynsym, GnuHash, SysvHash
from pyldso.linker.inputs import LinkedShared
from pyldso.linker.options import LinkOptions
from pyldso.linker.relr import Relr, split_rows
from pyldso.linker.resolve import SymbolTable
from pyldso.linker.scan import AddendOf, Demands, DynamicRelocation
from pyldso.linker.sections import OutputSection
from pyldso.linker.symbols import Column, Need, Rank, Resolved
from pyldso.linker.synthetic import (
    CopyArea,
    Dynamic,
    Got,
    GotPlt,
    Plt,
    PltGot,
    PltSecond,
    Rela,
    RelaDyn,
)
from pyldso.linker.versions import VersionDefinitions, VersionNeeds, VersionPlan, Versym

RELR_VERSION = "GLIBC_ABI_DT_RELR"
"""What a glibc defines that knows DT_RELR: an older one then refuses the file by name."""


class Slots(NamedTuple):
    """Offsets in the GOT of what each symbol got there."""

    addresses: dict[Resolved, int]
    tls_pairs: dict[Resolved, int]
    tls_offsets: dict[Resolved, int]
    tls_descriptors: dict[Resolved, int]
    tls_module: int


class Synthetic(NamedTuple):
    """The chunks that later passes ask for by name; None where the output has no need of one."""

    got: Got
    slots: Slots
    plt: Plt
    plt_got: PltGot
    plt_second: PltSecond
    got_plt: GotPlt | None
    copies: list[CopyArea]
    dynamic: Dynamic | None
    dynsym: Dynsym | None
    rela_dyn: RelaDyn
    rela_plt: Rela
    relr: Relr

    def chunks(self) -> list[Chunk]:
        """Return those that take part in the output."""
        candidates: list[Chunk | None] = [
            self.got, self.plt, self.plt_second, self.plt_got, *self.copies,
            self.rela_dyn, self.rela_plt, self.relr,
        ]  # fmt: skip
        used = [chunk for chunk in candidates if chunk is not None and chunk.size]
        fixed: list[Chunk | None] = [self.got_plt, self.dynamic]
        return used + [chunk for chunk in fixed if chunk is not None]


class TlsBase:
    """The vaddrs of the TLS segment and of TP, known after the layout."""

    __slots__ = ("pointer", "start")

    def __init__(self) -> None:
        self.start = 0
        self.pointer = 0


def build_got(
    demands: Demands, machine: Machine, output: OutputKind, tls: TlsBase
) -> tuple[Got, Slots]:
    """Lay out the GOT: addresses, then what the TLS models need (Drepper's TLS paper, 4)."""
    got = Got()
    types = machine.types
    slots = Slots({}, {}, {}, {}, 0)
    for target in demands.got:
        if target.is_imported:
            offset = got.add_relocated(types.global_data, target)
        elif output.is_position_independent and target.column != Column.ABSOLUTE:
            value = partial(address_of, target)
            offset = got.add_relocated(types.relative, target, AddendOf.TARGET, value)
        else:
            offset = got.add(partial(address_of, target))
        slots.addresses[target] = offset
    for target in demands.tls_pairs:
        slots.tls_pairs[target] = add_tls_pair(got, target, machine, output, tls)
    for target in demands.tls_offsets:
        if target.is_imported:
            offset = got.add_relocated(types.tls_thread_offset, target)
        elif output.is_shared:
            offset = got.add_relocated(types.tls_thread_offset, target, AddendOf.BLOCK)
        else:
            offset = got.add(partial(thread_offset_of, target, tls))
        slots.tls_offsets[target] = offset
    for target in demands.tls_descriptors:
        base = AddendOf.NOTHING if target.is_imported else AddendOf.BLOCK
        slots.tls_descriptors[target] = got.add_relocated(types.tls_descriptor, target, base)
        got.add()
    if demands.needs_tls_module:
        module = add_module(got, None, machine, output)
        got.add()
        slots = slots._replace(tls_module=module)
    return got, slots


def add_module(got: Got, target: Resolved | None, machine: Machine, output: OutputKind) -> int:
    """Add the slot of a TLS module number; the executable's is 1."""
    if target is not None or output.is_shared:
        return got.add_relocated(machine.types.tls_module, target)
    return got.add(lambda: 1)


def add_tls_pair(
    got: Got, target: Resolved, machine: Machine, output: OutputKind, tls: TlsBase
) -> int:
    """Add the two words that `__tls_get_addr` takes: module and offset."""
    if target.is_imported:
        offset = add_module(got, target, machine, output)
        got.add_relocated(machine.types.tls_offset, target)
    else:
        offset = add_module(got, None, machine, output)
        got.add(partial(block_offset_of, target, tls))
    return offset


def address_of(target: Resolved) -> int:
    """Return S."""
    return target.S


def thread_offset_of(target: Resolved, tls: TlsBase) -> int:
    """Return S - TP."""
    return target.S - tls.pointer


def block_offset_of(target: Resolved, tls: TlsBase) -> int:
    """Return S - DTP."""
    return target.S - tls.start


def build_plt(demands: Demands, got: Got, slots: Slots, form: PltFormat) -> tuple[Plt, PltGot]:
    """Split the PLT: a function that has a bound GOT slot anyway needs no lazy one."""
    lazy: list[Resolved] = []
    indirect: list[Resolved] = []
    eager: list[Resolved] = []
    for target in demands.plt:
        if target.column == Column.IFUNC:
            indirect.append(target)
        elif target.needs & Need.GOT and not target.needs & Need.CANONICAL_PLT:
            eager.append(target)
        else:
            lazy.append(target)
    # the resolvers of IFUNCs run when all else is relocated: they come last
    plt = Plt(lazy + indirect, form)
    return plt, PltGot(eager, [slots.addresses[target] for target in eager], got, form)


def plt_relocations(plt: Plt, got_plt: GotPlt, machine: Machine) -> list[DynamicRelocation]:
    """Return what the dynamic linker does with the slots of the PLT."""
    rows: list[DynamicRelocation] = []
    for index, target in enumerate(plt.symbols):
        slot = got_plt.slot_offset(index)
        if target.column == Column.IFUNC:
            kind, base = machine.types.irelative, AddendOf.DEFINITION
        else:
            kind, base = machine.types.jump_slot, AddendOf.NOTHING
        rows.append(DynamicRelocation(got_plt, slot, kind, target, 0, base))
    return rows


def build_copies(demands: Demands, symbols: SymbolTable) -> list[CopyArea]:
    """Reserve room for copied variables, under all their names (`environ`, `__environ`).

    A variable that its library keeps in read-only memory is copied into RELRO memory.
    """
    writable = CopyArea(".copyrel", SHT.NOBITS)
    constant = CopyArea(".bss.rel.ro", SHT.PROGBITS)
    for target in list(demands.copies):
        library = target.file
        if target.export is None or not isinstance(library, LinkedShared) or target.chunk:
            continue
        symbol = target.export.symbol
        area = constant if library.file.is_read_only(symbol.st_value) else writable
        names = [e.name for e in library.file.aliases(symbol) if e.is_default]
        sizes = [e.symbol.st_size for e in library.file.aliases(symbol)]
        offset = area.add(target, max(sizes), library.file.alignment_of(symbol))
        for name in names:
            alias = symbols.entry(name)
            if alias.rank == Rank.UNDEFINED:
                alias.rank = Rank.SHARED
                alias.file = library
                alias.export = library.find(name, "")
                alias.version = alias.export.version if alias.export else ""
                alias.column = target.column
            if alias.file is library:
                alias.chunk = area
                alias.needs |= Need.COPY
                area.offsets[alias] = offset
    return [area for area in (writable, constant) if area.size]


def copy_relocations(
    copies: list[CopyArea], demands: Demands, machine: Machine
) -> list[DynamicRelocation]:
    """Return one R_*_COPY for each variable."""
    rows: list[DynamicRelocation] = []
    for area in copies:
        seen: set[int] = set()
        for target in demands.copies:
            offset = area.offsets.get(target)
            if offset is not None and offset not in seen:
                seen.add(offset)
                rows.append(DynamicRelocation(area, offset, machine.types.copy, target))
    return rows


def create_synthetic(
    demands: Demands,
    symbols: SymbolTable,
    machine: Machine,
    output: OutputKind,
    tls: TlsBase,
    *,
    is_dynamic: bool,
    packs_relative: bool = False,
    is_guarded: bool = False,
) -> Synthetic:
    """Make GOT, PLT, copies and the dynamic relocations and symbols."""
    got, slots = build_got(demands, machine, output, tls)
    form = machine.guarded_plt if is_guarded else machine.plt
    plt, plt_got = build_plt(demands, got, slots, form)
    copies = build_copies(demands, symbols)
    dynamic = Dynamic() if is_dynamic else None
    got_plt = None
    plt_rows: list[DynamicRelocation] = []
    if plt.symbols or demands.needs_got_base:
        got_plt = plt.got_plt = GotPlt(plt, dynamic)
        plt_rows = plt_relocations(plt, got_plt, machine)
    rows = demands.dynamic + got.relocations + copy_relocations(copies, demands, machine)
    packed: list[DynamicRelocation] = []
    if packs_relative:
        packed, rows = split_rows(rows, machine.types.relative)
    rela_plt = Rela(".rela.plt", plt_rows, int(SHF.INFO_LINK))
    dynsym = None
    if is_dynamic:
        dynsym = Dynsym(dynamic_symbols(symbols), StringTable(".dynstr", int(SHF.ALLOC)))
    rela_dyn = RelaDyn(rows, machine)
    rela_dyn.link = rela_plt.link = dynsym
    rela_plt.info_section = got_plt
    return Synthetic(
        got, slots, plt, plt_got, PltSecond(plt, form), got_plt, copies, dynamic, dynsym,
        rela_dyn, rela_plt, Relr(packed),
    )  # fmt: skip


def dynamic_symbols(symbols: SymbolTable) -> list[Resolved]:
    """Return what the output imports and exports."""
    return [
        resolved
        for resolved in symbols.resolved.values()
        if resolved.is_exported or (resolved.is_imported and resolved.needs)
    ]


def link_tables(
    synthetic: Synthetic,
    symbols: SymbolTable,
    options: LinkOptions,
    outputs: list[OutputSection],
    versions: VersionPlan,
    flags: DF,
) -> list[Chunk]:
    """Return .interp, the hash and version tables; fill the dynamic section.

    `flags` are those of DT_FLAGS that follow from the code rather than from the options.
    """
    dynamic, dynsym = synthetic.dynamic, synthetic.dynsym
    if dynamic is None or dynsym is None:
        return []
    chunks: list[Chunk] = [dynsym, dynsym.strings]
    if options.interpreter is not None:
        path = encoded(options.interpreter) + b"\0"
        chunks.append(BytesChunk(".interp", SHT.PROGBITS, SHF.ALLOC, path))
    hashes: dict[DT, Chunk] = {}
    if options.hash_style in ("sysv", "both"):
        hashes[DT.HASH] = SysvHash(dynsym)
    if options.hash_style in ("gnu", "both"):
        hashes[DT.GNU_HASH] = GnuHash(dynsym)
    chunks += hashes.values()
    definitions = VersionDefinitions(versions, dynsym.strings)
    needs = VersionNeeds(dynsym.symbols, dynsym.strings, definitions.next_number)
    if synthetic.relr.size:
        needs.require(RELR_VERSION, symbols.shared)
    needs.finish()
    dynamic.link = dynsym.strings
    add_names(dynamic, dynsym.strings, symbols, options)
    add_initializers(dynamic, symbols, outputs, options)
    for tag, chunk in hashes.items():
        dynamic.add(tag, partial(chunk_address, chunk))
    dynamic.add(DT.STRTAB, partial(chunk_address, dynsym.strings))
    dynamic.add(DT.SYMTAB, partial(chunk_address, dynsym))
    dynamic.add(DT.STRSZ, partial(chunk_size, dynsym.strings))
    dynamic.add(DT.SYMENT, SYM.size)
    if not options.is_shared:
        dynamic.add(DT.DEBUG, 0)
    add_relocation_tables(dynamic, synthetic)
    add_flags(dynamic, options, flags)
    if definitions.size:
        chunks.append(definitions)
        dynamic.add(DT.VERDEF, partial(chunk_address, definitions))
        dynamic.add(DT.VERDEFNUM, definitions.info)
    if needs.size:
        chunks.append(needs)
        dynamic.add(DT.VERNEED, partial(chunk_address, needs))
        dynamic.add(DT.VERNEEDNUM, needs.info)
    if needs.size or definitions.size:
        versym = Versym(dynsym, needs, definitions)
        chunks.append(versym)
        dynamic.add(DT.VERSYM, partial(chunk_address, versym))
    if synthetic.rela_dyn.relative_count:
        dynamic.add(DT.RELACOUNT, synthetic.rela_dyn.relative_count)
    dynamic.finish()
    return chunks


def chunk_address(chunk: Chunk) -> int:
    """Return the chunk's vaddr."""
    return chunk.address


def chunk_size(chunk: Chunk) -> int:
    """Return the chunk's size."""
    return chunk.size


def value_of(target: Resolved) -> int:
    """Return the symbol's vaddr."""
    return target.value


def add_names(
    dynamic: Dynamic, strings: StringTable, symbols: SymbolTable, options: LinkOptions
) -> None:
    """Add the entries that name files and folders."""
    for shared in symbols.shared:
        dynamic.add(DT.NEEDED, strings.add(shared.needed_name))
    if options.is_shared and options.soname:
        dynamic.add(DT.SONAME, strings.add(options.soname))
    if options.is_shared:
        for name in options.filters:
            dynamic.add(DT.FILTER, strings.add(name))
        for name in options.auxiliary:
            dynamic.add(DT.AUXILIARY, strings.add(name))
    for audit_tag, names in ((DT.AUDIT, options.audit), (DT.DEPAUDIT, options.depaudit)):
        if names:
            dynamic.add(audit_tag, strings.add(":".join(names)))
    if options.rpath:
        tag = DT.RUNPATH if options.uses_runpath else DT.RPATH
        dynamic.add(tag, strings.add(options.search_path))


def add_initializers(
    dynamic: Dynamic, symbols: SymbolTable, outputs: list[OutputSection], options: LinkOptions
) -> None:
    """Add what runs before and after the program (gABI ch. 5)."""
    for tag, name in ((DT.INIT, options.init), (DT.FINI, options.fini)):
        resolved = symbols.resolved.get(name)
        if resolved is not None and resolved.place is not None:
            dynamic.add(tag, partial(value_of, resolved))
    arrays: tuple[tuple[str, DT, DT], ...] = (
        (".preinit_array", DT.PREINIT_ARRAY, DT.PREINIT_ARRAYSZ),
        (".init_array", DT.INIT_ARRAY, DT.INIT_ARRAYSZ),
        (".fini_array", DT.FINI_ARRAY, DT.FINI_ARRAYSZ),
    )
    by_name = {output.name: output for output in outputs}
    for name, address, size in arrays:
        if name in by_name:
            dynamic.add(address, partial(chunk_address, by_name[name]))
            dynamic.add(size, by_name[name].size)


def add_relocation_tables(dynamic: Dynamic, synthetic: Synthetic) -> None:
    """Add where the relocations are."""
    if synthetic.got_plt is not None:
        dynamic.add(DT.PLTGOT, partial(chunk_address, synthetic.got_plt))
    if synthetic.rela_plt.size:
        dynamic.add(DT.PLTRELSZ, synthetic.rela_plt.size)
        dynamic.add(DT.PLTREL, int(DT.RELA))
        dynamic.add(DT.JMPREL, partial(chunk_address, synthetic.rela_plt))
    if synthetic.rela_dyn.size:
        dynamic.add(DT.RELA, partial(chunk_address, synthetic.rela_dyn))
        dynamic.add(DT.RELASZ, synthetic.rela_dyn.size)
        dynamic.add(DT.RELAENT, RELA.size)
    if synthetic.relr.size:
        dynamic.add(DT.RELR, partial(chunk_address, synthetic.relr))
        dynamic.add(DT.RELRSZ, partial(chunk_size, synthetic.relr))
        dynamic.add(DT.RELRENT, synthetic.relr.entsize)


FLAG_WORDS: dict[str, tuple[DF, DF1]] = {
    "now": (DF.BIND_NOW, DF1.NOW),
    "origin": (DF.ORIGIN, DF1.ORIGIN),
    "nodelete": (DF(0), DF1.NODELETE),
    "initfirst": (DF(0), DF1.INITFIRST),
    "nodlopen": (DF(0), DF1.NOOPEN),
    "interpose": (DF(0), DF1.INTERPOSE),
    "nodefaultlib": (DF(0), DF1.NODEFLIB),
    "global": (DF(0), DF1.GLOBAL),
    "nodump": (DF(0), DF1.NODUMP),
    "loadfltr": (DF(0), DF1.LOADFLTR),
    "globalaudit": (DF(0), DF1.GLOBAUDIT),
}
"""What the words of `-z` set in DT_FLAGS and DT_FLAGS_1."""


def flags_of(demands: Demands, output: OutputKind) -> DF:
    """Return the DT_FLAGS that the relocations ask for."""
    flags = DF(0)
    if demands.needs_static_tls and output.is_shared:
        flags |= DF.STATIC_TLS
    if demands.has_text_relocations:
        flags |= DF.TEXTREL
    return flags


def add_flags(dynamic: Dynamic, options: LinkOptions, flags: DF) -> None:
    """Add DT_FLAGS and DT_FLAGS_1."""
    flags_1 = DF1(0)
    if flags & DF.TEXTREL:
        dynamic.add(DT.TEXTREL, 0)
    for word, (dynamic_flag, dynamic_flag_1) in FLAG_WORDS.items():
        if options.has_z(word):
            flags |= dynamic_flag
            flags_1 |= dynamic_flag_1
    has_list = options.dynamic_lists or options.export_dynamic_symbols
    if options.bsymbolic and options.is_shared and not has_list:
        dynamic.add(DT.SYMBOLIC, 0)
        flags |= DF.SYMBOLIC
    if options.is_pie and not options.is_shared:
        flags_1 |= DF1.PIE
    if options.is_group:
        flags_1 |= DF1.GROUP
    if flags:
        dynamic.add(DT.FLAGS, int(flags))
    if flags_1:
        dynamic.add(DT.FLAGS_1, int(flags_1))
