"""The lazy procedure linkage tables of x86-64, one instruction a line (psABI 5.2; 13.1 for IBT)."""

from __future__ import annotations

from struct import Struct

PLT_HEADER_SIZE = 16
PLT_ENTRY_SIZE = 16
PLT_GOT_ENTRY_SIZE = 8
PLT_ENTRY_LAZY_OFFSET = 6
IBT_GOT_ENTRY_SIZE = 16

_RELATIVE = Struct("<i")
_INDEX = Struct("<I")


def _rel32(target: int, next_instruction: int) -> bytes:
    """Return a displacement counted from the end of its instruction."""
    return _RELATIVE.pack(target - next_instruction)


def plt_header(plt: int, got_plt: int) -> bytes:
    """Return PLT0: pushes the link map (GOT[1]) and enters the resolver (GOT[2])."""
    return b"".join(
        (
            b"\xff\x35", _rel32(got_plt + 8, plt + 6),    # push GOT[1](%rip)
            b"\xff\x25", _rel32(got_plt + 16, plt + 12),  # jmp *GOT[2](%rip)
            b"\x0f\x1f\x40\x00",                          # nopl 0(%rax)
        )
    )  # fmt: skip


def plt_entry(entry: int, header: int, slot: int, index: int) -> bytes:
    """Return an entry: through its GOT slot, which leads to the push until it is bound."""
    return b"".join(
        (
            b"\xff\x25", _rel32(slot, entry + 6),    # jmp *slot(%rip)
            b"\x68", _INDEX.pack(index),             # push $index
            b"\xe9", _rel32(header, entry + 16),     # jmp PLT0
        )
    )  # fmt: skip


def plt_got_entry(entry: int, slot: int) -> bytes:
    """Return an entry of .plt.got: through a GOT entry that is bound at load time."""
    return b"".join(
        (
            b"\xff\x25", _rel32(slot, entry + 6),  # jmp *slot(%rip)
            b"\x66\x90",                           # xchg %ax,%ax
        )
    )  # fmt: skip


def ibt_plt_entry(entry: int, header: int, slot: int, index: int) -> bytes:
    """Return an entry of .plt beside .plt.sec: where a slot leads until it is bound."""
    return b"".join(
        (
            b"\xf3\x0f\x1e\xfa",                     # endbr64
            b"\x68", _INDEX.pack(index),             # push $index
            b"\xe9", _rel32(header, entry + 14),     # jmp PLT0
            b"\x66\x90",                             # xchg %ax,%ax
        )
    )  # fmt: skip


def ibt_got_entry(entry: int, slot: int) -> bytes:
    """Return an entry of .plt.sec or .plt.got: through a GOT entry, and a place to jump to."""
    return b"".join(
        (
            b"\xf3\x0f\x1e\xfa",                     # endbr64
            b"\xff\x25", _rel32(slot, entry + 10),   # jmp *slot(%rip)
            b"\x66\x0f\x1f\x44\x00\x00",             # nopw 0(%rax,%rax,1)
        )
    )  # fmt: skip
