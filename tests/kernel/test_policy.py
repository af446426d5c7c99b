"""A guest writes to the devices that are everybody's, and cannot change them."""

import errno
import os

import pytest

from pyldso.arch.x86_64.syscalls import syscall_numbers
from pyldso.events import EventStream
from pyldso.kernel.files import AT_FDCWD, Policy
from pyldso.kernel.process import Process


@pytest.fixture
def ask(tmp_path):
    """Make a system call of a guest that may write in the test's folder only."""
    process = Process(EventStream(), Policy((str(tmp_path),)))
    strings = process.memory.map(0, 0x1000, 3)

    def call(name, *arguments):
        at = strings
        words = []
        for argument in arguments:
            if isinstance(argument, bytes):
                process.memory.write(at, argument + b"\0")
                words.append(at)
                at += len(argument) + 1
            else:
                words.append(argument & 2**64 - 1)
        return process._system_call(syscall_numbers()[name], words + [0] * (6 - len(words)))

    return call


def test_device_of_everybody_can_be_written_but_not_changed(ask):
    before = os.stat("/dev/null")
    fd = ask("openat", AT_FDCWD, b"/dev/null", os.O_WRONLY)
    assert fd >= 0
    assert ask("access", b"/dev/null", os.W_OK) == 0
    # With what is there already, so that a failure of this test harms nobody.
    mode, owner, group = before.st_mode & 0o7777, before.st_uid, before.st_gid
    assert ask("fchmod", fd, mode) == -errno.EACCES
    assert ask("fchown", fd, owner, group) == -errno.EACCES
    assert ask("chmod", b"/dev/null", mode) == -errno.EACCES
    assert ask("fchownat", AT_FDCWD, b"/dev/null", owner, group, 0) == -errno.EACCES
    assert ask("rename", b"/dev/null", b"/dev/null") == -errno.EACCES
    assert ask("close", fd) == 0


def test_file_elsewhere_cannot_be_changed(ask, tmp_path):
    assert ask("mkdir", os.fsencode(tmp_path / "own"), 0o700) == 0
    assert ask("openat", AT_FDCWD, b"/etc/passwd", os.O_WRONLY) == -errno.EACCES
    assert ask("truncate", b"/etc/passwd", os.path.getsize("/etc/passwd")) == -errno.EACCES
    assert ask("unlink", b"/nonexistent/file") == -errno.ENOENT
