"""Each file of features/ is built, run natively and run by pyldso: output and status must agree.

A feature file holds several sources, each behind a line `//// FILE name`, after lines that say

    //// BUILD gcc -shared -fpic -o libx.so x.c
    //// RUN VAR=VALUE ./program arguments

The variables before a program are the guest's.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

FEATURES = sorted((Path(__file__).parent / "features").glob("*.c*"))


class Feature:
    """A feature file taken apart."""

    def __init__(self, path: Path) -> None:
        self.builds: list[str] = []
        self.runs: list[str] = []
        self.files: dict[str, str] = {}
        lines: list[str] = []
        for line in path.read_text().splitlines(keepends=True):
            word, _, rest = line.strip().removeprefix("//// ").partition(" ")
            if not line.startswith("//// "):
                lines.append(line)
            elif word == "BUILD":
                self.builds.append(rest)
            elif word == "RUN":
                self.runs.append(rest)
            elif word == "FILE":
                lines = []
                self.files[rest] = ""
            if self.files:
                self.files[list(self.files)[-1]] = "".join(lines)

    def build(self, folder: Path, tool: Callable[..., Completed]) -> None:
        """Write and build the files in a folder."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        for build in self.builds:
            tool(*build.split(), cwd=folder)


@pytest.mark.parametrize("path", FEATURES, ids=[path.stem for path in FEATURES])
def test_runs_as_natively(
    path: Path, tmp_path: Path, tool: Callable[..., Completed], pyldso: Callable[..., Completed]
) -> None:
    feature = Feature(path)
    assert feature.runs
    feature.build(tmp_path, tool)
    for run in feature.runs:
        words = run.split()
        variables = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            variables[name] = value
        native = subprocess.run(
            words,
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        options = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
        ours = pyldso("run", *options, *words)
        assert (ours.stdout, ours.stderr) == (native.stdout, native.stderr), run
        expected = native.returncode if native.returncode >= 0 else 128 - native.returncode
        assert ours.returncode == expected, run
