"""`pyldso link`: link objects and libraries into a program, as the gcc driver does with ld."""

from __future__ import annotations

from .arguments import Arguments, Command, Option
from .exit_status import ExitStatus
from .linking import (
    COMPILER_OPTIONS,
    LINK_OPTIONS,
    OUTPUT,
    OUTPUT_OPTIONS,
    PIC_OPTIONS,
    link_options,
)

KIND_OPTIONS = (
    Option(("-pie",), "pie", "Make a position-independent program (the default).", OUTPUT),
    Option(("-no-pie",), "pie", "Make a program at fixed addresses.", OUTPUT, constant=False),
    Option(
        ("-static",), "static_link", "Make a program that needs no library at run time.", OUTPUT
    ),
    Option(("-static-pie",), "static_pie", "The same, position-independent.", OUTPUT),
    Option(("-shared",), "shared", "Make a shared object, as mkso does.", OUTPUT),
)

DESCRIPTION = """\
Link assembly, C and object files with shared objects into a program.

Like gcc it adds start code (pyldso's own, so neither gcc nor libc6-dev is needed) and libc.so.6.
Options may stand anywhere; files and -l are taken in their order. The output is a.out where -o
names no other.
"""

EXAMPLES = """\
pyldso link -o prog2l main2.s ./libvector.so
pyldso link -o prog2l main2.o -L. -lvector -Wl,-rpath,'$ORIGIN'
pyldso link -Wl,--wrap,malloc -Wl,--wrap,free -o intl int.s wrapmalloc.s
pyldso link -no-pie -z now -o prog2l main2.s ./libvector.so
"""


def execute(arguments: Arguments) -> int:
    """Link, and return the exit status."""
    options = link_options(arguments, is_shared=arguments.flag("shared"))

    from pyldso.link import link

    link(options)
    return ExitStatus.OK


LINK = Command(
    name="link",
    synopsis="[OPTIONS] FILE...",
    summary="Link objects and libraries into a program.",
    description=DESCRIPTION,
    examples=EXAMPLES,
    options=(*OUTPUT_OPTIONS, *KIND_OPTIONS, *LINK_OPTIONS, *PIC_OPTIONS, *COMPILER_OPTIONS),
    execute=execute,
    is_compiler_driver=True,
)
