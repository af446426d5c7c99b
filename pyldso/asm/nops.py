"""The padding of code, as gas makes it for -mtune=generic64 (gas/config/tc-i386.c)."""

from __future__ import annotations

_NOPS = (
    b"",
    b"\x90",  # nop
    b"\x66\x90",  # xchg %ax,%ax
    b"\x0f\x1f\x00",  # nopl (%rax)
    b"\x0f\x1f\x40\x00",  # nopl 0(%rax)
    b"\x0f\x1f\x44\x00\x00",  # nopl 0(%rax,%rax,1)
    b"\x66\x0f\x1f\x44\x00\x00",  # nopw 0(%rax,%rax,1)
    b"\x0f\x1f\x80\x00\x00\x00\x00",  # nopl 0L(%rax)
    b"\x0f\x1f\x84\x00\x00\x00\x00\x00",  # nopl 0L(%rax,%rax,1)
    b"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00",  # nopw 0L(%rax,%rax,1)
    b"\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",  # cs nopw 0L(%rax,%rax,1)
    b"\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",  # data16 cs nopw 0L(%rax,%rax,1)
)
_LONGEST = len(_NOPS) - 1
_MOST_NOPS = 7


def nop_fill(count: int, longest: int = _LONGEST) -> bytes:
    """Return `count` bytes that do nothing: long nops first, and a jump over more than seven."""
    longest = min(longest, _LONGEST)
    jump = b""
    if count // longest > _MOST_NOPS:
        if count - 2 <= 127:
            jump = b"\xeb" + bytes([count - 2])  # jmp disp8
        else:
            jump = b"\xe9" + (count - 5).to_bytes(4, "little")  # jmp disp32
        count -= len(jump)
    return jump + _NOPS[longest] * (count // longest) + _NOPS[count % longest]
