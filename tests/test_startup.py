"""A command imports what its pipeline uses and nothing else: start-up is most of its time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SLOW_TO_IMPORT = {
    "asyncio", "click", "dataclasses", "email", "hypothesis", "importlib.metadata", "inspect",
    "json", "keystone", "lief", "logging", "numpy", "pathlib", "pkg_resources", "platform",
    "random", "shutil", "socket", "subprocess", "tempfile", "unicorn", "urllib", "uuid",
}  # fmt: skip


def imported_by(folder: Path, *words: str) -> set[str]:
    """Run a pyldso command and return the modules that it imports and bare Python does not."""
    code = "from pyldso_cli.main import main; main()"
    environment = {}
    if "cli" in sys.modules:  # run from the tree
        code = code.replace("pyldso_cli", "cli")
        environment = {"PYTHONPATH": str(ROOT)}
    bare = modules_of(folder, environment, "pass")
    return modules_of(folder, environment, code, *words) - bare


def modules_of(folder: Path, environment: dict[str, str], code: str, *words: str) -> set[str]:
    completed = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert completed.returncode == 0, completed.stderr
    lines = completed.stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def own_rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("pyldso.")}


@pytest.fixture
def built(csapp: Path, pyldso) -> Path:
    pyldso("mkso", "-shared", "-o", "libvector.so", "addvec.s", "multvec.s", cwd=csapp)
    pyldso("mkso", "-c", "main2.s", cwd=csapp)
    pyldso("link", "-o", "prog2l", "main2.s", "./libvector.so", cwd=csapp)
    return csapp


def test_run_imports_neither_builders_nor_bindings(built: Path) -> None:
    modules = imported_by(built, "run", "./prog2l")
    assert modules & SLOW_TO_IMPORT == set()
    assert own_rooms(modules) & {"asm", "linker", "mkso", "link", "sources", "verify"} == set()


def test_run_imports_no_printer_that_nobody_asked_for(built: Path) -> None:
    assert "trace" not in own_rooms(imported_by(built, "run", "./prog2l"))


def test_mkso_imports_the_encoder_and_no_machine(built: Path) -> None:
    modules = imported_by(built, "mkso", "-shared", "-o", "x.so", "addvec.s")
    assert modules & SLOW_TO_IMPORT == set()
    assert "pyldso.asm.engine" in modules
    assert own_rooms(modules) & {"kernel", "ldso", "trace", "run", "verify"} == set()


def test_link_of_objects_imports_no_encoder(built: Path) -> None:
    modules = imported_by(built, "link", "-o", "x", "main2.o", "./libvector.so")
    assert modules & SLOW_TO_IMPORT == set()
    assert own_rooms(modules) & {"asm", "kernel", "ldso", "trace", "run", "verify"} == set()


def test_verify_is_what_imports_lief(built: Path) -> None:
    modules = imported_by(built, "link", "--verify", "-o", "x", "main2.o", "./libvector.so")
    assert "lief" in modules


def test_a_command_does_not_import_the_others() -> None:
    modules = imported_by(ROOT, "--version")
    assert own_rooms(modules) == set()


def test_run_takes_little_memory(built: Path, pyldso_script: Path) -> None:
    # Started by a small process: what a process used before its execve(2) counts as its own.
    tell_usage = (
        "import os, subprocess, sys; process = subprocess.Popen(sys.argv[1:]);"
        "_, status, usage = os.wait4(process.pid, 0); print(status, usage.ru_maxrss)"
    )
    command = [sys.executable, "-c", tell_usage, str(pyldso_script), "run", "./prog2l"]
    completed = subprocess.run(
        command, cwd=built, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert completed.returncode == 0, completed.stderr
    printed, told = completed.stdout.splitlines()[-2:]
    status, kilobytes = map(int, told.split())
    assert (printed, status) == ("z = [4 6]", 0)
    assert kilobytes < 60 * 1024
