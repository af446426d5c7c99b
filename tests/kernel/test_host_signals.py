"""Signals from outside, timers, and calls that wait do what they do natively (host_signals.c)."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("host_signals.c")
TOPICS = ("interrupted", "restarted", "queued", "children", "timers", "executed", "flags")


@pytest.mark.parametrize("topic", TOPICS)
def test_signals_come_as_natively(topic, compile_c, run_native, pyldso, tmp_path):
    program = compile_c(SOURCE.read_text(), "-O1")
    status, native, _ = run_native(program, topic, cwd=tmp_path)
    own = pyldso("run", program, topic)
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0
    assert own.stdout
