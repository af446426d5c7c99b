"""How tests start processes: with a clean environment, no input and a limit of time."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

TIME_LIMIT = 120
_QUERY, _ADDR_NO_RANDOMIZE = 0xFFFFFFFF, 0x40000

Completed = subprocess.CompletedProcess[str]


def _may_fix_addresses() -> bool:
    """Tell whether personality(2) may do what `setarch -R` asks it for."""
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    former = personality(_QUERY)
    is_allowed = personality(former | _ADDR_NO_RANDOMIZE) != -1
    personality(former)
    return is_allowed


natively_without_aslr = pytest.mark.skipif(
    not _may_fix_addresses(),
    reason="a filter of system calls, as containers have, keeps `setarch -R` from fixing the native"
    " addresses that this compares with",
)


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
