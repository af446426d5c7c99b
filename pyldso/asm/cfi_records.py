"""What `.cfi_*` directives say: a frame is a list of instructions (DWARF 5, 6.4)."""

from __future__ import annotations

from typing import NamedTuple

from pyldso.asm.expression import Expression
from pyldso.asm.symbols import AsmSymbol, Spot

DW_EH_PE_OMIT = 0xFF


class CfiInstruction(NamedTuple):
    """One instruction: its word, two operands, and what only some of them have."""

    word: str
    first: int = 0
    second: int = 0
    label: AsmSymbol | None = None
    data: tuple[Expression, ...] = ()


class Frame:
    """One FDE in the making: from `.cfi_startproc` to `.cfi_endproc`."""

    __slots__ = (
        "cfa_offset",
        "end",
        "instructions",
        "is_signal_frame",
        "last",
        "lsda",
        "lsda_encoding",
        "personality",
        "personality_encoding",
        "place",
        "remembered",
        "return_column",
        "start",
    )

    def __init__(self, start: AsmSymbol, place: int) -> None:
        self.start = start
        self.last: Spot = start
        self.end: AsmSymbol | None = None
        self.place = place
        self.instructions: list[CfiInstruction | Spot] = []
        """A spot among them is where the code has come to."""
        self.cfa_offset = 0
        self.remembered: list[int] = []
        self.is_signal_frame = False
        self.return_column = 16
        self.personality: Expression | None = None
        self.personality_encoding = DW_EH_PE_OMIT
        self.lsda: Expression | None = None
        self.lsda_encoding = DW_EH_PE_OMIT


class CfiRecords:
    """All frames of a source, and the one that is open."""

    __slots__ = ("frames", "in_debug_frame", "in_eh_frame", "open", "shared")

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.open: Frame | None = None
        self.in_eh_frame = True
        self.in_debug_frame = False
        self.shared: dict[CfiInstruction, CfiInstruction] = {}
        """One of each: most frames consist of the same few instructions."""
