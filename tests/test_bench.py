"""The measurements can be made: each table is a command, and its inputs are what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyldso.asm.assembler import assemble

ROOT = Path(__file__).parent.parent
SOURCE = """\
\t.section .rodata.str1.1,"aMS",@progbits,1
.LC0:\t.string "f says: f"
\t.text
\t.globl f
f:\tcall g
\tleaq .LC0(%rip), %rdi
\tjmp puts
g:\tret
\t.local counter
\t.comm counter,4,4
"""


def run_module(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", name, *words]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)


def test_a_table_shows_times_and_budgets() -> None:
    if not Path(sys.executable).with_name("pyldso").exists():
        pytest.skip("pyldso is not installed, and whole processes are what is measured")
    done = run_module("bench", "startup", ROUNDS="1")
    assert (done.returncode, done.stderr) == (0, "")
    row = next(line for line in done.stdout.splitlines() if line.startswith("pyldso mkso"))
    assert " ms " in row and " MiB " in row and "at most 11.0x" in row


def test_a_table_that_is_not_there_is_an_error() -> None:
    done = run_module("bench", "nosuch")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("bench: no table nosuch: there are startup, assembler")


def test_sources_that_are_not_there_are_told_with_the_way_to_get_them(tmp_path: Path) -> None:
    done = run_module("bench", "assembler", CORPUS=str(tmp_path))
    assert done.returncode == 0
    assert f"{tmp_path}/sqlite/build/sqlite3.c is not there: `make corpus`" in done.stdout


def test_copies_of_a_source_do_not_clash(tmp_path: Path) -> None:
    source, target = tmp_path / "one.s", tmp_path / "three.s"
    source.write_text(SOURCE)
    assert run_module("bench.copies", str(source), "3", str(target)).returncode == 0
    made = assemble(target.read_bytes(), "three.s")
    names = {symbol.name for symbol in made.symbols if symbol.section is not None and symbol.name}
    bases = ("f", "g", "counter", ".LC0")
    assert names == {base + suffix for base in bases for suffix in ("", "_1", "_2")}
    assert any(symbol.name == "puts" and not symbol.is_defined for symbol in made.symbols)


def test_objects_of_a_block_are_a_program(tmp_path: Path) -> None:
    from bench.objects import BLOCK
    from pyldso.link import link
    from pyldso.linker.options import InputFile, LinkOptions

    assert run_module("bench.objects", str(BLOCK), str(tmp_path)).returncode == 0
    objects = [InputFile(str(path)) for path in sorted(tmp_path.iterdir())]
    assert len(objects) == BLOCK
    options = LinkOptions(
        output=str(tmp_path / "out"), inputs=objects, entry="main", nostdlib=True,
        nostartfiles=True,
    )  # fmt: skip
    link(options)
    assert (tmp_path / "out").stat().st_size > BLOCK * 700
