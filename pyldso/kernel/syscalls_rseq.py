"""Restartable sequences (rseq(2), Linux's kernel/rseq.c): code that starts anew where it is left.

A thread registers an area (struct rseq) in which it finds the number of its processor, and in which
it says what sequence it is in. Where it loses the processor or enters a signal's handler within the
sequence, it goes on at the sequence's abort address. All threads share the one emulated processor,
whose number is that of the host's on which a thread began to run: the sequences of processes that
share memory do not exclude each other.
"""

from __future__ import annotations

import errno
from signal import SIGSEGV
from struct import Struct
from typing import TYPE_CHECKING

from pyldso.errors import os_error
from pyldso.kernel import host
from pyldso.kernel.memory import TASK_SIZE
from pyldso.kernel.mmu import WRITE, MemoryFault
from pyldso.kernel.status import SI_KERNEL, Killed, ProcessEnded

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

FEATURE_SIZE, ALIGNMENT = 28, 32
"""How much of struct rseq has a meaning (AT_RSEQ_FEATURE_SIZE), and its alignment."""
_LEAST_LENGTH = 32
_UNREGISTER = 1
_IDS, _UNINITIALIZED = Struct("<II"), 0xFFFFFFFF
_SEQUENCE_PLACE, _NODE_PLACE = 8, 20
_SEQUENCE = Struct("<IIQQQ")
"""struct rseq_cs: version, flags, start, length, abort address."""
_MASK = 0xFFFFFFFF


class Registration:
    """A thread's area, and the processor and node that stand in it."""

    __slots__ = ("address", "length", "place", "signature")

    def __init__(self, address: int, length: int, signature: int) -> None:
        self.address, self.length, self.signature = address, length, signature
        self.place = (-1, -1)


def sys_rseq(process: Process, address: int, length: int, flags: int, signature: int) -> int:
    """rseq(2): register the running thread's area, or take it back."""
    thread, known = process.thread, process.thread.rseq
    length, flags, signature = length & _MASK, flags & _MASK, signature & _MASK
    if flags & ~_UNREGISTER:
        raise os_error(errno.EINVAL)
    if known is not None and (known.address, known.length) != (address, length):
        raise os_error(errno.EINVAL)
    if known is not None and known.signature != signature:
        raise os_error(errno.EPERM)
    if flags:
        if known is None:
            raise os_error(errno.EINVAL)
        _write_ids(process, address, 0, _UNINITIALIZED, 0)
        thread.rseq = None
        return 0
    if known is not None:
        raise os_error(errno.EBUSY)
    if length < _LEAST_LENGTH or address % ALIGNMENT:
        raise os_error(errno.EINVAL)
    process.memory.translate(address, length, WRITE)
    process.memory.write_u64(address + _SEQUENCE_PLACE, 0)
    thread.rseq = Registration(address, length, signature)
    show_processor(process)
    return 0


def _write_ids(process: Process, address: int, start: int, cpu: int, node: int) -> None:
    process.memory.translate(address, FEATURE_SIZE, WRITE)
    process.memory.write(address, _IDS.pack(start, cpu))
    process.memory.write(address + _NODE_PLACE, _IDS.pack(node, 0))  # mm_cid: one runs at a time


def show_processor(process: Process) -> None:
    """Write where the running thread, which has an area, runs now."""
    area = process.thread.rseq
    place = host.processor()
    if area is None or area.place == place:
        return
    area.place = cpu, node = place
    try:
        _write_ids(process, area.address, cpu, cpu, node)
    except MemoryFault:
        raise _end(process) from None


def leave_sequence(process: Process) -> None:
    """Let the running thread, which is about to be left, go on at the abort address of a sequence.

    Raises ProcessEnded where its area or the sequence is damaged, as Linux sends SIGSEGV.
    """
    area, memory = process.thread.rseq, process.memory
    if area is None:
        return
    try:
        place = memory.read_u64(area.address + _SEQUENCE_PLACE)
        if not place:
            return
        memory.translate(area.address, FEATURE_SIZE, WRITE)
        version, flags, start, length, abort = _SEQUENCE.unpack(memory.read(place, _SEQUENCE.size))
        signature = memory.read_u32(abort - 4)
    except MemoryFault:
        raise _end(process) from None
    is_sound = (
        not version
        and not flags
        and max(start, start + length, abort) < TASK_SIZE
        and not start <= abort < start + length
        and signature == area.signature
    )
    if not is_sound:
        raise _end(process)
    memory.write_u64(area.address + _SEQUENCE_PLACE, 0)
    if start <= process.cpu.pc < start + length:
        process.cpu.pc = abort


def _end(process: Process) -> ProcessEnded:
    reason = "damaged restartable sequence"
    return ProcessEnded(Killed(SIGSEGV, process.cpu.pc, None, SI_KERNEL, reason))
