"""Files as the guest may see them: the path policy, pyldso's own descriptors, /proc/self.

Guest descriptors are host descriptors of the same number. pyldso's own ones are moved to high
numbers and refused to the guest, which may close or replace any other, 0 to 2 included.

The policy: the guest reads what the user can read, and changes only what lies beneath the folder
where it started and beneath the temporary folders. Device files that every user may write
(/dev/null, terminals) are no part of that.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from stat import S_ISCHR
from typing import NamedTuple

_WRITABLE_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts/")
_OPENS_FOR_WRITING = (
    os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | (os.O_TMPFILE & ~os.O_DIRECTORY)
)
_LOWEST_PRIVATE_FD = 700
AT_FDCWD = -100


def _error(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)


class PathUse(NamedTuple):
    """How a call changes the file that a path names."""

    follow: bool
    """A symbolic link at the end stands for its target."""
    creates: bool
    replaces: bool
    keeps_file: bool = False
    """Only what is written goes there: the file itself, its name and mode stay as they are."""


_CHANGE = PathUse(follow=True, creates=False, replaces=False)
_OPEN = PathUse(follow=True, creates=False, replaces=False, keeps_file=True)
_CREATE_OR_OPEN = PathUse(follow=True, creates=True, replaces=True, keeps_file=True)


def _path_of_open(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None


class Policy(NamedTuple):
    """What the guest may do outside itself: `write_roots` are real paths of folders."""

    write_roots: tuple[str, ...]

    @classmethod
    def default(cls) -> Policy:
        """Return the policy of a plain `run`: writing beneath the current and temporary folders."""
        folders = [os.getcwd(), "/tmp", os.environ.get("TMPDIR", "/tmp")]
        return cls(tuple(dict.fromkeys(os.path.realpath(folder) for folder in folders)))

    def allows_write(self, real_path: str) -> bool:
        """Tell whether the guest may create, change or remove the file at a real path."""
        return any(
            real_path == root or real_path.startswith(root.rstrip("/") + "/")
            for root in self.write_roots
        )


def _is_device(path: str) -> bool:
    try:
        return S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False


def _is_open_pipe(path: str) -> bool:
    """Tell whether a real path is a pipe or socket that is open here, as /dev/stdout may be."""
    return path.startswith(f"/proc/{os.getpid()}/fd/")


class Files:
    """The guest's view of files, and the descriptors that are pyldso's own."""

    def __init__(self, policy: Policy, on_refusal: Callable[[str, str], None]) -> None:
        self.policy = policy
        self.private_fds: set[int] = set()
        self.program_path = ""
        """What /proc/self/exe names."""
        self.generated: dict[str, Callable[[], bytes]] = {}
        """Files of /proc/self whose content is the guest's, not the host process's."""
        self._on_refusal = on_refusal

    def keep_private(self, fd: int) -> int:
        """Move a descriptor of pyldso's own out of the guest's reach and return its number."""
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self._lowest_private())
        os.close(fd)
        self.private_fds.add(moved)
        return moved

    def close_on_exec(self) -> None:
        """Close the descriptors that execve(2) closes, but for pyldso's own."""
        for name in os.listdir("/proc/self/fd"):
            fd = int(name)
            if fd in self.private_fds:
                continue
            try:
                if fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                    os.close(fd)
            except OSError:
                continue  # the descriptor that listdir used

    def close_private(self, fd: int) -> None:
        """Close a descriptor that `keep_private` returned."""
        self.private_fds.discard(fd)
        os.close(fd)

    def _lowest_private(self) -> int:
        import resource  # start-up: needed only where a descriptor is moved

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            _LOWEST_PRIVATE_FD
            if soft == resource.RLIM_INFINITY
            else min(_LOWEST_PRIVATE_FD, soft * 3 // 4)
        )

    def real_path(self, dirfd: int, path: bytes, *, follow: bool = True) -> str:
        """Return the absolute path without symbolic links that a call would act on."""
        text = os.fsdecode(path)
        if not text.startswith("/"):
            text = os.path.join(self._folder(dirfd), text)
        if follow:
            return os.path.realpath(text)
        folder, name = os.path.split(text.rstrip("/") or "/")
        if name in ("", ".", ".."):
            return os.path.realpath(text)
        return os.path.join(os.path.realpath(folder), name)

    def _folder(self, dirfd: int) -> str:
        return os.getcwd() if dirfd == AT_FDCWD else _path_of_open(dirfd)

    def check_change(self, dirfd: int, path: bytes, use: PathUse) -> None:
        """Raise OSError unless the policy lets the guest change the file that the path names.

        The error is Linux's own where it would refuse too, else EACCES.
        """
        real = self.real_path(dirfd, path, follow=use.follow)
        if use.keeps_file and real.startswith(_WRITABLE_DEVICES) and _is_device(real):
            return
        if self.policy.allows_write(real) or _is_open_pipe(real):
            return
        if use.creates:
            if not use.replaces and os.path.lexists(real):
                raise _error(errno.EEXIST, real)
            os.stat(os.path.dirname(real))  # ENOENT, ENOTDIR
        else:
            os.lstat(real)
        self._on_refusal(real, "writing there is not allowed")
        raise _error(errno.EACCES, real)

    def check_change_of_open(self, fd: int) -> None:
        """Raise OSError unless the policy lets the guest change the open file itself."""
        path = _path_of_open(fd)
        if path.startswith("/"):  # else a pipe or the like
            self.check_change(AT_FDCWD, os.fsencode(path), _CHANGE)

    def open(self, dirfd: int, path: bytes, flags: int, mode: int) -> int:
        """Open as openat(2) does, within the policy."""
        if flags & _OPENS_FOR_WRITING:
            self.check_change(dirfd, path, _CREATE_OR_OPEN if flags & os.O_CREAT else _OPEN)
        own = self.own_file(path)
        at = None if dirfd == AT_FDCWD or path.startswith(b"/") else dirfd
        fd = os.open(own or path, flags | os.O_LARGEFILE, mode, dir_fd=at)
        try:
            fd = self._guard_proc(fd)
        except OSError:
            os.close(fd)
            raise
        if not flags & os.O_CLOEXEC:  # which Python has added
            os.set_inheritable(fd, True)
        return fd

    def own_file(self, path: bytes) -> bytes | None:
        """Return the program's path where `path` is one of its names in /proc."""
        if path.startswith(b"/proc/") and path.endswith(b"/exe") and self.program_path:
            middle = path[6:-4]
            if middle in (b"self", b"thread-self", b"%d" % os.getpid()):
                return os.fsencode(self.program_path)
        return None

    def _guard_proc(self, fd: int) -> int:
        """Replace a file of this process in /proc by the guest's, or refuse it.

        The opened file is asked for its name, so that links and relative paths lead nowhere else.
        """
        name = os.readlink(f"/proc/self/fd/{fd}")
        own = f"/proc/{os.getpid()}/"
        if not name.startswith(own):
            return fd
        entry = name.removeprefix(own)
        if entry.startswith("task/"):
            entry = entry.split("/", 2)[-1]
        if entry in ("mem", "pagemap", "clear_refs"):
            self._on_refusal(name, "the guest's memory is not at these addresses")
            raise _error(errno.EACCES, name)
        if entry in self.generated:
            replacement = os.memfd_create(entry, os.MFD_CLOEXEC)
            os.write(replacement, self.generated[entry]())
            os.lseek(replacement, 0, os.SEEK_SET)
            os.dup2(replacement, fd, inheritable=False)
            os.close(replacement)
        return fd
