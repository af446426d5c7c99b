"""The registers of x86-64 as pyldso numbers them, and what Linux and the psABI use them for.

The general registers carry the numbers of the instruction encoding (Intel SDM volume 2, 2.1.5).
"""

from __future__ import annotations

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
R8, R9, R10, R11, R12, R13, R14, R15 = range(8, 16)
RIP, RFLAGS, FS_BASE, GS_BASE, MXCSR = range(16, 21)

REGISTER_NAMES = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "rip", "rflags", "fs_base", "gs_base", "mxcsr",
)  # fmt: skip

CALL_ARGUMENTS = (RDI, RSI, RDX, RCX, R8, R9)
"""Integer arguments of a function call (psABI 3.2.3)."""

SYSCALL_ARGUMENTS = (RDI, RSI, RDX, R10, R8, R9)
"""Arguments of a system call, whose number stands in RAX (psABI A.2.1, syscall(2))."""

RED_ZONE = 128
"""Bytes below RSP that belong to the running function (psABI 3.2.2)."""

HWCAP = 0x178BFBFF
"""AT_HWCAP: EDX of cpuid leaf 1, for the x86-64-v2 CPU that pyldso emulates."""

HWCAP2 = 2
"""AT_HWCAP2: the FSGSBASE instructions may be used (HWCAP2_FSGSBASE)."""

MXCSR_DEFAULT = 0x1F80
"""SSE exceptions masked, rounding to nearest: what a process and a signal handler begin with."""

MINSIGSTKSZ = 2048
PLATFORM = b"x86_64"
