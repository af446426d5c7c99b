"""How tests reach the commands and the examples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "csapp"
IS_INSTALLED = find_spec("pyldso_cli") is not None
TIME_LIMIT = 120

if not IS_INSTALLED:  # the folder cli/ gets its name of pyldso_cli when it is installed
    sys.modules["pyldso_cli"] = import_module("cli")

Completed = subprocess.CompletedProcess[str]


def clean_environment(**changes: str) -> dict[str, str]:
    """Return the environment without what would change how libraries are found or watched."""
    environment = {name: value for name, value in os.environ.items() if name[:3] != "LD_"}
    return environment | {"LC_ALL": "C"} | changes


def run_command(
    *words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> Completed:
    """Run a command to its end and return what it printed; it never waits for input."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=clean_environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIME_LIMIT,
    )


@pytest.fixture
def pyldso(tmp_path: Path) -> Callable[..., Completed]:
    """Run `pyldso WORDS...` in the test's own folder, as installed or else from the tree."""

    def run(*words: str | Path, cwd: Path = tmp_path, **env: str) -> Completed:
        if IS_INSTALLED:
            completed = run_command(sys.executable, "-m", "pyldso_cli", *words, cwd=cwd, env=env)
        else:
            env["PYTHONPATH"] = str(ROOT)
            completed = run_command(sys.executable, "-m", "cli", *words, cwd=cwd, env=env)
        assert "Traceback" not in completed.stderr, completed.stderr
        return completed

    return run


@pytest.fixture
def tool() -> Callable[..., Completed]:
    """Run another program, which must be there and must succeed."""

    def run(*words: str | Path, cwd: Path | None = None, **env: str) -> Completed:
        if shutil.which(str(words[0])) is None:
            pytest.skip(f"{words[0]} is not installed, and is what this compares with")
        completed = run_command(*words, cwd=cwd, env=env)
        assert completed.returncode == 0, completed.stderr
        return completed

    return run


@pytest.fixture
def csapp(tmp_path: Path) -> Path:
    """Return a folder of the test's own with the sources of examples/csapp in it."""
    for source in EXAMPLES.iterdir():
        if source.suffix in {".c", ".h", ".s", ".sh"} or source.name == "Makefile":
            shutil.copy(source, tmp_path)
    return tmp_path
