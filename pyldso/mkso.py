"""`mkso`: assembly to a shared object, or with `-c` each source to an object file."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, NamedTuple

from pyldso.errors import PyldsoError, SeveralError
from pyldso.linker.options import InputFile, LinkOptions
from pyldso.output import write_whole

if TYPE_CHECKING:
    from pyldso.asm.encoder import Encoder


class MksoOptions(NamedTuple):
    """The options of the link, and whether there is one; `output` is `-o` where it was given."""

    link: LinkOptions
    compile_only: bool = False
    output: str | None = None


def mkso(options: MksoOptions) -> None:
    """Make the shared object `options.link.output`, or objects; raises PyldsoError."""
    if options.compile_only:
        make_objects(options)
    else:
        from pyldso.link import link  # -c has no use for it

        link(options.link._replace(is_shared=True))


def make_objects(options: MksoOptions) -> None:
    """Assemble each source and write its object, one after the other.

    As with `gcc -c`, what is wrong with one source keeps no other from its object. Raises
    PyldsoError with the errors of all.
    """
    # Libraries are passed over as by gcc -c, which has no use for them.
    paths = [item.path for item in options.link.inputs if isinstance(item, InputFile)]
    if options.output is not None and len(paths) > 1:
        raise PyldsoError("-o names one file, but -c makes one of each input")
    for path in paths:
        if path.endswith((".o", ".a", ".so")):
            raise PyldsoError(f"{path}: -c takes sources (.s, .S, .c), not linker inputs")
    from pyldso.asm.encoder import Encoder

    encoder = Encoder()
    errors: list[PyldsoError] = []
    for number, path in enumerate(paths):
        if number:
            # The cycles of the source before are all young: the collector is off while assembling.
            gc.collect(0)
        try:
            make_object(path, options, encoder)
        except PyldsoError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else SeveralError(errors)


def make_object(path: str, options: MksoOptions, encoder: Encoder) -> None:
    """Write the object of a source to `-o`, or to FILE.o in the current folder."""
    # a link has no use for these
    from pyldso.elf.object_writer import write_object
    from pyldso.sources import options_of_link, read_source

    sources = options_of_link(options.link)._replace(keeps_lines=False)
    made = read_source(path, sources, encoder)
    stem = os.path.splitext(os.path.basename(path))[0]
    output = options.output or f"{stem}.o"
    write_whole(output, write_object(made), executable=False)
    if options.link.verify:
        from pyldso.verify import verify_object  # lief's import alone costs 0.3 s

        verify_object(output, made)
