"""The linker's own options beyond those of every day, spelled as ld(1) spells them."""

from __future__ import annotations

from pyldso.elf.constants import PAGE_SIZE
from pyldso.linker.options import LinkOptions

from .arguments import Arguments, Option, UsageError

IGNORED = "ignored"
"""Where options go that have no effect."""
OUTPUT_KIND = "Output"
DYNAMIC = "Dynamic linking"
ORDER = "Inputs and libraries"
SYMBOL = "Symbols"
SECTION = "Sections"
REPORT = "What the linker tells"
ACCEPTED = "Accepted, without effect"

ORDER_OPTIONS = (
    Option(("-Bstatic", "-dn", "-non_shared"), "static",
           "Let the -l that follow find archives only.", ORDER),
    Option(("-Bdynamic", "-dy", "-call_shared"), "static",
           "Let them find libraries, too (the default).", ORDER, constant=False),
    Option(("--push-state",), "push_state",
           "Keep the state of --as-needed, --whole-archive and -Bstatic.", ORDER),
    Option(("--pop-state",), "pop_state", "Go back to it.", ORDER),
    Option(("--start-group", "--end-group", "-(", "-)"), IGNORED,
           "Archives are searched again as needed, in groups or not.", ORDER),
    Option(("--allow-shlib-undefined",), "allow_shlib_undefined",
           "Let the libraries need what nothing defines.", SYMBOL),
    Option(("--no-allow-shlib-undefined",), "allow_shlib_undefined",
           "Do not (the default of programs).", SYMBOL, constant=False),
    Option(("--no-dynamic-linker",), "has_interpreter",
           "Let a program have no interpreter.", DYNAMIC, constant=False),
    Option(("-T", "--script"), "script",
           "Read the linker script FILE; one that lays out sections is an error.", ORDER, "FILE"),
    Option(("-b", "--format"), "format", "Take the files that follow as they are (binary), or as "
           "objects again (default).", ORDER, "FORMAT"),
    Option(("--oformat",), "output_format", "The one that is known is elf64-x86-64.", OUTPUT_KIND,
           "FORMAT"),
    Option(("--error-limit",), "error_limit", "Show at most N errors, 20 by default, 0 for all.",
           "Checking", "N"),
)  # fmt: skip

SYMBOL_OPTIONS = (
    Option(("--no-export-dynamic",), "export_dynamic", "Export only what libraries use.", SYMBOL,
           constant=False),
    Option(("--require-defined",), "require_defined", "As -u, and an error where nothing defines "
           "NAME.", SYMBOL, "NAME"),
    Option(("--unresolved-symbols",), "unresolved", "report-all (the default), ignore-all, "
           "ignore-in-object-files or ignore-in-shared-libs.", SYMBOL, "METHOD"),
    Option(("--warn-unresolved-symbols",), "warn_unresolved",
           "Let undefined symbols be a warning.", SYMBOL),
    Option(("--error-unresolved-symbols",), "warn_unresolved",
           "Let them be an error (the default).", SYMBOL, constant=False),
    Option(("-Bno-symbolic",), "symbolic", "Undo -Bsymbolic and -Bsymbolic-functions.", SYMBOL,
           constant=False),
    Option(("--dynamic-list-cpp-new",), "dynamic_list_new",
           "Put operator new and delete on the dynamic list.", SYMBOL),
    Option(("--dynamic-list-cpp-typeinfo",), "dynamic_list_typeinfo",
           "Put the types of C++ on the dynamic list.", SYMBOL),
    Option(("--dynamic-list-data",), "dynamic_list_data", "Put all variables on the dynamic list.",
           SYMBOL),
    Option(("--export-dynamic-symbol-list",), "export_dynamic_symbol_lists",
           "Export what matches the list in FILE from a program.", SYMBOL, "FILE"),
    Option(("-F", "--filter"), "filter", "Let NAME be asked for all symbols instead (DT_FILTER).",
           DYNAMIC, "NAME"),
    Option(("--auxiliary",), "auxiliary", "Let NAME be asked first (DT_AUXILIARY).", DYNAMIC,
           "NAME"),
    Option(("--audit",), "audit", "Let NAME audit the program (DT_AUDIT).", DYNAMIC, "NAME"),
    Option(("-P", "--depaudit"), "depaudit", "Let NAME audit the libraries (DT_DEPAUDIT).",
           DYNAMIC, "NAME"),
    Option(("-Bgroup",), "group", "Set DF_1_GROUP and allow no undefined symbols.", DYNAMIC),
    Option(("-init",), "init", "Call NAME when the output is loaded, instead of _init.", SYMBOL,
           "NAME"),
    Option(("-fini",), "fini", "Call NAME when it is unloaded, instead of _fini.", SYMBOL, "NAME"),
    Option(("--allow-multiple-definition",), "allow_multiple_definition",
           "Let the first of several definitions count, as -z muldefs.", SYMBOL),
    Option(("--version-script",), "version_script", "Give symbols the versions that FILE defines.",
           SYMBOL, "FILE"),
    Option(("--dynamic-list",), "dynamic_lists",
           "Export the names in FILE; in a library, let only them be interposed.", SYMBOL, "FILE"),
    Option(("--export-dynamic-symbol",), "export_dynamic_symbols",
           "Export what matches GLOB from a program.", SYMBOL, "GLOB"),
    Option(("-Bsymbolic-functions",), "bsymbolic_functions",
           "Bind a library's references to its own functions.", SYMBOL),
    Option(("--exclude-libs",), "exclude_libs", "Export nothing of the archives LIB,LIB or ALL.",
           SYMBOL, "LIB,LIB"),
    Option(("--defsym",), "defsym", "Define NAME as a number or a symbol, with + and -.", SYMBOL,
           "NAME=VALUE"),
)  # fmt: skip

TUNING_OPTIONS = (
    Option(
        (
            "--no-keep-memory", "--reduce-memory-overheads", "--no-map-whole-files", "--threads",
            "--no-threads", "--no-add-needed", "--add-needed",
            "--no-copy-dt-needed-entries",
            "--warn-once", "--no-warn-mismatch",
            "--no-warnings",
            "--no-ld-generated-unwind-info", "--ld-generated-unwind-info", "--check-sections",
            "--no-check-sections", "--undefined-version", "--no-undefined-version", "-d", "-dc",
            "-dp", "--keep-memory", "--map-whole-files", "--traditional-format",
            "--warn-alternate-em", "--warn-section-align", "--no-warn-search-mismatch",
            "--accept-unknown-input-arch", "--no-accept-unknown-input-arch", "--ctf-variables",
            "--no-ctf-variables", "--print-map-discarded", "--no-print-map-discarded",
            "--strip-discarded", "--no-strip-discarded", "--disable-multiple-abs-defs",
            "--no-omagic", "--no-error-execstack", "--no-error-rwx-segments",
            "--color-diagnostics", "--no-color-diagnostics", "--no-mmap-output-file",
        ),
        IGNORED, "They tune other linkers, or are always so here.", ACCEPTED,
    ),
    Option(("--hash-size", "--thread-count", "--spare-dynamic-tags", "-A"), IGNORED,
           "The same, with a number or word.", ACCEPTED, "N"),
    Option(("--sort-common", "--orphan-handling", "--error-handling-script"), IGNORED,
           "The same, with a word.", ACCEPTED, "WORD", is_optional=True),
    Option(("-rpath-link", "--rpath-link"), IGNORED,
           "Libraries of libraries are not searched for.", ACCEPTED, "DIR"),
)  # fmt: skip

OUTPUT_OPTIONS = (
    Option(("-r", "--relocatable", "-i", "-Ur"), "relocatable", "Make one object of all.",
           OUTPUT_KIND),
    Option(("-q", "--emit-relocs"), "emit_relocs",
           "Keep the relocations of the inputs in the output.", OUTPUT_KIND),
    Option(("-S", "--strip-debug"), "strip_debug", "Leave out debugging information.",
           OUTPUT_KIND),
    Option(("-x", "--discard-all"), "discard_locals", "Leave local symbols out of .symtab.",
           OUTPUT_KIND),
    Option(("-X", "--discard-locals", "--discard-none"), IGNORED,
           "Labels of compilers (.L) are left out anyway.", ACCEPTED),
    Option(("--package-metadata",), "package_metadata",
           "Let a note hold JSON about the package that the output is of.", OUTPUT_KIND, "JSON"),
    Option(("--image-base", "-Ttext-segment"), "image_base",
           "Let the output start at ADDRESS: 0x400000, or 0 if position-independent.",
           OUTPUT_KIND, "ADDRESS"),
)  # fmt: skip

PLACE_OPTIONS = (
    Option(("-Ttext",), "start_text", "Let .text start at ADDRESS.", OUTPUT_KIND, "ADDRESS"),
    Option(("-Tdata",), "start_data", "Let .data start there.", OUTPUT_KIND, "ADDRESS"),
    Option(("-Tbss",), "start_bss", "Let .bss start there.", OUTPUT_KIND, "ADDRESS"),
    Option(("--section-start",), "start_section", "Let SECTION start there.", OUTPUT_KIND,
           "SECTION=ADDRESS"),
)  # fmt: skip

REPORT_OPTIONS = (
    Option(("-Map",), "map_file", "Write to FILE what stands where; - is the standard output.",
           REPORT, "FILE"),
    Option(("-M", "--print-map"), "print_map", "The same, to the standard output.", REPORT),
    Option(("--cref",), "cref", "Tell which files define and use each symbol.", REPORT),
    Option(("-t", "--trace"), "trace", "Name the files that take part.", REPORT),
    Option(("-y", "--trace-symbol"), "trace_symbols", "Name the files that define or use NAME.",
           REPORT, "NAME"),
    Option(("--demangle",), "demangle", "Show C++ names as their source has them (the default).",
           REPORT, "STYLE", is_optional=True),
    Option(("--no-demangle",), "no_demangle", "Show them as symbols.", REPORT),
    Option(("--fatal-warnings",), "fatal_warnings", "Let warnings be errors.", REPORT),
    Option(("--no-fatal-warnings",), "fatal_warnings", "Do not (the default).", REPORT,
           constant=False),
    Option(("--warn-common",), "warn_common",
           "Warn of common symbols that meet other definitions.", REPORT),
    Option(("--warn-textrel",), "warn_textrel",
           "Warn of relocations in read-only memory, which -z notext allows.", REPORT),
    Option(("--dependency-file",), "dependency_file",
           "Write a rule for make that names all files read.", REPORT, "FILE"),
)  # fmt: skip

SECTION_OPTIONS = (
    Option(("--sort-section",), "sort_section",
           "Let the input sections of one output stand by name or by alignment.", SECTION, "KEY"),
    Option(("--compress-debug-sections",), "compress_debug",
           "Pack debugging information: zlib, zlib-gnu, or none (the default).", SECTION, "STYLE"),
    Option(("--eh-frame-hdr",), "eh_frame_header",
           "Make .eh_frame_hdr, by which exceptions find their handlers.", SECTION),
    Option(("--no-eh-frame-hdr",), "eh_frame_header", "Do not (the default of ld alone).", SECTION,
           constant=False),
    Option(("--no-relax",), "relax", "Leave instructions as the compiler wrote them.", SECTION,
           constant=False),
    Option(("--relax",), "relax", "Let them take shorter ways where they can (the default).",
           SECTION),
    Option(("--gc-sections",), "gc_sections", "Leave out the sections that nothing reaches.",
           SECTION),
    Option(("--no-gc-sections",), "gc_sections", "Keep them (the default).", SECTION,
           constant=False),
    Option(("--gc-keep-exported",), "gc_keep_exported",
           "Keep all that a program might export.", SECTION),
    Option(("--print-gc-sections",), "print_gc_sections", "Name them.", SECTION),
    Option(("--no-print-gc-sections",), "print_gc_sections", "Do not (the default).", SECTION,
           constant=False),
)  # fmt: skip

LD_OPTIONS = (
    *ORDER_OPTIONS,
    *SYMBOL_OPTIONS,
    *SECTION_OPTIONS,
    *OUTPUT_OPTIONS,
    *PLACE_OPTIONS,
    *REPORT_OPTIONS,
    *TUNING_OPTIONS,
)


STARTS = {"start_text": ".text", "start_data": ".data", "start_bss": ".bss"}


def section_starts(arguments: Arguments) -> dict[str, int]:
    """Return by section the address that an option gives it, in hexadecimal as for ld."""
    starts: dict[str, int] = {}
    for dest, value in arguments.items:
        if dest in STARTS:
            name, text = STARTS[dest], str(value)
        elif dest == "start_section":
            name, equals, text = str(value).partition("=")
            if not (name and equals):
                raise UsageError(f"option '--section-start': '{value}' is not SECTION=ADDRESS")
        else:
            continue
        try:
            starts[name] = int(text, 16)
        except ValueError:
            raise UsageError(f"the address of {name}, '{text}', is not a number") from None
        if not 0 <= starts[name] < 1 << 47:
            raise UsageError(f"the address of {name}, {text}, is not one of the user's")
    return starts


def image_base(arguments: Arguments) -> int | None:
    """Return the address of `--image-base`, which is hexadecimal with or without `0x`."""
    text = arguments.last("image_base")
    if text is None:
        return None
    try:
        address = int(text, 16)
    except ValueError:
        raise UsageError(f"option '--image-base': '{text}' is not an address") from None
    if address % PAGE_SIZE or not 0 <= address < 1 << 46:
        raise UsageError(f"option '--image-base': {text} is not the start of a page of the user's")
    return address


CPP_LISTS = {
    "dynamic_list_new": ("operator new*", "operator delete*"),
    "dynamic_list_typeinfo": ("typeinfo for*", "typeinfo name for*"),
}
"""By option the readable names of C++ that it puts on the dynamic list."""

UNRESOLVED_METHODS = (
    "report-all", "ignore-all", "ignore-in-object-files", "ignore-in-shared-libs",
)  # fmt: skip


def unresolved_method(arguments: Arguments) -> str:
    """Return the word of `--unresolved-symbols`."""
    word = arguments.last("unresolved") or UNRESOLVED_METHODS[0]
    if word not in UNRESOLVED_METHODS:
        raise UsageError(f"option '--unresolved-symbols': use {', '.join(UNRESOLVED_METHODS)}")
    return word


def sort_key(arguments: Arguments) -> str:
    """Return the word of `--sort-section`, empty without it."""
    word = arguments.last("sort_section") or ""
    if word not in ("", "name", "alignment"):
        raise UsageError(f"option '--sort-section': '{word}' is neither name nor alignment")
    return word


def symbolic_flags(arguments: Arguments) -> tuple[bool, bool]:
    """Return -Bsymbolic and -Bsymbolic-functions, of which a later -Bno-symbolic undoes both."""
    flags = {"bsymbolic": False, "bsymbolic_functions": False}
    for dest, value in arguments.items:
        if dest == "symbolic":
            flags = dict.fromkeys(flags, False)
        elif dest in flags:
            flags[dest] = bool(value)
    return flags["bsymbolic"], flags["bsymbolic_functions"]


def with_ld_options(options: LinkOptions, arguments: Arguments) -> LinkOptions:
    """Return `options` with what the tables of this file say."""
    unresolved = unresolved_method(arguments)
    if arguments.last("output_format") not in (None, "elf64-x86-64"):
        raise UsageError("option '--oformat': elf64-x86-64 is the one that is supported")
    is_symbolic = symbolic_flags(arguments)
    is_static_pie = arguments.flag("static_pie")
    is_static = arguments.flag("static_link") or is_static_pie
    return options._replace(
        init=arguments.last("init") or options.init,
        fini=arguments.last("fini") or options.fini,
        allow_multiple_definition=(
            arguments.flag("allow_multiple_definition") or options.has_z("muldefs")
        ),
        is_relocatable=arguments.flag("relocatable"),
        is_static=is_static,
        is_pie=arguments.flag("pie", is_static_pie or (options.is_pie and not is_static)),
        version_script=arguments.last("version_script"),
        dynamic_lists=arguments.all("dynamic_lists"),
        export_dynamic_symbols=arguments.all("export_dynamic_symbols"),
        bsymbolic=is_symbolic[0],
        bsymbolic_functions=is_symbolic[1],
        require_defined=arguments.all("require_defined"),
        ignores_undefined=unresolved in ("ignore-all", "ignore-in-object-files"),
        allow_shlib_undefined=(
            options.allow_shlib_undefined or unresolved in ("ignore-all", "ignore-in-shared-libs")
        ),
        warns_of_undefined=arguments.flag("warn_unresolved"),
        demangles=not arguments.flag("no_demangle"),
        fatal_warnings=arguments.flag("fatal_warnings"),
        warns_of_text_relocations=arguments.flag("warn_textrel"),
        dynamic_list_globs=[
            glob for dest, globs in CPP_LISTS.items() if arguments.flag(dest) for glob in globs
        ],
        gc_keep_exported=arguments.flag("gc_keep_exported"),
        package_metadata=arguments.last("package_metadata"),
        warns_of_commons=arguments.flag("warn_common"),
        dynamic_list_data=arguments.flag("dynamic_list_data"),
        export_dynamic_symbol_lists=arguments.all("export_dynamic_symbol_lists"),
        filters=arguments.all("filter"),
        auxiliary=arguments.all("auxiliary"),
        audit=arguments.all("audit"),
        depaudit=arguments.all("depaudit"),
        is_group=arguments.flag("group"),
        eh_frame_header=arguments.flag("eh_frame_header", True),
        relax=arguments.flag("relax", True),
        exclude_libs=arguments.all("exclude_libs"),
        defsym=arguments.all("defsym"),
        gc_sections=arguments.flag("gc_sections"),
        print_gc_sections=arguments.flag("print_gc_sections"),
        dynamic_linker=options.dynamic_linker if arguments.flag("has_interpreter", True) else None,
        strip_debug=arguments.flag("strip_debug"),
        discard_locals=arguments.flag("discard_locals"),
        sort_section=sort_key(arguments),
        emit_relocs=arguments.flag("emit_relocs"),
        compress_debug=arguments.last("compress_debug") or options.compress_debug,
        cref=arguments.flag("cref"),
        image_base=image_base(arguments),
        section_starts=section_starts(arguments),
        map_file="-" if arguments.flag("print_map") else arguments.last("map_file"),
        dependency_file=arguments.last("dependency_file"),
        trace=arguments.flag("trace"),
        trace_symbols=arguments.all("trace_symbols"),
        say=print,
    )
