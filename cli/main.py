"""`pyldso`: a command line in, an exit status out; errors become text here and nowhere else.

Start-up is the longest part of a short command, so this file imports one command and no more.
click, which costs as much as the rest together, is imported when there is something to say: help,
completion, or an argument that is not understood (front.py).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

COMPLETION_VARIABLE = "_PYLDSO_COMPLETE"
GC_THRESHOLD = 100_000
"""Allocations between collections: start-up makes 30,000 objects that live to the end."""


Face = Callable[[list[str]], int]
"""Does what a command line says and returns the exit status: `pyldso`, `as` or `ld`."""


def main() -> None:
    """Run the command line of this process and end the process with its exit status."""
    start(dispatch)


def start(face: Face) -> None:
    """Be `face` for the command line of this process, and end the process with its status."""
    gc.set_threshold(GC_THRESHOLD)
    leave(carry_out(face, sys.argv[1:]))


def carry_out(face: Face, argv: list[str]) -> int:
    """Do what `argv` says and return the exit status, whatever happens.

    The one place that catches everything: a person sees a line, not a traceback.
    """
    from .exit_status import ExitStatus

    try:
        return face(argv)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        return ExitStatus.BROKEN_PIPE
    except Exception as error:
        return report(error)


def dispatch(argv: list[str]) -> int:
    """Hand `argv` to its command, and all that is no command to the click front end."""
    from .arguments import UsageError, parse_arguments
    from .commands import COMMAND_NAMES, load_command

    if argv and argv[0] in COMMAND_NAMES and COMPLETION_VARIABLE not in os.environ:
        command = load_command(argv[0])
        try:
            arguments = parse_arguments(command, argv[1:])
            if not arguments.flag("help"):
                return command.execute(arguments)
            from .front import show_help

            return show_help(command)
        except UsageError as problem:
            from .front import show_usage_error

            return show_usage_error(command, problem)
    from .front import main as front_main

    return front_main(argv)


def report(error: Exception) -> int:
    """Print `error` for a person and return the exit status that goes with it."""
    from pyldso.errors import PyldsoError

    from .exit_status import ExitStatus

    if isinstance(error, PyldsoError):
        print_message(error.render())
        return error.exit_status
    if isinstance(error, OSError) and error.strerror:
        places = ": ".join(str(name) for name in (error.filename, error.filename2) if name)
        print_message(f"error: {places + ': ' if places else ''}{error.strerror}")
        return ExitStatus.ERROR
    if os.environ.get("PYLDSO_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    print_message(
        f"internal error: {type(error).__name__}: {' '.join(str(error).split())}; please report it"
        " (PYLDSO_TRACEBACK=1 shows where it happened)"
    )
    return ExitStatus.ERROR


def print_message(message: str) -> None:
    """Print to standard error, naming the program on lines that do not begin with a place."""
    lines = message.split("\n")
    starts = ("error: ", "warning: ", "internal error: ")
    text = "\n".join(f"pyldso: {line}" if line.startswith(starts) else line for line in lines)
    if not text.isprintable():
        text = "".join(
            char if char in "\n\t" or char.isprintable() else visible(char) for char in text
        )
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # standard error is closed: the exit status has to speak


def visible(char: str) -> str:
    """Return a control character, or a byte that is no text, as an escape that C would take."""
    code = ord(char)
    return f"\\x{code & 0xFF:02x}" if code < 0x100 or 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def leave(status: int) -> None:
    """End the process with `status`, without the interpreter's own tidying up (3 to 6 ms)."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass  # who read our output has seen enough
    except OSError as error:
        print_message(f"error: standard output: {error.strerror}")
        status = status or 1
    except (ValueError, AttributeError):
        pass  # a standard stream was closed before we started
    os._exit(status)
