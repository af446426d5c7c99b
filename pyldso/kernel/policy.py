"""What a guest may do to the world outside itself.

The guest reads what the user can read, and changes only what lies beneath the folders of the
policy: the one where it started and the temporary ones, unless the options name others. Device
files that every user may write (/dev/null, terminals) are no part of that.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple

from pyldso.errors import os_error

_WRITABLE_DEVICES = frozenset(("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx"))
TERMINALS = "/dev/pts/"


def _real_folder(folder: str) -> str:
    real = os.path.realpath(folder, strict=True)
    if not os.path.isdir(real):
        raise os_error(errno.ENOTDIR, folder)
    return real


def _current_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was removed: nothing can be written there
        return "/"


def is_writable_device(path: str) -> bool:
    """Tell whether a path is that of a device file which every user may write."""
    return path in _WRITABLE_DEVICES or path.startswith(TERMINALS)


class Policy(NamedTuple):
    """What is allowed. `write_roots` are real paths of folders."""

    write_roots: tuple[str, ...] = ()
    root: str = ""
    """The real path of a folder that is the guest's `/`; empty where it sees the host's."""
    has_network: bool = False

    @classmethod
    def default(cls) -> Policy:
        """Return the policy of a plain `run`: writing beneath the current and temporary folders.

        Where the current folder is `/`, it does not count: everything lies beneath it.
        """
        folders = [_current_folder(), "/tmp", os.environ.get("TMPDIR", "/tmp")]
        real = (os.path.realpath(folder) for folder in folders)
        return cls(tuple(folder for folder in dict.fromkeys(real) if folder != "/"))

    @classmethod
    def chosen(
        cls,
        root: str | None = None,
        allow_write: Sequence[str] = (),
        *,
        read_only: bool = False,
        has_network: bool = False,
    ) -> Policy:
        """Return the policy that options ask for; FileNotFoundError for a folder that is not there.

        Where there is a `root`, the folders of `allow_write` are named from there on.
        """
        real_root = "" if root is None else _real_folder(root)
        real_root = "" if real_root == "/" else real_root
        default = () if read_only else cls.default().write_roots
        if real_root:
            temporary = [] if read_only else [real_root + "/tmp"]
            default = tuple(f for f in default if f.startswith(real_root + "/"))
            default = (*default, *(f for f in temporary if os.path.isdir(f)))
        added = tuple(_real_folder(real_root + folder) for folder in allow_write)
        for folder, real in zip(allow_write, added, strict=True):
            if real_root and not f"{real}/".startswith(real_root + "/"):
                raise os_error(errno.ENOENT, folder)
        return cls(tuple(dict.fromkeys(default + added)), real_root, has_network)

    def is_inside_root(self) -> bool:
        """Tell whether the current folder is one that the guest sees."""
        return f"{_current_folder()}/".startswith(self.root + "/")

    def allows_write(self, real_path: str) -> bool:
        """Tell whether the guest may create, change or remove the file at a real path."""
        return any(
            real_path == root or real_path.startswith(root.rstrip("/") + "/")
            for root in self.write_roots
        )


class PathUse(NamedTuple):
    """How a call changes the file that a path names."""

    follow: bool
    """A symbolic link at the end stands for its target."""
    creates: bool
    replaces: bool
    keeps_file: bool = False
    """Only what is written goes there: the file itself, its name and mode stay as they are."""
