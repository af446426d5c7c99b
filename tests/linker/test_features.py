"""Each file of features/ is linked by pyldso and by GNU ld: what the ABI settles must agree.

`make conformance-ld` does the same beside lld and mold, too, and prints the table.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from processes import run_command

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in Path(__file__).with_name("features").iterdir())


def conformance(*words: str | Path):
    """Run the comparison as a person does."""
    return run_command(sys.executable, "-m", "conformance.gnu_ld", *words, cwd=ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_is_as_its_file_says_and_as_gnu_ld_has_it(name: str) -> None:
    if not (shutil.which("gcc") and shutil.which("readelf")):
        pytest.skip("gcc and readelf are not installed, which features are built and read with")
    done = conformance(name, "--beside", "ld")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_name_that_is_no_feature_is_an_error() -> None:
    done = conformance("no_such_feature")
    assert (done.returncode, done.stderr) == (1, "no features\n")
