"""Spoiled programs and libraries end in ld.so's error or a guest's fault, never in a traceback.

A sample runs here; PYLDSO_LOAD_MUTANTS=5000 (`make fuzz-load`) makes more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .mutants import build

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("PYLDSO_LOAD_MUTANTS", "60"))
FIRST = int(os.environ.get("PYLDSO_LOAD_MUTANTS_SEED", "1"))
SECONDS_EACH = 2


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc builds what is spoiled")
@pytest.mark.parametrize("part", range(2))
def test_mutants_end_in_an_error_or_a_fault(part: int, tmp_path: Path) -> None:
    build(tmp_path)
    count = COUNT // 2
    first = FIRST + part * count
    completed = subprocess.run(
        [sys.executable, "-m", "tests.ldso.mutants", tmp_path, str(first), str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60 + SECONDS_EACH * count,
    )
    assert completed.stdout == ""
    assert completed.returncode == 0, completed.stderr
    assert "statuses" in completed.stderr  # how they ended, for the curious
