"""Command-line inputs to objects, archives and shared objects, in their order."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Sequence
from typing import cast

from pyldso.elf.archive import MAGIC, THIN_MAGIC, Archive
from pyldso.elf.constants import ELFMAG, EM, ET
from pyldso.elf.object import ObjectFile
from pyldso.elf.object_reader import References, read_header, read_object
from pyldso.elf.shared_reader import Export, SharedFile, read_shared
from pyldso.errors import AsmError, Diagnostic, ElfFormatError, PyldsoError
from pyldso.linker.options import InputFile, Library, LinkInput, LinkOptions
from pyldso.linker.script import SCRIPT_LIMIT, read_script

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
LAST_RESORTS = (
    Library(":ld-linux-x86-64.so.2", is_as_needed=True),
    Library(":libgcc_s.so.1", is_as_needed=True),
    Library(":libgcc.a"),
)
STATIC_LIBC = Library("c", is_static=True)
STATIC_LAST_RESORTS = (Library(":libgcc.a"), Library(":libgcc_eh.a"))
"""What gcc's driver adds: `__tls_get_addr`, arithmetic beyond the CPU's, CPU detection."""
GCC_FOLDER = "/usr/lib/gcc/x86_64-linux-gnu"


class LibraryNotFound(PyldsoError):  # noqa: N818 - it names what is wrong, as the others
    """A `-lNAME` that no folder has."""


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


def load_file(path: str) -> bytes:
    """Return the bytes of a file; raises PyldsoError.

    Of an archive or a shared object, of which little is asked, it is a memory map, whose slices are
    bytes. An object is read: a map keeps a file open, and there may be thousands of them.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            start = file.read(START_SIZE)
            if not file.seekable():
                return start + file.readall()
            if start[: len(MAGIC)] in (MAGIC, THIN_MAGIC) or start[16:START_SIZE] == SHARED:
                return cast(bytes, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            file.seek(0)
            return file.readall()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PyldsoError(f"{path}: {reason}") from None


START_SIZE = 18
SHARED = int(ET.DYN).to_bytes(2, "little")
"""The e_type of a shared object, at offset 16 of the file."""


class InputReader:
    """Reads inputs of one link; `assemble` makes an object of assembly or C."""

    __slots__ = ("_assemble", "_folders", "_options", "_references", "paths")

    def __init__(self, options: LinkOptions, assemble: Callable[[str], ObjectFile]) -> None:
        self._options = options
        self._folders: list[str] = []
        """Where scripts have `-l` look, behind the folders of `-L`."""
        self._assemble = assemble
        self._references: References = {}
        self.paths: dict[str, None] = {}
        """All files that were read, in their order."""

    def read_all(self) -> list[Input]:
        """Read every input, and libc after them unless `nostdlib`.

        Raises AsmError with the errors of all sources, or the error of the first damaged file.
        """
        options = self._options
        inputs: list[Input] = []
        diagnostics: list[Diagnostic] = []
        for wanted in options.inputs:
            try:
                inputs += self.read(wanted)
            except AsmError as error:
                diagnostics += error.diagnostics
        if diagnostics:
            raise AsmError(diagnostics)
        if not (options.nostdlib or options.is_relocatable):
            inputs += self.read(STATIC_LIBC if options.is_static else LIBC)
        return without_repeats(inputs)

    def read_last_resorts(self) -> list[Input]:
        """Return the libraries that are asked where a name is defined nowhere else."""
        inputs: list[Input] = []
        if not self._options.nostdlib:
            for library in STATIC_LAST_RESORTS if self._options.is_static else LAST_RESORTS:
                try:
                    inputs += self.read(library)
                except LibraryNotFound:
                    continue  # the undefined name itself is what will be reported
        return inputs

    def read(self, wanted: LinkInput) -> list[Input]:
        """Return what one input stands for: several files where it is a linker script."""
        if isinstance(wanted, InputFile):
            path = needed_name = wanted.path
            if wanted.is_binary:
                return [self.read_binary(path)]
        else:
            path = self.find(wanted)
            needed_name = os.path.basename(path)
        inputs = self.read_file(path, needed_name, is_as_needed=wanted.is_as_needed)
        if wanted.is_whole:
            return [one for item in inputs for one in self.all_members(item)]
        return inputs

    def read_binary(self, path: str) -> ObjectFile:
        """Return the object that stands for any file."""
        from pyldso.linker.binary import binary_object  # few links ask for it

        self.paths[path] = None
        return binary_object(bytes(load_file(path)), path, int(EM.X86_64))

    def find(self, library: Library) -> str:
        """Return the path of a library; raises LibraryNotFound."""
        options = self._options
        return find_library(
            library,
            [*options.library_path, *self._folders],
            takes_versioned_names=options.takes_versioned_names,
        )

    def read_file(self, path: str, needed_name: str, *, is_as_needed: bool) -> list[Input]:
        """Return the object, archive, shared object or script that `path` holds.

        A shared object without soname is known to the dynamic linker by `needed_name`.
        """
        self.paths[path] = None
        if path.endswith(SOURCE_SUFFIXES):
            return [self._assemble(path)]
        data = load_file(path)
        start = data[:8]
        if start in (MAGIC, THIN_MAGIC):
            return [Archive(data, path)]
        if start[:4] == ELFMAG:
            item = self.read_elf(data, path, needed_name, is_as_needed=is_as_needed)
            if self._options.is_static and isinstance(item, LinkedShared):
                raise PyldsoError(f"{path}: a static program (-static) takes no shared object")
            return [item]
        if not data:
            raise ElfFormatError(path, "the file is empty")
        inputs: list[Input] = []
        script = read_script(bytes(data[:SCRIPT_LIMIT]), path)
        self._folders += script.folders
        for name, in_as_needed in script.files:
            inputs += self.read_script_item(name, path, is_as_needed=is_as_needed or in_as_needed)
        return inputs

    def read_elf(self, data: bytes, path: str, needed_name: str, *, is_as_needed: bool) -> Input:
        """Return the relocatable or shared object in an ELF file."""
        header = read_header(data, path)
        if header.e_type == ET.DYN:
            file = read_shared(data, path)
            return LinkedShared(file, file.soname or needed_name, is_as_needed=is_as_needed)
        return read_object(data, path, references=self._references)

    def all_members(self, item: Input) -> list[Input]:
        """Return the objects of an archive, any other input as it is (`--whole-archive`)."""
        if not isinstance(item, Archive):
            return [item]
        return [
            read_object(
                item.content(member), f"{item.path}({member.name})", references=self._references
            )
            for member in item.members()
        ]

    def read_script_item(self, name: str, script: str, *, is_as_needed: bool) -> list[Input]:
        """Return the inputs of one file name or `-lNAME` of a linker script."""
        if name.startswith("-l"):
            return self.read(Library(name[2:], is_as_needed=is_as_needed))
        path = name
        if not os.path.isabs(name):
            path = os.path.join(os.path.dirname(script), name)
            if not os.path.exists(path):
                path = self.find(Library(f":{name}"))
        if is_script(path):
            raise ElfFormatError(script, f"linker script: it names another script, {path}")
        return self.read_file(path, os.path.basename(path), is_as_needed=is_as_needed)


def without_repeats(inputs: list[Input]) -> list[Input]:
    """Keep the first of the shared objects that the dynamic linker knows by one name."""
    known: dict[str, LinkedShared] = {}
    kept: list[Input] = []
    for item in inputs:
        if isinstance(item, LinkedShared):
            first = known.setdefault(item.needed_name, item)
            if first is not item:
                first.is_as_needed = first.is_as_needed and item.is_as_needed
                continue
        kept.append(item)
    return kept


def find_library(
    library: Library, folders: Sequence[str], *, takes_versioned_names: bool = True
) -> str:
    """Return the path of `-lNAME`; raises PyldsoError naming the folders that were searched."""
    searched = [*folders, *LIBRARY_FOLDERS]
    if library in STATIC_LAST_RESORTS:
        searched += gcc_folders()
    for folder in searched:
        for name in candidate_names(library):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    if takes_versioned_names and not (library.is_static or library.name.startswith(":")):
        for folder in searched:  # no development package: libNAME.so.6 alone is there
            found = versioned_libraries(folder, library.name)
            if found:
                return os.path.join(folder, min(found, key=lambda name: (len(name), name)))
    shown = library.name[1:] if library.name.startswith(":") else f"-l{library.name}"
    raise LibraryNotFound(f"cannot find {shown} in {', '.join(folders) or 'the system folders'}")


def gcc_folders() -> list[str]:
    """Return the folders of gcc's own libraries, the newest version first."""
    try:
        versions = [name for name in os.listdir(GCC_FOLDER) if name.isdigit()]
    except OSError:
        return []
    return [os.path.join(GCC_FOLDER, name) for name in sorted(versions, key=int, reverse=True)]


def versioned_libraries(folder: str, name: str) -> list[str]:
    """Return the files of a folder that are called `libNAME.so.6` or so."""
    start = f"lib{name}.so."
    try:
        found = os.listdir(folder)
    except OSError:
        return []
    return [file for file in found if file.startswith(start) and file[len(start) :][:1].isdigit()]


def candidate_names(library: Library) -> list[str]:
    """Return the file names that `-lNAME` means, in the order of preference."""
    if library.name.startswith(":"):
        return [library.name[1:]]
    static = f"lib{library.name}.a"
    return [static] if library.is_static else [f"lib{library.name}.so", static]


def is_script(path: str) -> bool:
    """Tell whether a file is text rather than ELF or an archive."""
    return load_file(path)[:4] not in (ELFMAG, MAGIC[:4])
