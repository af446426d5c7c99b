"""File names as the guest means them, walked once by the host's kernel.

Where it matters which file a name leads to (the policy asks, or the guest has a root of its own),
the file or its folder is opened with O_PATH, and the system call acts upon that descriptor, by its
name in /proc/self/fd. What other processes of the guest rename or link meanwhile changes nothing.

A root of its own: names are walked by openat2(2) with RESOLVE_IN_ROOT, so that neither links nor
`..` lead out of it. Only the devices that are everybody's and the process's own /proc/self are
there besides.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from stat import S_ISDIR, S_ISLNK
from struct import pack

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.errors import os_error
from pyldso.kernel.policy import is_writable_device

AT_FDCWD = -100
_OPENAT2 = NUMBERS["openat2"]
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH, _RESOLVE_IN_ROOT = 2, 4, 8, 0x10
_O_TMPFILE = os.O_TMPFILE & ~os.O_DIRECTORY
VALID_FLAGS = (
    os.O_ACCMODE | os.O_CREAT | os.O_EXCL | os.O_NOCTTY | os.O_TRUNC | os.O_APPEND | os.O_NONBLOCK
    | os.O_SYNC | os.O_ASYNC | os.O_DIRECT | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NOATIME
    | os.O_CLOEXEC | os.O_PATH | _O_TMPFILE | 0o100000
)  # fmt: skip
"""openat2(2) refuses other flags, which open(2) ignores."""
MOST_LINKS = 40
_STANDARD_STREAMS = {"/dev/stdin": "0", "/dev/stdout": "1", "/dev/stderr": "2"}
_NOT_IN_PROC = frozenset(("root", "cwd", "exe", "task", "map_files", "ns", "mem"))


def name_of_open(fd: int) -> str:
    """Return the host's name of an open file; EBADF where it is not open."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        raise os_error(errno.EBADF) from None


def split_name(path: bytes) -> tuple[bytes, bytes]:
    """Return the folder of a path and its last name, which is `.` where the path is a folder's."""
    folder, _, name = path.rstrip(b"/").rpartition(b"/")
    if name in (b"", b".", b".."):
        return path, b"."
    if not folder:
        return b"/" if path.startswith(b"/") else b".", name
    return folder, name


class Paths:
    """Walks names; `release` closes what a system call has pinned."""

    __slots__ = ("_call", "_has_openat2", "_pins", "_root_fd", "root")

    def __init__(self, root: str, root_fd: int, call: Callable[..., int]) -> None:
        """Walk from `root`, which `root_fd` is open on; "" and -1 for the host's.

        `call` makes the system calls of the host that may wait: opening a FIFO does.
        """
        self._call = call
        self.root = root
        self._root_fd = root_fd
        self._pins: list[int] = []
        self._has_openat2 = True

    @property
    def has_pins(self) -> bool:
        """Tell whether there is something to release."""
        return bool(self._pins)

    def release(self) -> None:
        """Close what was pinned."""
        for fd in self._pins:
            os.close(fd)
        self._pins.clear()

    # ---- names of the guest and of the host --------------------------------------------------

    def guest_name(self, host_name: str) -> str:
        """Return how the guest calls a file of the host."""
        if self.root and (host_name == self.root or host_name.startswith(self.root + "/")):
            return host_name.removeprefix(self.root) or "/"
        return host_name

    def host_name(self, guest_name: str) -> str:
        """Return how the host calls a file, for a name without links."""
        return self.root + guest_name if self.root and guest_name.startswith("/") else guest_name

    def absolute(self, dirfd: int, path: bytes) -> bytes:
        """Return the guest's name of a file from `/` on, links not followed."""
        if path.startswith(b"/"):
            return path
        folder = os.getcwd() if dirfd == AT_FDCWD else name_of_open(dirfd)
        return os.fsencode(self.guest_name(folder)) + b"/" + path

    # ---- walking -------------------------------------------------------------------------------

    def open(self, dirfd: int, path: bytes, flags: int, mode: int = 0) -> int:
        """Open as openat(2) does, close-on-exec, but no private descriptor by its /proc name.

        Raises ELOOP for a link of /proc/self/fd, which `pin` follows.
        """
        flags |= os.O_CLOEXEC
        if self._root_fd >= 0:
            own = self._own_name(dirfd, path)
            if own is not None:
                return os.open(own, flags, mode)
            path = self.absolute(dirfd, path) if path else path
            return self._openat2(self._root_fd, path, flags, mode, _RESOLVE_IN_ROOT)
        if self._has_openat2:
            try:
                return self._openat2(dirfd, path, flags, mode, _RESOLVE_NO_MAGICLINKS)
            except OSError as refusal:
                if refusal.errno not in (errno.ENOSYS, errno.EPERM):
                    raise
                self._has_openat2 = False
        return os.open(path, flags, mode, dir_fd=dirfd)

    def open_last(self, folder: int, name: bytes, flags: int, mode: int) -> int:
        """Open or create a file by its last name, which is no symbolic link's."""
        flags |= os.O_CLOEXEC
        if self._has_openat2:
            return self._openat2(folder, name, flags, mode, _RESOLVE_NO_SYMLINKS)
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=folder)

    def _openat2(self, dirfd: int, path: bytes, flags: int, mode: int, resolve: int) -> int:
        flags &= VALID_FLAGS
        if flags & os.O_PATH:
            flags &= os.O_PATH | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
        creates = flags & (os.O_CREAT | _O_TMPFILE)
        how = pack("<QQQ", flags, mode if creates else 0, resolve)
        return self._call(_OPENAT2, dirfd, path, how, len(how))

    def _own_name(self, dirfd: int, path: bytes) -> bytes | None:
        """Return the host's name of what a guest with a root sees besides it, or None."""
        name = os.path.normpath(os.fsdecode(self.absolute(dirfd, path)))
        if name in _STANDARD_STREAMS:
            name = "/proc/self/fd/" + _STANDARD_STREAMS[name]
        elif name == "/dev/fd" or name.startswith("/dev/fd/"):
            name = "/proc/self/fd" + name.removeprefix("/dev/fd")
        if name in ("/dev/random", "/dev/urandom") or is_writable_device(name):
            return os.fsencode(name)
        for own in ("/proc/self", "/proc/thread-self", f"/proc/{os.getpid()}"):
            if name == own or name.startswith(own + "/"):
                words = name.removeprefix(own).split("/")[1:]
                is_descriptor = len(words) == 2 and words[0] in ("fd", "fdinfo")
                if not words or (len(words) == 1 and words[0] not in _NOT_IN_PROC) or is_descriptor:
                    return os.fsencode(name)
        return None

    def pin(self, dirfd: int, path: bytes, flags: int = 0) -> int:
        """Return a descriptor that stands for the file of a name until `release`."""
        flags |= os.O_PATH | os.O_CLOEXEC
        if self._root_fd >= 0:
            fd = self.open(dirfd, path, flags)
        else:
            fd = os.open(path, flags, dir_fd=dirfd)
        self._pins.append(fd)
        return fd

    def pin_resolved(self, dirfd: int, path: bytes, flags: int, resolve: int) -> int:
        """Do what `pin` does, within the limits of openat2(2)."""
        flags |= os.O_PATH | os.O_CLOEXEC
        if self._root_fd >= 0:
            if resolve & (_RESOLVE_BENEATH | _RESOLVE_IN_ROOT):
                folder = os.getcwd() if dirfd == AT_FDCWD else name_of_open(dirfd)
                if not f"{folder}/".startswith(self.root + "/"):
                    raise os_error(errno.EXDEV)
            elif (own := self._own_name(dirfd, path)) is not None:
                path = own
            else:
                path, dirfd = self.absolute(dirfd, path) if path else path, self._root_fd
                resolve |= _RESOLVE_IN_ROOT
        self._pins.append(self._openat2(dirfd, path, flags, 0, resolve))
        return self._pins[-1]

    def pinned_name(self, dirfd: int, path: bytes, *, follow: bool) -> bytes:
        """Return a name of the host for what the guest's name stands for."""
        if follow:
            return b"/proc/self/fd/%d" % self.pin(dirfd, path)
        if path.endswith(b"/"):
            return b"/proc/self/fd/%d/." % self.pin(dirfd, path)
        folder, name = split_name(path)
        return b"/proc/self/fd/%d/%s" % (self.pin(dirfd, folder, os.O_DIRECTORY), name)

    def pin_for_change(
        self, dirfd: int, path: bytes, *, follow: bool, creates: bool
    ) -> tuple[int, bytes]:
        """Return a pinned descriptor and a last name, empty where the file itself is pinned."""
        for _ in range(MOST_LINKS):
            if follow:
                try:
                    return self.pin(dirfd, path), b""
                except FileNotFoundError:
                    if not creates:
                        raise
            folder, name = split_name(path)
            pinned = self.pin(dirfd, folder, os.O_DIRECTORY)
            try:
                status = os.stat(name, dir_fd=pinned, follow_symlinks=False)
            except FileNotFoundError:
                return pinned, name
            if path.endswith(b"/") and not S_ISDIR(status.st_mode):
                raise os_error(errno.ENOTDIR, path)
            if not follow or not S_ISLNK(status.st_mode):
                return pinned, name
            path = os.readlink(name, dir_fd=pinned)  # a link to what is not there yet
            dirfd = pinned
        raise os_error(errno.ELOOP, path)
