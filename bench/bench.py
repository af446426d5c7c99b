"""Measure whole processes side by side: pyldso, gcc, as, ld, qemu-user and the native program.

`make bench` prints, for each command, the median wall time, its ratio to `python -c pass` in the
same run, and the peak resident memory. The machine's noise is in every figure alike, so read the
ratios. Tools that are not installed are left out. Linux counts the memory of the process that
starts another into its peak, so no peak is below that of this script.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

EXAMPLES = Path(__file__).parent.parent / "examples" / "csapp"
PYTHON = sys.executable
PYLDSO = str(Path(sys.executable).with_name("pyldso"))
ROUNDS = int(os.environ.get("ROUNDS", "21"))


class Row(NamedTuple):
    """One command to measure; `budget_ms` is what it may take where bare Python takes 10 ms."""

    name: str
    command: list[str]
    budget_ms: int | None = None


class Measured(NamedTuple):
    """The outcome of all rounds of one row."""

    median_ms: float
    best_ms: float
    peak_mib: float


def rows() -> list[Row]:
    """Return what can be measured on this machine, in the order of the table."""
    table = [
        Row("python -c pass", [PYTHON, "-c", "pass"]),
        Row("python -c 'import click'", [PYTHON, "-c", "import click"]),
        Row("pyldso --version", [PYLDSO, "--version"]),
        Row("pyldso mkso, two .s", [PYLDSO, "mkso", "-shared", "-fpic", "-o", "libvector.so",
                                    "addvec.s", "multvec.s"], 110),
        Row("gcc -shared, two .s", ["gcc", "-shared", "-fpic", "-o", "gcc.so",
                                    "addvec.s", "multvec.s"]),
        Row("as, one .s", ["as", "-o", "addvec.o", "addvec.s"]),
        Row("pyldso link, main2.s", [PYLDSO, "link", "-o", "prog2l", "main2.s",
                                     "./libvector.so"], 110),
        Row("pyldso link, main2.o", [PYLDSO, "link", "-o", "prog2l", "main2.o",
                                     "./libvector.so"]),
        Row("gcc, main2.s", ["gcc", "-o", "prog2l.gcc", "main2.s", "./libvector.so"]),
        Row("ld, two .o", ["ld", "-shared", "-o", "ld.so", "addvec.o", "multvec.o"]),
        Row("ld.lld, two .o", ["ld.lld", "-shared", "-o", "lld.so", "addvec.o", "multvec.o"]),
        Row("mold, two .o", ["mold", "-shared", "-o", "mold.so", "addvec.o", "multvec.o"]),
        Row("pyldso run ./prog2l", [PYLDSO, "run", "./prog2l"], 80),
        Row("pyldso run --interp ./prog2l", [PYLDSO, "run", "--interp", "./prog2l"]),
        Row("qemu-x86_64 ./prog2l", ["qemu-x86_64", "./prog2l"]),
        Row("./prog2l", ["./prog2l"]),
    ]  # fmt: skip
    return [row for row in table if row.command[0].startswith("./") or shutil.which(row.command[0])]


def measure_once(command: list[str]) -> tuple[float, float]:
    """Run `command` with its output thrown away; return milliseconds and peak MiB of it alone."""
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
    return elapsed * 1e3, usage.ru_maxrss / 1024


def measure(table: list[Row]) -> dict[str, Measured]:
    """Measure all rows in turn, round after round, so that noise falls on all of them alike."""
    samples: dict[str, list[tuple[float, float]]] = {row.name: [] for row in table}
    for row in table:
        measure_once(row.command)  # the first brings files into the page cache
    for _ in range(ROUNDS):
        for row in table:
            samples[row.name].append(measure_once(row.command))
    return {
        name: Measured(
            statistics.median(ms for ms, _ in taken),
            min(ms for ms, _ in taken),
            max(mib for _, mib in taken),
        )
        for name, taken in samples.items()
    }


def prepare(folder: Path) -> None:
    """Put the example's sources and the objects that the linkers take into `folder`."""
    for name in ("addvec.s", "multvec.s", "main2.s"):
        shutil.copy(EXAMPLES / name, folder)
    for name in ("addvec", "multvec", "main2"):
        measure_once([PYLDSO, "mkso", "-c", "-o", f"{name}.o", f"{name}.s"])


def show(table: list[Row], measured: dict[str, Measured]) -> None:
    """Print the table; budgets are ratios, as they hold where bare Python takes 10 ms."""
    bare = measured["python -c pass"].median_ms
    print(f"{'whole process':<30}{'median':>9}{'best':>9}{'/python':>9}{'peak':>9}  budget")
    for row in table:
        result = measured[row.name]
        line = (
            f"{row.name:<30}{result.median_ms:>6.1f} ms{result.best_ms:>6.1f} ms"
            f"{result.median_ms / bare:>8.1f}x{result.peak_mib:>5.0f} MiB"
        )
        if row.budget_ms is not None:
            allowed = row.budget_ms / 10
            verdict = "kept" if result.median_ms <= allowed * bare else "EXCEEDED"
            line += f"  {verdict}: {allowed:.1f}x ({row.budget_ms} ms where python takes 10)"
        print(line)


def main() -> None:
    """Measure everything in a temporary folder and print the table."""
    table = rows()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        prepare(Path(name))
        show(table, measure(table))
        os.chdir("/")


if __name__ == "__main__":
    main()
