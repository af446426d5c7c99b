"""The comparison with GNU as over corpora counts what is the same and names what is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
static const double scale[2] = {1.5, 2.5};
double weigh(int n) { double sum = 0; while (n--) sum += scale[n & 1]; return sum; }
"""


def compare(corpus: Path) -> subprocess.CompletedProcess[str]:
    """Run the comparison over one corpus."""
    return subprocess.run(
        [sys.executable, "-m", "conformance.gnu_as", corpus, "--only", "torture"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_line_is_a_row_of_the_table(tmp_path: Path, gcc: str, gnu_as: str) -> None:
    (tmp_path / "torture").mkdir()
    (tmp_path / "torture" / "weigh.c").write_text(PROGRAM)
    done = compare(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| torture | `gcc -O2 -masm=intel` | 1 |" in done.stdout
    assert "objects are the same file as GNU as's" in done.stdout


def test_a_difference_is_named_and_fails(tmp_path: Path, gcc: str, gnu_as: str) -> None:
    (tmp_path / "torture").mkdir()
    (tmp_path / "torture" / "asm.c").write_text('__asm__(".arch_of_mine");')
    (tmp_path / "torture" / "weigh.c").write_text('__asm__("vpaddb %zmm1, %zmm2, %zmm3");')
    done = compare(tmp_path)
    assert done.returncode == 1
    assert "weigh.c gcc -O0`: refused: weigh.s:" in done.stdout
    assert "asm.c" not in done.stdout  # GNU as does not take it either


def test_an_empty_corpus_tells_how_to_get_one(tmp_path: Path) -> None:
    done = compare(tmp_path)
    assert done.returncode == 1
    assert "run conformance/fetch.sh" in done.stderr
