"""Processes that try many cases, each within bounds of time and memory; what breaks is told.

A worker tries its cases one after the other. One that takes too long or too much is ended by the
kernel, or ends with an exception; the case is then known by the number that the worker noted.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress

Case = Callable[[int], str]
"""(number) -> what is wrong with the outcome of this case, or nothing."""

CPU_SECONDS = 20
WALL_SECONDS = 240
MEMORY = 1 << 30
WORD = 8


def try_all(case: Case, count: int, processes: int) -> list[str]:
    """Try the cases 0 to `count` and return what was wrong, with the case's number."""
    notes = mmap.mmap(-1, processes * WORD)
    readers: dict[int, tuple[int, int]] = {}
    problems: list[str] = []
    for worker in range(processes):
        readers[worker] = start(case, worker, range(worker, count, processes), notes)
    while readers:
        for worker, (pid, pipe) in list(readers.items()):
            status = wait(pid)
            if status is None:
                continue
            with open(pipe, "rb") as output:
                told = output.read().decode("utf-8", "replace")
            problems += [line for line in told.split("\0") if line]
            del readers[worker]
            number = noted(notes, worker)
            if status:
                problems.append(f"case {number}: the process ended with status {status}")
                rest = range(number + processes, count, processes)
                if rest:
                    readers[worker] = start(case, worker, rest, notes)
        time.sleep(0.05)
    return problems


def noted(notes: mmap.mmap, worker: int) -> int:
    return int.from_bytes(notes[worker * WORD : (worker + 1) * WORD], "little")


def start(case: Case, worker: int, numbers: range, notes: mmap.mmap) -> tuple[int, int]:
    """Start a worker; return its process and the file where it tells what was wrong."""
    file = os.memfd_create("problems")
    notes[worker * WORD : (worker + 1) * WORD] = numbers[0].to_bytes(WORD, "little")
    pid = os.fork()
    if pid:
        os.lseek(file, 0, os.SEEK_SET)
        return pid, file
    status = 99
    try:
        limit_memory()
        for number in numbers:
            notes[worker * WORD : (worker + 1) * WORD] = number.to_bytes(WORD, "little")
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            signal.alarm(WALL_SECONDS)
            try:
                problem = case(number)
            except BaseException:
                problem = traceback.format_exc()
            if problem:
                os.pwrite(file, f"case {number}: {problem}\0".encode("utf-8", "replace"),
                          os.fstat(file).st_size)  # fmt: skip
        status = 0
    finally:
        os._exit(status)


def limit_memory() -> None:
    """Let the process have MEMORY beyond what it has now."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    limit = pages * mmap.PAGESIZE + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY, MEMORY))


def wait(pid: int) -> int | None:
    """Return a process's wait status, None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return status if done else None
