"""A program and its library, built by gcc, and the real ld.so beside ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

LD_SO = Path("/lib64/ld-linux-x86-64.so.2")
LIBRARY = """
int addcnt = 0;
void addvec(int *x, int *y, int *z, int n) {
    addcnt++;
    for (int i = 0; i < n; i++) z[i] = x[i] + y[i];
}
"""
PROGRAM = """
#include <stdio.h>
void addvec(int *, int *, int *, int);
int x[2] = {1, 2}, y[2] = {3, 4}, z[2];
int main(void) { addvec(x, y, z, 2); printf("z = [%d %d]\\n", z[0], z[1]); return 0; }
"""

Native = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(tmp_path: Path, tool: Callable[..., Completed]) -> Path:
    """Return ./prog2l, linked lazily with ./libvector.so, in the test's own folder."""
    (tmp_path / "vector.c").write_text(LIBRARY)
    (tmp_path / "main.c").write_text(PROGRAM)
    tool("gcc", "-O1", "-shared", "-fpic", "-o", "libvector.so", "vector.c", cwd=tmp_path)
    words = ("-O1", "-Wl,-z,lazy", "-o", "prog2l", "main.c", "./libvector.so")
    tool("gcc", *words, cwd=tmp_path)
    return tmp_path / "prog2l"


@pytest.fixture
def native(tmp_path: Path) -> Native:
    """Run words as they are, with variables added to the environment."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=tmp_path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    return run
