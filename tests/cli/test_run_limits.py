"""`run`'s limits end a program with a line and a status of their own, wherever it is."""

import os
import re
import time

import pytest

HEADERS = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
"""


@pytest.fixture(scope="module")
def compile_body(tmp_path_factory):
    import shutil
    import subprocess

    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("limits")

    def build(body):
        path = folder / f"p{len(os.listdir(folder))}"
        source = f"{HEADERS}int main(int argc, char **argv) {{ {body} }}"
        command = ["gcc", "-O1", "-w", "-x", "c", "-", "-o", str(path)]
        subprocess.run(command, input=source.encode(), check=True)
        return str(path)

    return build


WAYS_TO_WAIT = {
    "in a loop": "for (;;);",
    "in a loop of system calls": "for (;;) getppid();",
    "asleep": "sleep(1000);",
    "reading": "int p[2]; pipe(p); char c; read(p[0], &c, 1);",
    "in a child": "if (!fork()) for (;;); wait(0); sleep(1000);",
    "in another program": 'execlp("sleep", "sleep", "1000", (char *)0);',
    "in a constructor": "return 0; } __attribute__((constructor)) void start(void) { for (;;);",
}


@pytest.mark.parametrize("way", WAYS_TO_WAIT)
def test_timeout_ends_a_program(way, compile_body, pyldso):
    program = compile_body(WAYS_TO_WAIT[way])
    started = time.monotonic()
    ended = pyldso("run", "--timeout", "0.6", program)
    assert time.monotonic() - started < 20
    assert ended.returncode == 124
    assert re.fullmatch(r"\S+: stopped: it has run for 0.6 seconds \(--timeout\)\n", ended.stderr)


def test_timeout_does_not_touch_what_ends_before(compile_body, pyldso):
    ended = pyldso("run", "--timeout", "60", compile_body('puts("done"); return 3;'))
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "done\n", "")


TOO_MUCH = {
    "the heap": "char *volatile p; for (;;) { p = malloc(100000); *p = 1; }",
    "a mapping": "mmap(0, 1 << 30, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);",
    "a protected mapping": "char *p = mmap(0, 1 << 30, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);"
    "mprotect(p, 1 << 30, 3);",
    "a moved mapping": "char *p = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);"
    "mremap(p, 4096, 1 << 30, 1);",
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_max_memory_ends_a_program(what, compile_body, pyldso):
    program = compile_body(TOO_MUCH[what])
    ended = pyldso("run", "--max-memory", "64M", program)
    assert ended.returncode == 123
    assert ended.stderr == f"{program}: stopped: it needs more than 67108864 bytes (--max-memory)\n"


def test_memory_that_is_only_reserved_does_not_count(compile_body, pyldso):
    body = "return mmap(0, 1L << 38, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;"
    assert pyldso("run", "--max-memory", "64M", compile_body(body)).returncode == 0


def test_program_that_does_not_fit_ends_before_it_begins(compile_body, pyldso):
    ended = pyldso("run", "--max-memory", "100K", compile_body("return 0;"))
    assert ended.returncode == 123


def test_max_insns_counts_what_runs(compile_body, pyldso):
    # main's loop is two instructions a round, and the start of libc well below a million.
    body = 'long n = atol(argv[1]); for (long i = 0; i < n; i++) __asm__(""); return 7;'
    program = compile_body(body)
    assert pyldso("run", "--max-insns", "5M", program, "100000").returncode == 7
    rounds = str(3 << 20)
    ended = pyldso("run", "--max-insns", "5M", program, rounds)
    assert ended.returncode == 121
    assert ended.stderr == f"{program}: stopped: it has run 5242880 instructions (--max-insns)\n"
    assert pyldso("run", "--max-insns", "20M", program, rounds).returncode == 7


def test_max_insns_holds_for_all_processes_together(compile_body, pyldso):
    body = """for (int i = 0; i < 8; i++)
        if (!fork()) { for (long n = 0; n < 500000; n++) __asm__(""); _exit(0); }
    int status, failed = 0; while (wait(&status) > 0) failed |= WEXITSTATUS(status) == 121;
    for (;;) failed |= 0;"""
    program = compile_body(body)
    assert pyldso("run", "--timeout", "60", "--max-insns", "6M", program).returncode == 121


@pytest.mark.parametrize(
    "body",
    [
        "for (;;) write(1, argv[0], 1);",
        "for (;;) puts(argv[0]);",
        "struct iovec v[2] = {{argv[0], 1}, {argv[0], 1}}; for (;;) writev(1, v, 2);",
        "for (;;) { if (!fork()) { write(1, argv[0], 1); _exit(0); } wait(0); }",
        'for (;;) { FILE *f = fopen("out", "a"); fputs("some text", f); fclose(f); }',
    ],
)
def test_max_output_ends_a_program(body, compile_body, pyldso, tmp_path):
    program = compile_body(body)
    ended = pyldso("run", "--timeout", "60", "--max-output", "30", program)
    assert ended.returncode == 122
    assert ended.stderr == f"{program}: stopped: it writes more than 30 bytes (--max-output)\n"
    written = len(ended.stdout)
    if (tmp_path / "out").exists():
        written += (tmp_path / "out").stat().st_size
    assert written == 30


def test_max_output_lets_as_much_pass(compile_body, pyldso):
    program = compile_body('write(1, "123456", 6); return 9;')
    assert pyldso("run", "--max-output", "6", program).returncode == 9


def test_amounts_are_numbers_with_a_unit(pyldso):
    for option in (("--timeout", "x"), ("--timeout", "-1"), ("--max-memory", "1X"),
                   ("--max-insns", ""), ("--max-output", "-5")):  # fmt: skip
        ended = pyldso("run", *option, "/bin/true")
        assert ended.returncode == 2
        assert f"option '{option[0]}' takes" in ended.stderr
