"""`link`: objects, archives and shared objects to an executable or a shared object.

The passes in their order; each works on the few data structures of pyldso/linker: the symbol
table, the input sections, the demands of their relocations, the chunks of the output.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pyldso.arch.machine import Machine, OutputKind, machine_of
from pyldso.elf.constants import (
    EM,
    ET,
    GNU_PROPERTY_X86_FEATURE_1_AND,
    GNU_PROPERTY_X86_ISA_1_NEEDED,
)
from pyldso.elf.object import ObjectFile
from pyldso.errors import Diagnostic, LinkError, PyldsoError
from pyldso.linker.apply import Overflow, apply_relocations
from pyldso.linker.chunk import Chunk, StringTable
from pyldso.linker.create import Synthetic, TlsBase, create_synthetic, flags_of, link_tables
from pyldso.linker.define import (
    allocate_commons,
    define_boundaries,
    define_given,
    drop_unneeded,
    place_boundaries,
)
from pyldso.linker.eh_frame import EhFrame, EhFrameHeader, build_eh_frame
from pyldso.linker.exports import (
    DefinedSymbol,
    assign_versions,
    export_edges,
    mark_exports,
    may_be_interposed,
    own_name,
    parse_defsym,
    read_export_rules,
)
from pyldso.linker.image import (
    Ident,
    os_abi,
    set_operands,
    set_tls_base,
    write_chunks,
    write_headers,
)
from pyldso.linker.inputs import Input, InputReader, LinkedShared
from pyldso.linker.layout import Layout, LayoutRules, assign_addresses, sort_chunks
from pyldso.linker.merge import merge_strings
from pyldso.linker.notes import (
    FEATURE_1_IBT,
    FEATURE_1_SHSTK,
    BuildId,
    Note,
    merge_properties,
    package_note,
    property_note,
    wants_marked_jumps,
)
from pyldso.linker.options import FIXED_BASE, Z_WORDS, LinkOptions
from pyldso.linker.report import Reporter, raise_errors
from pyldso.linker.resolve import SymbolTable, UnmetNeed, columns_of, has_undefined, unmet_needs
from pyldso.linker.scan import Demands, relax_sections, scan_relocations
from pyldso.linker.sections import (
    InputSection,
    OutputSection,
    drop_debugging,
    gather_sections,
)
from pyldso.linker.symbols import Rank
from pyldso.linker.symtab import Symtab
from pyldso.linker.versions import VersionPlan
from pyldso.linker.warnings import (
    common_warning,
    spoken_warnings,
    stack_warning,
    text_relocation_warning,
)
from pyldso.output import write_whole

HASH_STYLES = ("gnu", "sysv", "both")
ISA_LEVELS = {"x86-64-baseline": 1, "x86-64-v2": 2, "x86-64-v3": 4, "x86-64-v4": 8}
"""The bits of GNU_PROPERTY_X86_ISA_1_NEEDED that `-z` sets."""
PACKED_STYLES = ("zlib", "zlib-gabi", "zlib-gnu")


class Linked(NamedTuple):
    """A finished output and what was meant by it, for the verifier."""

    image: bytearray
    layout: Layout
    synthetic: Synthetic
    entry: int
    symbols: SymbolTable


def link(options: LinkOptions) -> None:
    """Link the inputs to `options.output`; raises PyldsoError, LinkError with all errors."""
    if options.fatal_warnings:
        options = options._replace(warn=refuse)
    reader = InputReader(options, partial(assemble, options=options))
    if options.is_relocatable:
        link_relocatable(reader, options)
        write_dependencies(reader, options)
        return
    linked = link_inputs(reader.read_all(), options, reader.read_last_resorts)
    write_whole(options.output, linked.image, executable=True)
    if options.map_file is not None or options.cref:
        write_map(linked, options)
    write_dependencies(reader, options)
    if options.verify:
        from pyldso.verify import verify_output  # lief's import alone costs 0.3 s

        verify_output(options.output, linked.layout, linked.synthetic, linked.entry)


def write_map(linked: Linked, options: LinkOptions) -> None:
    """Tell what stands where, and which files define and use each symbol (`-Map`, `--cref`)."""
    from pyldso.linker.listing import cross_references, link_map  # few links ask for it

    text = link_map(linked.layout) if options.map_file is not None else ""
    text += cross_references(linked.symbols) if options.cref else ""
    if options.map_file is None or options.map_file == "-":
        options.say(text.removesuffix("\n"))
    else:
        write_whole(options.map_file, text.encode("utf-8", "surrogateescape"), executable=False)


def write_dependencies(reader: InputReader, options: LinkOptions) -> None:
    """Write the rule of `--dependency-file`."""
    if options.dependency_file is not None:
        rule = dependency_rule(options.output, list(reader.paths))
        content = rule.encode("utf-8", "surrogateescape")
        write_whole(options.dependency_file, content, executable=False)


def refuse(warning: Diagnostic) -> None:
    """Raise LinkError for what others are only warned of (`--fatal-warnings`)."""
    raise LinkError([warning._replace(severity="error")])


def link_relocatable(reader: InputReader, options: LinkOptions) -> None:
    """Make one object of all inputs (`-r`)."""
    from pyldso.elf.object_writer import write_object  # only `-r` writes an object
    from pyldso.linker.relocatable import combine_objects

    symbols = SymbolTable(options.wrap)
    for name in asked_for(options):
        symbols.demand(name)
    for item in reader.read_all():
        if isinstance(item, LinkedShared):
            raise PyldsoError(f"{item.name}: -r takes no shared object")
        symbols.add_input(item)
    reporter = Reporter(symbols, options, machine_of(EM.X86_64))
    raise_errors(reporter.duplicates(symbols.duplicates), options.error_limit)
    if options.strip_all or options.strip_debug:
        drop_debugging(symbols.objects)
    combined = combine_objects(options.output, int(EM.X86_64), symbols)
    write_whole(options.output, write_object(combined), executable=False)
    if options.verify:
        from pyldso.verify import verify_object  # lief's import alone costs 0.3 s

        verify_object(options.output, combined)


def dependency_rule(output: str, paths: list[str]) -> str:
    """Return a rule for make: the output depends on all inputs, and each may vanish (gcc -MP)."""
    names = [path.replace(" ", "\\ ").replace("$", "$$") for path in paths]
    rule = " \\\n  ".join([f"{output}:", *names])
    return "\n\n".join([rule, *(f"{name}:" for name in names)]) + "\n"


def assemble(path: str, options: LinkOptions) -> ObjectFile:
    """Return the object that assembly or C makes, compiled for the kind of output."""
    # keystone and the C compiler are not for a link of ready objects
    from pyldso.sources import options_of_link, read_source

    return read_source(path, options_of_link(options))


def link_inputs(
    inputs: list[Input], options: LinkOptions, last_resorts: Callable[[], list[Input]] = list
) -> Linked:
    """Run the passes over `inputs` and return the file's bytes.

    `last_resorts` gives the libraries that are asked for names which nothing else defines.
    """
    check_options(options)
    machine = machine_of(EM.X86_64)
    output = OutputKind(options.is_shared, options.is_shared or options.is_pie, options.relax)
    limit = options.error_limit

    given = [parse_defsym(text) for text in options.defsym]
    symbols = resolve_symbols(inputs, options, given, machine, output, last_resorts)
    reporter = Reporter(symbols, options, machine)
    if options.trace or options.trace_symbols:
        say_traces(inputs, symbols, options)
    if not options.allow_multiple_definition:
        raise_errors(reporter.duplicates(symbols.duplicates), limit)
    # from here on no file is added: every name has the definition that it will have

    unmet = [] if output.is_shared or options.allow_shlib_undefined else unmet_needs(symbols)
    drop_unneeded(symbols)
    wrong = define_given(symbols, given)
    exports = read_export_rules(options)
    raise_errors([*wrong, *assign_versions(symbols, exports, options)], limit)
    allocate_commons(symbols)
    mark_exports(symbols.resolved.values(), symbols, exports, options)
    if options.gc_sections:
        drop_garbage(symbols, options)
    if options.strip_all or options.strip_debug:
        drop_debugging(symbols.objects)
    merged = merge_strings(symbols.objects, machine)
    outputs = gather_sections(symbols.objects, merged, options.sort_section)
    is_dynamic = output.is_position_independent or bool(symbols.shared)
    edges = define_boundaries(
        symbols, outputs, is_dynamic=is_dynamic, edge_visibility=options.edge_visibility
    )
    export_edges(edges, symbols, exports, options)
    is_open = partial(may_be_interposed, rules=exports, options=options)
    may_import_weak = is_dynamic and (output.is_shared or options.interpreter is not None)
    columns_of(symbols, options, is_open, is_dynamic=may_import_weak)
    frame = build_eh_frame(symbols.objects)
    # from here on every section and symbol is known for what it is

    sections = related_sections(symbols)
    relax_sections(sections, machine, output)
    if options.warns_of_undefined:
        for warning in reporter.undefined_warnings(sections):
            options.warn(warning)
    demands = scan_relocations(sections, machine, output, allows_text=options.has_z("notext"))
    raise_errors(errors_of(demands, unmet, reporter, options), limit)
    warn_of_inputs(symbols, sections, demands, reporter, options)
    # from here on only a value that does not fit can go wrong

    properties = output_properties(symbols, options)
    tls = TlsBase()
    synthetic = create_synthetic(
        demands, symbols, machine, output, tls, is_dynamic=is_dynamic,
        packs_relative=is_dynamic and options.has_z("pack-relative-relocs"),
        is_guarded=options.has_z("ibtplt") or wants_marked_jumps(properties),
    )  # fmt: skip
    chunks: list[Chunk] = [*outputs, *synthetic.chunks()]
    chunks += link_tables(
        synthetic, symbols, options, outputs,
        VersionPlan(own_name(options), exports.version_nodes), flags_of(demands, output),
    )  # fmt: skip
    chunks += frame_chunks(frame, options)
    notes = create_notes(properties, options)
    names = StringTable(".shstrtab")
    gathered = [*outputs, frame] if frame is not None else outputs
    symtab = create_symtab(symbols, options, gathered)
    if not is_dynamic and symtab:
        synthetic.rela_plt.link = symtab[0]
    chunks += [*notes, *symtab, names]
    for chunk in chunks:
        names.add(chunk.name)
    # from here on every chunk has its size

    rules = layout_rules(symbols, options, output)
    ordered = sort_chunks(chunks, rules)
    layout = assign_addresses(ordered, rules)
    if synthetic.relr.size and synthetic.relr.shrink():
        layout = assign_addresses(ordered, rules)
    set_tls_base(tls, layout, machine)
    place_boundaries(symbols, layout, tls, is_shared=output.is_shared)
    constants = set_operands(symbols, synthetic, tls)
    # from here on every chunk and symbol has its address

    overflows: list[Overflow] = []
    if options.compress_debug in PACKED_STYLES:
        from pyldso.linker.compress import compress_debugging  # few links ask for it

        apply = partial(apply_relocations, machine=machine, constants=constants)
        layout, sections, overflows = compress_debugging(
            layout, sections, apply, names, options.compress_debug
        )
    image = write_chunks(layout)
    overflows += apply_relocations(sections, image, machine, constants)
    raise_errors(reporter.overflows(overflows), limit)
    start = entry_address(symbols, layout, reporter, options)
    e_type = ET.DYN if output.is_position_independent else ET.EXEC
    write_headers(image, layout, names, Ident(e_type, machine.number, os_abi(symbols)), start)
    for note in notes:
        note.seal(image)
    return Linked(image, layout, synthetic, start, symbols)


def check_options(options: LinkOptions) -> None:
    """Raise PyldsoError for words that mean nothing; warn of those that GNU ld only warns of."""
    for word in options.z_options:
        if word.partition("=")[0] not in Z_WORDS:
            options.warn(Diagnostic(f"-z {word} ignored", severity="warning"))
    if options.hash_style not in HASH_STYLES:
        raise PyldsoError(f"--hash-style={options.hash_style}: use {', '.join(HASH_STYLES)}")
    if (options.filters or options.auxiliary) and not options.is_shared:
        raise PyldsoError("a filter (-F, -f) is a library: use -shared, too")
    if options.compress_debug not in ("none", *PACKED_STYLES):
        words = ", ".join(("none", *PACKED_STYLES))
        raise PyldsoError(f"--compress-debug-sections={options.compress_debug}: use {words}")


def resolve_symbols(
    inputs: list[Input],
    options: LinkOptions,
    given: list[DefinedSymbol],
    machine: Machine,
    output: OutputKind,
    last_resorts: Callable[[], list[Input]],
) -> SymbolTable:
    """Bring all inputs together, with the archive members and built-ins that they ask for."""
    symbols = SymbolTable(options.wrap)
    symbols.define_given([one.name for one in given])
    entry = wanted_entry(options)
    bases = [one.base for one in given if one.base]
    for name in [*([entry] if entry else []), *asked_for(options), *bases]:
        symbols.demand(name)
    has_start = not (output.is_shared or options.nostartfiles)
    if options.is_static and has_start:
        # before libc.a, which has another _dl_relocate_static_pie than a fixed program wants
        symbols.add_object(
            machine.static_start(is_position_independent=output.is_position_independent)
        )
    for item in inputs:
        symbols.add_input(item)
    symbols.add_builtins(
        machine.builtin_objects(
            is_shared=output.is_shared,
            is_position_independent=output.is_position_independent,
            has_start=has_start,
            libc_version=symbols.version_of("__libc_start_main"),
        )
    )
    if has_undefined(symbols) or unmet_needs(symbols):
        for item in last_resorts():
            symbols.add_input(item)
    return symbols


def asked_for(options: LinkOptions) -> list[str]:
    """Return the names that the command line refers to (`-u`, `--require-defined`, -init)."""
    return [*options.undefined, *options.require_defined]


def drop_garbage(symbols: SymbolTable, options: LinkOptions) -> None:
    """Drop the sections that nothing reaches, and tell which where that is asked for."""
    from pyldso.linker.garbage import collect_garbage  # few links ask for it

    entry = wanted_entry(options)
    roots = [*([entry] if entry else []), *asked_for(options)]
    keeps_named = not options.has_z("start-stop-gc")
    for member in collect_garbage(
        symbols, roots, keeps_named=keeps_named, keeps_global=options.gc_keep_exported
    ):
        if options.print_gc_sections:
            name, owner = member.section.name, member.owner.name
            options.say(f"removing unused section '{name}' in file '{owner}'")


def say_traces(inputs: list[Input], symbols: SymbolTable, options: LinkOptions) -> None:
    """Tell which files were read, and which define or use a symbol (`-t`, `-y`)."""
    from pyldso.linker.listing import file_names, symbol_trace  # few links ask for it

    for line in file_names(inputs) if options.trace else []:
        options.say(line)
    for line in symbol_trace(symbols, options.trace_symbols):
        options.say(line)


def errors_of(
    demands: Demands, unmet: list[UnmetNeed], reporter: Reporter, options: LinkOptions
) -> list[Diagnostic]:
    """Return all that the scan found wrong."""
    errors = reporter.undefined(demands.undefined)
    errors += reporter.unmet(unmet)
    errors += reporter.problems(demands.problems)
    errors += reporter.copies(demands.copies, may_copy=not options.has_z("nocopyreloc"))
    errors += reporter.required(options.require_defined)
    return errors


def warn_of_inputs(
    symbols: SymbolTable,
    sections: list[InputSection],
    demands: Demands,
    reporter: Reporter,
    options: LinkOptions,
) -> None:
    """Tell of what the inputs warn of themselves, of executable stacks, and of DT_TEXTREL."""
    found = spoken_warnings(symbols, sections, reporter)
    if options.warns_of_commons:
        found += [common_warning(clash, reporter) for clash in symbols.common_clashes]
    if not options.has_z("execstack") and not options.has_z("noexecstack"):
        found += map(stack_warning, executable_stack_notes(symbols))
    if demands.has_text_relocations and options.warns_of_text_relocations:
        found.append(text_relocation_warning(is_shared=options.is_shared))
    for warning in found:
        options.warn(warning)


def output_properties(symbols: SymbolTable, options: LinkOptions) -> dict[int, int]:
    """Return what the inputs have in common, and what `-z` promises of them."""
    merged = merge_properties(symbols.objects)
    promised = FEATURE_1_IBT * options.has_z("ibt") | FEATURE_1_SHSTK * options.has_z("shstk")
    if promised:
        feature = GNU_PROPERTY_X86_FEATURE_1_AND
        merged[feature] = merged.get(feature, 0) | promised
    level = sum(bit for word, bit in ISA_LEVELS.items() if options.has_z(word))
    if level:
        needed = GNU_PROPERTY_X86_ISA_1_NEEDED
        merged[needed] = merged.get(needed, 0) | level
    return dict(sorted(merged.items()))


def frame_chunks(frame: EhFrame | None, options: LinkOptions) -> list[Chunk]:
    """Return .eh_frame, and the table by which the dynamic linker finds its entries."""
    if frame is None:
        return []
    return [frame, EhFrameHeader(frame)] if options.eh_frame_header else [frame]


def create_notes(properties: dict[int, int], options: LinkOptions) -> list[Note]:
    """Return the build-id, the combined properties of the inputs, and what package it is of."""
    build_id = None if options.build_id == "none" else BuildId(options.build_id)
    package = package_note(options.package_metadata) if options.package_metadata else None
    if options.package_metadata and package is None:
        text = f"--package-metadata={options.package_metadata} is no JSON object, and ignored"
        options.warn(Diagnostic(text, severity="warning"))
    notes = [build_id, property_note(properties), package]
    return [note for note in notes if note is not None]


def create_symtab(
    symbols: SymbolTable, options: LinkOptions, outputs: list[OutputSection]
) -> list[Chunk]:
    """Return .symtab and .strtab, and what `-q` keeps; nothing where `-s` leaves them out."""
    if options.strip_all:
        return []
    symtab = Symtab(
        symbols.objects, list(symbols.resolved.values()), StringTable(".strtab"),
        discards_locals=options.discard_locals, sections=outputs if options.emit_relocs else (),
    )  # fmt: skip
    if not options.emit_relocs:
        return [symtab, symtab.strings]
    from pyldso.linker.emit import kept_relocations  # few links ask for it

    return [symtab, symtab.strings, *kept_relocations(outputs, symtab)]


def layout_rules(symbols: SymbolTable, options: LinkOptions, output: OutputKind) -> LayoutRules:
    """Return what of the options matters to the layout."""
    base = 0 if output.is_position_independent else FIXED_BASE
    return LayoutRules(
        image_base=base if options.image_base is None else options.image_base,
        relro=not options.has_z("norelro"),
        bind_now=options.has_z("now"),
        executable_stack=needs_executable_stack(symbols, options),
        page_size=options.page_size,
        separate_code=not options.has_z("noseparate-code"),
        section_starts=options.section_starts,
        stack_size=options.stack_size,
    )


def entry_address(
    symbols: SymbolTable, layout: Layout, reporter: Reporter, options: LinkOptions
) -> int:
    """Return e_entry: a symbol's address or a number, else the start of the code."""
    name = wanted_entry(options)
    if name is None:
        return int(options.entry, 0) if options.entry else 0
    resolved = symbols.resolved[name]
    if resolved.rank > Rank.SHARED:
        return resolved.value
    if options.is_shared and options.entry is None:
        return 0
    text = next((chunk.address for chunk in layout.chunks if chunk.name == ".text"), 0)
    options.warn(reporter.entry_warning(name, text))
    return text


def wanted_entry(options: LinkOptions) -> str | None:
    """Return the symbol where the process starts; a shared object has one only by `-e`.

    None where there is none, and where `-e` gives the address itself.
    """
    if options.entry and options.entry[0].isdigit():
        return None
    return options.entry or (None if options.is_shared else "_start")


def related_sections(symbols: SymbolTable) -> list[InputSection]:
    """Return the sections of the output that have relocations."""
    return [
        member
        for linked in symbols.objects
        for member in linked.sections
        if member.is_live and member.output is not None and member.relocations
    ]


def needs_executable_stack(symbols: SymbolTable, options: LinkOptions) -> bool:
    """Tell whether the stack holds code, as the trampolines of nested functions; `-z` decides."""
    if options.has_z("noexecstack") or options.has_z("execstack"):
        return options.has_z("execstack")
    return bool(executable_stack_notes(symbols))


def executable_stack_notes(symbols: SymbolTable) -> list[InputSection]:
    """Return the sections that ask for a stack which holds code."""
    return [
        member
        for linked in symbols.objects
        for member in linked.sections
        if member.section.name == ".note.GNU-stack" and member.is_code
    ]
