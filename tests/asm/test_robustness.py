"""Garbage ends in an error: no traceback, no hang, no crash of the process."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pyldso.asm.assembler import assemble
from pyldso.asm.encoder import Encoder
from pyldso.elf.object_writer import write_object
from pyldso.errors import AsmError, PyldsoError

SOURCES = sorted((Path(__file__).parent / "sources").glob("*.s"))
TOKENS = [
    "0x7fffffffffffffffffffffff",
    "-1",
    "%rax",
    "(",
    ")",
    '"',
    ".rept 99999",
    ".endr",
    "\\",
    "\n",
    ";",
    "#",
    "/*",
    "@",
    "$",
    "1b",
    ".",
    ".if 1",
    ".endif",
    ".macro m",
    ".endm",
    "99999999999",
    "{",
    "*",
    "\x00",
    "ÿ",
    ".org 0xffffffff",
    ".fill 0x7fffffff,8",
    ".uleb128 .",
    "=",
    "%st(1)",
    ".align 0x40000000",
    ".cfi_startproc",
    ".loc 1 1",
    ".intel_syntax noprefix",
    "[rax",
]


def mutant(random_source: random.Random) -> str:
    lines = random_source.choice(SOURCES).read_text().split("\n")
    start = random_source.randrange(len(lines))
    lines = lines[start : start + random_source.randrange(1, 60)]
    for _ in range(random_source.randrange(1, 8)):
        index = random_source.randrange(len(lines))
        line = lines[index]
        place = random_source.randrange(len(line) + 1)
        lines[index] = random_source.choice(
            [
                line[:place] + random_source.choice(TOKENS) + line[place:],
                line[:place] + chr(random_source.randrange(256)) + line[place + 1 :],
                line[:place],
                random_source.choice(lines),
            ]
        )
    return "\n".join(lines)


def test_mutated_sources_assemble_or_are_refused() -> None:
    random_source = random.Random(7)
    encoder = Encoder()
    outcomes = {True: 0, False: 0}
    for _ in range(400):
        source = mutant(random_source)
        try:
            write_object(assemble(source, "mutant.s", encoder=encoder))
            outcomes[True] += 1
        except PyldsoError as error:
            assert "error: " in error.render()
            outcomes[False] += 1
    assert all(outcomes.values())


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
        ".fill 0x7fffffff, 8",
        ".skip 0x7fffffffffffffff",
        ".macro m\n.rept 1000\nm\n.endr\n.endm\nm",
        "a = b\nb = a\n.skip a",
        ".long " + "(" * 10000,
        ".long " + "-" * 10000 + "1",
        ".include \"x.s\"" * 3,
    ],
)  # fmt: skip
def test_what_would_take_all_memory_ends_in_an_error(source: str) -> None:
    with pytest.raises(AsmError):
        assemble(source, "x.s")
