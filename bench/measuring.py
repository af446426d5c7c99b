"""Commands measured in turn, and tables of what came out, with budgets that are kept or not."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

PYTHON = sys.executable
PYLDSO = str(Path(sys.executable).with_name("pyldso"))
EXAMPLES = Path(__file__).parent.parent / "examples" / "csapp"
CORPUS = Path(os.environ.get("CORPUS") or Path(sys.prefix) / "corpus").absolute()
MIB = 1 << 20

_ROUNDS = os.environ.get("ROUNDS")


class MissingSourcesError(Exception):
    """What a table measures is not on this machine; the message says how to get it."""


class Row(NamedTuple):
    """A command to measure, and the name under which the table shows it."""

    name: str
    command: list[str]

    @property
    def is_installed(self) -> bool:
        """Tell whether this machine has the program."""
        return self.command[0].startswith("./") or shutil.which(self.command[0]) is not None


class Sample(NamedTuple):
    """One run: wall time, processor time of it and its children, and peak resident memory."""

    wall: float
    cpu: float
    peak: int


class Measured(NamedTuple):
    """All runs of a row: medians and the best in seconds, the highest peak in bytes."""

    wall: float
    best: float
    cpu: float
    peak: int


class Workshop(NamedTuple):
    """Where a table works: an empty `folder`, which is the current one, and the corpus."""

    folder: Path
    corpus: Path

    def source(self, path: str) -> Path:
        """Return a file or folder of the corpus; raises MissingSourcesError where there is none."""
        found = self.corpus / path
        if not found.exists():
            raise MissingSourcesError(
                f"{found} is not there: `make corpus` fetches it from Debian, or set CORPUS"
            )
        return found


def rounds(usual: int) -> int:
    """Return how often to measure each row: ROUNDS of the environment, or what is usual."""
    return int(_ROUNDS) if _ROUNDS else usual


def measure_once(command: list[str]) -> Sample:
    """Run a command with its output thrown away; end everything where it fails.

    Linux counts the memory of the process that starts another into its peak, so no peak is below
    this script's: let it stay small.
    """
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    begin = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    elapsed = time.perf_counter() - begin
    if status:
        sys.exit(f"bench: {' '.join(command)}: exit status {os.waitstatus_to_exitcode(status)}")
    return Sample(elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def measure(rows: Iterable[Row], count: int) -> dict[str, Measured]:
    """Measure all rows that are installed in turn, so that noise falls on all of them alike.

    The first run of each is not counted: it brings files into the page cache.
    """
    rows = [row for row in rows if row.is_installed]
    samples: dict[str, list[Sample]] = {row.name: [] for row in rows}
    for number in range(count + 1):
        for row in rows:
            sample = measure_once(row.command)
            if number:
                samples[row.name].append(sample)
    return {
        name: Measured(
            statistics.median(sample.wall for sample in taken),
            min(sample.wall for sample in taken),
            statistics.median(sample.cpu for sample in taken),
            max(sample.peak for sample in taken),
        )
        for name, taken in samples.items()
    }


def verdict(value: float, allowed: float, unit: str, note: str = "") -> str:
    """Say whether a budget is kept, and which it is."""
    word = "kept" if value <= allowed else "EXCEEDED"
    return f"{word}: at most {allowed:.1f}{unit}{note and f' ({note})'}"


def print_table(heading: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print columns: the first and a last one without heading to the left, others to the right."""
    table = [heading, *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = [
            cell.ljust(width) if not number or not name else cell.rjust(width)
            for number, (cell, width, name) in enumerate(zip(line, widths, heading, strict=True))
        ]
        print("  ".join(cells).rstrip())
    sys.stdout.flush()


def compile_to_assembly(target: str, source: Path, *flags: str) -> None:
    """Compile a C file to assembly, in a process of its own."""
    subprocess.run(["gcc", "-w", "-S", "-o", target, *flags, str(source)], check=True)


def run_module(name: str, *words: str) -> None:
    """Run a module of this repository as a process of its own."""
    root = str(Path(__file__).parents[1])
    command = [PYTHON, "-m", name, *words]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": root})
