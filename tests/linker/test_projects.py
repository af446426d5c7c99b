"""The comparison of whole projects builds, tests and counts, and names what differs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.projects import WAYS, Built, Project, Way, build, differences, relink, row

ROOT = Path(__file__).parents[2]

PROJECT = Project(
    "small",
    build="""
        $CC -c -fPIC two.c main.c
        $CC -shared -o libtwo.so two.o
        $CC -o main main.o -L. -ltwo -Wl,-rpath,"$PWD" """,
    test="for number in 1 2 3; do ./main $number; done",
    passed=r"^ok \d+",
    volatile=r" in \d+ s$",
)
TWO = "int two(int number) { return 2 * number; }"
MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int two(int);
int main(int argc, char **argv) { printf("ok %d in %ld s\n", two(atoi(argv[1])), time(NULL)); }
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Return a corpus with one small project."""
    if not (shutil.which("gcc") and shutil.which("ld")):
        pytest.skip("gcc and GNU ld are not installed")
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "two.c").write_text(TWO)
    (tmp_path / "small" / "main.c").write_text(MAIN)
    return tmp_path


def build_by(way: Way, corpus: Path) -> Built:
    return build(PROJECT, way, corpus, corpus / "projects" / way.name)


def test_a_project_does_the_same_in_every_way(corpus: Path) -> None:
    model, *others = (build_by(way, corpus) for way in WAYS)
    assert model.passed == ["ok 2", "ok 4", "ok 6"]
    assert sorted(model.files) == ["libtwo.so", "main"]
    for way, built in zip(WAYS[1:], others, strict=True):
        assert list(differences(built, model)) == []
        assert built.calls["ld"] == 2
        assert row(PROJECT, way, built, model, True).startswith(
            f"| small | {way.name} | 2 | 2 | 3 | same |"
        )


def test_what_gnu_ld_linked_is_linked_again(corpus: Path) -> None:
    model = build_by(WAYS[0], corpus)
    folder = corpus / "projects"
    program = folder / "gnu" / "tree" / "main"
    before = program.read_bytes()
    built = relink(PROJECT, folder / "relinked", folder / "gnu")
    assert list(differences(built, model)) == []
    assert built.calls == {"ld": 2}
    assert program.read_bytes() != before


def test_a_difference_is_named(corpus: Path) -> None:
    model = build_by(WAYS[0], corpus)
    broken = build_by(Way("broken", {"ld": Path("/bin/false")}), corpus)
    assert "does not build (status 1)" in next(differences(broken, model))
    poorer = model._replace(passed=model.passed[1:], files={}, calls={"as": 2, "ld": 1})
    assert len(list(differences(poorer, model))) == 3


def test_what_a_project_lacks_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conformance.projects", tmp_path, "--only", "bzip2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "skipped: bzip2: there is no bzip2" in done.stderr
    assert "run conformance/fetch.sh" in done.stderr
