"""Ctrl-C ends a guest, wherever it is."""

import signal
import subprocess

import pytest

SOURCES = {
    "in a loop": "for (;;);",
    "in a loop of system calls": "for (;;) getppid();",
    "asleep": "sleep(1000);",
    "reading": "char c; read(0, &c, 1);",
}
START = "#include <signal.h>\n#include <unistd.h>\nint main() { %s }"
READY = 'write(1, "ready", 5);'


def hear_interrupts():
    """Undo what shells do to commands in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(command):
    """Start a command and wait until it has written `ready`."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    assert process.stdout.read(5) == "ready"
    return process


def interrupt(command):
    """Send SIGINT to a command, and return its status and messages."""
    process = start(command)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    return process.returncode, messages


@pytest.mark.parametrize("place", SOURCES)
def test_ctrl_c_ends_a_guest(place, compile_c, pyldso_script):
    program = compile_c(START % (READY + SOURCES[place]))
    assert interrupt([str(pyldso_script), "run", program]) == (130, f"{program}: Interrupt\n")


def test_ctrl_c_ends_an_initialiser(compile_c, pyldso_script):
    starter = "void __attribute__((constructor)) start(void) { " + READY + " for (;;); }"
    source = START % "" + starter
    assert interrupt([str(pyldso_script), "run", compile_c(source)])[0] == 130


def test_guest_that_ignores_ctrl_c_goes_on(compile_c, pyldso_script):
    body = 'signal(SIGINT, SIG_IGN); write(1, "ready", 5); char c; read(0, &c, 1); return c;'
    process = start([str(pyldso_script), "run", compile_c(START % body)])
    process.send_signal(signal.SIGINT)
    assert process.communicate("x", timeout=60) == ("", "")
    assert process.returncode == ord("x")
