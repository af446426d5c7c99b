"""How a command ends: the exit status, and one line for a person instead of a traceback."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import clean_environment
from pyldso_cli import main as cli_main
from pyldso_cli.exit_status import ExitStatus

from pyldso.errors import Diagnostic, LinkError, LoadError, Location, PyldsoError

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "cli" if "cli" in sys.modules else "pyldso_cli"]


def start(*words: str | Path, **streams: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *words],
        env=clean_environment(PYTHONPATH=str(ROOT)) if "cli" in sys.modules else None,
        stdin=subprocess.DEVNULL,
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams),
    )


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (PyldsoError("no way"), 1, "pyldso: error: no way\n"),
        (LoadError("./x: error while loading shared libraries: y"), 127,
         "./x: error while loading shared libraries: y\n"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.s"), 1,
         "pyldso: error: a.s: No such file or directory\n"),
        (LinkError([Diagnostic("undefined symbol: f", notes=(">>> referenced by m.s:3",)),
                    Diagnostic("bad operand", Location("m.s", 4, 9))]), 1,
         "pyldso: error: undefined symbol: f\n>>> referenced by m.s:3\n"
         "m.s:4:9: error: bad operand\n"),
    ],
)  # fmt: skip
def test_an_error_becomes_text_and_status(capsys, error, status, text) -> None:
    assert cli_main.report(error) == status
    assert capsys.readouterr().err == text


def test_an_unexpected_exception_is_one_line(capsys, monkeypatch) -> None:
    monkeypatch.delenv("PYLDSO_TRACEBACK", raising=False)
    assert cli_main.report(KeyError("a\nb")) == ExitStatus.ERROR
    printed = capsys.readouterr().err
    assert printed.startswith("pyldso: internal error: KeyError: ")
    assert printed.count("\n") == 1
    assert "please report it" in printed


def test_its_traceback_can_be_asked_for(capsys, monkeypatch) -> None:
    monkeypatch.setenv("PYLDSO_TRACEBACK", "1")
    try:
        raise KeyError("here")
    except KeyError as error:
        cli_main.report(error)
    assert "test_its_traceback_can_be_asked_for" in capsys.readouterr().err


def open_for_a_reader(pipe: Path, process: subprocess.Popen[bytes]) -> int:
    """Open the writing end of a named pipe once `process` waits at the other end."""
    while process.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
    raise AssertionError(process.stderr)


def test_an_interrupt_is_quiet(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.s"
    os.mkfifo(pipe)
    process = start("mkso", "-shared", "-o", tmp_path / "x.so", pipe)
    write_end = open_for_a_reader(pipe, process)
    process.send_signal(signal.SIGINT)
    os.close(write_end)  # what reads on, having missed the signal by a hair, comes to an end
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr) == (130, b"", b"")
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_reader_that_has_gone_is_met_in_silence() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = start("--help", stdout=write_end)
    os.close(write_end)
    _, stderr = process.communicate(timeout=60)
    assert stderr == b""
    assert process.returncode != 0


def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        process = start("link", "--help", stdout=full.fileno())
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert stderr == b"pyldso: error: No space left on device\n"


def test_closed_standard_streams_do_no_harm(tmp_path: Path) -> None:
    script = f'exec "{sys.executable}" -m {COMMAND[-1]} link nothing.o >&- 2>&- <&-'
    environment = clean_environment(**({"PYTHONPATH": str(ROOT)} if "cli" in sys.modules else {}))
    completed = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, timeout=60)
    assert completed.returncode == 1


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_DEBUG", "LD_AUDIT"])
def test_a_variable_that_hits_python_is_warned_of(monkeypatch, capsys, name) -> None:
    from pyldso_cli.arguments import parse_arguments
    from pyldso_cli.run_command import RUN, guest_environment

    monkeypatch.setenv(name, "x.so")
    monkeypatch.setenv("LD_LIBRARY_PATH", "lib")
    environment = guest_environment(parse_arguments(RUN, ["./prog"]))
    assert name.encode() not in environment
    assert environment[b"LD_LIBRARY_PATH"] == b"lib"
    assert f"pyldso: warning: {name} in the environment acts on Python" in capsys.readouterr().err


def test_e_and_u_change_the_program_s_environment_in_order(monkeypatch) -> None:
    from pyldso_cli.arguments import parse_arguments
    from pyldso_cli.run_command import RUN, guest_environment

    monkeypatch.setenv("HOME", "/root")
    line = "-E A=1 -E B=x=y -U A -E LD_PRELOAD=./m.so -U HOME -E EMPTY= ./prog -E C=3"
    environment = guest_environment(parse_arguments(RUN, line.split()))
    assert b"A" not in environment
    assert b"HOME" not in environment
    assert b"C" not in environment
    assert environment[b"B"] == b"x=y"
    assert environment[b"LD_PRELOAD"] == b"./m.so"
    assert environment[b"EMPTY"] == b""
