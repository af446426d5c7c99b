"""Programs and scripts that are executed by a descriptor, and what execve(2) refuses first."""

from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("execveat.c")


@pytest.mark.parametrize("options", [(), ("--interp",)])
@pytest.mark.parametrize("topic", ["runs", "scripts", "refused"])
def test_execution_by_descriptor(topic, options, compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SOURCE.read_text(), "-O1")
    for name in ("native", "own"):
        (tmp_path / name).mkdir()
    status, native, _ = run_native(program, topic, cwd=tmp_path / "native")
    own = pyldso("run", *options, program, topic, cwd=tmp_path / "own")
    expected = native.decode().replace("/native", "/own").splitlines()
    assert own.stdout.splitlines() == expected
    assert own.returncode == status == 0
    assert len(expected) > 15
