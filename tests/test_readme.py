"""The README's examples are run, and print what stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import run_command

README = Path(__file__).parent.parent / "README.md"
COMMAND = re.compile(r"^\$ ", re.MULTILINE)


def walkthrough() -> Iterator[tuple[str, str]]:
    """Yield every command of the README's console blocks with the output that it is to have."""
    for block in re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL):
        for entry in COMMAND.split(block)[1:]:
            command, _, output = entry.partition("\n")
            yield command, output


def without_what_differs(text: str) -> str:
    """Mask addresses and process ids, which depend on the machine's libc and on the moment."""
    text = re.sub(r"^ +\d+:\t", "PID:\t", text, flags=re.MULTILINE)
    return re.sub(r"0x[0-9a-f]{4,}", "0xADDRESS", text)


def test_the_walkthrough_prints_what_the_readme_shows(csapp: Path, pyldso_script: Path) -> None:
    path = f"{pyldso_script.parent}:/usr/bin:/bin"
    for command, expected in walkthrough():
        completed = run_command("sh", "-c", f"{{ {command}\n}} 2>&1", cwd=csapp, env={"PATH": path})
        if ": not found\n" in completed.stdout:
            pytest.skip(f"{command.split()[0]} is not installed")
        assert without_what_differs(completed.stdout) == without_what_differs(expected), command


def test_the_readme_has_a_walkthrough() -> None:
    commands = [command for command, _ in walkthrough()]
    assert "pyldso run ./prog2l" in commands
    assert len(commands) > 12
