"""Programs for C libraries that our dynamic linker is no match for start their own one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

from .conftest import Native


@pytest.mark.skipif(shutil.which("musl-gcc") is None, reason="musl-gcc builds the program")
def test_musl_program_runs_by_its_own_dynamic_linker(
    tmp_path: Path,
    tool: Callable[..., Completed],
    native: Native,
    pyldso: Callable[..., Completed],
) -> None:
    source = (
        '#include <stdio.h>\n__thread int t = 5;\nint main(void) { printf("%d\\n", t); return t; }'
    )
    (tmp_path / "main.c").write_text(source)
    tool("musl-gcc", "-o", "main", "main.c", cwd=tmp_path)
    real = native("./main")
    ours = pyldso("run", "./main")
    assert (ours.stdout, ours.returncode) == (real.stdout, real.returncode)
    assert "warning" in ours.stderr
    assert "starting the program's own dynamic linker" in ours.stderr
