"""System calls, rightly and wrongly made, give what Linux gives (kernel_surface.c)."""

import errno
import os
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("kernel_surface.c")


@pytest.mark.parametrize("topic", ["files", "pipes", "memory", "misc"])
def test_results_and_errors_are_those_of_linux(topic, compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SOURCE.read_text(), "-O1")
    for folder in ("native", "own"):
        (tmp_path / folder).mkdir()
    status, native, _ = run_native(program, topic, cwd=tmp_path / "native")
    own = pyldso("run", program, topic, cwd=tmp_path / "own")
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0
    assert len(own.stdout.splitlines()) > 40


def test_openat2_and_signals_of_descriptors(compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SOURCE.with_name("open_how.c").read_text(), "-O1")
    for folder in ("native", "own"):
        (tmp_path / folder).mkdir()
    status, native, _ = run_native(program, cwd=tmp_path / "native")
    own = pyldso("run", program, cwd=tmp_path / "own")
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0


SELDOM = SOURCE.with_name("seldom_calls.c")


# What Linux 6 prints on a processor without protection keys, as the emulated one is.
KEYS = """\
syscall(SYS_pkey_alloc, 0, 0) = -1 EINVAL
syscall(SYS_pkey_alloc, 1, 0) = -1 EINVAL
syscall(SYS_pkey_alloc, 0, 8) = -1 EINVAL
syscall(SYS_pkey_free, 5) = -1 EINVAL
syscall(SYS_pkey_mprotect, pages, 4096, PROT_NONE, -1) = 0
syscall(SYS_pkey_mprotect, pages, 4096, PROT_READ | PROT_WRITE, 0) = -1 EINVAL
syscall(SYS_pkey_mprotect, pages, 4096, PROT_READ, 7) = -1 EINVAL
write(1, pages, 1) = -1 EFAULT
"""


def test_there_are_no_protection_keys(compile_c, pyldso):
    own = pyldso("run", compile_c(SELDOM.read_text(), "-O1"), "keys")
    assert [line.rstrip() for line in own.stdout.splitlines()] == KEYS.splitlines()
    assert own.returncode == 0


@pytest.mark.parametrize("topic", ["files", "memory", "processes"])
def test_seldom_made_calls_give_what_linux_gives(topic, compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SELDOM.read_text(), "-O1")
    for folder in ("native", "own"):
        (tmp_path / folder).mkdir()
    status, native, _ = run_native(program, topic, cwd=tmp_path / "native")
    own = pyldso("run", program, topic, cwd=tmp_path / "own")
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0


REACH = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <unistd.h>
#define SHOW(call) printf("%d ", (call) == -1 ? errno : 0)
int main(int count, char **argv) {
    int outside = atoi(argv[1]), pidfd = syscall(434, outside, 0), self = syscall(434, getpid(), 0);
    struct timex timex = {.modes = ADJ_FREQUENCY};
    struct iovec vector = {0};
    SHOW(syscall(438, pidfd, 0, 0));
    SHOW(syscall(448, pidfd, 0));
    SHOW(syscall(440, pidfd, &vector, 1, MADV_COLD, 0));
    SHOW(syscall(SYS_kcmp, getpid(), outside, 0, 0, 0));
    SHOW(adjtimex(&timex));
    for (int fd = 100, more = 0; fd < 1024; fd++)
        if (syscall(438, self, fd, 0) >= 0) printf("%d is there", fd);
}
"""


def test_other_processes_and_the_clock_are_out_of_reach(compile_c, pyldso):
    own = pyldso("run", compile_c(REACH), str(os.getpid()))
    assert own.stdout.split() == [str(errno.EPERM)] * 5
