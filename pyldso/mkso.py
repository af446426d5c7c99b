"""`mkso`: assembly to a shared object, or with `-c` each source to an object file."""

from __future__ import annotations

import os
from typing import NamedTuple

from pyldso.elf.object import ObjectFile
from pyldso.errors import AsmError, Diagnostic, PyldsoError
from pyldso.link import assemble, link
from pyldso.linker.options import InputFile, LinkOptions
from pyldso.output import write_whole


class MksoOptions(NamedTuple):
    """The options of the link, and whether there is one; `output` is `-o` where it was given."""

    link: LinkOptions
    compile_only: bool = False
    output: str | None = None


def mkso(options: MksoOptions) -> None:
    """Make the shared object `options.link.output`, or objects; raises PyldsoError."""
    if options.compile_only:
        write_objects(assemble_all(options.link), options)
    else:
        link(options.link._replace(is_shared=True))


def assemble_all(options: LinkOptions) -> list[ObjectFile]:
    """Assemble every source; raises AsmError with the errors of all."""
    objects: list[ObjectFile] = []
    diagnostics: list[Diagnostic] = []
    for item in options.inputs:
        if not isinstance(item, InputFile):
            continue  # as gcc -c, which has no use for a library
        if item.path.endswith((".o", ".a", ".so")):
            raise PyldsoError(f"{item.path}: -c takes sources (.s, .S, .c), not linker inputs")
        try:
            objects.append(assemble(item.path, options))
        except AsmError as error:
            diagnostics += error.diagnostics
    if diagnostics:
        raise AsmError(diagnostics)
    return objects


def write_objects(objects: list[ObjectFile], options: MksoOptions) -> None:
    """Write each object to `-o`, or to FILE.o in the current folder."""
    from pyldso.elf.object_writer import write_object  # a link has no use for it

    if options.output is not None and len(objects) > 1:
        raise PyldsoError("-o names one file, but -c makes one of each input")
    for source in objects:
        stem = os.path.splitext(os.path.basename(source.path))[0]
        path = options.output or f"{stem}.o"
        write_whole(path, write_object(source), executable=False)
        if options.link.verify:
            from pyldso.verify import verify_object  # lief's import alone costs 0.3 s

            verify_object(path, source)
