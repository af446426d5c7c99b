"""An interactive shell on a terminal: line editing, job control, keys that signal, window sizes."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import termios
import time
from pathlib import Path

import pytest

SECONDS = 60


class Session:
    """A program on a terminal of its own."""

    def __init__(self, words: list[str], folder: Path) -> None:
        environment = {"PATH": "/usr/bin:/bin", "PS1": "% ", "TERM": "dumb", "HOME": str(folder)}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.chdir(folder)
            os.execve(words[0], words, environment)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("<4H", rows, columns, 0, 0))

    def expect(self, pattern: str) -> None:
        """Read until what the terminal shows from here on matches."""
        seen = ""
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, seen, re.MULTILINE):
            ready, _, _ = select.select([self.terminal], [], [], deadline - time.monotonic())
            assert ready, (pattern, seen)
            try:
                seen += os.read(self.terminal, 1024).decode().replace("\r\n", "\n")
            except OSError:  # nobody is at the other end any more
                raise AssertionError((pattern, seen)) from None

    def settle(self, *, in_front: bool) -> None:
        """Wait until the shell edits a line, or a job in front has the terminal."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            is_edited = not termios.tcgetattr(self.terminal)[3] & termios.ICANON
            is_shell = os.tcgetpgrp(self.terminal) == self.pid
            if not (is_edited or is_shell) if in_front else is_edited and is_shell:
                return
            time.sleep(0.02)

    def type(self, keys: bytes, pattern: str) -> None:
        """Type a line at the prompt."""
        self.settle(in_front=False)
        os.write(self.terminal, keys)
        self.expect(pattern)

    def launch(self, keys: bytes) -> None:
        """Type a line that starts a job in front."""
        self.settle(in_front=False)
        os.write(self.terminal, keys)
        self.settle(in_front=True)

    def press(self, keys: bytes, pattern: str) -> None:
        """Type what the job in front gets."""
        os.write(self.terminal, keys)
        self.expect(pattern)

    def end(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def converse(session: Session) -> None:
    """Do what people do at a prompt; each answer is a line of its own, unlike its echo."""
    session.expect("% $")
    session.resize(20, 70)
    session.type(b"stty size\n", "^20 70$")
    session.type(b"tty >/dev/null && echo on a terminal\n", "^on a terminal$")
    session.type(b"ecxho\x1b[D\x1b[D\x7f\x05 edited\n", "^edited$")
    session.type(b"sleep 100 &\n", r"^\[1\] \d+$")
    session.type(b"jobs\n", r"^\[1\]\+  Running +sleep 100 &$")
    session.launch(b"fg\n")
    time.sleep(0.5)  # a stop that comes before the shell's SIGCONT is lost
    session.press(b"\x1a", r"^\[1\]\+  Stopped +sleep 100\n(.*\n)*% $")
    session.type(b"echo status $?\n", "^status 148$")
    session.type(b"bg\n", r"^\[1\]\+ sleep 100 &$")
    session.type(b"kill %1; sleep 0.3; jobs; echo gone\n", "Terminated +sleep 100(.*\n)*gone$")
    session.launch(b"sh -c 'echo up; exec sleep 100'\n")
    session.expect("^up$")
    session.press(b"\x03", "% $")
    session.type(b"echo status $?\n", "^status 130$")
    session.launch(b"cat\n")
    session.press(b"typed\n", "^typed\ntyped$")
    session.press(b"\x04", "% $")
    session.type(b"trap 'echo resized' WINCH; echo set\n", "^set$")
    session.resize(30, 100)
    session.type(b"stty size\n", "resized(.*\n)*30 100$")
    session.launch(b"sh -c 'echo up; sleep 100; echo never'\n")
    session.expect("^up$")
    session.press(b"\x1c", "% $")
    session.type(b"echo status $?\n", "^status 131$")
    session.type(b"stty -echo; stty -a | grep -o -e ' -echo '; stty echo\n", "^ -echo $")
    session.type(b"cat < /dev/tty & sleep 0.5; jobs\n", "^.1.. +Stopped +cat < /dev/tty")
    session.type(b"kill -KILL %1; sleep 0.3; jobs\n", "Killed")
    session.type(b"exit 7\n", "^exit$")


@pytest.mark.parametrize("command", [[], ["run"]], ids=["native", "run"])
def test_interactive_shell_on_a_terminal(
    command: list[str], tmp_path: Path, pyldso_script: Path
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed, and is what is run")
    shell = [bash, "--norc", "--noprofile", "-i"]
    session = Session([str(pyldso_script), *command, *shell] if command else shell, tmp_path)
    converse(session)
    assert session.end() == 7
