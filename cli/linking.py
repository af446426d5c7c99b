"""What `mkso` and `link` share: options as gcc and ld spell them, and LinkOptions made of them."""

from __future__ import annotations

import os

from pyldso.errors import Diagnostic, PyldsoError
from pyldso.linker.options import InputFile, Library, LinkInput, LinkOptions

from .arguments import Arguments, Option, UsageError
from .ld_options import LD_OPTIONS, with_ld_options

OUTPUT = "Output"
INPUT = "Inputs and libraries"
SYMBOL = "Symbols"
DYNAMIC = "Dynamic linking"
COMPILE = "Compiling .c and .S inputs"
CHECK = "Checking"

OUTPUT_OPTIONS = (
    Option(("-o", "--output"), "output", "Write to FILE.", OUTPUT, "FILE"),
    Option(
        ("--build-id",), "build_id", "sha1 (the default), none, or 0x and digits.", OUTPUT,
        "STYLE", is_optional=True,
    ),
    Option(("--hash-style",), "hash_style", "gnu, sysv or both (the default).", OUTPUT, "STYLE"),
    Option(("-s", "--strip-all"), "strip_all", "Leave out .symtab.", OUTPUT),
    Option(
        ("--verify",), "verify", "Let lief read the output and compare it with what was meant.",
        OUTPUT,
    ),
)  # fmt: skip

PIC_OPTIONS = (
    Option(("-fpic", "-fPIC", "-fpie", "-fPIE"), "pic", "Compile position-independent code.",
           COMPILE),
    Option(("-fno-pic", "-fno-PIC", "-fno-pie", "-fno-PIE"), "pic", "Do not.", COMPILE,
           constant=False),
)  # fmt: skip

LINK_OPTIONS = (
    Option(("-L", "--library-path"), "library_path", "Search DIR for -l.", INPUT, "DIR"),
    Option(
        ("-l", "--library"), "library", "Link with libNAME.so; with :NAME, with that very file.",
        INPUT, "NAME",
    ),
    Option(
        ("--as-needed",), "as_needed", "Drop the libraries that follow if nothing uses them.", INPUT
    ),
    Option(("--no-as-needed",), "as_needed", "Keep them (the default).", INPUT, constant=False),
    Option(("--whole-archive",), "whole", "Take all members of the -l that follow.", INPUT),
    Option(("--no-whole-archive",), "whole", "Take those that are asked for (the default).", INPUT,
           constant=False),
    Option(("-nostdlib",), "nostdlib", "Add neither start code nor libc.", INPUT),
    Option(("-nodefaultlibs",), "nodefaultlibs", "Do not add libc.", INPUT),
    Option(("-nostartfiles",), "nostartfiles", "Do not add start code.", INPUT),
    Option(
        ("--wrap",), "wrap", "Let NAME mean __wrap_NAME, and __real_NAME mean NAME.", SYMBOL, "NAME"
    ),
    Option(("-e", "--entry"), "entry", "Begin the program at NAME.", SYMBOL, "NAME"),
    Option(("-u", "--undefined"), "undefined", "Ask for NAME from the start.", SYMBOL, "NAME"),
    Option(
        ("-rdynamic", "-E", "--export-dynamic"), "export_dynamic",
        "Export the program's own symbols to its libraries.", SYMBOL,
    ),
    Option(
        ("--no-undefined",), "no_undefined", "Let a library have no undefined symbols, as -z defs.",
        SYMBOL,
    ),
    Option(("-Bsymbolic",), "bsymbolic", "Bind a library's references to itself.", SYMBOL),
    Option(
        ("-h", "-soname", "--soname"), "soname", "Set the name by which programs ask for it.",
        DYNAMIC, "NAME",
    ),
    Option(("-R", "-rpath", "--rpath"), "rpath",
           "Let ld.so search DIR; without any, $LD_RUN_PATH.", DYNAMIC, "DIR"),
    Option(
        ("--enable-new-dtags",), "new_dtags", "Write --rpath as RUNPATH (the default).", DYNAMIC
    ),
    Option(("--disable-new-dtags",), "new_dtags", "Write it as RPATH.", DYNAMIC, constant=False),
    Option(
        ("--dynamic-linker",), "dynamic_linker", "Let FILE be the program's interpreter.", DYNAMIC,
        "FILE",
    ),
    Option(
        ("-z",), "z", "now, lazy, relro, norelro, execstack, noexecstack, defs, ...", DYNAMIC,
        "KEYWORD",
    ),
    Option(
        ("-Wl,",), "linker_words", "As in gcc: words for the linker, with commas between them.",
        DYNAMIC, "WORD,WORD", is_prefix=True,
    ),
    *LD_OPTIONS,
)  # fmt: skip

COMPILER_OPTIONS = (
    Option(("-I",), "include", "Search DIR for headers.", COMPILE, "DIR"),
    Option(("-D",), "define", "Define a macro.", COMPILE, "NAME[=VALUE]"),
    Option(("-U",), "undefine", "Undefine a macro.", COMPILE, "NAME"),
    Option(
        ("-O", "-g", "-W", "-f", "-m", "-std="), "compiler_flag", "Handed to the compiler.",
        COMPILE, "...", is_prefix=True,
    ),
    Option(("-pthread",), "pthread", "Accepted as gcc does.", COMPILE),
)  # fmt: skip


def link_options(arguments: Arguments, *, is_shared: bool) -> LinkOptions:
    """Return what the command line asks of the linker."""
    inputs = link_inputs(arguments)
    if not any(isinstance(one, InputFile) for one in inputs):
        raise UsageError("no input files")
    defaults = LinkOptions()
    refuse_to_overwrite(arguments)
    without_stdlib = arguments.flag("nostdlib")
    options = LinkOptions(
        output=arguments.last("output") or defaults.output,
        inputs=inputs,
        is_shared=is_shared,
        is_pie=arguments.flag("pie", defaults.is_pie),
        soname=arguments.last("soname"),
        entry=arguments.last("entry"),
        library_path=arguments.all("library_path"),
        dynamic_linker=arguments.last("dynamic_linker") or defaults.dynamic_linker,
        rpath=arguments.all("rpath") or run_path_of_environment(),
        uses_runpath=arguments.flag("new_dtags", defaults.uses_runpath),
        wrap=arguments.all("wrap"),
        undefined=arguments.all("undefined"),
        export_dynamic=arguments.flag("export_dynamic"),
        z_options=arguments.all("z"),
        no_undefined=arguments.flag("no_undefined"),
        allow_shlib_undefined=arguments.flag("allow_shlib_undefined"),
        nostdlib=without_stdlib or arguments.flag("nodefaultlibs"),
        nostartfiles=without_stdlib or arguments.flag("nostartfiles"),
        build_id=arguments.last("build_id") or defaults.build_id,
        hash_style=arguments.last("hash_style") or defaults.hash_style,
        strip_all=arguments.flag("strip_all"),
        error_limit=number(arguments, "error_limit", defaults.error_limit),
        verify=arguments.flag("verify"),
        pic=arguments.flag("pic", is_shared),
        compiler_flags=compiler_flags(arguments),
        warn=print_warning,
    )
    return with_ld_options(options, arguments)


def run_path_of_environment() -> list[str]:
    """Return what ld(1) takes for `-rpath` where there is none; perl's makefiles rely on it."""
    path = os.environ.get("LD_RUN_PATH")
    return [path] if path else []


def refuse_to_overwrite(arguments: Arguments) -> None:
    """Raise PyldsoError where -o names an input: a slip of the keyboard that costs a source."""
    output = arguments.last("output")
    if output is None or not os.path.exists(output):
        return
    for path in arguments.operands():
        if os.path.exists(path) and os.path.samefile(path, output) and os.path.isfile(path):
            raise PyldsoError(f"{path}: the input file is the output file, too")


def print_warning(warning: Diagnostic) -> None:
    """Print a warning of the linker or the assembler."""
    from .main import print_message  # main.py is what imports this file's command

    print_message(warning.render())


def number(arguments: Arguments, dest: str, default: int) -> int:
    """Return the value of an option that takes a number, `0x` and digits too."""
    text = arguments.last(dest)
    try:
        return default if text is None else int(text, 0)
    except ValueError:
        option = "--" + dest.replace("_", "-")
        raise UsageError(f"option '{option}': '{text}' is not a number") from None


def link_inputs(arguments: Arguments) -> list[LinkInput]:
    """Return files and libraries in their order, each with the switches that hold where it is."""
    inputs: list[LinkInput] = []
    is_static = arguments.flag("static_link") or arguments.flag("static_pie")
    switches = {"static": is_static, "as_needed": False, "whole": False}
    pushed: list[dict[str, bool]] = []
    is_binary = False
    for dest, value in arguments.items:
        if dest in ("", "script"):
            inputs.append(
                InputFile(str(value), switches["as_needed"], switches["whole"], is_binary)
            )
        elif dest == "format":
            is_binary = input_format(str(value)) == BINARY
        elif dest == "library":
            inputs.append(Library(str(value), *switches.values()))
        elif dest in switches:
            switches[dest] = bool(value)
        elif dest == "push_state":
            pushed.append(dict(switches))
        elif dest == "pop_state":
            if not pushed:
                raise UsageError("--pop-state without --push-state")
            switches = pushed.pop()
    return inputs


BINARY = "binary"
FORMATS = (BINARY, "default", "elf64-x86-64")


def input_format(word: str) -> str:
    """Return the word of `-b`, which holds for the files after it."""
    if word not in FORMATS:
        raise UsageError(f"option '--format': '{word}' is none of {', '.join(FORMATS)}")
    return word


COMPILER_SPELLING = {"include": "-I", "define": "-D", "undefine": "-U", "compiler_flag": ""}


def compiler_flags(arguments: Arguments) -> tuple[str, ...]:
    """Return what the C compiler is to be told, in the order of the command line."""
    return tuple(
        COMPILER_SPELLING[dest] + str(value)
        for dest, value in arguments.items
        if dest in COMPILER_SPELLING
    )
