"""The face of plain as: what `gcc -B<dir>` starts to assemble what it has compiled.

No subcommand of pyldso: the file `bin/as` beside this one starts it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyldso import __version__
from pyldso.errors import Diagnostic, PyldsoError

if TYPE_CHECKING:
    from pyldso.asm.assembly import SymbolOptions
    from pyldso.asm.line_table import DebugOptions

from . import main as process
from .arguments import Arguments, Command, Option, UsageError, parse_arguments
from .exit_status import ExitStatus

VERSION = f"pyldso assembler {__version__} (compatible with GNU as 2.40)"
STANDARD_INPUT = "{standard input}"
"""What as calls its input where it reads no file."""

INPUT, OUTPUT, DEBUG, SYMBOLS = "Input", "Output", "Debugging", "Symbols"
WARNINGS, ACCEPTED = "Warnings", "Accepted without effect"

OPTIONS = (
    Option(("-o",), "output", "Write the object to FILE, not to a.out.", OUTPUT, "FILE"),
    Option(("-a",), "listing", "Print lines (l), symbols (s), without pages (n): -alsn=FILE ..",
           OUTPUT, "KINDS", is_prefix=True),
    Option(("--noexecstack",), "execstack", "Mark that no executable stack is needed.", OUTPUT,
           constant=False),
    Option(("--execstack",), "execstack", "Mark that one is needed.", OUTPUT),
    Option(("--MD",), "dependencies", "Write a rule for make to FILE.", OUTPUT, "FILE"),
    Option(("-I",), "include", "Look for what .include and .incbin name in DIR.", INPUT, "DIR"),
    Option(("--defsym",), "defsym", "Define SYMBOL=VALUE before the source is read.", INPUT,
           "SYMBOL=VALUE"),
    Option(("--64",), "bits", "Assemble for x86-64, which is all there is.", INPUT),
    Option(("--32", "--x32"), "other_bits", "Not supported.", INPUT),
    Option(("-W", "--no-warn"), "warns", "Print no warnings.", WARNINGS, constant=False),
    Option(("--warn",), "warns", "Print warnings (the default).", WARNINGS),
    Option(("--fatal-warnings",), "fatal", "Take a warning for an error.", WARNINGS),
    Option(("-v", "-V", "--version", "-version"), "version", "Show the version.", "Other"),
    Option(("-m", "-O", "--gdwarf-cie-version=", "--generate-missing-build-notes=",
            "--multibyte-handling="),
           "setting", "GNU as's own default, and what changes no byte.", ACCEPTED, "NAME=VALUE",
           is_prefix=True),
    Option(("-g", "--gen-debug", "--gdwarf-", "--gdwarf"), "debug",
           "Let debuggers show lines of assembly: -g, --gdwarf-5 ... (-g: DWARF 2).", DEBUG,
           "VERSION", is_prefix=True),
    Option(("--debug-prefix-map",), "prefix_map", "Write NEW for OLD at the start of folders.",
           DEBUG, "OLD=NEW"),
    Option(("--compress-debug-sections",), "compress", "Pack debug sections: zlib (if no STYLE is "
           "given), none.", DEBUG, "STYLE", is_optional=True),
    Option(("--nocompress-debug-sections",), "compress", "Do not (the default).", DEBUG,
           constant=False),
    Option(("-L", "--keep-locals"), "keep_locals", "Keep .L labels in the symbol table.", SYMBOLS),
    Option(("--strip-local-absolute",), "strip_absolute", "Leave local numbers out of it.",
           SYMBOLS),
    Option(("--elf-stt-common",), "common_type", "Mark commons as STT_COMMON: yes, no.", SYMBOLS,
           "ANSWER", is_optional=True),
    Option(("--divide", "--reduce-memory-overheads", "--statistics", "--hash-size",
            "--no-pad-sections", "--size-check", "--info", "--no-info"),
           "ignored", "They change no byte.", ACCEPTED, "VALUE", is_optional=True),
    Option(("-D", "-f", "-J", "-k", "-nocpp", "-q", "-Qy", "-Qn", "-s", "-w", "-X"), "ignored",
           "The same.", ACCEPTED),
    Option(("--listing-",), "ignored", "The same.", ACCEPTED, "VALUE", is_prefix=True),
    Option(("-K", "-M", "--mri", "-n", "-R", "-Z", "--alternate", "--gdwarf-sections", "--gsframe",
            "--gstabs", "--gstabs+", "--sectname-subst", "--traditional-format", "--dump-config",
            "--target-help"), "refused", "Not supported.", "Refused", "REFUSED", is_prefix=True),
)  # fmt: skip


def execute(arguments: Arguments) -> int:
    """Assemble the files, joined to one source, and return the exit status."""
    from pyldso.asm.assembler import assemble_with_warnings
    from pyldso.asm.assembly import AsmOptions
    from pyldso.elf.object_writer import write_object
    from pyldso.output import write_whole

    if arguments.flag("other_bits"):
        raise PyldsoError("only x86-64 (--64) is supported")
    if refused := arguments.all("refused"):
        raise UsageError(f"{refused[0]} is not supported: it changes what is assembled")
    settings = arguments.all("setting")
    refuse_settings(settings)
    text, path = read_sources(arguments.operands())
    if any(name == "execstack" for name, _ in arguments.items):
        text += stack_note(arguments.flag("execstack"))
    listings: list[str] = []
    # Of `-a=FILE` the parser gives the file alone.
    given = [one if one[:2] == "-a" else f"-a={one}" for one in arguments.all("listing")]
    wanted = [option for option in given if is_listing(option)]
    built, warnings = assemble_with_warnings(
        text,
        path,
        AsmOptions(
            tuple(arguments.all("include")),
            tuple(definition(given) for given in arguments.all("defsym")),
            listings.append if wanted else None,
            keeps_lines=False,
            debug=debug_options(arguments),
            symbols=symbol_options(arguments),
            relaxes="-mrelax-relocations=no" not in settings,
            listing_kinds=listing_kinds(given),
            print=print,
            compresses=compresses(arguments),
        ),
    )
    if not show_warnings(warnings, arguments):
        return ExitStatus.ERROR
    output = arguments.last("output") or "a.out"
    write_whole(output, write_object(built), executable=False)
    for listing in listings:
        show_listing(listing, wanted[-1].partition("=")[2])
    if (rule := arguments.last("dependencies")) is not None:
        words = " ".join([f"{output}:", *arguments.operands()])
        write_whole(rule, f"{words}\n".encode(), executable=False)
    return ExitStatus.OK


def read_sources(paths: Sequence[str]) -> tuple[bytes, str]:
    """Return the text of the files one after the other, and the name of the first."""
    if not paths or "-" in paths:
        return sys.stdin.buffer.read(), STANDARD_INPUT
    texts = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                texts.append(file.read())
        except OSError as error:
            raise PyldsoError(f"cannot open {path}: {error.strerror}") from None
    return b"\n".join(texts) if len(texts) > 1 else texts[0], paths[0]


def stack_note(is_executable: bool) -> bytes:
    """Return the statement that says what --execstack and --noexecstack say."""
    flags = b"x" if is_executable else b""
    return b'\n.section .note.GNU-stack,"' + flags + b'",@progbits\n'


def is_listing(option: str) -> bool:
    """Tell whether an -a option asks for more than to leave something out."""
    kinds = option[2:].partition("=")[0]
    return not kinds or bool(set(kinds) - set("cdgn"))


def listing_kinds(options: Sequence[str]) -> str:
    """Return the letters of all -a options; where none says what to list, all is listed.

    Raises UsageError for a listing that is not made.
    """
    letters = "".join(option[2:].partition("=")[0] for option in options)
    for letter in letters:
        if letter not in "ndhls":
            raise UsageError(f"-a{letter} is not supported: a listing has l, h, s and n")
    return letters if set(letters) & set("hls") else f"hls{letters}"


def definition(given: str) -> tuple[str, int]:
    """Return the name and value of SYMBOL=VALUE."""
    name, _, value = given.partition("=")
    if re.fullmatch(r"[A-Za-z_.$][\w.$]*", name):
        try:
            return name, int(value, 8 if re.fullmatch("0[0-7]+", value) else 0)
        except ValueError:
            pass
    raise UsageError(f"--defsym takes SYMBOL=VALUE with a number, not '{given}'")


PADDED_ALIKE = {
    "generic32", "generic64", "x86-64", "i386", "i486", "i586", "pentium", "pentiumpro", "nocona",
    "core2", "corei7", "k8", "opteron", "amdfam10", "bdver1", "bdver2", "bdver3", "bdver4",
    "znver1", "znver2", "znver3", "znver4", "btver1", "btver2",
}  # fmt: skip
"""Processors for which GNU as fills gaps in 64-bit code as for any other."""
SETTINGS: dict[str, tuple[str, ...]] = {
    "-O0": ("",),
    "--gdwarf-cie-version": ("1",),
    "--generate-missing-build-notes": ("no",),
    "--multibyte-handling": ("allow",),
    "-madd-bnd-prefix": (),
    "-malign-branch-boundary": ("0",),
    "-mamd64": ("",),
    "-mavxscalar": ("128",),
    "-mevexlig": ("128",),
    "-mevexrcig": ("rne",),
    "-mevexwig": ("0",),
    "-mfence-as-lock-add": ("no",),
    "-mlfence-after-load": ("no",),
    "-mlfence-before-indirect-branch": ("none",),
    "-mlfence-before-ret": ("none",),
    "-mmnemonic": ("att",),
    "-momit-lock-prefix": ("no",),
    "-moperand-check": ("none", "warning"),
    "-mrelax-relocations": ("yes", "no"),
    "-msse-check": ("none", "warning"),
    "-msyntax": ("att",),
    "-mvexwig": ("0",),
    "-mx86-used-note": ("no",),
}
"""Settings of GNU as, with the values that are obeyed or change no byte."""


def refuse_settings(words: Sequence[str]) -> None:
    """Check the -m options and others that change what is assembled.

    Raises UsageError for one that is not obeyed: other bytes must not come in silence.
    """
    for word in words:
        name, _, value = word.partition("=")
        if name in ("-march", "-mtune") and value.split("+")[0] in PADDED_ALIKE:
            continue
        if value not in SETTINGS.get(name, ()):
            known = ", ".join(f"{name}={one}" for one in SETTINGS.get(name, ()) if one)
            hint = f" (known here: {known})" if known else ""
            raise UsageError(f"{word} is not supported{hint}")


def symbol_options(arguments: Arguments) -> SymbolOptions:
    """Return which symbols the object is to have."""
    from pyldso.asm.assembly import SymbolOptions

    answer = arguments.last("common_type") or "no"
    if answer not in ("yes", "no"):
        raise UsageError(f"--elf-stt-common takes yes or no, not '{answer}'")
    return SymbolOptions(
        keeps_labels=arguments.flag("keep_locals"),
        drops_numbers=arguments.flag("strip_absolute"),
        has_common_type=answer == "yes",
    )


def compresses(arguments: Arguments) -> bool:
    """Tell whether debug sections are to be packed, as the last option about it says."""
    style = arguments.last("compress")
    if style in (None, "False", "none"):
        return False
    if style not in ("", "zlib", "zlib-gabi"):
        raise UsageError(f"--compress-debug-sections takes zlib or none, not '{style}'")
    return True


def debug_options(arguments: Arguments) -> DebugOptions:
    """Return what -g, --gdwarf-N and --debug-prefix-map say; the map given last comes first."""
    from pyldso.asm.line_table import DebugOptions
    from pyldso.sources import working_directory

    level = 0
    for word in arguments.all("debug"):
        match = re.fullmatch(r"--?(?:g|gen-debug|gdwarf-?([2-5]))", word)
        if match is None:
            raise UsageError(f"no such option: {word} (known are -g and --gdwarf-2 to --gdwarf-5)")
        level = max(level, 2) if match[1] is None else int(match[1])
    pairs: list[tuple[str, str]] = []
    for given in arguments.all("prefix_map"):
        old, equals, new = given.partition("=")
        if not equals:
            raise UsageError(f"--debug-prefix-map takes OLD=NEW, not '{given}'")
        pairs.insert(0, (old, new))
    return DebugOptions(level > 0, level, working_directory(), tuple(pairs))


def show_warnings(warnings: Sequence[Diagnostic], arguments: Arguments) -> bool:
    """Print the warnings where they are wanted; tell whether the object may be written."""
    if arguments.flag("warns", True):
        for warning in warnings:
            process.print_message(warning.render())
    if warnings and arguments.flag("fatal"):
        process.print_message(f"error: {len(warnings)} warnings, and --fatal-warnings was given")
        return False
    return True


def show_listing(text: str, path: str) -> None:
    """Write the listing to the file that -al=FILE names, or print it."""
    if not path:
        sys.stdout.write(text)
        return
    try:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as error:
        raise PyldsoError(f"cannot write {path}: {error.strerror}") from None


AS = Command(
    name="as",
    synopsis="[OPTIONS] [FILE...]",
    summary="Assemble as GNU as does.",
    description="Assemble x86-64 source, of AT&T or Intel syntax, to an object file.\n",
    examples="gcc -B$(dirname $(command -v as)) -c hello.c\n",
    options=OPTIONS,
    execute=execute,
)


def main() -> None:
    """Run the command line of this process and end the process with its exit status."""
    process.start(dispatch)


def dispatch(argv: list[str]) -> int:
    """Do what `argv` says and return the exit status."""
    try:
        arguments = parse_arguments(AS, list(open_files(argv)))
        if arguments.flag("help"):
            return show_help()
        if arguments.flag("version"):
            print(VERSION, file=sys.stderr if "-v" in argv else sys.stdout)
            if not arguments.operands():
                return ExitStatus.OK
        return execute(arguments)
    except UsageError as problem:
        process.print_message(f"error: {problem}")
        return ExitStatus.ERROR


def open_files(argv: Sequence[str]) -> Iterator[str]:
    """Yield the words of the command line, with those of the file for each @FILE."""
    for word in argv:
        if word.startswith("@") and os.path.isfile(word[1:]):
            import shlex  # few command lines are that long

            with open(word[1:], encoding="utf-8", errors="surrogateescape") as file:
                yield from shlex.split(file.read())
        else:
            yield word


def show_help() -> int:
    """Print the options; without click, which gcc's Python need not have."""
    print(f"Usage: as {AS.synopsis}\n{AS.description}\nOptions:")
    for option in AS.options:
        value = f" {option.metavar}" if option.metavar else ""
        print(f"  {', '.join(option.names)}{value}\n      {option.help}")
    return ExitStatus.OK
