"""A guest writes to the devices that are everybody's, and cannot change them."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pyldso.arch.x86_64.syscalls import NUMBERS
from pyldso.events import EventStream
from pyldso.kernel.paths import AT_FDCWD
from pyldso.kernel.policy import Policy
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
        return process._system_call(NUMBERS[name], words + [0] * (6 - len(words)))

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


AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x100, 0x400, 0x1000


@pytest.fixture
def outside(tmp_path_factory):
    """A folder that the guest may not change, with a file, a folder, and links to them inside."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "file").write_text("kept")
    (folder / "folder").mkdir()
    return folder


def test_links_and_dots_lead_to_no_change_elsewhere(ask, tmp_path, outside):
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to(outside / "file")
    (tmp_path / "folder").symlink_to(outside / "folder")
    (tmp_path / "dangling").symlink_to(outside / "new")
    inside = os.fsencode(tmp_path)
    dots = b"/inner/../../" + os.fsencode(outside.name)
    ways = (
        inside + b"/link",
        inside + dots + b"/file",
        b"/proc/self/root" + os.fsencode(outside) + b"/file",
        os.fsencode(outside / "file"),
    )
    for way in ways:
        assert ask("openat", AT_FDCWD, way, os.O_RDWR) == -errno.EACCES
        assert ask("truncate", way, 0) == -errno.EACCES
        assert ask("chmod", way, 0o600) == -errno.EACCES
        assert ask("utimes", way, 0) == -errno.EACCES
        assert ask("setxattr", way, b"user.x", 0, 0, 0) == -errno.EACCES
        linked = (AT_FDCWD, way, AT_FDCWD, inside + b"/linked", AT_SYMLINK_FOLLOW)
        assert ask("linkat", *linked) == -errno.EACCES
    assert ask("openat", AT_FDCWD, inside + b"/dangling", os.O_CREAT | os.O_RDWR) == -errno.EACCES
    assert ask("mkdir", inside + b"/folder/new", 0o700) == -errno.EACCES
    assert ask("rmdir", inside + b"/folder/") == -errno.ENOTDIR
    assert ask("rename", inside + b"/link", os.fsencode(outside / "moved")) == -errno.EACCES
    assert ask("unlink", inside + dots + b"/file") == -errno.EACCES
    assert (outside / "file").read_text() == "kept"
    assert sorted(os.listdir(outside)) == ["file", "folder"]
    assert ask("unlink", inside + b"/link") == 0  # the link itself is its own


def test_link_itself_can_be_changed_where_its_target_cannot(ask, tmp_path, outside):
    (tmp_path / "link").symlink_to(outside / "file")
    link, owner = os.fsencode(tmp_path / "link"), (os.getuid(), os.getgid())
    assert ask("fchownat", AT_FDCWD, link, *owner, AT_SYMLINK_NOFOLLOW) == 0
    assert ask("fchownat", AT_FDCWD, link, *owner, 0) == -errno.EACCES
    assert ask("lchown", link, *owner) == 0
    assert ask("utimensat", AT_FDCWD, link, 0, AT_SYMLINK_NOFOLLOW) == 0
    assert ask("utimensat", AT_FDCWD, link, 0, 0) == -errno.EACCES


def test_descriptor_of_a_file_elsewhere_gives_no_right_to_change_it(ask, outside):
    fd = ask("openat", AT_FDCWD, os.fsencode(outside / "file"), os.O_PATH)
    own = b"/proc/self/fd/%d" % fd
    assert ask("openat", AT_FDCWD, own, os.O_RDWR) == -errno.EACCES
    assert ask("fchownat", fd, b"", os.getuid(), os.getgid(), AT_EMPTY_PATH) == -errno.EACCES
    assert ask("utimensat", fd, 0, 0, 0) == -errno.EACCES
    reading = ask("openat", AT_FDCWD, own, os.O_RDONLY)
    assert reading >= 0
    assert ask("fchmod", reading, 0o600) == -errno.EACCES
    os.close(reading)
    os.close(fd)


def test_opened_file_gets_the_lowest_descriptor(ask, tmp_path):
    lowest = os.dup(0)
    os.close(lowest)
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
    fd = ask("openat", AT_FDCWD, os.fsencode(tmp_path / "new"), flags, 0o640)
    assert fd == lowest
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    os.close(fd)
    fd = ask("openat", AT_FDCWD, os.fsencode(tmp_path / "new"), os.O_WRONLY)
    assert fd == lowest
    os.close(fd)
    assert ask("openat", AT_FDCWD, os.fsencode(tmp_path / "new"), flags) == -errno.EEXIST


def test_memory_of_processes_cannot_be_opened(ask):
    for pid in (os.getpid(), os.getppid(), 1):
        for name in (b"/proc/%d/mem" % pid, b"/proc/%d/task/%d/mem" % (pid, pid)):
            assert ask("openat", AT_FDCWD, name, os.O_RDONLY) in (-errno.EACCES, -errno.ENOENT)


def test_pipe_of_pyldso_itself_cannot_be_opened_by_its_name_in_proc(tmp_path):
    process = Process(EventStream(), Policy((str(tmp_path),)))
    reading, writing = os.pipe()
    own = process.files.open(AT_FDCWD, b"/proc/self/fd/%d" % reading, os.O_RDONLY, 0)
    private = [process.files.keep_private(fd) for fd in (reading, writing)]
    again = process.files.open(AT_FDCWD, b"/proc/self/fd/%d" % own, os.O_RDONLY, 0)
    os.close(own)
    os.close(again)
    with pytest.raises(PermissionError):
        process.files.open(AT_FDCWD, b"/proc/self/fd/%d" % private[0], os.O_RDONLY, 0)
    with pytest.raises(PermissionError):
        process.files.open(AT_FDCWD, b"/proc/self/fd/%d" % private[0], os.O_WRONLY, 0)
    for fd in private:
        process.files.close_private(fd)


NAMELESS = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
static char path[99], name[99];
static const char *named(int pid, int fd) {
    sprintf(path, "/proc/%d/fd/%d", pid, fd);
    return path;
}
static int refused(int pid, int fd) {
    int flags[] = {O_RDONLY, O_WRONLY | O_NONBLOCK, O_RDWR | O_TRUNC, O_PATH}, count = 0;
    for (int i = 0; i < 4; i++) count += open(named(pid, fd), flags[i]) < 0;
    return count + (truncate(path, 0) < 0) + (chmod(path, 0700) < 0);
}
int main(int count, char **argv) {
    int outside = atoi(argv[1]), p[2], memory = memfd_create("m", 0);
    pipe(p);
    printf("outside %d %d\\n", refused(outside, atoi(argv[2])), refused(outside, atoi(argv[3])));
    printf("own %d %d\\n", refused(getpid(), p[0]), refused(getpid(), memory));
    printf("changed %d %d\\n", fchmod(p[0], 0600), fchmod(memory, 0600));
    fflush(stdout);
    int child = fork(), seen = 0;
    if (!child) for (;;) pause();
    close(p[0]), close(p[1]), close(memory);
    printf("child's %d %d\\n", refused(child, p[0]), refused(child, memory));
    for (int fd = 100; fd < 1024; fd++)
        for (int i = 0; i < 2; i++)
            if (readlink(named(i ? child : getpid(), fd), name, 99) > 0 && name[1] == 'm') {
                seen++;
                if (refused(i ? child : getpid(), fd) != 6) puts("reached");
            }
    printf("seen %d\\n", seen);
    kill(child, SIGKILL);
    wait(0);
}
"""


def test_pipes_and_nameless_files_of_others_cannot_be_opened_by_their_names_in_proc(
    compile_c, pyldso
):
    reading, writing = os.pipe()
    memory = os.memfd_create("outside")
    own = pyldso("run", compile_c(NAMELESS), str(os.getpid()), str(reading), str(memory))
    os.close(reading), os.close(writing), os.close(memory)
    lines = own.stdout.splitlines()
    # A pipe cannot be truncated.
    assert lines == ["outside 6 6", "own 1 0", "changed 0 0", "child's 1 0", "seen 4"]


@pytest.mark.parametrize("options", [(), ("--root", ".", "--allow-write", "/")])
def test_openat2_walks_within_its_limits_as_natively(
    options, compile_c, run_native, pyldso, tmp_path
):
    source = Path(__file__).with_name("open_resolved.c").read_text()
    program = compile_c(source, "-O1", "-static")
    for name in ("native", "own"):
        (tmp_path / name).mkdir()
        shutil.copy(program, tmp_path / name / "program")
    status, native, _ = run_native("./program", cwd=tmp_path / "native")
    own = pyldso("run", *options, "/program" if options else "./program", cwd=tmp_path / "own")
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0
    assert own.stdout.endswith("wrong 0\n")


TERMINAL = """
import os, pty, sys
def attempt(change, *arguments):
    try:
        print(change.__name__, change(*arguments))
    except OSError as refusal:
        print(change.__name__, refusal.strerror)
master, slave = pty.openpty()
own = os.ttyname(slave)
attempt(os.chown, own, os.getuid(), os.getgid())
attempt(os.chmod, own, 0o622)
attempt(os.fchmod, slave, 0o602)
print(oct(os.stat(own).st_mode))
if len(sys.argv) > 1:
    attempt(os.chmod, sys.argv[1], 0o666)
    os.close(master)
    attempt(os.fchmod, slave, 0o666)
"""


def test_terminal_that_the_guest_has_made_is_its_own_and_no_other(tmp_path, pyldso, tool):
    script = tmp_path / "script.py"
    script.write_text(TERMINAL)
    python = "/usr/bin/python3"
    native = tool(python, script, cwd=tmp_path)
    assert pyldso("run", python, script).stdout == native.stdout
    master, slave = os.openpty()
    try:
        mode = os.stat(slave).st_mode
        shown = pyldso("run", python, script, os.ttyname(slave)).stdout.splitlines()
        assert shown[-2:] == ["chmod Permission denied", "fchmod Permission denied"]
        assert os.stat(slave).st_mode == mode
    finally:
        os.close(master)
        os.close(slave)
