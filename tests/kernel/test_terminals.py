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
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

SECONDS = 60
OWN_TERMINAL = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#define SHOW(call) (errno = 0, printf("%s = %d", #call, (int)(call)), printf(" %d\n", errno))
int main(void) {
    setbuf(stdout, 0);
    int on = 1, off = 0, packets = 7, exclusive = 7, mark = 7, pair[2];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(terminal), unlockpt(terminal);
    SHOW(ioctl(terminal, TIOCPKT, &on));
    SHOW(ioctl(terminal, TIOCGPKT, &packets));
    printf("%d\n", packets);
    int slave = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    write(slave, "hello", 5);
    char data[16] = {9};
    printf("%zd", read(terminal, data, sizeof data)), printf(" %d %s\n", data[0], data + 1);
    SHOW(ioctl(terminal, TIOCPKT, &off));
    SHOW(ioctl(terminal, TIOCPKT, 8));
    SHOW(ioctl(slave, TIOCGEXCL, &exclusive));
    printf("%d\n", exclusive);
    if (!fork()) {
        setsid();
        SHOW(ioctl(slave, TIOCSCTTY, 1));
        SHOW(tcgetpgrp(slave) == getpid());
        _exit(0);
    }
    wait(0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(ioctl(pair[0], FIOASYNC, &on));
    SHOW(!!(fcntl(pair[0], F_GETFL) & O_ASYNC));
    SHOW(ioctl(pair[0], SIOCATMARK, &mark));
    struct ifreq request = {.ifr_name = "lo"};
    SHOW(ioctl(pair[0], SIOCGIFINDEX, &request));
    SHOW(request.ifr_ifindex);
    SHOW(ioctl(pair[0], SIOCGIFNAME, &request));
    puts(request.ifr_name);
    strcpy(request.ifr_name, "none");
    SHOW(ioctl(pair[0], SIOCGIFMTU, &request));
}
"""


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


def test_terminals_and_sockets_take_the_same_requests_as_natively(
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
) -> None:
    program = compile_c(OWN_TERMINAL, "-O1")
    status, native, _ = run_native(program)
    own = pyldso("run", program)
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0
