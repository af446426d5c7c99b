"""Run gcc's own execution tests as pyldso builds them: each must do what it does built by gcc.

    python -m conformance.torture CORPUS [--every N] [--report FILE]

CORPUS is a folder that conformance/fetch.sh has filled. `gcc -S` compiles each program at -O0 and
at -O2. Those that end with status 0 when gcc does the rest are then built and run in three ways:
assembled by `pyldso mkso -c` and linked by gcc; linked by `pyldso link` too; and that program run
by `pyldso run`. Standard output and status must be the same. A command of pyldso runs in a fork of
a process that has its modules, which saves starting Python 10,000 times. Prints a table in
Markdown, and what differs below it; exits with 1 where something does.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cli.main import carry_out, dispatch

LEVELS = ("-O0", "-O2")
WAYS = ("mkso -c, gcc", "mkso -c, link", "mkso -c, link, run")
_SECONDS = 20
_OPTIONS = re.compile(r'dg-(?:additional-)?options\s+"([^"]*)"\s*\}')
"""DejaGnu's options of a test, where they are for every machine."""


class Outcome(NamedTuple):
    """What a program printed, and its status (negative: the signal that ended it).

    No output stands for any: natively the program printed something else each time.
    """

    output: bytes | None
    status: int


class Verdict(NamedTuple):
    """How one program at one level did: whether it passes natively, and per way what differs."""

    name: str
    level: str
    passes: bool
    differences: tuple[str, ...]


def run_native(words: list[str], folder: Path) -> Outcome:
    """Run a command as it is."""
    try:
        done = subprocess.run(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Outcome(b"does not end", -signal.SIGALRM)
    return Outcome(done.stdout, done.returncode)


def run_pyldso(words: list[str], folder: Path) -> Outcome:
    """Carry out a command of pyldso in a fork of this process."""
    log = folder / "log"
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        out = os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        signal.alarm(_SECONDS)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        status = carry_out(dispatch, words)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, waited = os.waitpid(pid, 0)
    return Outcome(log.read_bytes(), os.waitstatus_to_exitcode(waited))


def examine(source: Path, level: str) -> Verdict | None:
    """Build and run one program in every way; None where gcc does not compile it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = " ".join(_OPTIONS.findall(source.read_text(errors="replace"))).split()
        compiled = run_native(
            ["gcc", level, "-w", *options, "-S", "-o", "x.s", str(source)], folder
        )
        if compiled.status or run_native(["gcc", "-o", "gcc", "x.s", "-lm"], folder).status:
            return None
        native = run_native(["./gcc"], folder)
        if native.status:
            return Verdict(source.name, level, False, ())
        if run_native(["./gcc"], folder) != native:
            native = Outcome(None, native.status)
        return Verdict(source.name, level, True, tuple(differences(folder, native)))


def differences(folder: Path, native: Outcome) -> Iterator[str]:
    """Yield for each way how the program differs from what gcc builds; "" where it does not."""
    assembled = run_pyldso(["mkso", "-c", "-o", "x.o", "x.s"], folder)
    if assembled.status:
        yield from (describe(assembled),) * len(WAYS)
        return
    linked = run_native(["gcc", "-o", "as", "x.o", "-lm"], folder)
    yield compare(linked if linked.status else run_native(["./as"], folder), native)
    linked = run_pyldso(["link", "-o", "ld", "x.o", "-lm"], folder)
    if linked.status:
        yield from (describe(linked),) * 2
        return
    yield compare(run_native(["./ld"], folder), native)
    yield compare(run_pyldso(["run", "./ld"], folder), native)


def compare(outcome: Outcome, native: Outcome) -> str:
    """Say how an outcome differs; "" where it does not."""
    is_same = outcome.status == native.status and native.output in (None, outcome.output)
    return "" if is_same else describe(outcome)


def describe(outcome: Outcome) -> str:
    """Return an outcome in a line."""
    lines = (outcome.output or b"").decode(errors="replace").strip().splitlines()
    return f"status {outcome.status}: {lines[0][:150] if lines else '(no output)'}"


def warm_up() -> None:
    """Build and run a program, so that forks of this process have the modules that this takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x.c").write_text("int main(void) { return 0; }\n")
        run_native(["gcc", "-S", "x.c"], folder)
        here = os.getcwd()
        os.chdir(folder)
        carry_out(dispatch, ["mkso", "-c", "-o", "x.o", "x.s"])
        carry_out(dispatch, ["link", "-o", "x", "x.o"])
        os.chdir(here)


class Count:
    """How many programs pass natively, and how many of these in each way."""

    def __init__(self) -> None:
        self.native = self.failing = self.refused = 0
        self.same = [0] * len(WAYS)


def count_all(sources: list[Path], report: list[str]) -> dict[str, Count]:
    """Examine all sources at all levels, two at a time; append what differs to the report."""
    counts = {level: Count() for level in LEVELS}
    levels = [level for level in LEVELS for _ in sources]
    with ProcessPoolExecutor(os.cpu_count(), initializer=warm_up) as pool:
        verdicts = pool.map(examine, sources * len(LEVELS), levels)
        for level, verdict in zip(levels, verdicts, strict=True):
            count = counts[level]
            if verdict is None:
                count.refused += 1
                continue
            if not verdict.passes:
                count.failing += 1
                continue
            count.native += 1
            for way, difference in enumerate(verdict.differences):
                count.same[way] += not difference
                if difference:
                    report.append(f"- `{verdict.name}` {level}, {WAYS[way]}: {difference}")
                    print(report[-1], file=sys.stderr, flush=True)
    return counts


def main() -> int:
    """Print the table and what differs; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path, help="the folder that fetch.sh has filled")
    parser.add_argument("--every", type=int, default=1, help="only every Nth program")
    parser.add_argument("--report", type=Path, help="write table and differences there too")
    arguments = parser.parse_args()
    sources = sorted(arguments.corpus.resolve().glob("torture/*.c"))[:: arguments.every]
    if not sources:
        parser.error(f"no programs in {arguments.corpus}: run conformance/fetch.sh")
    report: list[str] = []
    counts = count_all(sources, report)
    lines = [
        f"| level | programs | pass natively | {' | '.join(WAYS)} |",
        f"|---|---:|---:{'|---:' * len(WAYS)}|",
    ]
    for level, count in counts.items():
        total = count.native + count.failing + count.refused
        ways = " | ".join(map(str, count.same))
        lines.append(f"| `{level}` | {total} | {count.native} | {ways} |")
    lines += ["", *report] if report else []
    print("\n".join(lines))
    if arguments.report is not None:
        arguments.report.write_text("\n".join([*lines, ""]))
    return int(bool(report))


if __name__ == "__main__":
    sys.exit(main())
