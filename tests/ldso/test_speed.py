"""Hot loops of the dynamic linker call no Python for each row: counted, since times are noisy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from processes import Completed

ROWS = 20_000
PROFILED = """
import cProfile, pstats, sys
import pyldso.run as run
from pyldso.ldso import startup
relocate_all = startup.relocate_all
def counted(namespace):
    profile = cProfile.Profile()
    profile.enable()
    relocate_all(namespace)
    profile.disable()
    print(pstats.Stats(profile, stream=sys.stderr).total_calls, namespace.statistics.relative)
run.relocate_all = counted
sys.exit(run.run(run.RunOptions("./main")))
"""


def counts(folder: Path, tool: Callable[..., Completed], rows: int) -> tuple[int, int]:
    """Return the calls of Python functions that relocating takes, and the R_X86_64_RELATIVE rows.

    The library has `rows` of these and as many R_X86_64_64 of two symbols.
    """
    (folder / "lib.c").write_text(
        "int a, b; static int c;\n"
        f"int *named[{rows}] = {{&a, [1 ... {rows - 1}] = &b}};\n"
        f"int *own[{rows}] = {{[0 ... {rows - 1}] = &c}};\n"
        f"int right(void) {{ return named[{rows - 1}] == &b && own[{rows - 1}] == &c; }}\n"
    )
    (folder / "main.c").write_text("int right(void); int main(void) { return right() ? 42 : 1; }")
    tool("gcc", "-O1", "-shared", "-fpic", "-o", "lib.so", "lib.c", cwd=folder)
    tool("gcc", "-o", "main", "main.c", "./lib.so", cwd=folder)
    completed = subprocess.run(
        [sys.executable, "-c", PROFILED],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert completed.returncode == 42, completed.stderr
    calls, relative = map(int, completed.stdout.split())
    return calls, relative


def test_relocations_are_applied_in_bulk(tmp_path: Path, tool: Callable[..., Completed]) -> None:
    few_calls, few_rows = counts(tmp_path, tool, 10)
    calls, rows = counts(tmp_path, tool, ROWS)
    assert rows - few_rows == ROWS - 10
    assert calls - few_calls < ROWS // 20  # faults on the table's pages among them
