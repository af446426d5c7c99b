"""`run` beside qemu-user and the machine itself: programs of Debian, loops in C, shared memory.

The ratio to qemu-user is one of processor time, which other work on the machine changes least.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bench.measuring import (
    MIB,
    PYLDSO,
    Row,
    Workshop,
    measure,
    print_table,
    rounds,
    verdict,
)

PROGRAMS = Path(__file__).parent / "programs"
CALLS = 200000
"""How many system calls programs/calls.c makes."""
MICROSECONDS_A_CALL = 6
_SQL = """
create table t(a, b);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 100000)
  insert into t select x, (x * 7919) % 10007 from c;
create index i on t(b);
select sum(t.a * u.a % 7) from t join t u using (b) where t.a < 5000;
"""
_LOOP = "s = 0\nfor i in range(2000000): s += i * i % 7\nprint(s)"
_PYTHON = "/usr/bin/python3"


class Work(NamedTuple):
    """A command, and how many times the time of qemu-user it may take."""

    name: str
    command: list[str]
    times_qemu: float | None


def show(workshop: Workshop) -> None:
    """Print times beside qemu-user's, the cost of a system call, and what two runs share."""
    for source in PROGRAMS.glob("*.c"):
        subprocess.run(["gcc", "-O2", "-o", source.stem, str(source)], check=True)
    lines = [line for work in _works(workshop) for line in _beside_qemu(work)]
    print_table(("running: whole process", "wall", "cpu", "/qemu", "/native", "peak", ""), lines)
    print()
    _show_sharing()


def _works(workshop: Workshop) -> Iterable[Work]:
    cc1 = subprocess.run(
        ["gcc", "-print-prog-name=cc1"], check=True, capture_output=True, text=True
    ).stdout.strip()
    source = workshop.source("lua/src/lvm.c")
    subprocess.run(["gcc", "-E", "-o", "lvm.i", str(source)], check=True)
    return (
        Work("hello", ["./hello"], None),
        Work("sqlite3", ["/usr/bin/sqlite3", ":memory:", _SQL], 1.5),
        Work("python3 -c pass", [_PYTHON, "-c", "pass"], 1.5),
        Work("python3, imports", [_PYTHON, "-c", "import json, re, hashlib"], 1.5),
        Work("python3, a loop", [_PYTHON, "-c", _LOOP], 1.5),
        Work("cc1 -O1 lvm.i", [cc1, "-quiet", "-O1", "lvm.i", "-o", "lvm.s"], 1.5),
        Work("queens", ["./queens"], 2.2),
        Work("digest", ["./digest"], 2.2),
        Work("matrix", ["./matrix"], 2.2),
        Work("integers", ["./integers"], 2.2),
        Work("calls", ["./calls"], None),
    )


def _beside_qemu(work: Work) -> Iterable[tuple[str, ...]]:
    """Yield a line for each way to run a command, where the machine has it."""
    if not os.access(work.command[0], os.X_OK):
        return
    ways = (
        Row("native", work.command),
        Row("qemu-user", ["qemu-x86_64", *work.command]),
        Row("run", [PYLDSO, "run", *work.command]),
    )
    measured = measure(ways, rounds(3))
    theirs = measured.get("qemu-user")
    for name, result in measured.items():
        times_qemu = result.cpu / theirs.cpu if theirs else 0.0
        note = ""
        if name == "run" and work.name == "calls":
            each = result.cpu / CALLS * 1e6
            note = verdict(each, MICROSECONDS_A_CALL, " us", "a call, start-up included")
        elif name == "run" and work.times_qemu and theirs:
            note = verdict(times_qemu, work.times_qemu, "x qemu-user")
        yield (
            f"{work.name}: {name}",
            f"{result.wall * 1e3:.0f} ms",
            f"{result.cpu * 1e3:.0f} ms",
            f"{times_qemu:.1f}x" if theirs else "-",
            f"{result.wall / measured['native'].wall:.1f}x",
            f"{result.peak / MIB:.0f} MiB",
            note,
        )


def _show_sharing() -> None:
    """Print what two runs of one program at a time keep of its file, and whether they share it.

    Pss counts a page that two processes have by a half (proc(5), smaps).
    """
    command = [PYLDSO, "run", "/usr/bin/perl", "-e", "$| = 1; print 1; <STDIN>"]
    runs = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    ]
    for process in runs:
        if process.stdout is not None:
            process.stdout.read(1)
    lines = [
        (f"run {number}", *(f"{size} kB" for size in _resident(process.pid, "/perl")))
        for number, process in enumerate(runs, 1)
    ]
    for process in runs:
        process.communicate(b"\n")
    print_table(("two runs of perl at once: its text and data", "Rss", "Pss"), lines)


def _resident(pid: int, name: str) -> tuple[int, int]:
    """Return the Rss and Pss, in kB, of a process's mappings of files whose path ends in a name."""
    total = {"Rss:": 0, "Pss:": 0}
    is_wanted = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word, *rest = line.split()
        if not word.endswith(":"):
            is_wanted = line.endswith(name)
        elif is_wanted and word in total:
            total[word] += int(rest[0])
    return total["Rss:"], total["Pss:"]
