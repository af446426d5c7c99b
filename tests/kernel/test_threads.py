"""Programs with threads: output and status as natively, by our dynamic linker and by theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

PROGRAMS = sorted((Path(__file__).parent / "threads").glob("*.c"))


@pytest.mark.parametrize("options", [(), ("--interp",)], ids=["own", "interp"])
@pytest.mark.parametrize("path", PROGRAMS, ids=[path.stem for path in PROGRAMS])
def test_threads_run_as_natively(
    path: Path,
    options: tuple[str, ...],
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
    tmp_path: Path,
) -> None:
    program = compile_c(path.read_text(), "-O1", "-pthread", "-ldl")
    status, output, _ = run_native(program, cwd=tmp_path)
    own = pyldso("run", *options, program, cwd=tmp_path)
    assert own.stdout == output.decode()
    assert own.returncode == status
