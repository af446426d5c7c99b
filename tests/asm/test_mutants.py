"""Spoiled sources end in an object or in an error: no traceback, no crash, no hang, no growth.

A sample runs here; PYLDSO_MUTANTS=20000 (`make fuzz-asm`) makes more, from PYLDSO_MUTANTS_SEED on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COUNT = int(os.environ.get("PYLDSO_MUTANTS", "500"))
FIRST = int(os.environ.get("PYLDSO_MUTANTS_SEED", "1"))
ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent / "sources"
_PER_PROCESS = 250
_COMPILATIONS = (("vectors.c", "-O2"), ("vectors.c", "-g"), ("vectors.c", "-masm=intel"),
                 ("exceptions.cpp", "-O2 -g"), ("exceptions.cpp", "-O0 -fPIC"))  # fmt: skip


def gather_sources(folder: Path) -> None:
    """Fill a folder with assembly as people write it and as gcc does."""
    for path in [*SOURCES.glob("*.s"), *(ROOT / "examples" / "csapp").glob("*.s")]:
        shutil.copy(path, folder)
    for number, (name, options) in enumerate(_COMPILATIONS if shutil.which("gcc") else ()):
        command = ["gcc", "-S", "-mavx2", "-mfma", *options.split(), "-o", folder / f"{number}.s"]
        subprocess.run([*command, SOURCES / name], check=False, capture_output=True)


def assemble_mutants(sources: Path, first: int, count: int) -> list[str]:
    """Assemble mutants in processes of their own; return what was found, each with its seed."""
    found: list[str] = []
    end = first + count
    while first < end:
        work = sources / f"work-{first}"
        work.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "tests.asm.mutants", sources, str(first), str(end - first)],
            cwd=work,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        lines = done.stdout.splitlines()
        seeds = [int(line) for line in lines if line.isdigit()]
        found += ["\n".join(line for line in lines if not line.isdigit())] * (
            len(lines) > len(seeds)
        )
        if done.returncode == 0:
            return found
        last = seeds[-1] if seeds else first
        found.append(f"seed {last} ended the process: {done.returncode} {done.stderr[-500:]}")
        first = last + 1
    return found


def test_spoiled_sources_are_assembled_or_refused(tmp_path: Path) -> None:
    gather_sources(tmp_path)
    starts = range(FIRST, FIRST + COUNT, _PER_PROCESS)
    with ThreadPoolExecutor(os.cpu_count() if COUNT > 2 * _PER_PROCESS else 2) as pool:
        parts = pool.map(
            lambda start: assemble_mutants(
                tmp_path, start, min(_PER_PROCESS, FIRST + COUNT - start)
            ),
            starts,
        )
        found = [problem for part in parts for problem in part]
    assert found == []
