"""How tests start processes: with a clean environment, no input and a limit of time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TIME_LIMIT = 120

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
