"""Output files appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import os
import stat
from io import FileIO

from pyldso.errors import PyldsoError


def write_whole(path: str, data: bytes | bytearray | memoryview, *, executable: bool) -> None:
    """Write `data` to `path` with the permissions that the umask leaves of 777 or 666.

    A device or a pipe is written in place, as ld does. Raises PyldsoError.
    """
    try:
        if is_special(path):
            with open(path, "wb", buffering=0) as output:
                output.write(data)
            return
        replace_file(path, data, 0o777 if executable else 0o666)
    except OSError as error:
        raise PyldsoError(f"cannot write {path}: {explain(path, error)}") from None


def is_special(path: str) -> bool:
    """Tell whether `path` exists and is neither a file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def replace_file(path: str, data: bytes | bytearray | memoryview, mode: int) -> None:
    """Write a new file beside `path` and rename it; nothing is left behind on an error.

    The new file has no name while it grows (open(2), O_TMPFILE), so that not even a process that is
    killed leaves a part of it; where the file system has no such files, it has a name of its own.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(21, "it is a folder", path)
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{os.getpid()}")
    if not write_unnamed(folder or ".", beside, data, mode):
        write_named(beside, data, mode)
    try:
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def write_unnamed(
    folder: str, beside: str, data: bytes | bytearray | memoryview, mode: int
) -> bool:
    """Write a file and give it the name `beside` when it is whole; tell whether that can be."""
    try:
        descriptor = os.open(folder, os.O_WRONLY | os.O_TMPFILE, mode)
    except OSError:
        return False  # why not will be said where the file is opened by its name
    with open(descriptor, "wb", buffering=0) as output:
        write_all(output, data)
        try:
            # with a descriptor Python calls linkat(2), which follows the link to the file itself
            os.link(f"/proc/self/fd/{descriptor}", beside, src_dir_fd=descriptor)
        except OSError:
            return False  # no /proc, or a file of that name: a process before had our number
    return True


def write_named(beside: str, data: bytes | bytearray | memoryview, mode: int) -> None:
    """Write a file, and remove it where that fails."""
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with open(descriptor, "wb", buffering=0) as output:
            write_all(output, data)
    except BaseException:
        os.unlink(beside)
        raise


def write_all(output: FileIO, data: bytes | bytearray | memoryview) -> None:
    """Write everything, however many calls the kernel wants for it."""
    view = memoryview(data)
    while view:
        view = view[output.write(view) :]


def explain(path: str, error: OSError) -> str:
    """Name the folder that is missing or closed where that is the reason."""
    folder = os.path.dirname(path) or "."
    if isinstance(error, FileNotFoundError):
        return f"the folder {folder} does not exist"
    if isinstance(error, PermissionError):
        return f"no permission to write in {folder}"
    return error.strerror or str(error)
