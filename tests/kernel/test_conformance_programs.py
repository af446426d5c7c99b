"""A sample of what `make conformance-run` compares: programs that every Debian machine has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conformance.programs import Row, compare, packages, rows, words_of

ROOT = Path(__file__).parents[2]

BASIC = ("coreutils", "bash", "shell", "grep", "sed", "find", "tar", "diff", "perl")
SAMPLE = [row for row in rows() if row.group in BASIC][::9]


@pytest.mark.parametrize("row", SAMPLE, ids=[row.text for row in SAMPLE])
def test_program_does_what_it_does_natively(row: Row, tmp_path: Path) -> None:
    if shutil.which(row.words[0]) is None:
        pytest.skip(f"{row.words[0]} is not installed, and is what is run")
    assert compare(row, tmp_path / "work") == ""


def test_table_is_whole() -> None:
    every = list(rows())
    assert len(every) >= 300
    assert {row.group for row in every} == packages().keys()
    assert words_of("a `b c` d") == ["a", "b c", "d"]


def test_what_differs_is_told(tmp_path: Path) -> None:
    row = Row("none", ["/bin/cat", "/proc/self/smaps_rollup"], "cat smaps_rollup")
    assert "status: by pyldso 1" in compare(row, tmp_path / "work")
