"""Handlers of signals run in the guest, with the frame that Linux makes for them."""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("signal_handlers.c")


@pytest.mark.parametrize("options", [(), ("--interp",)])
def test_handlers_see_and_change_what_they_do_natively(options, compile_c, run_native, pyldso):
    program = compile_c(SOURCE.read_text(), "-O1", "-w")
    _, native, _ = run_native(program)
    own = pyldso("run", *options, program)
    assert own.stdout == native.decode()
    assert "overflow 11" in own.stdout
    assert own.returncode == 134
