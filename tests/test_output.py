"""Outputs are whole, absent, or the former ones, whatever ends the process that writes them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyldso import output
from pyldso.errors import PyldsoError
from pyldso.output import write_whole

ROOT = Path(__file__).parent.parent
LARGE = 64 << 20
WRITER = f"""
import sys
from pyldso.output import write_whole
print("ready", flush=True)
while True:
    write_whole("out", bytes({LARGE}), executable=True)
"""


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_ended_leaves_a_whole_file_or_none(tmp_path, number) -> None:
    for delay in (0.0, 0.01, 0.03, 0.05):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER], cwd=tmp_path, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(number)
        writer.wait()
        writer.stdout.close()
        assert entries(tmp_path) in ([], ["out"])
        if (tmp_path / "out").exists():
            assert (tmp_path / "out").stat().st_size == LARGE


@pytest.mark.parametrize("has_unnamed_files", [True, False])
def test_a_write_that_fails_keeps_the_former_file(tmp_path, monkeypatch, has_unnamed_files) -> None:
    monkeypatch.chdir(tmp_path)
    if not has_unnamed_files:
        monkeypatch.setattr(output, "write_unnamed", lambda *_: False)
    Path("out").write_bytes(b"former")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(PyldsoError, match="cannot write out: File too large"):
            write_whole("out", bytes(1 << 20), executable=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert entries(tmp_path) == ["out"]
    assert Path("out").read_bytes() == b"former"


def test_a_full_disk_keeps_the_former_file(tmp_path, monkeypatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode != 0:
        pytest.skip("only root may make a small disk, and not everywhere")
    try:
        monkeypatch.chdir(disk)
        Path("out").write_bytes(b"former")
        with pytest.raises(PyldsoError, match="cannot write out: No space left on device"):
            write_whole("out", bytes(1 << 20), executable=False)
        assert entries(disk) == ["out"]
        assert Path("out").read_bytes() == b"former"
    finally:
        os.chdir(tmp_path)
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_has_no_name_before_it_is_whole(tmp_path) -> None:
    if not output.write_unnamed(str(tmp_path), str(tmp_path / "whole"), b"content", 0o666):
        pytest.skip("the file system knows no files without names")
    assert (tmp_path / "whole").read_bytes() == b"content"


@pytest.mark.parametrize("has_unnamed_files", [True, False])
def test_permissions_are_those_that_the_umask_leaves(
    tmp_path, monkeypatch, has_unnamed_files
) -> None:
    monkeypatch.chdir(tmp_path)
    if not has_unnamed_files:
        monkeypatch.setattr(output, "write_unnamed", lambda *_: False)
    before = os.umask(0o027)
    try:
        write_whole("program", b"x", executable=True)
        write_whole("data", b"x", executable=False)
    finally:
        os.umask(before)
    modes = [Path(name).stat().st_mode & 0o777 for name in ("program", "data")]
    assert modes == [0o750, 0o640]
