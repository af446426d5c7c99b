"""Command-line inputs to objects, archives and shared objects, in their order."""

from __future__ import annotations

import glob
import mmap
import os
import re

from pyldso.elf.archive import MAGIC, THIN_MAGIC, Archive
from pyldso.elf.constants import ELFMAG, ET
from pyldso.elf.object import ObjectFile
from pyldso.elf.object_reader import read_header, read_object
from pyldso.elf.shared_reader import Export, SharedFile, read_shared
from pyldso.errors import ElfFormatError, PyldsoError
from pyldso.linker.options import InputFile, Library, LinkInput, LinkOptions

LIBRARY_FOLDERS = (
    "/usr/local/lib/x86_64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/local/lib",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)
"""Where Linux distributions keep the libraries of x86-64, after the folders of -L."""

SOURCE_SUFFIXES = (".s", ".S", ".sx", ".c")

LIBC = Library(":libc.so.6", is_as_needed=True)
LOADER = Library(":ld-linux-x86-64.so.2", is_as_needed=True)
"""Has `__tls_get_addr`; glibc's own libc.so script names it the same way."""


class LinkedShared:
    """A shared object in the link, under the name that DT_NEEDED gets."""

    __slots__ = ("file", "is_as_needed", "is_used", "needed_name")

    def __init__(self, file: SharedFile, needed_name: str, *, is_as_needed: bool) -> None:
        self.file = file
        self.needed_name = needed_name
        self.is_as_needed = is_as_needed
        self.is_used = False

    @property
    def name(self) -> str:
        """The file's path, for a message."""
        return self.file.path

    def find(self, name: str, version: str) -> Export | None:
        """Return the definition that a reference to `name` binds to."""
        return self.file.find(name, version)


Input = ObjectFile | Archive | LinkedShared


def map_file(path: str) -> mmap.mmap | bytes:
    """Return the bytes of a file without reading them all; raises PyldsoError."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return file.read()  # a pipe, a device, or an empty file
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PyldsoError(f"cannot open {path}: {reason}") from None


def read_inputs(options: LinkOptions) -> list[Input]:
    """Read every input, and libc after them unless `nostdlib`; raises the errors of the readers."""
    inputs: list[Input] = []
    for wanted in options.inputs:
        inputs += read_input(wanted, options)
    if not options.nostdlib:
        inputs += read_input(LIBC, options)
        inputs += read_input(LOADER, options)
    known: set[str] = set()
    kept: list[Input] = []
    for item in inputs:
        if isinstance(item, LinkedShared):
            if item.needed_name in known:
                continue
            known.add(item.needed_name)
        kept.append(item)
    return kept


def read_input(wanted: LinkInput, options: LinkOptions) -> list[Input]:
    """Return what one input stands for: several files where it is a linker script."""
    if isinstance(wanted, InputFile):
        return read_file(wanted.path, wanted.path, options, is_as_needed=False)
    path = find_library(wanted, options.library_path)
    return read_file(path, os.path.basename(path), options, is_as_needed=wanted.is_as_needed)


def read_file(
    path: str, needed_name: str, options: LinkOptions, *, is_as_needed: bool
) -> list[Input]:
    """Return the object, archive, shared object or script that `path` holds.

    A shared object without soname is known to the dynamic linker by `needed_name`.
    """
    if path.endswith(SOURCE_SUFFIXES):
        # assembling needs keystone, which a link of ready objects must not pay for
        from pyldso.sources import SourceOptions, read_source

        source_options = SourceOptions(pic=options.pic, compiler_flags=options.compiler_flags)
        return [read_source(path, source_options)]
    data = map_file(path)
    start = data[:8]
    if start in (MAGIC, THIN_MAGIC):
        return [Archive(data, path)]  # type: ignore[arg-type]
    if start[:4] == ELFMAG:
        return [read_elf(data, path, needed_name, is_as_needed=is_as_needed)]  # type: ignore[arg-type]
    if not data:
        raise ElfFormatError(path, "the file is empty")
    return read_script(bytes(data[: 1 << 16]), path, options)


def read_elf(data: bytes, path: str, needed_name: str, *, is_as_needed: bool) -> Input:
    """Return the relocatable or shared object in an ELF file."""
    header = read_header(data, path)
    if header.e_type == ET.DYN:
        file = read_shared(data, path)
        return LinkedShared(file, file.soname or needed_name, is_as_needed=is_as_needed)
    return read_object(bytes(data), path)


def find_library(library: Library, folders: list[str]) -> str:
    """Return the path of `-lNAME`; raises PyldsoError naming the folders that were searched."""
    searched = [*folders, *LIBRARY_FOLDERS]
    for folder in searched:
        for name in candidate_names(library):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    if not library.is_static and not library.name.startswith(":"):
        for folder in searched:  # no development package: libNAME.so.6 alone is there
            found = glob.glob(os.path.join(glob.escape(folder), f"lib{library.name}.so.[0-9]*"))
            if found:
                return min(found, key=lambda path: (len(path), path))
    shown = library.name if library.name.startswith(":") else f"-l{library.name}"
    raise PyldsoError(f"cannot find {shown} in {', '.join(folders) or 'the system folders'}")


def candidate_names(library: Library) -> list[str]:
    """Return the file names that `-lNAME` means, in the order of preference."""
    if library.name.startswith(":"):
        return [library.name[1:]]
    static = f"lib{library.name}.a"
    return [static] if library.is_static else [f"lib{library.name}.so", static]


SCRIPT_TOKEN = re.compile(r"/\*.*?\*/|[(),;]|[^\s(),;]+", re.DOTALL)
SCRIPT_COMMANDS = ("GROUP", "INPUT", "AS_NEEDED", "OUTPUT_FORMAT")


def read_script(text: bytes, path: str, options: LinkOptions) -> list[Input]:
    """Return the inputs that a linker script of the libc.so kind names.

    Raises PyldsoError for a file that is neither script nor ELF nor archive.
    """
    tokens = [
        token
        for token in SCRIPT_TOKEN.findall(text.decode("utf-8", "replace"))
        if not token.startswith("/*") and token not in (",", ";")
    ]
    if not tokens or tokens[0] not in SCRIPT_COMMANDS:
        raise ElfFormatError(
            path, "the file is neither an object, an archive, a shared object nor a linker script"
        )
    inputs: list[Input] = []
    commands: list[str] = []
    for position, token in enumerate(tokens):
        if token == "(":
            commands.append(tokens[position - 1])
        elif token == ")":
            if not commands:
                raise ElfFormatError(path, "linker script: `)` without `(`")
            commands.pop()
        elif commands and commands[-1] != "OUTPUT_FORMAT" and token not in SCRIPT_COMMANDS:
            inputs += read_script_item(token, path, options, is_as_needed="AS_NEEDED" in commands)
        elif token not in SCRIPT_COMMANDS and not commands:
            raise ElfFormatError(path, f"linker script: {token} is not supported")
    return inputs


def read_script_item(
    token: str, script: str, options: LinkOptions, *, is_as_needed: bool
) -> list[Input]:
    """Return the inputs of one file name or `-lNAME` of a script."""
    if token.startswith("-l"):
        return read_input(Library(token[2:], is_as_needed=is_as_needed), options)
    path = token
    if not os.path.isabs(token):
        beside = os.path.join(os.path.dirname(script), token)
        path = (
            beside
            if os.path.exists(beside)
            else find_library(Library(f":{token}"), options.library_path)
        )
    if os.path.abspath(path) == os.path.abspath(script):
        raise ElfFormatError(script, "linker script: it includes itself")
    return read_file(path, os.path.basename(path), options, is_as_needed=is_as_needed)
