"""System calls, rightly and wrongly made, give what Linux gives (kernel_surface.c)."""

from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("kernel_surface.c")


@pytest.mark.parametrize("topic", ["files", "pipes", "memory", "misc"])
def test_results_and_errors_are_those_of_linux(topic, compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SOURCE.read_text(), "-O1")
    for folder in ("native", "own"):
        (tmp_path / folder).mkdir()
    status, native, _ = run_native(program, topic, cwd=tmp_path / "native")
    own = pyldso("run", program, topic, cwd=tmp_path / "own")
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0
    assert len(own.stdout.splitlines()) > 40


def test_openat2_and_signals_of_descriptors(compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SOURCE.with_name("open_how.c").read_text(), "-O1")
    for folder in ("native", "own"):
        (tmp_path / folder).mkdir()
    status, native, _ = run_native(program, cwd=tmp_path / "native")
    own = pyldso("run", program, cwd=tmp_path / "own")
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0
