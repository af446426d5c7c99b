"""How tests reach the commands and the examples."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from processes import Completed, run_command

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "csapp"
IS_INSTALLED = find_spec("pyldso_cli") is not None

sys.path.append(str(ROOT))  # for conformance/; last, so that an installed pyldso is what is tested

if not IS_INSTALLED:  # the folder cli/ gets its name of pyldso_cli when it is installed
    sys.modules["pyldso_cli"] = import_module("cli")


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts what it puts into the background so; the commands under test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def pyldso(tmp_path: Path) -> Callable[..., Completed]:
    """Run `pyldso WORDS...` in the test's own folder, as installed or else from the tree."""

    def run(
        *words: str | Path, cwd: Path = tmp_path, prefix: Sequence[str] = (), **env: str
    ) -> Completed:
        if IS_INSTALLED:
            command = [*prefix, sys.executable, "-m", "pyldso_cli", *words]
        else:
            command = [*prefix, sys.executable, "-m", "cli", *words]
            env["PYTHONPATH"] = str(ROOT)
        completed = run_command(*command, cwd=cwd, env=env)
        assert "Traceback" not in completed.stderr, completed.stderr
        return completed

    return run


@pytest.fixture
def pyldso_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file called pyldso that is the command: the installed one, or one for the tree."""
    installed = Path(sys.executable).with_name("pyldso")
    if IS_INSTALLED and installed.exists():
        return installed
    script = tmp_path_factory.mktemp("bin") / "pyldso"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def tool() -> Callable[..., Completed]:
    """Run another program, which must be there and must succeed."""

    def run(*words: str | Path, cwd: Path | None = None, **env: str) -> Completed:
        linkers = [f"ld.{word[9:]}" for word in map(str, words) if word.startswith("-fuse-ld=")]
        for name in (str(words[0]), *linkers):
            if "/" not in name and shutil.which(name) is None:
                pytest.skip(f"{name} is not installed, and is what this compares with")
        completed = run_command(*words, cwd=cwd, env=env)
        assert completed.returncode == 0, completed.stderr
        return completed

    return run


@pytest.fixture
def csapp(tmp_path: Path) -> Path:
    """Return a folder of the test's own with the sources of examples/csapp in it."""
    for source in EXAMPLES.iterdir():
        if source.suffix in {".c", ".h", ".s", ".sh"} or source.name == "Makefile":
            shutil.copy(source, tmp_path)
    return tmp_path


@pytest.fixture
def without_privilege() -> tuple[str, ...]:
    """Return what to put before a command so that a file's permissions hold for root, too."""
    if os.geteuid() != 0:
        return ()
    rights = "-dac_override,-dac_read_search"
    prefix = ("setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}")
    if shutil.which(prefix[0]) is None or run_command(*prefix, "true").returncode != 0:
        pytest.skip("the tests run as root, who may read everything and cannot give that up here")
    return prefix
