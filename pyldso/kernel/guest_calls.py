"""Guest functions that a trap's handler calls, of which every thread has its own unfinished ones.

Such a handler is a generator: it yields the address and the arguments of each call, and gets its
result. Unlike `Process.call`, which runs the machine within the handler, threads may end their
calls in any order. An exception of the guest's passes through, as it does through ld.so's own
functions: the code that the calls return to has call frame information (DWARF 4, 6.4).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from signal import SIGSEGV
from struct import pack
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pyldso.arch.x86_64 import registers
from pyldso.kernel.status import SI_KERNEL, Killed, ProcessEnded, Unwound

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

Calls: TypeAlias = Generator[tuple[int, ...], int, int | None]
"""What yields (function, arguments ...), is sent what that returned, and returns for RAX."""

_MOST_UNFINISHED = 1 << 16
"""Of one thread: more than a stack of the usual size has room for."""
_NOP = b"\x90"
"""The first byte: an unwinder looks one before a return address."""
_MOV_RDI_RAX = b"\x48\x89\xc7"
_SIZE_OF_RETURN_ADDRESS = 8
_DW_CFA_DEF_CFA_EXPRESSION, _DW_CFA_OFFSET = 0x0F, 0x80
_DW_OP_BREG7, _DW_OP_DEREF, _DW_OP_PLUS_UCONST = 0x77, 0x06, 0x23
_ABSOLUTE, _PCREL_SDATA4, _DATAREL_SDATA4, _UDATA4 = 0x00, 0x1B, 0x3B, 0x03
_UA_CLEANUP_PHASE, _URC_CONTINUE_UNWIND = 2, 8
_RIP, _MINUS_8 = 16, 0x78
"""The return address's number, and a factor (DWARF 4, 7.6: SLEB128)."""


class Unfinished(NamedTuple):
    """A handler whose call is not over: where its trap stands, and where the call leaves RSP."""

    calls: Calls
    sp: int
    pc: int
    sp_after: int


class GuestCalls:
    """Begins and resumes the handlers of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._return_address = 0
        self.unwind_start = self.unwind_end = self.eh_frame_header = 0
        """Where the code that calls return to lies, and what an unwinder reads of it."""

    def begin(self, calls: Calls) -> int | None:
        """Run a handler up to its first call; return its result where it makes none."""
        if not self._return_address:
            self._place_stub()
        cpu = self._process.cpu
        return self._advance(calls, None, cpu.sp, cpu.pc)

    def _advance(self, calls: Calls, value: int | None, sp: int, pc: int) -> int | None:
        process = self._process
        try:
            # A fresh generator takes nothing but None.
            function, *arguments = next(calls) if value is None else calls.send(value)
        except StopIteration as end:
            result: int | None = end.value
            return result
        unfinished = process.thread.unfinished
        while unfinished and unfinished[-1].sp == sp:
            unfinished.pop()  # left by longjmp(3) or an exception
        if len(unfinished) == _MOST_UNFINISHED:
            reason = "calls from within the dynamic linker nest too deep"
            raise ProcessEnded(Killed(SIGSEGV, pc, None, SI_KERNEL, reason))
        room = [0] * (len(registers.CALL_ARGUMENTS) - len(arguments))
        # The one argument on the stack is for unwinders: what RSP was.
        process.prepare_call([*arguments, *room, sp], self._return_address)
        unfinished.append(Unfinished(calls, sp, pc, process.cpu.sp + _SIZE_OF_RETURN_ADDRESS))
        process.cpu.pc = function
        return None

    def _resume(self) -> int | None:
        """Go on behind the call that has returned; those that were left without return are gone."""
        process, cpu = self._process, self._process.cpu
        unfinished, sp = process.thread.unfinished, cpu.sp
        while unfinished:
            latest = unfinished.pop()
            if latest.sp_after == sp:
                cpu.sp, cpu.pc = latest.sp, latest.pc
                value = cpu.get(registers.RDI)
                return self._advance(latest.calls, value, latest.sp, latest.pc)
        raise ProcessEnded(Killed(SIGSEGV, cpu.pc, None, SI_KERNEL, "returns to no call"))

    def _unwind(self) -> int:
        """Be the personality routine of the code that calls return to: drop the handler at hand.

        In the second phase an exception, or the end of a thread, passes through it.
        """
        process, cpu = self._process, self._process.cpu
        if cpu.get(registers.RSI) & _UA_CLEANUP_PHASE:
            unfinished = process.thread.unfinished
            while unfinished and unfinished[-1].sp < cpu.sp:
                unfinished.pop()
            if unfinished:
                with suppress(Unwound):
                    unfinished.pop().calls.throw(Unwound())
        return _URC_CONTINUE_UNWIND

    def _place_stub(self) -> None:
        """Place what calls return to, with its call frame information."""
        stubs = self._process.stubs
        code = _NOP + _MOV_RDI_RAX + stubs.entering(self._resume)
        personality = stubs.add_trap(self._unwind)
        tables = len(code) + -len(code) % 8
        frames, fde = _call_frames(len(code), personality)
        header = tables + len(frames)
        entry = _header(tables - header, tables + fde - header, -header)
        start = stubs.place_code(code.ljust(tables, _NOP) + frames + entry)
        self._return_address = start + len(_NOP)
        self.unwind_start, self.unwind_end = start, start + len(code)
        self.eh_frame_header = start + header


def _call_frames(size: int, personality: int) -> tuple[bytes, int]:
    """Return .eh_frame for code of `size` bytes padded to 8 right before it, and its FDE's offset.

    The CFA is 8 above what RSP points to; RIP is saved below it, as everywhere.
    """
    expression = bytes((_DW_OP_BREG7, 0, _DW_OP_DEREF, _DW_OP_PLUS_UCONST, 8))
    rules = bytes((_DW_CFA_DEF_CFA_EXPRESSION, len(expression), *expression))
    rules += bytes((_DW_CFA_OFFSET | _RIP, 1))
    augmentation = pack("<BQB", _ABSOLUTE, personality, _PCREL_SDATA4)
    head = pack("<IB4s4B", 0, 1, b"zPR", 1, _MINUS_8, _RIP, len(augmentation))
    cie = _record(head + augmentation + rules)
    code = -size - -size % 8  # where it begins, seen from here
    place = len(cie) + 8
    fde = _record(pack("<IiIB", len(cie) + 4, code - place, size, 0))
    return cie + fde + bytes(8), len(cie)


def _record(content: bytes) -> bytes:
    """Return a record of .eh_frame, padded with DW_CFA_nop."""
    content += bytes(-(len(content) + 4) % 8)
    return pack("<I", len(content)) + content


def _header(frames: int, fde: int, code: int) -> bytes:
    """Return .eh_frame_hdr for one FDE, from distances to itself (LSB Core, 10.6.2)."""
    encodings = bytes((1, _PCREL_SDATA4, _UDATA4, _DATAREL_SDATA4))
    return encodings + pack("<iIii", frames - len(encodings), 1, code, fde)
