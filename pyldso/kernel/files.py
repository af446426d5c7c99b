"""Files as the guest may see them: open descriptors, the policy's refusals, /proc/self.

Guest descriptors are host descriptors of the same number. pyldso's own ones are moved to high
numbers and refused to the guest, which may close or replace any other, 0 to 2 included. How names
are walked stands in paths.py, what is allowed in policy.py.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Collection
from stat import S_ISCHR, S_ISDIR, S_ISLNK

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.errors import os_error
from pyldso.kernel.host import host_syscall
from pyldso.kernel.paths import AT_FDCWD, MOST_LINKS, VALID_FLAGS, Paths, name_of_open, split_name
from pyldso.kernel.policy import TERMINALS, PathUse, Policy, is_writable_device

_OPENAT = NUMBERS["openat"]
_O_TMPFILE = os.O_TMPFILE & ~os.O_DIRECTORY
_OPENS_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | _O_TMPFILE
_TIOCGPTN = 0x80045430
_LOWEST_PRIVATE_FD = 700
_CHANGE = PathUse(follow=True, creates=False, replaces=False)
_NAME_OF_THREAD = re.compile(r"/proc/(\d+)/task/(\d+)/comm")
_MEMORY_OF_PROCESSES = re.compile(r"/proc/\d+/(task/\d+/)?(mem|pagemap|clear_refs)")

_FILE_OF_PROCESS = re.compile(r"/proc/(\d+)/(?:task/\d+/)?(\w+)")
_NAMELESS = ("pipe:", "/memfd:")
"""How the kernel calls what processes share by descriptors alone."""
_OF_THE_EMULATOR = frozenset(("smaps", "smaps_rollup", "numa_maps"))


class Files:
    """The guest's view of files, and the descriptors that are pyldso's own.

    `call` makes the system calls of the host that may wait.
    """

    def __init__(
        self,
        policy: Policy,
        on_refusal: Callable[[str, str], None],
        call: Callable[..., int] = host_syscall,
    ) -> None:
        self.policy = policy
        self._call = call
        self.private_fds: set[int] = set()
        self.family_fd = -1
        """The one of them that all processes of the program share: see family.py."""
        self.program_path = ""
        """What /proc/self/exe names."""
        self.program_fd = -1
        """What it was opened by, where it has no name to open it by: see `hold_program`."""
        self.generate: Callable[[str, int], bytes | None] = lambda entry, tid: None
        """Gives the content of a thread's file in /proc where it is the guest's, not the host
        process's; None of others. Files outside /proc/self have their whole name."""
        self.thread_ids: Callable[[], Collection[int]] = lambda: (os.getpid(),)
        """Gives the ids of the guest's threads."""
        self.relatives: Callable[[], Collection[int]] = lambda: ()
        """Gives the other processes of the program."""
        self.show_relative: Callable[[int, str], bytes | None] = lambda pid, entry: None
        """Gives what /proc shows of another process of the program; None where it is the host's."""
        self._on_refusal = on_refusal
        self._to_discard: list[int] = []
        root_fd = -1
        if policy.root:
            root_fd = self.keep_until_discard(os.open(policy.root, os.O_PATH | os.O_DIRECTORY))
        self.paths = Paths(policy.root, root_fd, call)

    def keep_private(self, fd: int) -> int:
        """Move a descriptor of pyldso's own out of the guest's reach and return its number."""
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self.lowest_private())
        os.close(fd)
        self.private_fds.add(moved)
        return moved

    def close_on_exec(self) -> None:
        """Close the descriptors that execve(2) closes, but for pyldso's own."""
        for fd in self.open_fds():
            if fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                os.close(fd)

    def keep_until_discard(self, fd: int) -> int:
        """Do what `keep_private` does; `discard` closes the descriptor."""
        moved = self.keep_private(fd)
        self._to_discard.append(moved)
        return moved

    def hold_program(self, fd: int) -> str:
        """Let a descriptor of pyldso's own be the program, and return the name to open it by."""
        self.private_fds.add(fd)
        self._to_discard.append(fd)
        self.program_fd = fd
        return f"/proc/self/fd/{fd}"

    def discard(self) -> None:
        """Close the descriptors that live as long as the process: no name is looked up any more."""
        for fd in self._to_discard:
            self.close_private(fd)

    def close_private(self, fd: int) -> None:
        """Close a descriptor that `keep_private` returned."""
        self.private_fds.discard(fd)
        os.close(fd)

    def lowest_private(self) -> int:
        """Return the lowest number that a descriptor of pyldso's own gets."""
        import resource  # start-up: needed only where a descriptor is moved

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return (
            _LOWEST_PRIVATE_FD
            if soft == resource.RLIM_INFINITY
            else min(_LOWEST_PRIVATE_FD, soft * 3 // 4)
        )

    def lowest_foreign_private(self) -> int:
        """Return below which number the descriptors of another process are the guest's."""
        return min((self.lowest_private(), *self.private_fds))

    def _check_nameless(self, fd: int, name: str) -> None:
        """Raise OSError where what `fd` opened has no name, and is no file of the program's.

        Names in /proc lead to the pipes and nameless files of all processes, pyldso's own included.
        """
        if not name.startswith(_NAMELESS):
            return
        if self._is_open_as(fd, self.program_fd):
            return
        if not self._is_open_as(fd, self.family_fd):
            if any(_is_called(f"/proc/self/fd/{own}", name) for own in self.open_fds() - {fd}):
                return
            lowest = self.lowest_foreign_private()
            for pid in self.relatives():
                for number in os.listdir(f"/proc/{pid}/fd"):
                    if int(number) < lowest and _is_called(f"/proc/{pid}/fd/{number}", name):
                        return
        self._on_refusal(name, "it belongs to other processes")
        raise os_error(errno.EACCES, name)

    def _is_open_as(self, fd: int, own: int) -> bool:
        """Tell whether a descriptor of pyldso's own, where there is one, has the same file."""
        return own >= 0 and os.path.samestat(os.fstat(fd), os.fstat(own))

    def open_fds(self) -> set[int]:
        """Return the guest's descriptors."""
        listed = {int(name) for name in os.listdir("/proc/self/fd")}
        return {fd for fd in listed - self.private_fds if _is_open(fd)}

    def hidden_names(self, fd: int) -> Callable[[bytes], bool] | None:
        """Return what tells the names that a folder does not show, where there are such."""
        folder = name_of_open(fd)
        if not folder.startswith("/proc/"):
            return None
        own = f"/proc/{os.getpid()}/"
        last = folder.rpartition("/")[2]
        if not folder.startswith(own):
            pid = folder.split("/")[2]
            is_shown = last not in ("fd", "fdinfo") or not pid.isdigit()
            if is_shown or int(pid) not in self.relatives():
                return None
            lowest = self.lowest_foreign_private()
            return lambda name: name.isdigit() and int(name) >= lowest
        if last in ("fd", "fdinfo"):
            return lambda name: name.isdigit() and int(name) in self.private_fds
        if last == "task":  # where the emulator's own threads are, too
            return lambda name: name.isdigit() and int(name) not in self.thread_ids()
        return None

    # ---- names -------------------------------------------------------------------------------

    def place(self, dirfd: int, path: bytes, *, follow: bool = True) -> bytes:
        """Return a name by which the host's kernel finds what the guest's name stands for."""
        if follow and (own := self.own_file(path)):
            return own
        if not self.paths.root or not path:
            return path
        return self.paths.pinned_name(dirfd, path, follow=follow)

    def place_for_change(self, dirfd: int, path: bytes, use: PathUse) -> bytes:
        """Return a name as `place` does; OSError unless the policy lets the guest change the file.

        The error is Linux's own where it would refuse too, else EACCES.
        """
        if not path:  # the descriptor itself, where the call's flags say so
            self.check_change_of_open(dirfd)
            return path
        fd, name = self._pin_for_change(dirfd, path, use)
        return b"/proc/self/fd/%d/%s" % (fd, name) if name else b"/proc/self/fd/%d" % fd

    def _pin_for_change(self, dirfd: int, path: bytes, use: PathUse) -> tuple[int, bytes]:
        """Return what Paths.pin_for_change does, where the policy lets the guest change that."""
        fd, name = self.paths.pin_for_change(dirfd, path, follow=use.follow, creates=use.creates)
        if not name:
            self._check_change(name_of_open(fd), fd, use)
            return fd, name
        real = os.path.normpath(os.path.join(name_of_open(fd), os.fsdecode(name)))
        if not self.policy.allows_write(real):
            exists = _exists(name, fd)
            if use.creates and not use.replaces and exists:
                raise os_error(errno.EEXIST, real)
            if not use.creates and not exists:
                raise os_error(errno.ENOENT, real)
            self._refuse_change(real)
        return fd, name

    def check_change_of_open(self, fd: int) -> None:
        """Raise OSError unless the policy lets the guest change the open file itself."""
        name = os.getcwd() if fd == AT_FDCWD else name_of_open(fd)
        if not name.startswith(_NAMELESS):
            self._check_change(name, fd, _CHANGE)

    def _check_change(self, real: str, fd: int, use: PathUse) -> None:
        if not real.startswith("/"):  # a pipe or the like
            self._check_nameless(fd, real)
            return
        if self.policy.allows_write(real):
            return
        if use.keeps_file and is_writable_device(real) and S_ISCHR(os.fstat(fd).st_mode):
            return
        if use.keeps_file and self._is_name_of_thread(real):
            return
        if real.startswith(TERMINALS) and self._holds_master_of(real):
            return
        if real.startswith("/memfd:") and os.fstat(fd).st_nlink == 0:
            self._check_nameless(fd, real)
            return
        if use.creates and not use.replaces:
            raise os_error(errno.EEXIST, real)
        self._refuse_change(real)

    def _refuse_change(self, real: str) -> None:
        self._on_refusal(self.paths.guest_name(real), "writing there is not allowed")
        raise os_error(errno.EACCES, real)

    def readlink(self, dirfd: int, path: bytes) -> bytes:
        """Return where a symbolic link points, as the guest sees it; raises OSError."""
        if own := self.own_file(path):
            is_other = path[6:-4].isdigit() and int(path[6:-4]) != os.getpid()
            return own if is_other else os.fsencode(self.program_path)
        if not path:  # of a descriptor that stands for a link
            return os.readlink(b"", dir_fd=dirfd)
        target = os.readlink(self.place(dirfd, path, follow=False), dir_fd=dirfd)
        if self.paths.root and self.paths.absolute(dirfd, path).startswith(b"/proc/"):
            return os.fsencode(self.paths.guest_name(os.fsdecode(target)))
        return target

    def getcwd(self) -> str:
        """Return the current folder, as the guest sees it; raises OSError."""
        return self.paths.guest_name(os.getcwd())

    def status(self, path: str) -> os.stat_result:
        """Return what stat(2) tells of a file by the guest's name; raises OSError."""
        try:
            return os.stat(self.place(AT_FDCWD, os.fsencode(path)))
        finally:
            self.paths.release()

    def is_file(self, path: str, mode: int = os.F_OK) -> bool:
        """Tell whether a name is that of a file, no folder, that may be accessed so."""
        try:
            place = self.place(AT_FDCWD, os.fsencode(path))
            return os.access(place, mode) and not os.path.isdir(place)
        except OSError:
            return False
        finally:
            self.paths.release()

    # ---- opening -----------------------------------------------------------------------------

    def open_here(self, path: bytes, flags: int, mode: int) -> int:
        """Open a file as the guest might, from the current folder on."""
        return self.open(AT_FDCWD, path, flags, mode)

    def open(self, dirfd: int, path: bytes, flags: int, mode: int, resolve: int = 0) -> int:
        """Open as openat(2) does, or openat2(2), within the policy."""
        flags &= VALID_FLAGS
        try:
            if resolve:
                fd = self._open_resolved(dirfd, path, flags, mode, resolve)
            elif flags & _OPENS_FOR_WRITING and not flags & os.O_PATH:
                fd = self._open_for_change(dirfd, path, flags, mode)
            else:
                fd = self._open_for_reading(dirfd, path, flags)
            if self.paths.has_pins:
                self.paths.release()
                fd = _lowest(fd)
        finally:
            self.paths.release()
        try:
            fd = self._guard_proc(fd)
        except OSError:
            os.close(fd)
            raise
        if not flags & os.O_CLOEXEC:  # which was added
            os.set_inheritable(fd, True)
        return fd

    def _open_for_reading(self, dirfd: int, path: bytes, flags: int) -> int:
        if own := self.own_file(path):
            return os.open(own, flags)
        try:
            return self.paths.open(dirfd, path, flags)
        except OSError as refusal:
            if refusal.errno != errno.ELOOP or flags & os.O_NOFOLLOW or self.paths.root:
                raise
        fd = self.paths.pin(dirfd, path)  # there may be a link of /proc/self/fd on the way
        return self._reopen(fd, flags)

    def _open_for_change(self, dirfd: int, path: bytes, flags: int, mode: int) -> int:
        if not path:
            raise os_error(errno.ENOENT)
        is_new = bool(flags & os.O_CREAT and flags & os.O_EXCL)
        use = PathUse(
            follow=not (is_new or flags & os.O_NOFOLLOW),
            creates=bool(flags & os.O_CREAT),
            replaces=not is_new,
            keeps_file=True,
        )
        fd, name = self._pin_for_change(dirfd, path, use)
        if name:
            if use.creates and path.endswith(b"/"):
                raise os_error(errno.EISDIR, path)
            return self.paths.open_last(fd, name, flags, mode)
        if flags & os.O_CREAT and S_ISDIR(os.fstat(fd).st_mode):
            raise os_error(errno.EISDIR)
        return self._reopen(fd, flags & ~(os.O_CREAT | os.O_NOFOLLOW))

    def _open_resolved(self, dirfd: int, path: bytes, flags: int, mode: int, resolve: int) -> int:
        """Walk once, within the limits of openat2(2), and open what that has led to."""
        creates = bool(flags & os.O_CREAT) and not flags & os.O_PATH
        follows = not flags & os.O_NOFOLLOW and not (creates and flags & os.O_EXCL)
        kept = flags & os.O_DIRECTORY | (0 if follows else os.O_NOFOLLOW)
        paths = self.paths
        for _ in range(MOST_LINKS):
            folder, name = split_name(path)
            if creates and path.endswith(b"/"):
                paths.pin_resolved(dirfd, folder, os.O_DIRECTORY, resolve)
                raise os_error(errno.EISDIR)
            try:
                return self._open_pinned(paths.pin_resolved(dirfd, path, kept, resolve), flags)
            except FileNotFoundError:
                if not creates or not path:
                    raise
            pinned = paths.pin_resolved(dirfd, folder, os.O_DIRECTORY, resolve)
            try:
                path = os.path.join(folder, os.readlink(name, dir_fd=pinned))
            except OSError:  # no link to what is not there yet
                real = os.path.normpath(os.path.join(name_of_open(pinned), os.fsdecode(name)))
                if not self.policy.allows_write(real):
                    self._refuse_change(real)
                return paths.open_last(pinned, name, flags, mode)
        raise os_error(errno.ELOOP, path)

    def _open_pinned(self, fd: int, flags: int) -> int:
        """Open the file that a descriptor stands for."""
        if flags & os.O_PATH:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 0)
        kind = os.fstat(fd).st_mode
        if flags & os.O_CREAT and flags & os.O_EXCL:
            raise os_error(errno.EEXIST)
        if S_ISLNK(kind):
            raise os_error(errno.ELOOP)
        if flags & os.O_CREAT and S_ISDIR(kind):
            raise os_error(errno.EISDIR)
        if flags & _OPENS_FOR_WRITING:
            self._check_change(name_of_open(fd), fd, _CHANGE._replace(keeps_file=True))
        return self._reopen(fd, flags & ~(os.O_CREAT | os.O_NOFOLLOW))

    def _reopen(self, fd: int, flags: int) -> int:
        """Open what a pinned descriptor stands for; a signal interrupts the wait."""
        name = b"/proc/self/fd/%d" % fd
        return self._call(_OPENAT, AT_FDCWD, name, flags | os.O_CLOEXEC, 0)

    def _holds_master_of(self, terminal: str) -> bool:
        """Tell whether the guest has the other side of a terminal, which it has made then."""
        for fd in self.open_fds():
            if os.path.basename(name_of_open(fd)) == "ptmx":
                try:
                    number = fcntl.ioctl(fd, _TIOCGPTN, bytes(4))
                except OSError:
                    continue
                if terminal == TERMINALS + str(int.from_bytes(number, "little")):
                    return True
        return False

    def _is_name_of_thread(self, name: str) -> bool:
        """Tell whether a file holds a thread's name; the first one's is the process's own."""
        known = _NAME_OF_THREAD.fullmatch(name)
        if known is None or int(known[1]) != os.getpid() or known[1] == known[2]:
            return False
        return int(known[2]) in self.thread_ids()

    def own_file(self, path: bytes) -> bytes | None:
        """Return the program's path where `path` is one of its names in /proc."""
        if path.startswith(b"/proc/") and path.endswith(b"/exe") and self.program_path:
            middle = path[6:-4]
            if middle in (b"self", b"thread-self", b"%d" % os.getpid()):
                if self.program_fd >= 0:
                    return b"/proc/self/fd/%d" % self.program_fd
                return os.fsencode(self.paths.host_name(self.program_path))
            if middle.isdigit() and not self.paths.root:
                return self.show_relative(int(middle), "exe")
        return None

    def _guard_proc(self, fd: int) -> int:
        """Replace a file of this process in /proc by the guest's, or refuse it.

        The opened file is asked for its name, so that links and relative paths lead nowhere else.
        """
        name = os.readlink(f"/proc/self/fd/{fd}")
        if not name.startswith("/proc/"):
            self._check_nameless(fd, name)
            return fd
        if _MEMORY_OF_PROCESSES.fullmatch(name):
            self._on_refusal(name, "the guest's memory is not at these addresses")
            raise os_error(errno.EACCES, name)
        own = f"/proc/{os.getpid()}/"
        entry, thread = name.removeprefix(own), os.getpid()
        if entry == name and (other := _FILE_OF_PROCESS.fullmatch(name)):
            content = self.show_relative(int(other[1]), other[2])
            return fd if content is None else _show(content, other[2], fd)
        if entry.startswith("task/"):
            if self._is_name_of_thread(name):
                return fd
            _, number, entry = (entry + "/").split("/", 2)
            thread, entry = int(number or thread), entry[:-1]
        if entry in _OF_THE_EMULATOR:
            self._on_refusal(name, "only /proc/self/maps is the guest's")
            raise os_error(errno.EACCES, name)
        content = self.generate(entry, thread)
        return fd if content is None else _show(content, entry, fd)


def _is_open(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def _show(content: bytes, name: str, fd: int) -> int:
    """Let a descriptor stand for a file with a content, and return it."""
    replacement = os.memfd_create(name, os.MFD_CLOEXEC)
    os.write(replacement, content)
    os.lseek(replacement, 0, os.SEEK_SET)
    os.dup2(replacement, fd, inheritable=False)
    os.close(replacement)
    return fd


def _is_called(link: str, name: str) -> bool:
    try:
        return os.readlink(link) == name
    except OSError:
        return False


def _exists(name: bytes, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _lowest(fd: int) -> int:
    """Return the lowest free descriptor, moved to from `fd` where that is higher."""
    lowest = os.dup(fd)
    if lowest > fd:
        os.close(lowest)
        return fd
    os.close(fd)
    return lowest
