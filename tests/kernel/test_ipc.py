"""System V IPC and POSIX message queues: as Linux has them, in a world of the program's own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import clean_environment

SOURCE = Path(__file__).with_name("ipc.c")
REPOSITORY = Path(__file__).parents[2]
OBJECTS = ("/proc/sysvipc/shm", "/proc/sysvipc/sem", "/proc/sysvipc/msg")

OUTSIDE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>
#define SHOW(call) printf("%s\n", (call) < 0 ? strerrorname_np(errno) : "there")
int main(int argc, char **argv) {
    key_t key = atoi(argv[2]);
    if (argv[1][0] == 'm') {
        printf("%d %d %d\n", shmget(key, 100, IPC_CREAT | 0666), semget(key, 1, IPC_CREAT | 0666),
               msgget(key, IPC_CREAT | 0666));
        mqd_t q = mq_open(argv[3], O_RDWR | O_CREAT, 0666, 0);
        mq_send(q, "left", 4, 1);
        fflush(stdout);
        if (argv[1][1]) pause();
    } else if (argv[1][0] == 'r') {
        shmctl(shmget(key, 0, 0), IPC_RMID, 0), semctl(semget(key, 0, 0), 0, IPC_RMID);
        msgctl(msgget(key, 0), IPC_RMID, 0), mq_unlink(argv[3]);
    } else {
        int shm = atoi(argv[4]), sem = atoi(argv[5]), msg = atoi(argv[6]);
        char m[100] = {1};
        struct shmid_ds d;
        SHOW(shmget(key, 0, 0)), SHOW(semget(key, 0, 0)), SHOW(msgget(key, 0));
        SHOW(mq_open(argv[3], O_RDWR)), SHOW(mq_unlink(argv[3]));
        SHOW((long)shmat(shm, 0, 0)), SHOW(semop(sem, (struct sembuf[]){{0, 1, 0}}, 1));
        SHOW(semctl(sem, 0, SETVAL, 1)), SHOW(msgsnd(msg, m, 1, IPC_NOWAIT));
        SHOW(msgrcv(msg, m, 1, 0, IPC_NOWAIT));
        SHOW(shmctl(shm, IPC_RMID, 0)), SHOW(semctl(sem, 0, IPC_RMID));
        SHOW(msgctl(msg, IPC_RMID, 0));
        for (int i = 0, found = 0, most = shmctl(0, SHM_INFO, (void *)&m); i <= most; i++)
            if (shmctl(i, SHM_STAT, &d) >= 0) SHOW(0);
        for (int i = 4; i < 7; i++) puts(argv[i]);
    }
}
"""


@pytest.mark.parametrize("topic", ["memory", "semaphores", "messages", "queues", "threads"])
def test_results_and_errors_are_those_of_linux(topic, compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SOURCE.read_text(), "-O1", "-pthread")
    status, native, _ = run_native(program, topic, cwd=tmp_path)
    own = pyldso("run", program, topic)
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0


def test_objects_of_other_programs_are_out_of_reach(compile_c, run_native, pyldso, tool):
    program = compile_c(OUTSIDE, "-O1")
    key, name = "1349079041", "/pyldso-test-outside"
    _, made, _ = run_native(program, "m", key, name)
    try:
        ids = made.decode().split()
        met = pyldso("run", program, "use", key, name, *ids).stdout.splitlines()
        assert met == ["ENOENT"] * 5 + ["EINVAL"] * 8 + ids
        shown = pyldso("run", "/bin/cat", *OBJECTS).stdout
        assert shown.count("\n") == 3
        _, still, _ = run_native(program, "use", key, name, *ids)
        assert still.decode().split()[:4] == ["there"] * 4
    finally:
        run_native(program, "remove", key, name)


def test_a_family_shares_its_objects_and_nothing_is_left_of_them(compile_c, pyldso, tmp_path):
    program = compile_c(OUTSIDE, "-O1")
    key, name = "1349079042", "/pyldso-test-family"
    script = (
        f"ids=$({program} m {key} {name}); echo $ids; cat {' '.join(OBJECTS)} | awk '{{print $1}}'"
    )
    script += f"; {program} use {key} {name} $ids | sort | uniq -c | grep there"
    own = pyldso("run", "/bin/sh", "-c", script)
    ids, words = own.stdout.split()[:3], own.stdout.split()[3:]
    assert words[:6] == ["key", key] * 3
    assert words[-1] == "there"
    assert own.returncode == 0, own.stderr
    wait_for(lambda: not are_there(ids))


def test_a_program_that_is_killed_leaves_nothing(compile_c, tmp_path):
    program = compile_c(OUTSIDE, "-O1")
    running = subprocess.Popen(
        [sys.executable, "-m", "cli", "run", program, "mp", "1349079043", "/pyldso-test-killed"],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=str(REPOSITORY)),
        stdout=subprocess.PIPE,
    )
    ids = running.stdout.readline().decode().split()
    wait_for(lambda: are_there(ids))
    running.send_signal(signal.SIGKILL)
    assert running.stdout.read() == b""  # nobody else holds it
    running.wait()
    wait_for(lambda: not are_there(ids))


def are_there(ids):
    """Tell whether the host has objects of these ids, one of each kind."""
    columns = zip(ids, (Path(file).read_text().splitlines()[1:] for file in OBJECTS), strict=True)
    return any(number == line.split()[1] for number, lines in columns for line in lines)


def wait_for(is_so):
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    assert is_so()
