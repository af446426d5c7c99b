"""Random system calls with random arguments harm neither pyldso nor the files of its machine.

A sample runs here; PYLDSO_RANDOM_CALLS=200000 (`make fuzz-run`) makes more. The guest makes the
calls in processes of its own (random_syscalls.c), which may be killed while they wait.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from processes import clean_environment

CALLS = int(os.environ.get("PYLDSO_RANDOM_CALLS", "8000"))
SEED = int(os.environ.get("PYLDSO_RANDOM_SEED", "1"))
SOURCE = Path(__file__).with_name("random_syscalls.c")
FLAGS = ("-O1", "-w", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector")
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
NO_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.fixture
def place(tool):
    """Yield a folder that everybody may write, with one in which the guest may write."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as name:
        place = Path(name)
        for folder in (".", "work", "work/folder", "victim"):
            (place / folder).mkdir(exist_ok=True)
            (place / folder).chmod(0o777)
        for file in ("victim/file", "work/file"):
            (place / file).write_text("kept")
            (place / file).chmod(0o666)
        (place / "work/link").symlink_to("../victim/file")
        os.mkfifo(place / "work/fifo", 0o666)
        tool("gcc", *FLAGS, "-o", place / "work/guest", SOURCE)
        (place / "work/guest").chmod(0o555)
        yield place


def unprivileged() -> tuple[str, ...]:
    """Return what starts a command as a user who can do least."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return ()
    for prefix in (NOBODY, NO_RIGHTS):
        command = [*prefix, sys.executable, "-c", "import unicorn"]
        if subprocess.run(command, capture_output=True).returncode == 0:
            return prefix
    return ()


OPTIONS = {
    "its own folder": ("--read-only", "--allow-write", "."),
    "its own root": ("--root", ".", "--allow-write", "/"),
    "the network": ("--read-only", "--allow-write", ".", "--allow-net"),
}


@pytest.mark.parametrize("allowed", OPTIONS)
def test_random_system_calls_harm_nobody(allowed, place):
    before = [(path, path.lstat()) for path in sorted((place / "victim").rglob("*"))]
    repository = Path(__file__).parents[2]
    prefix = unprivileged()
    guest = ("./guest", str(SEED), str(CALLS))
    ended = subprocess.run(
        [*prefix, sys.executable, "-m", "cli", "run", *OPTIONS[allowed], *guest],
        cwd=place / "work",
        env=clean_environment(PYTHONPATH=str(repository), PYLDSO_TRACEBACK="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60 + CALLS / 500,
    )
    printed = ended.stdout.decode(errors="replace")
    complaints = ended.stderr.decode(errors="replace")
    assert "internal error" not in complaints, complaints[-4000:]
    assert ended.returncode == 0, printed
    counts = dict(re.findall(r"^(.*): (\d+)$", printed, re.MULTILINE))
    assert int(counts["calls"]) >= CALLS
    assert counts["failed"] == "0"
    assert "SIGSEGV" not in counts, complaints
    after = [(path, path.lstat()) for path in sorted((place / "victim").rglob("*"))]
    assert [path for path, _ in after] == [path for path, _ in before]
    for (path, old), (_, new) in zip(before, after, strict=True):
        assert (new.st_mode, new.st_uid, new.st_mtime_ns) == (
            old.st_mode,
            old.st_uid,
            old.st_mtime_ns,
        )
        assert path.read_text() == "kept"
