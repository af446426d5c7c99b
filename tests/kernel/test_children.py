"""Processes that fork, execute and wait: output and status as natively."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

Pyldso = Callable[..., Completed]

SHELL_SCRIPTS = {
    "pipe": "echo hi; ls / | wc -l; cat /etc/passwd | grep root | cut -d: -f1",
    "substitution": "x=$(date -u -d @0 +%Y); echo $x; (exit 3); echo $?; echo $(echo $(echo deep))",
    "exec": "echo before; exec echo replaced; echo never",
    "not found": "./nosuch; echo $?; true && false || echo or",
    "redirection": "echo one > out; echo two >> out; sort -r < out; wc -l < out",
    "signal": "sleep 60 & kill -9 $!; kill -15 $$; echo never",
}


def same(ours: Completed, words: list[str], cwd: Path) -> None:
    real = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert ours.stdout == real.stdout
    expected = real.returncode if real.returncode >= 0 else 128 - real.returncode
    assert ours.returncode == expected


@pytest.mark.parametrize("name", SHELL_SCRIPTS)
@pytest.mark.parametrize("options", [(), ("--interp",)])
def test_shell_runs_its_children(
    name: str, options: tuple[str, ...], tmp_path: Path, pyldso: Pyldso
) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "real").mkdir()
    words = ["/bin/sh", "-c", SHELL_SCRIPTS[name]]
    same(pyldso("run", *options, *words, cwd=tmp_path / "ours"), words, tmp_path / "real")


def test_script_runs_by_its_interpreter(tmp_path: Path, pyldso: Pyldso) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh -e\necho $0 $1\nfalse\necho never\n")
    script.chmod(0o755)
    same(pyldso("run", "./script", "one"), ["./script", "one"], tmp_path)
    same(
        pyldso("run", "/bin/sh", "-c", "./script two"), ["/bin/sh", "-c", "./script two"], tmp_path
    )


def test_compiler_runs_its_passes(tmp_path: Path, pyldso: Pyldso) -> None:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("gcc runs cc1 and as")
    (tmp_path / "add.c").write_text("int add(int a, int b) { return a + b; }\n")
    for name, run in {
        "real.o": lambda *words: subprocess.run([gcc, *words], cwd=tmp_path, check=True),
        "ours.o": lambda *words: pyldso("run", gcc, *words),
    }.items():
        assert run("-O1", "-c", "add.c", "-o", name).returncode == 0
    assert (tmp_path / "ours.o").read_bytes() == (tmp_path / "real.o").read_bytes()


def test_descriptors_close_on_exec_and_environment_goes_on(tmp_path: Path, pyldso: Pyldso) -> None:
    completed = pyldso(
        "run",
        "-E",
        "FIRST=1",
        "/bin/sh",
        "-c",
        "SECOND=2 exec /bin/sh -c 'echo $FIRST $SECOND; ls /proc/self/fd'",
    )
    first, *descriptors = completed.stdout.split("\n")
    assert first == "1 2"
    assert {"0", "1", "2"} <= set(descriptors)


def test_trace_follows_execve(tmp_path: Path, pyldso: Pyldso) -> None:
    text = pyldso("run", "--debug=libs", "/bin/sh", "-c", "exec /bin/true").stderr
    assert "transferring control: /bin/sh" in text
    assert "transferring control: /bin/true" in text


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_programs_start_with_a_standard_descriptor_closed(
    closed: str, run_native: Callable[..., tuple[int, bytes, bytes]], pyldso: Pyldso
) -> None:
    script = f"ls -d / {closed}; echo $?; cat missing {closed}; echo $?"
    status, output, error = run_native("/bin/sh", "-c", script)
    own = pyldso("run", "/bin/sh", "-c", script)
    assert (own.returncode, own.stdout, own.stderr) == (status, output.decode(), error.decode())
