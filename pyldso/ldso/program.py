"""A namespace's first files: the program, its ld.so, and all that is needed (glibc's rtld.c)."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from pyldso.elf.constants import ET, PT
from pyldso.kernel.exec import Program, cannot_execute, map_program
from pyldso.kernel.vdso import map_vdso
from pyldso.ldso import vdso
from pyldso.ldso.dso import Dso
from pyldso.ldso.errors import DlError
from pyldso.ldso.load import (
    LibraryOpener,
    Missing,
    load_dependencies,
    load_library,
    make_dso,
)
from pyldso.ldso.lookup import find_in
from pyldso.ldso.namespace import Namespace
from pyldso.ldso.search import OpenedFile, Source, built_in_directories
from pyldso.ldso.segments import (
    check_file_size,
    map_segments,
    read_phdrs,
    wants_executable_stack,
)

_MUSL_LIBC = "libc.so"
"""What programs for musl need; it is the very file that their PT_INTERP names."""
_DEFAULT_INTERPRETER = "/lib64/ld-linux-x86-64.so.2"
"""The ld.so that lists a library, which names none (psABI)."""


def map_executable(namespace: Namespace, path: str) -> Program:
    """Map the program and the file that its PT_INTERP names, whose code is not entered."""
    process = namespace.process
    opened = _open_program(namespace, path)
    status = process.fstat(opened.fd)
    try:
        if stat.S_ISREG(status.st_mode):
            ehdr, phdrs = read_phdrs(path, opened.header)
            check_file_size(path, phdrs, status.st_size)
        program = map_program(process, path, with_interp=True)
    except OSError as error:
        raise cannot_execute(path, error) from None
    finally:
        process.close(opened.fd)
    if program.interp is not None:
        identity = (status.st_dev, status.st_ino)
        dso = make_dso(namespace, "", path, program.base, ehdr, phdrs, identity)
        _add_program(namespace, dso)
        if program.interp_base:
            _set_interpreter(namespace, program.interp, program.interp_base)
        _begin_as_ld_so(namespace, program.vdso)
    return program


def _add_program(namespace: Namespace, dso: Dso) -> None:
    """Make `dso` the namespace's first file."""
    dso.label = namespace.program_name
    namespace.has_executable_stack = wants_executable_stack(dso.phdrs)
    try:
        executable = namespace.process.readlink("/proc/self/exe")
    except OSError:
        executable = os.path.join(namespace.origin_path, "")
    dso.origin = os.path.dirname(executable)
    dso.aliases.add("")  # its l_name
    namespace.add(dso)


def _set_interpreter(namespace: Namespace, path: str, base: int) -> None:
    """Make the mapped file of PT_INTERP known: what it exports tells what kind of ld.so it is."""
    header = namespace.memory.read(base, 4096)
    ehdr, phdrs = read_phdrs(path, header)
    status = namespace.process.files.status(path)
    identity = (status.st_dev, status.st_ino)
    dso = make_dso(namespace, path, path, base, ehdr, phdrs, identity)
    dso.owner = namespace
    dso.aliases.add(path)
    if find_in(namespace, dso, b"__libc_start_main"):
        dso.aliases.add(_MUSL_LIBC)
    namespace.interpreter = dso
    namespace.search.find_system_directories = lambda: built_in_directories(dso)


def map_listed(namespace: Namespace, path: str) -> None:
    """Map what is only listed: a program, or a library in a program's place."""
    opened = _open_program(namespace, path)
    try:
        ehdr, phdrs = read_phdrs(path, opened.header)
        if ehdr.e_type == ET.EXEC or any(phdr.p_type == PT.INTERP for phdr in phdrs):
            map_executable(namespace, path)
            return
        _map_default_interpreter(namespace)
        vdso_address = map_vdso(namespace.process)
        base = map_segments(namespace, path, opened.fd, phdrs)
        _add_program(namespace, make_dso(namespace, "", path, base, ehdr, phdrs, (0, 0)))
        _begin_as_ld_so(namespace, vdso_address)
    finally:
        namespace.process.close(opened.fd)


def _map_default_interpreter(namespace: Namespace) -> None:
    """Map the ld.so that lists what names none, where it is there: it is what the kernel starts."""
    try:
        opened = LibraryOpener(namespace)(_DEFAULT_INTERPRETER, Source.NAME)
    except (OSError, DlError):
        return
    try:
        _, phdrs = read_phdrs(_DEFAULT_INTERPRETER, opened.header)
        base = map_segments(namespace, _DEFAULT_INTERPRETER, opened.fd, phdrs)
        _set_interpreter(namespace, _DEFAULT_INTERPRETER, base)
    finally:
        namespace.process.close(opened.fd)


def _begin_as_ld_so(namespace: Namespace, vdso_address: int) -> None:
    """Do what glibc's ld.so does before it loads anything, where the program is for that one.

    It takes memory, lists the vDSO behind the program, and looks up what libc calls of it.
    """
    namespace.vdso_address = vdso_address
    if find_in(namespace, namespace.interpreter, b"_rtld_global_ro"):
        namespace.heap.map_first()
        vdso.add_vdso(namespace, vdso.NAME, vdso.NAME)
        namespace.vdso_functions = vdso.find_functions(namespace)


def _open_program(namespace: Namespace, path: str) -> OpenedFile:
    """Open a program's file, which is checked with ld.so's words for what is wrong with it."""
    try:
        return LibraryOpener(namespace)(path, Source.NAME)
    except OSError as error:
        raise DlError(path, "cannot open shared object file", error.errno or 0) from None


def acceptance(namespace: Namespace, path: str) -> int:
    """Return ld.so's answer whether it takes a program: 0, 2 for one without PT_INTERP, or 1."""
    try:
        opened = LibraryOpener(namespace)(path, Source.NAME)
        _, phdrs = read_phdrs(path, opened.header)
    except (OSError, DlError):
        return 1
    types = [phdr.p_type for phdr in phdrs]
    return 1 if PT.DYNAMIC not in types else 0 if PT.INTERP in types else 2


def load_needed(
    namespace: Namespace, preloads: Sequence[tuple[str, str]], *, is_lenient: bool
) -> list[Missing]:
    """Load preloads and dependencies, breadth first.

    `preloads` are names with the source that an error blames. What is missing is returned where
    `is_lenient`, else a DlError.
    """
    program = namespace.program
    roots = [program]
    for name, source in preloads:
        try:
            dso = load_library(namespace, name, program)
            roots += [dso] if dso else []
        except DlError as error:
            namespace.warn(
                f"ERROR: ld.so: object '{name}' from {source} cannot be preloaded"
                f" ({error.message}): ignored."
            )
    scope, missing = load_dependencies(namespace, roots, is_lenient=is_lenient)
    namespace.global_scope = scope
    if namespace.interpreter and namespace.interpreter not in namespace.objects:
        namespace.add(namespace.interpreter)
    return missing
