"""GAS source to a relocatable object: the pipeline of `as`.

read -> encode -> layout -> call frames -> fix up -> object

Reading obeys directives at once and encodes instructions in batches (source_reader.py). Layout
finds the place of every label, after which each field is a number or a relocation.
"""

from __future__ import annotations

import gc

from pyldso.asm.assembly import AsmOptions, Assembly, TooManyErrorsError
from pyldso.asm.encoder import Encoder
from pyldso.asm.fixups import fix_up
from pyldso.asm.layout import Layout
from pyldso.asm.objects import build_object
from pyldso.asm.source_map import FileLines
from pyldso.asm.source_reader import SourceReader
from pyldso.asm.symbols import PlaceTakenError
from pyldso.elf.object import ObjectFile
from pyldso.errors import AsmError, Diagnostic

DEFAULT_OPTIONS = AsmOptions()

# Place 1 is the command line, where --defsym stands.
_FIRST_PLACE = 2


def assemble(
    text: str | bytes,
    path: str,
    options: AsmOptions = DEFAULT_OPTIONS,
    encoder: Encoder | None = None,
) -> ObjectFile:
    """Return the object that a source assembles to.

    An `encoder` that is passed again remembers instructions from one source to the next.
    Raises AsmError with every error of the source.
    """
    return assemble_with_warnings(text, path, options, encoder)[0]


def assemble_with_warnings(
    text: str | bytes | FileLines,
    path: str,
    options: AsmOptions = DEFAULT_OPTIONS,
    encoder: Encoder | None = None,
) -> tuple[ObjectFile, list[Diagnostic]]:
    """Return the object and the warnings of a source.

    Raises AsmError with every error of the source.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    encoder = encoder or Encoder()
    collects = gc.isenabled()
    # Nothing here is garbage before the end, and looking for it takes a fifth of the time.
    gc.disable()
    try:
        assembly = Assembly(path, options)
        try:
            built = _assemble(assembly, text, encoder, forgets=True)
        except PlaceTakenError:
            assembly = Assembly(path, options)
            built = _assemble(assembly, text, encoder, forgets=False)
    except TooManyErrorsError:
        built = None
    finally:
        if collects:
            gc.enable()
    diagnostics = assembly.diagnostics()
    if built is None or assembly.error_count:
        raise AsmError(diagnostics)
    return built, diagnostics


def _assemble(
    assembly: Assembly, text: str | FileLines, encoder: Encoder, *, forgets: bool
) -> ObjectFile | None:
    """Run the pipeline; None where errors stand in the way of the next step."""
    SourceReader(assembly, encoder, forgets=forgets).read(text)
    if assembly.error_count:
        return None
    layout = Layout(assembly)
    laid = layout.lay_out(assembly.sections.values())
    # From here on every label of the source has its place.
    if laid is None:
        return None
    laid |= layout.write_debug_sections(laid) or {}
    laid |= layout.write_frames() or {}
    relocations = {section: fix_up(assembly, part) for section, part in laid.items()}
    if assembly.error_count:
        return None
    if assembly.options.listing is not None:
        from pyldso.asm.listing import write_listing  # few ask for it

        main = assembly.source_map.source_of(_FIRST_PLACE)
        kinds = assembly.options.listing_kinds
        assembly.options.listing(write_listing(assembly, main, laid, kinds))
    return build_object(assembly, laid, relocations)
