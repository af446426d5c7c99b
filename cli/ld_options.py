"""The linker's own options beyond those of every day, spelled as ld(1) spells them."""

from __future__ import annotations

from pyldso.elf.constants import PAGE_SIZE
from pyldso.linker.options import LinkOptions

from .arguments import Arguments, Option, UsageError

IGNORED = "ignored"
"""Where options go that have no effect."""
OUTPUT_KIND = "Output"
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
           "Let a program have no interpreter.", "Dynamic linking", constant=False),
    Option(("--error-limit",), "error_limit", "Show at most N errors, 20 by default, 0 for all.",
           "Checking", "N"),
)  # fmt: skip

SYMBOL_OPTIONS = (
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
            "--no-threads", "--eh-frame-hdr", "--no-add-needed", "--add-needed",
            "--no-copy-dt-needed-entries", "--fatal-warnings", "--no-fatal-warnings",
            "--warn-common", "--warn-once", "--warn-textrel", "--no-warn-mismatch",
            "--no-warnings", "--sort-common", "--relax", "--demangle", "--no-demangle",
            "--no-ld-generated-unwind-info", "--ld-generated-unwind-info", "--check-sections",
            "--no-check-sections", "--undefined-version", "--no-undefined-version",
        ),
        IGNORED, "They tune other linkers, or are always so here.", ACCEPTED,
    ),
    Option(("--hash-size", "--thread-count"), IGNORED, "The same, with a number.", ACCEPTED, "N"),
    Option(("-rpath-link", "--rpath-link"), IGNORED,
           "Libraries of libraries are not searched for.", ACCEPTED, "DIR"),
)  # fmt: skip

OUTPUT_OPTIONS = (
    Option(("-r", "--relocatable"), "relocatable", "Make one object of all.", OUTPUT_KIND),
    Option(("-S", "--strip-debug"), "strip_debug", "Leave out debugging information.",
           OUTPUT_KIND),
    Option(("-x", "--discard-all"), "discard_locals", "Leave local symbols out of .symtab.",
           OUTPUT_KIND),
    Option(("-X", "--discard-locals", "--discard-none"), IGNORED,
           "Labels of compilers (.L) are left out anyway.", ACCEPTED),
    Option(("--image-base", "-Ttext-segment"), "image_base",
           "Let the output start at ADDRESS: 0x400000, or 0 if position-independent.",
           OUTPUT_KIND, "ADDRESS"),
)  # fmt: skip

REPORT_OPTIONS = (
    Option(("-Map",), "map_file", "Write to FILE what stands where; - is the standard output.",
           REPORT, "FILE"),
    Option(("-M", "--print-map"), "print_map", "The same, to the standard output.", REPORT),
    Option(("-t", "--trace"), "trace", "Name the files that take part.", REPORT),
    Option(("-y", "--trace-symbol"), "trace_symbols", "Name the files that define or use NAME.",
           REPORT, "NAME"),
    Option(("--dependency-file",), "dependency_file",
           "Write a rule for make that names all files read.", REPORT, "FILE"),
)  # fmt: skip

SECTION_OPTIONS = (
    Option(("--gc-sections",), "gc_sections", "Leave out the sections that nothing reaches.",
           SECTION),
    Option(("--no-gc-sections",), "gc_sections", "Keep them (the default).", SECTION,
           constant=False),
    Option(("--print-gc-sections",), "print_gc_sections", "Name them.", SECTION),
    Option(("--no-print-gc-sections",), "print_gc_sections", "Do not (the default).", SECTION,
           constant=False),
)  # fmt: skip

LD_OPTIONS = (
    *ORDER_OPTIONS,
    *SYMBOL_OPTIONS,
    *SECTION_OPTIONS,
    *OUTPUT_OPTIONS,
    *REPORT_OPTIONS,
    *TUNING_OPTIONS,
)


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


def with_ld_options(options: LinkOptions, arguments: Arguments) -> LinkOptions:
    """Return `options` with what the tables of this file say."""
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
        bsymbolic_functions=arguments.flag("bsymbolic_functions"),
        exclude_libs=arguments.all("exclude_libs"),
        defsym=arguments.all("defsym"),
        gc_sections=arguments.flag("gc_sections"),
        print_gc_sections=arguments.flag("print_gc_sections"),
        dynamic_linker=options.dynamic_linker if arguments.flag("has_interpreter", True) else None,
        strip_debug=arguments.flag("strip_debug"),
        discard_locals=arguments.flag("discard_locals"),
        image_base=image_base(arguments),
        map_file="-" if arguments.flag("print_map") else arguments.last("map_file"),
        dependency_file=arguments.last("dependency_file"),
        trace=arguments.flag("trace"),
        trace_symbols=arguments.all("trace_symbols"),
        say=print,
    )
