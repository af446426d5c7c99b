"""What a guest may do to the world outside itself.

The guest reads what the user can read, and changes only what lies beneath the folders of the
policy: the one where it started and the temporary ones, unless the options name others. Device
files that every user may write (/dev/null, terminals) are no part of that.
"""

from __future__ import annotations

import os
from typing import NamedTuple

_WRITABLE_DEVICES = frozenset(("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx"))
_TERMINALS = "/dev/pts/"


def is_writable_device(path: str) -> bool:
    """Tell whether a path is that of a device file which every user may write."""
    return path in _WRITABLE_DEVICES or path.startswith(_TERMINALS)


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
        folders = [os.getcwd(), "/tmp", os.environ.get("TMPDIR", "/tmp")]
        real = (os.path.realpath(folder) for folder in folders)
        return cls(tuple(folder for folder in dict.fromkeys(real) if folder != "/"))

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
