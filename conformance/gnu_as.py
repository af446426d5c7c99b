"""Compare mkso's assembler with GNU as over corpora: every byte of every object.

    python -m conformance.gnu_as CORPUS [--only NAME] [--every N] [--report FILE]

CORPUS is a folder that conformance/fetch.sh has filled. Each program is compiled by `gcc -S` or
`clang -S`; what comes out is assembled by `as` and by pyldso, and the two objects must be the same
file. One process and one Encoder serve all programs. The report is a table in Markdown, with every
difference below it. Exits with 1 where there is a difference.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pyldso.asm.assembler import assemble
from pyldso.asm.encoder import Encoder
from pyldso.elf.object_writer import write_object
from pyldso.errors import PyldsoError
from tests.asm.compare import differences


class Corpus(NamedTuple):
    """Programs, and the command lines to compile each with.

    Of each command line with a number N before it only every Nth program is taken.
    """

    name: str
    pattern: str
    commands: tuple[tuple[int, str], ...]
    options: str = ""


class Compiled(NamedTuple):
    """A program as assembly, and the object that GNU as made of it; None where either refused."""

    source: Path
    assembly: bytes
    theirs: bytes | None


class Count:
    """What became of one corpus under one command line."""

    def __init__(self) -> None:
        self.programs = self.lines = self.same = self.differ = self.refused = self.skipped = 0
        self.seconds = 0.0


_ALL_LEVELS = tuple(
    (1, command)
    for command in (
        "gcc -O0", "gcc -O1", "gcc -O2 -fPIC", "gcc -O3 -fno-pie", "gcc -Os -fcf-protection",
        "gcc -O2 -g", "gcc -O2 -masm=intel", "gcc -O3 -mavx2 -mfma",
        "clang -O0", "clang -O2 -fPIC", "clang -O2 -g", "clang -O1 -masm=intel",
    )
)  # fmt: skip

CORPORA = (
    Corpus(
        "torture",
        "torture/*.c",
        (
            (1, "gcc -O0"), (1, "gcc -O2"), (7, "gcc -O2 -g"), (7, "gcc -O1 -g -fPIC"),
            (7, "gcc -O2 -masm=intel"), (7, "gcc -O0 -masm=intel -fPIC"),
            (7, "gcc -O3 -mavx2 -mfma"), (7, "gcc -Os -fcf-protection -fPIC"),
            (7, "clang -O0"), (7, "clang -O2 -fPIC"), (7, "clang -O2 -g"),
        ),
        "-w -fno-diagnostics-color",
    ),
    Corpus("zlib", "zlib/*.c", _ALL_LEVELS, "-w -DHAVE_UNISTD_H"),
    Corpus("lua", "lua/src/*.c", _ALL_LEVELS, "-w -DLUA_USE_LINUX"),
    Corpus("bzip2", "bzip2/*.c", _ALL_LEVELS, "-w"),
    Corpus(
        "sqlite",
        "sqlite/build/sqlite3.c",
        ((1, "gcc -O0"), (1, "gcc -O2 -fPIC"), (1, "gcc -O2 -g"), (1, "clang -O2 -g")),
        "-w",
    ),
)  # fmt: skip


def compile_program(source: Path, command: str, options: str, folder: Path) -> Compiled:
    """Return a program as assembly and as GNU as's object."""
    assembly, target = folder / f"{source.stem}.s", folder / f"{source.stem}.o"
    words = [*command.split(), *options.split(), "-S", "-o", str(assembly), str(source)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        return Compiled(source, b"", None)
    text = assembly.read_bytes()
    if b"\t.addrsig" in text:
        # GNU as 2.40 does not know these directives of clang, which give no bytes.
        lines = text.splitlines(keepends=True)
        text = b"".join(line for line in lines if not line.startswith(b"\t.addrsig"))
        assembly.write_bytes(text)
    done = subprocess.run(["as", "-o", target, assembly], capture_output=True, check=False)
    theirs = target.read_bytes() if done.returncode == 0 else None
    assembly.unlink()
    target.unlink(missing_ok=True)
    return Compiled(source, text, theirs)


def compiled_programs(
    sources: list[Path], command: str, options: str, folder: Path
) -> Iterator[Compiled]:
    """Yield the programs compiled, a few ahead of who asks."""
    with ThreadPoolExecutor(2) as pool:
        waiting: list[Future[Compiled]] = []
        for source in sources:
            waiting.append(pool.submit(compile_program, source, command, options, folder))
            if len(waiting) > 4:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def reasons(compiled: Compiled, encoder: Encoder, count: Count) -> list[str]:
    """Return in words how our object differs from GNU as's; nothing where it is the same file."""
    begin = time.perf_counter()
    try:
        path = f"{compiled.source.stem}.s"
        ours = write_object(assemble(compiled.assembly, path, encoder=encoder))
    except PyldsoError as error:
        if compiled.theirs is None:
            count.skipped += 1
            return []
        count.refused += 1
        return [f"refused: {error.render().splitlines()[0]}"]
    finally:
        count.seconds += time.perf_counter() - begin
    if compiled.theirs is None:
        count.skipped += 1
        return []
    found = differences(ours, compiled.theirs)
    if found:
        count.differ += 1
    else:
        count.same += 1
    return found


def compare(
    corpus: Corpus, root: Path, every: int, encoder: Encoder, report: list[str]
) -> Iterator[tuple[str, Count]]:
    """Yield (command line, counts) of a corpus; append each difference to the report."""
    sources = sorted(root.glob(corpus.pattern))
    if not sources:
        return
    for step, command in corpus.commands:
        if not shutil.which(command.split()[0]):
            continue
        count = Count()
        with tempfile.TemporaryDirectory() as name:
            chosen = sources[:: step * every]
            for compiled in compiled_programs(chosen, command, corpus.options, Path(name)):
                if not compiled.assembly:
                    count.skipped += 1
                    continue
                count.programs += 1
                count.lines += compiled.assembly.count(b"\n")
                found = reasons(compiled, encoder, count)
                if found:
                    title = f"{corpus.name} {compiled.source.name} {command}"
                    report.append(f"- `{title}`: {found[0]}" + f" (+{len(found) - 1})")
                    print(report[-1], file=sys.stderr, flush=True)
        yield command, count


def main() -> int:
    """Print the table and the differences; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpus", type=Path, help="the folder that fetch.sh has filled")
    parser.add_argument("--only", default="", help="only this corpus")
    parser.add_argument("--every", type=int, default=1, help="only every Nth program")
    parser.add_argument("--report", type=Path, help="write table and differences there too")
    arguments = parser.parse_args()
    report: list[str] = []
    table: list[str] = []
    encoder = Encoder()

    def show(line: str) -> None:
        table.append(line)
        print(line, flush=True)

    show("| corpus | command | programs | lines | same | differ | refused | lines/s |")
    show("|---|---|---:|---:|---:|---:|---:|---:|")
    total = same = 0
    for corpus in CORPORA:
        if arguments.only not in ("", corpus.name):
            continue
        for command, count in compare(corpus, arguments.corpus, arguments.every, encoder, report):
            compared = count.same + count.differ + count.refused
            total, same = total + compared, same + count.same
            show(
                f"| {corpus.name} | `{command}` | {compared} | {count.lines} | {count.same}"
                f" | {count.differ} | {count.refused} |"
                f" {count.lines / max(count.seconds, 1e-9):.0f} |"
            )
    show(f"\n{same} of {total} objects are the same file as GNU as's.")
    for line in report:
        show(line)
    if arguments.report is not None:
        arguments.report.write_text("\n".join([*table, ""]))
    if not total:
        print(f"no programs in {arguments.corpus}: run conformance/fetch.sh", file=sys.stderr)
    return int(not total or same < total)


if __name__ == "__main__":
    sys.exit(main())
