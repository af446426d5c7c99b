"""Fixtures: C programs compiled once, run natively and in the emulated kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pyldso.events import EventStream
from pyldso.kernel.process import Process

RUN_KERNEL = Path(__file__).parent / "run_kernel.py"
REPOSITORY = Path(__file__).parents[2]

Outcome = tuple[int, bytes, bytes]
"""Exit status as a shell shows it, standard output, standard error."""


def run(
    command: list[str], stdin: bytes = b"", cwd: Path | None = None, **variables: str
) -> Outcome:
    environment = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/",
        "PYTHONPATH": str(REPOSITORY),
        **variables,
    }
    done = subprocess.run(
        command, input=stdin, capture_output=True, cwd=cwd, env=environment, timeout=60
    )
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout, done.stderr


@pytest.fixture
def run_native() -> Callable[..., Outcome]:
    """Run a command under the real kernel, without address space randomisation."""

    def run_it(*command: str, stdin: bytes = b"", cwd: Path | None = None) -> Outcome:
        prefix = ["setarch", "-R"] if shutil.which("setarch") else []
        return run([*prefix, *command], stdin, cwd)

    return run_it


@pytest.fixture
def run_guest() -> Callable[..., Outcome]:
    """Run a command in the emulated kernel, its own PT_INTERP file doing the linking."""

    def run_it(*command: str, stdin: bytes = b"", cwd: Path | None = None) -> Outcome:
        return run([sys.executable, str(RUN_KERNEL), *command], stdin, cwd)

    return run_it


@pytest.fixture
def run_portable() -> Callable[..., Outcome]:
    """Run a command as `run_guest` does, without what only one build of libunicorn has."""

    def run_it(*command: str, stdin: bytes = b"", cwd: Path | None = None) -> Outcome:
        return run([sys.executable, str(RUN_KERNEL), *command], stdin, cwd, PORTABLE="1")

    return run_it


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Compile a C source text and return the program's path."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("programs")

    def compile_it(source: str, *flags: str) -> str:
        number = len(os.listdir(folder))
        path = folder / f"program{number}"
        command = [compiler, "-x", "c", "-", "-o", str(path), "-w", *flags]
        subprocess.run(command, input=source.encode(), check=True)
        return str(path)

    return compile_it


@pytest.fixture
def process() -> Process:
    return Process(EventStream())
