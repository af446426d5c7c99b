"""A source of any kind to an ObjectFile: `.s` is assembled, `.c` compiled first, `.o` read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pyldso.elf.constants import ELFMAG
from pyldso.elf.object import ObjectFile
from pyldso.errors import Diagnostic, PyldsoError

if TYPE_CHECKING:
    from pyldso.asm.encoder import Encoder
    from pyldso.asm.line_table import DebugOptions
    from pyldso.asm.source_map import FileLines
    from pyldso.linker.options import LinkOptions

_HEAD = 20
"""Bytes that tell what an ELF file is."""
_DWARF = 5
"""The version of DWARF that -g alone means to gcc."""
_COMPILERS = ("cc", "gcc", "clang")
_ASSEMBLY, _PREPROCESSED, _OBJECT = (".s",), (".S", ".sx"), (".o", ".obj")
_COMPILED = (".c", ".i", ".cc", ".cpp", ".cxx", ".C", ".ii")


class SourceOptions(NamedTuple):
    """How sources become objects; the flags are the compiler's own."""

    pic: bool = False
    compiler_flags: tuple[str, ...] = ()
    include_path: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    define_symbols: tuple[tuple[str, int], ...] = ()
    report: Callable[[Diagnostic], None] | None = None
    """Called with each warning of the assembler; the compiler's go to stderr by themselves."""
    keeps_lines: bool = True
    """The object is for a link, whose messages name source lines."""


def working_directory() -> str:
    """Return the present folder as the shell calls it, links included, as gcc and as do."""
    named = os.environ.get("PWD", "")
    try:
        if os.path.isabs(named) and os.path.samefile(named, "."):
            return named
    except OSError:
        pass
    return os.getcwd()


def _debug_options(flags: tuple[str, ...]) -> DebugOptions:
    """Return what gcc tells as of the debug information that its own flags ask for."""
    from pyldso.asm.line_table import DebugOptions  # the assembler is slow to import

    wanted, level = False, _DWARF
    prefix_map: list[tuple[str, str]] = []
    for flag in flags:
        if match := re.fullmatch(r"-gdwarf(?:-([2-5]))?|-g(?:gdb)?([0-3])?", flag):
            wanted = match[2] != "0"
            level = int(match[1] or level)
        elif match := re.fullmatch(r"-f(?:debug|file)-prefix-map=([^=]*)=(.*)", flag):
            prefix_map.insert(0, (match[1], match[2]))
    if not wanted:
        return DebugOptions()
    return DebugOptions(True, level, working_directory(), tuple(prefix_map))


def options_of_link(options: LinkOptions) -> SourceOptions:
    """Return how sources are compiled for the kind of output that a link makes."""
    flags = options.compiler_flags
    if not (options.is_shared or options.pic):
        flags = ("-fPIE" if options.is_pie else "-fno-pie", *flags)
    return SourceOptions(pic=options.pic, compiler_flags=flags, report=options.warn)


class SourceError(PyldsoError):
    """A source that cannot be read or compiled."""

    def __init__(self, path: str, message: str, hint: str = "") -> None:
        super().__init__(f"{path}: {message}")
        self.hint = hint

    def render(self) -> str:
        """Return the message and, on a line of its own, the way out."""
        return f"error: {self}" + (f"\n{self.hint}" if self.hint else "")


def read_source(
    path: str, options: SourceOptions | None = None, encoder: Encoder | None = None
) -> ObjectFile:
    """Return the object that a source file is or becomes.

    An `encoder` shared between sources saves work. Raises SourceError, AsmError or ElfFormatError.
    """
    options = options or SourceOptions()
    suffix = os.path.splitext(path)[1]
    if suffix in _OBJECT:
        from pyldso.elf.object_reader import read_object  # only where a .o is given

        return read_object(_read(path), path)
    # the assembler is slow to import
    from pyldso.asm.assembler import assemble_with_warnings
    from pyldso.asm.assembly import AsmOptions

    asm_options = AsmOptions(
        options.include_path,
        options.define_symbols,
        keeps_lines=options.keeps_lines,
        debug=_debug_options(options.compiler_flags),
    )
    text = _assembly(path, suffix, options)
    built, warnings = assemble_with_warnings(text, path, asm_options, encoder)
    if options.report is not None:
        for warning in warnings:
            options.report(warning)
    return built


def _lines(path: str) -> FileLines | None:
    """Return the lines of a large file, which is not to be read at once; None for any other."""
    from pyldso.asm.source_map import FileLines  # a link of objects has no use for it

    try:
        with open(path, "rb") as file:
            _refuse_elf(path, file.read(_HEAD))
        return FileLines.of(path)
    except OSError as error:
        raise SourceError(path, error.strerror or str(error)) from None


def _assembly(path: str, suffix: str, options: SourceOptions) -> str | FileLines:
    """Return the assembly that a source is, or that the compiler makes of it."""
    if suffix in _ASSEMBLY:
        lines = _lines(path) if os.path.isfile(path) else None
        if lines is not None:
            return lines
        data = _read(path)
        _refuse_elf(path, data)
    elif suffix in _PREPROCESSED:
        _refuse_elf(path, _read(path))
        data = _run_compiler(path, options, "-E")
    elif suffix in _COMPILED:
        _refuse_elf(path, _read(path))
        data = _run_compiler(path, options, "-S")
    else:
        known = ", ".join((*_ASSEMBLY, *_PREPROCESSED[:1], ".c", ".o"))
        raise SourceError(path, "the name does not tell what the file is", f"known are {known}")
    return data.decode("utf-8", "surrogateescape")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise SourceError(path, error.strerror or str(error)) from None


def _refuse_elf(path: str, data: bytes) -> None:
    if data.startswith(ELFMAG):
        kinds = {1: "a relocatable object", 2: "an executable", 3: "a shared object"}
        kind = kinds.get(int.from_bytes(data[16:18], "little"), "an ELF file")
        raise SourceError(
            path, f"this is {kind}, not source text", "an object is read by its name ending in .o"
        )


def _run_compiler(path: str, options: SourceOptions, stage: str) -> bytes:
    """Return the compiler's assembly, or the preprocessor's text for `-E`."""
    import subprocess  # only where a compiler is needed

    command = [*_compiler(path), stage, "-o", "-"]
    if options.pic:
        command.append("-fpic")
    command += [f"-I{folder}" for folder in options.include_path]
    command += [f"-D{define}" for define in options.defines]
    command += options.compiler_flags
    if stage == "-E":
        command += ["-x", "assembler-with-cpp"]
    command.append(path)
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        message = f"cannot start the compiler {command[0]}: {error.strerror}"
        raise SourceError(path, message) from None
    if done.returncode:
        raise SourceError(path, f"{command[0]} failed (exit status {done.returncode})")
    return done.stdout


def _compiler(path: str) -> list[str]:
    """Return the command of the C compiler: $CC, or the first known one on the PATH."""
    import shutil

    chosen = os.environ.get("CC", "").split()
    if chosen:
        if shutil.which(chosen[0]):
            return chosen
        raise SourceError(path, f"$CC is `{chosen[0]}', which is not installed")
    for name in _COMPILERS:
        if shutil.which(name):
            return [name]
    raise SourceError(
        path,
        "no C compiler was found to make assembly of it",
        "install gcc or clang, set CC, or give the assembly (.s) of the program",
    )
