"""The frame under a signal handler: struct rt_sigframe of Linux on x86-64, made and taken back.

arch/x86/include/uapi/asm/sigcontext.h.
"""

from __future__ import annotations

from struct import pack, unpack
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.registers import (
    MXCSR,
    MXCSR_DEFAULT,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RED_ZONE,
    RFLAGS,
    RIP,
    RSI,
    RSP,
)
from pyldso.kernel.syscalls_rseq import leave_sequence

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

SA_NODEFER, SA_RESETHAND, SA_ONSTACK = 0x40000000, 0x80000000, 0x08000000
_ORDER = (
    R8, R9, R10, R11, R12, R13, R14, R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, RFLAGS,
)  # fmt: skip
_SEGMENTS = pack("<4H", 0x33, 0, 0, 0x2B)
_MCONTEXT, _SIGMASK, _SIGINFO, _FRAME_SIZE = 48, 304, 312, 440
_CONTEXT_WORDS = len(_ORDER) + 6
_FPSTATE_SIZE, _FP_MXCSR, _FP_XMM, _XMM_COUNT = 512, 24, 160, 16
_FP_X87 = 32
_DEFAULT_X87 = pack("<HHHHQQ", 0x37F, 0, 0, 0, 0, 0)
_USER_FLAGS = 0xDD5
"""FIX_EFLAGS: CF, PF, AF, ZF, SF, TF, DF, OF are the guest's to set."""
_TRAP_AND_DIRECTION = 0x500
_FIXED_FLAGS = 0x202


class SignalInfo(NamedTuple):
    """A signal on its way: siginfo_t (128 bytes), and of an exception what the processor tells."""

    number: int
    siginfo: bytes
    error: int = 0
    vector: int = 0
    address: int = 0


def enter_handler(process: Process, info: SignalInfo) -> None:
    """Put a frame on the guest's stack and go on in the handler; MemoryFault where none fits."""
    cpu, memory, thread = process.cpu, process.memory, process.thread
    leave_sequence(process)
    actions = process.signals.actions
    handler, flags, restorer, mask = unpack("<4Q", actions[info.number])
    values = [cpu.get(register) for register in _ORDER]
    top = cpu.sp - RED_ZONE
    stack, _, size = unpack("<QQQ", thread.alternate_stack)
    if flags & SA_ONSTACK and size and not on_alternate_stack(process):
        top = stack + size
    fpstate = top - _FPSTATE_SIZE & ~63
    frame = (fpstate - _FRAME_SIZE & ~15) - 8
    saved_mask = thread.mask if thread.restored_mask is None else thread.restored_mask
    thread.restored_mask = None
    context = pack(f"<{len(_ORDER)}Q", *values) + _SEGMENTS
    context += pack("<5Q", info.error, info.vector, saved_mask, info.address, fpstate)
    memory.write(fpstate, _floating_point(process))
    memory.write(
        frame,
        pack("<3Q", restorer, 0, 0)
        + thread.alternate_stack
        + context
        + bytes(64)
        + pack("<Q", saved_mask)
        + info.siginfo,
    )
    cpu.sp, cpu.pc = frame, handler
    cpu.set(RDI, info.number)
    cpu.set(RSI, frame + _SIGINFO)
    cpu.set(RDX, frame + 8)
    cpu.set(RAX, 0)
    cpu.set(MXCSR, MXCSR_DEFAULT)
    cpu.set_x87(_DEFAULT_X87, bytes(_FP_XMM - _FP_X87))
    cpu.set(RFLAGS, cpu.get(RFLAGS) & ~_TRAP_AND_DIRECTION)
    thread.mask |= mask | (0 if flags & SA_NODEFER else 1 << (info.number - 1))
    if flags & SA_RESETHAND:
        actions[info.number] = bytes(8) + actions[info.number][8:]
        process.signals.mirror_action(info.number)


def on_alternate_stack(process: Process) -> bool:
    """Tell whether the guest stands on its alternate signal stack."""
    stack, _, size = unpack("<QQQ", process.thread.alternate_stack)
    return bool(stack < process.cpu.sp <= stack + size)


def leave_handler(process: Process) -> None:
    """Take registers and mask back from the frame: rt_sigreturn(2)."""
    cpu, memory = process.cpu, process.memory
    frame = cpu.sp - 8
    words = unpack(f"<{_CONTEXT_WORDS}Q", memory.read(frame + _MCONTEXT, 8 * _CONTEXT_WORDS))
    (mask,) = unpack("<Q", memory.read(frame + _SIGMASK, 8))
    fpstate = words[-1]
    state = memory.read(fpstate, _FPSTATE_SIZE) if fpstate else b""
    for register, value in zip(_ORDER, words, strict=False):
        if register == RFLAGS:
            value = value & _USER_FLAGS | _FIXED_FLAGS
        cpu.set(register, value)
    if state:
        cpu.set(MXCSR, int.from_bytes(state[_FP_MXCSR : _FP_MXCSR + 4], "little") & 0xFFFF)
        cpu.set_x87(state[:_FP_MXCSR], state[_FP_X87:_FP_XMM])
        for index in range(_XMM_COUNT):
            start = _FP_XMM + 16 * index
            cpu.set_vector(index, state[start : start + 16])
    process.signals.set_mask(mask)


def _floating_point(process: Process) -> bytes:
    """Return x87 and vector registers as FXSAVE lays them out (Intel SDM volume 1, 10.5.1)."""
    cpu = process.cpu
    vectors = b"".join(cpu.vector(index) for index in range(_XMM_COUNT))
    head, stack = cpu.x87()
    head += pack("<II", cpu.get(MXCSR) & 0xFFFF, 0xFFFF)
    return (head + stack + vectors).ljust(_FPSTATE_SIZE, b"\0")
