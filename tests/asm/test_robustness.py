"""Garbage ends in an error: no traceback, no hang, no crash of the process."""

from __future__ import annotations

import pytest

from pyldso.asm.assembler import assemble
from pyldso.errors import AsmError


@pytest.mark.parametrize(
    "source",
    [
        # Each of these corrupts keystone's memory or never returns, if it gets to see it.
        "stos 0x8(%rip,%mm0,8)",
        ".intel_syntax noprefix\nscasq zmmword ptr [rsi]",
        ".intel_syntax noprefix\nxlat [foo]",
        "fs\n%eax",
        ".intel_syntax noprefix\nbyte 1\nsection 2",
    ],
)
def test_what_would_crash_the_encoder_never_reaches_it(source: str) -> None:
    for _ in range(20):
        with pytest.raises(AsmError):
            assemble(source, "x.s")


@pytest.mark.parametrize(
    "source",
    [
        ".align 0x40000000\n.byte 1\n.align 0x40000000",
        ".bss\n.align 0x20000000\n.skip 1\n.data\n.byte 1",
        ".fill 0x7fffffff, 8",
        ".skip 0x7fffffffffffffff",
        ".macro m\n.rept 1000\nm\n.endr\n.endm\nm",
        "a = b\nb = a\n.skip a",
        ".long " + "(" * 10000,
        ".long " + "-" * 10000 + "1",
        ".include \"x.s\"" * 3,
        ".macro m\nm\nm\n.endm\nm",
        ".macro m a\n.if \\a\nm \\a-1\nm \\a-1\n.endif\n.endm\nm 40",
        ".rept 2\n" * 40 + "nop\n" + ".endr\n" * 40,
        "\tmov %" + "r" * 20000 + ", %rax",
    ],
)  # fmt: skip
def test_what_would_take_all_memory_ends_in_an_error(source: str) -> None:
    with pytest.raises(AsmError):
        assemble(source, "x.s")
