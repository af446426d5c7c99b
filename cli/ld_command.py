"""The face of plain ld: what `gcc -B<dir>` starts, with crt files and -lc on its command line.

No subcommand of pyldso: the file `bin/ld` beside this one starts it.
"""

from __future__ import annotations

from pyldso import __version__
from pyldso.errors import PyldsoError
from pyldso.linker.inputs import LIBRARY_FOLDERS

from . import main as process
from .arguments import (
    Arguments,
    Command,
    Option,
    UsageError,
    expand_response_files,
    parse_arguments,
)
from .exit_status import ExitStatus
from .ld_options import IGNORED, OUTPUT_KIND
from .linking import LINK_OPTIONS, OUTPUT_OPTIONS, link_options

EMULATION = "elf_x86_64"
VERSION = f"pyldso ld v{__version__} (compatible with GNU ld)"
"""Configure scripts look for `GNU`; libtool takes ` 0.` and ` 1.` for GNU ld before 2.11, for which
it would not hide the symbols that a library is not to export."""
SUPPORTED = f"""\
pyldso: supported targets: elf64-x86-64
pyldso: supported emulations: {EMULATION}"""

KIND_OPTIONS = (
    Option(("-pie", "--pic-executable"), "pie", "Make a position-independent program.",
           OUTPUT_KIND),
    Option(("-no-pie", "--no-pie"), "pie", "Make one at fixed addresses (the default).",
           OUTPUT_KIND, constant=False),
    Option(("-shared", "-Bshareable"), "shared", "Make a shared object.", OUTPUT_KIND),
    Option(("-static",), "static_link", "Take archives only.", OUTPUT_KIND),
    Option(("-I",), "dynamic_linker", "Let FILE be the program's interpreter.", "Dynamic linking",
           "FILE"),
    Option(("-m",), "emulation", f"The one that is known is {EMULATION}.", OUTPUT_KIND, "NAME"),
    Option(("-v", "--version"), "version", "Show the version.", "Other"),
    Option(("-V",), "emulations", "Show the version and the emulation.", "Other"),
    Option(("--verbose",), "verbose", "Show them, and where libraries are searched for.", "Other"),
)  # fmt: skip

DRIVER_OPTIONS = (
    Option(("-plugin", "-plugin-opt", "--sysroot", "-dT", "-G", "-a"), IGNORED,
           "What the gcc driver says to GNU ld.", "Other", "VALUE"),
    Option(("-O",), IGNORED, "The same.", "Other", "LEVEL", is_prefix=True),
    Option(("-f",), "auxiliary", "The same as --auxiliary, which gcc has another -f for.", "Other",
           "NAME"),
    Option(("-EL", "-g", "--no-warn-rwx-segments", "--warn-rwx-segments",
            "--no-warn-execstack", "--warn-execstack"), IGNORED, "The same.", "Other"),
)  # fmt: skip


def execute(arguments: Arguments) -> int:
    """Link, and return the exit status."""
    emulation = arguments.last("emulation") or EMULATION
    if emulation != EMULATION:
        raise PyldsoError(f"emulation {emulation} is not supported; {EMULATION} is")
    options = link_options(arguments, is_shared=arguments.flag("shared"))

    from pyldso.link import link

    link(
        options._replace(
            is_pie=arguments.flag("pie"),
            nostdlib=True,
            nostartfiles=True,
            takes_versioned_names=False,
            eh_frame_header=arguments.flag("eh_frame_header"),
            build_id=options.build_id if arguments.all("build_id") else "none",
        )
    )
    return ExitStatus.OK


LD = Command(
    name="ld",
    synopsis="[OPTIONS] FILE...",
    summary="Link as ld does.",
    description="Link objects and libraries; nothing is added to what the command line names.\n",
    examples="gcc -B$(dirname $(command -v ld)) -o hello hello.c\n",
    options=(*OUTPUT_OPTIONS, *KIND_OPTIONS, *LINK_OPTIONS, *DRIVER_OPTIONS),
    execute=execute,
)


def main() -> None:
    """Run the command line of this process and end the process with its exit status."""
    process.start(dispatch)


def dispatch(argv: list[str]) -> int:
    """Do what `argv` says and return the exit status."""
    try:
        arguments = parse_arguments(LD, list(expand_response_files(argv)))
        if arguments.flag("help"):
            return show_help()
        if say_version(arguments) and not arguments.operands():
            return ExitStatus.OK
        return LD.execute(arguments)
    except UsageError as problem:
        process.print_message(f"error: {problem}{did_you_mean(problem.unknown_option)}")
        return ExitStatus.ERROR


def say_version(arguments: Arguments) -> bool:
    """Print what `-v`, `-V` and `--verbose` ask for, in the words that configure scripts know."""
    is_verbose = arguments.flag("verbose")
    if is_verbose or arguments.flag("emulations"):
        print(f"{VERSION}\n  Supported emulations:\n   {EMULATION}")
    elif arguments.flag("version"):
        print(VERSION)
    else:
        return False
    if is_verbose:
        print("; ".join(f'SEARCH_DIR("={folder}")' for folder in LIBRARY_FOLDERS) + ";")
    return True


def show_help() -> int:
    """Print the options; without click, which gcc's Python need not have."""
    print(f"Usage: ld {LD.synopsis}\n{LD.description}\nOptions:")
    for option in LD.options:
        value = f" {option.metavar}" if option.metavar else ""
        print(f"  {', '.join(option.names)}{value}\n      {option.help}")
    print(SUPPORTED)
    return ExitStatus.OK


def did_you_mean(unknown: str) -> str:
    """Return the end of a message about an unknown option that names the likely one."""
    from difflib import get_close_matches  # only a mistaken command line needs it

    names = [name for option in LD.options for name in option.names]
    near = get_close_matches(unknown, names, 1) if unknown else []
    return f" (did you mean {near[0]}?)" if near else ""
