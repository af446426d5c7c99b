"""Memory that processes share: no update of one is lost to another, wherever they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

Outcome = tuple[int, bytes, bytes]
SOURCE = Path(__file__).with_name("shared_atomics.c")


@pytest.mark.parametrize("memory", ["anonymous", "file", "late", "segment"])
def test_atomic_instructions_hold_between_processes(
    memory: str,
    compile_c: Callable[..., str],
    run_native: Callable[..., Outcome],
    run_guest: Callable[..., Outcome],
    tmp_path: Path,
) -> None:
    program = compile_c(SOURCE.read_text(), "-O1")
    native = run_native(program, memory, cwd=tmp_path)
    assert native[0] == 0
    assert run_guest(program, memory, cwd=tmp_path) == native


def test_atomic_instructions_hold_in_the_portable_way(
    compile_c: Callable[..., str],
    run_native: Callable[..., Outcome],
    run_portable: Callable[..., Outcome],
) -> None:
    program = compile_c(SOURCE.read_text(), "-O1")
    assert run_portable(program, "anonymous") == run_native(program, "anonymous")


EXECUTED = r"""
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **words) {
    int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (count == 1) execl(words[0], words[0], "again", (char *)0);
    pid_t child = fork();
    for (int i = 0; i < 500000; i++) __atomic_add_fetch(shared, 1, __ATOMIC_SEQ_CST);
    if (!child) _exit(0);
    waitpid(child, 0, 0);
    printf("%d\n", *shared);
    return 0;
}
"""


def test_atomic_instructions_hold_in_a_program_executed_by_one_with_shared_memory(
    compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    own = pyldso("run", compile_c(EXECUTED, "-O1"))
    assert (own.stdout, own.returncode) == ("1000000\n", 0)
