"""`pyldso mkso`: turn assembly into a shared object, as `gcc -shared` does with as and ld."""

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
    Option(("-shared",), "shared", "Make a shared object (the default).", OUTPUT),
    Option(("-c",), "compile_only", "Only assemble: write an object for each FILE.", OUTPUT),
)

DESCRIPTION = """\
Assemble .s (and compile .c, with the machine's C compiler) and make a shared object of it.

With -c each FILE becomes an object file that any linker takes; FILE.o is written to the current
folder where -o names no other. Many FILEs in one call start the assembler once; an error in one
keeps no other from its object. Objects and libraries among the inputs are linked in.
"""

EXAMPLES = """\
pyldso mkso -shared -fpic -o libvector.so addvec.s multvec.s
pyldso mkso -shared -soname libv.so.1 -o libv.so.1 addvec.o multvec.o
pyldso mkso -c addvec.s multvec.s
"""


def execute(arguments: Arguments) -> int:
    """Make the shared object or the objects, and return the exit status."""
    from pyldso.mkso import MksoOptions, mkso

    mkso(
        MksoOptions(
            link=link_options(arguments, is_shared=True),
            compile_only=arguments.flag("compile_only"),
            output=arguments.last("output"),
        )
    )
    return ExitStatus.OK


MKSO = Command(
    name="mkso",
    synopsis="[OPTIONS] FILE...",
    summary="Make a shared object from assembly.",
    description=DESCRIPTION,
    examples=EXAMPLES,
    options=(*OUTPUT_OPTIONS, *KIND_OPTIONS, *LINK_OPTIONS, *PIC_OPTIONS, *COMPILER_OPTIONS),
    execute=execute,
    is_compiler_driver=True,
)
