"""The IPC objects of a program: System V's, and message queues of POSIX (sysvipc(7)).

They are the host's kernel's own, so that waiting, SEM_UNDO, and what fork, execve and the end of a
process do to them are Linux's. But a program has a world of its own: keys and names mean other
objects than outside, and no id but those that the program's processes were given is known. The
world is the family's nameless file (family.py), with a row for each object; it begins with the
first object, and a keeper removes what is left when the last process of the family has ended.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.errors import os_error
from pyldso.kernel.family import prepare_family
from pyldso.kernel.host import host_syscall

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

TOKEN, SHM, SEM, MSG, MQ = range(5)
"""Kinds of rows: the first tells the world from others, one for each kind of objects."""
KINDS = {"shm": SHM, "sem": SEM, "msg": MSG}
IPC_CREAT, IPC_EXCL, IPC_PRIVATE = 0o1000, 0o2000, 0
IPC_RMID, IPC_STAT = 0, 2
_GETS = {SHM: 29, SEM: 64, MSG: 68}
CONTROLS = {SHM: 31, SEM: 66, MSG: 71}
MQ_UNLINK = NUMBERS["mq_unlink"]
_REMOVED = -1
"""In place of the host's key: removed, but there as long as somebody is attached (shmctl(2))."""
_ROW = Struct("<4i")
_STAT_SIZE = 128


class Row(NamedTuple):
    """An object: its id, the guest's key and the host's; of a queue's name three words instead."""

    kind: int
    ipc_id: int
    key: int
    host_key: int


class World:
    """The rows of a family's file."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process of the family change the rows meanwhile."""
        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def rows(self) -> list[Row]:
        """Return all rows."""
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        return [Row(*fields) for fields in _ROW.iter_unpack(data)]

    def write(self, rows: list[Row]) -> None:
        """Replace the rows; the lock is held."""
        data = b"".join(_ROW.pack(*row) for row in rows)
        os.pwrite(self._fd, data, 0)
        os.ftruncate(self._fd, len(data))

    def find(self, kind: int, ipc_id: int) -> Row:
        """Return the row of an object; EINVAL, as for an id that nothing has."""
        for row in self.rows():
            if row.kind == kind and row.ipc_id == ipc_id:
                return row
        raise os_error(errno.EINVAL)

    def get(self, kind: int, key: int, size: int, flags: int) -> int:
        """Return the id of a key's object, or of a new one (shmget(2), semget(2), msgget(2))."""
        number = _GETS[kind]

        def ask(host_key: int, flags: int) -> int:
            words = (size, flags) if kind != MSG else (flags,)
            return host_syscall(number, host_key, *words)

        with self.locked():
            rows = [row for row in self.rows() if row.host_key != _REMOVED or _is_there(row)]
            known = [row for row in rows if row.kind == kind and row.key == key]
            if key != IPC_PRIVATE and known:
                try:
                    return ask(known[0].host_key, flags)
                except FileNotFoundError:  # it was removed from outside
                    rows.remove(known[0])
            if key != IPC_PRIVATE and not flags & IPC_CREAT:
                return ask(_unused_key(), flags & ~IPC_CREAT)  # ENOENT, or what is worse
            host_key, ipc_id = IPC_PRIVATE, -1
            while ipc_id < 0:
                if key != IPC_PRIVATE:
                    host_key = _unused_key()
                with suppress(FileExistsError):
                    ipc_id = ask(host_key, flags | (IPC_EXCL if host_key else 0))
            self.write([*rows, Row(kind, ipc_id, key, host_key)])
            return ipc_id

    def remove(self, kind: int, ipc_id: int) -> int:
        """Remove an object (IPC_RMID)."""
        with self.locked():
            row = self.find(kind, ipc_id)
            result = host_syscall(CONTROLS[kind], ipc_id, *_remove_words(kind))
            rows = [other for other in self.rows() if other != row]
            if _is_there(row):  # somebody is attached
                rows.append(Row(kind, ipc_id, IPC_PRIVATE, _REMOVED))
            self.write(rows)
        return result

    # ---- queues of POSIX ---------------------------------------------------------------------

    def queue_row(self, name: bytes) -> Row:
        """Return the row that a queue of this name has, whether it is there or not."""
        from hashlib import blake2b  # start-up: only for programs that have queues

        token = _ROW.pack(*self.rows()[0])
        digest = blake2b(name, key=token, digest_size=_ROW.size - 4).digest()
        return Row._make(_ROW.unpack(MQ.to_bytes(4, "little") + digest))

    def note_queue(self, row: Row, *, is_there: bool) -> None:
        """Let a row stand or not stand among the others."""
        with self.locked():
            others = [other for other in self.rows() if other != row]
            self.write([*others, row] if is_there else others)


def queue_name(row: Row) -> bytes:
    """Return the host's name of a queue, as the system calls take it: without a slash."""
    return b"pyldso-" + _ROW.pack(*row)[4:].hex().encode()


def world_of(process: Process) -> World:
    """Return the world of a process, which begins where it was not there yet."""
    prepare_family(process)
    world = World(process.family_fd)
    with world.locked():
        if os.fstat(process.family_fd).st_size == 0:
            from pyldso.kernel.ipc_keeper import start_keeper  # start-up: once in a world

            start_keeper(process)
            words = os.urandom(_ROW.size - 4)
            world.write([Row._make(_ROW.unpack(TOKEN.to_bytes(4, "little") + words))])
    return world


def remove_all(world: World) -> None:
    """Remove whatever is left of a world's objects."""
    for row in world.rows():
        with suppress(OSError):
            if row.kind == MQ:
                host_syscall(MQ_UNLINK, queue_name(row))
            elif row.kind != TOKEN:
                host_syscall(CONTROLS[row.kind], row.ipc_id, *_remove_words(row.kind))


def _remove_words(kind: int) -> tuple[int, ...]:
    return (0, IPC_RMID, 0) if kind == SEM else (IPC_RMID, 0)


def _is_there(row: Row) -> bool:
    """Tell whether shared memory is still there: it may outlive its removal."""
    if row.kind != SHM:
        return False
    try:
        host_syscall(CONTROLS[SHM], row.ipc_id, IPC_STAT, bytes(_STAT_SIZE))
    except OSError as error:
        return error.errno == errno.EACCES
    return True


def _unused_key() -> int:
    """Return a key that, as good as surely, nothing on the host has."""
    return int.from_bytes(os.urandom(4), "little") & 0x7FFFFFFF | 1
