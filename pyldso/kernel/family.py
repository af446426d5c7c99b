"""Which processes belong to a program: those that it and its children have started.

All of them hold a descriptor of the same nameless file, at the same number among pyldso's own: a
child inherits it, no guest can close it, and no other process has it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyldso.kernel.process import Process


def prepare_family(process: Process) -> None:
    """Mark the process before it forks for the first time."""
    if process.family_fd < 0:
        marker = os.memfd_create("pyldso", os.MFD_CLOEXEC)
        process.family_fd = process.files.family_fd = process.files.keep_private(marker)
        from pyldso.kernel.relatives import publish  # which knows this module

        publish(process)


def is_family(process: Process, pid: int) -> bool:
    """Tell whether a process is one of the guest's; one that has ended is where it is a child."""
    if pid == os.getpid():
        return True
    if process.family_fd < 0:
        return False
    try:
        status = os.stat(f"/proc/{pid}/fd/{process.family_fd}")
    except FileNotFoundError:
        fields = _stat_fields(pid)
        return fields[:2] == (b"Z", b"%d" % os.getpid())
    except OSError:
        return False
    return os.path.samestat(status, os.fstat(process.family_fd))


def is_family_group(process: Process, group: int) -> bool:
    """Tell whether a process group is one that the guest has made, and whose leader lives."""
    return group != process.outer_group and is_family(process, group)


def family_members(process: Process, group: int | None) -> list[int]:
    """Return the guest's processes, or those of them in a process group, itself included."""
    members = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        if group is not None and _stat_fields(pid)[2:] != (b"%d" % group,):
            continue
        if is_family(process, pid):
            members.append(pid)
    return members


def other_members(process: Process) -> list[int]:
    """Return the guest's processes without itself."""
    if process.family_fd < 0:
        return []
    return [pid for pid in family_members(process, None) if pid != os.getpid()]


def is_running(tid: int) -> bool:
    """Tell whether there is a thread of this id, of whatever program, that has not ended."""
    try:
        os.sched_getscheduler(tid)  # which nothing hides
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return _stat_fields(tid)[:1] not in ((b"Z",), (b"X",))


def _stat_fields(pid: int) -> tuple[bytes, ...]:
    """Return a process's state, parent and process group (proc(5)); none where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return tuple(file.read().rpartition(b") ")[2].split()[:3])
    except OSError:
        return ()
