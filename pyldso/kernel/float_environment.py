"""Mends SSE's arithmetic: exceptions in MXCSR, results flushed to zero, the processor's estimates.

libunicorn computes with software that keeps these flags in a place of its own, from where `stmxcsr`
does not fetch them: fetestexcept(3) would never find one, and numpy never warn. And it mistakes
that place for the x87's where MXCSR says that results are to be flushed to zero. RCPSS and its kind
are estimates, on whose very bits depends what is made of them: the host's own processor makes them.
All is mended in memory where the code is the tested version's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyldso.kernel import host
from pyldso.kernel.patches import CALL_RAX, Place, Words, go, patch

if TYPE_CHECKING:
    from pyldso.kernel.libunicorn import Unicorn

# Called in disas_insn for `stmxcsr`, with the TCGContext in RDI and the DisasContext in RBX: T0 is
# mxcsr with the flags. Their bits are MXCSR's, but for those of denormal numbers: operands leave
# none, and a result that was flushed to zero has its own.
_STMXCSR = (
    b"\x41\x54"                           # push r12
    b"\x41\x55"                           # push r13
    b"\x53"                               # push rbx
    b"\x49\x89\xfc"                       # mov  r12, rdi                the TCGContext
    b"\x4c\x8b\xab\x20\x01\x00\x00"       # mov  r13, [rbx+0x120]        tmp1_i64
    b"\x48\x8b\x9b\xe0\x00\x00\x00"       # mov  rbx, [rbx+0xe0]         T0
    b"\xbe\x47\x00\x00\x00"               # mov  esi, 0x47               INDEX_op_ld32u_i64
    b"\x49\x8d\x14\x1c"                   # lea  rdx, [r12+rbx]
    b"\x49\x8b\x8c\x24\xf0\x98\x00\x00"   # mov  rcx, [r12+0x98f0]       cpu_env
    b"\x4c\x01\xe1"                       # add  rcx, r12
    b"\x41\xb8\x30\x03\x00\x00"           # mov  r8d, 0x330              mxcsr
    b"\x48\xb8%(gen_op3)b"                # mov  rax, gen_op3
    b"\xff\xd0"                           # call rax
    b"\x4c\x89\xe7"                       # mov  rdi, r12
    b"\xbe\x43\x00\x00\x00"               # mov  esi, 0x43               INDEX_op_ld8u_i64
    b"\x4b\x8d\x14\x2c"                   # lea  rdx, [r12+r13]
    b"\x49\x8b\x8c\x24\xf0\x98\x00\x00"   # mov  rcx, [r12+0x98f0]       cpu_env
    b"\x4c\x01\xe1"                       # add  rcx, r12
    b"\x41\xb8\x2a\x03\x00\x00"           # mov  r8d, 0x32a              float_exception_flags
    b"\x48\xb8%(gen_op3)b"                # mov  rax, gen_op3
    b"\xff\xd0"                           # call rax
    b"\x4c\x89\xe7"                       # mov  rdi, r12
    b"\x4c\x89\xee"                       # mov  rsi, r13
    b"\x4c\x89\xea"                       # mov  rdx, r13
    b"\xb9\x3d\x00\x00\x00"               # mov  ecx, 0x3d               the rest
    b"\x48\xb8%(andi_i64)b"               # mov  rax, andi_i64
    b"\xff\xd0"                           # call rax
    b"\x4c\x89\xe7"                       # mov  rdi, r12
    b"\xbe\x58\x00\x00\x00"               # mov  esi, 0x58               INDEX_op_or_i64
    b"\x49\x8d\x14\x1c"                   # lea  rdx, [r12+rbx]
    b"\x48\x89\xd1"                       # mov  rcx, rdx
    b"\x4f\x8d\x04\x2c"                   # lea  r8, [r12+r13]
    b"\x48\xb8%(gen_op3)b"                # mov  rax, gen_op3
    b"\xff\xd0"                           # call rax
    b"\x4c\x89\xe7"                       # mov  rdi, r12
    b"\xbe\x43\x00\x00\x00"               # mov  esi, 0x43               INDEX_op_ld8u_i64
    b"\x4b\x8d\x14\x2c"                   # lea  rdx, [r12+r13]
    b"\x49\x8b\x8c\x24\xf0\x98\x00\x00"   # mov  rcx, [r12+0x98f0]       cpu_env
    b"\x4c\x01\xe1"                       # add  rcx, r12
    b"\x41\xb8\x2a\x03\x00\x00"           # mov  r8d, 0x32a              float_exception_flags
    b"\x48\xb8%(gen_op3)b"                # mov  rax, gen_op3
    b"\xff\xd0"                           # call rax
    b"\x4c\x89\xe7"                       # mov  rdi, r12
    b"\x4c\x89\xee"                       # mov  rsi, r13
    b"\x4c\x89\xea"                       # mov  rdx, r13
    b"\xb9\x07\x00\x00\x00"               # mov  ecx, 0x7                flushed to zero
    b"\x48\xb8%(shri_i64)b"               # mov  rax, shri_i64
    b"\xff\xd0"                           # call rax
    b"\x4c\x89\xe7"                       # mov  rdi, r12
    b"\x4c\x89\xee"                       # mov  rsi, r13
    b"\x4c\x89\xea"                       # mov  rdx, r13
    b"\xb9\x30\x00\x00\x00"               # mov  ecx, 0x30               underflow, inexact
    b"\x48\xb8%(muli_i64)b"               # mov  rax, muli_i64
    b"\xff\xd0"                           # call rax
    b"\x4c\x89\xe7"                       # mov  rdi, r12
    b"\xbe\x58\x00\x00\x00"               # mov  esi, 0x58               INDEX_op_or_i64
    b"\x49\x8d\x14\x1c"                   # lea  rdx, [r12+rbx]
    b"\x48\x89\xd1"                       # mov  rcx, rdx
    b"\x4f\x8d\x04\x2c"                   # lea  r8, [r12+r13]
    b"\x48\xb8%(gen_op3)b"                # mov  rax, gen_op3
    b"\xff\xd0"                           # call rax
    b"\x5b"                               # pop  rbx
    b"\x41\x5d"                           # pop  r13
    b"\x41\x5c"                           # pop  r12
    b"\xc3"                               # ret
)  # fmt: skip
# void helper_ldmxcsr(CPUX86State *env, uint32_t value)
_LDMXCSR = (
    b"\x89\xb7\x30\x03\x00\x00"           # mov  dword [rdi+0x330], esi
    b"\x83\xe6\x3d"                       # and  esi, 0x3d
    b"\x40\x88\xb7\x2a\x03\x00\x00"       # mov  byte [rdi+0x32a], sil
    b"\x48\xb8%(update)b"                 # mov  rax, update
    b"\xff\xe0"                           # jmp  rax
)  # fmt: skip
_FUNCTIONS = {
    "gen_op3": "tcg_gen_op3_x86_64",
    "andi_i64": "tcg_gen_andi_i64_x86_64",
    "muli_i64": "tcg_gen_muli_i64_x86_64",
    "shri_i64": "tcg_gen_shri_i64_x86_64",
    "update": "update_mxcsr_status_x86_64",
}
_LOAD = Place(
    -0xE6E5,
    b"\x41\xb8\x30\x03\x00\x00"              # mov    r8d, 0x330
    b"\x48\x8b\x93\xe0\x00\x00\x00"          # mov    rdx, [rbx+0xe0]
    b"\xbe\x47\x00\x00\x00"                  # mov    esi, 0x47
    b"\x48\x8b\x8f\xf0\x98\x00\x00"          # mov    rcx, [rdi+0x98f0]
    b"\xe8\xf7\xf1\xfd\xff"                  # call   tcg_gen_ldst_op_i32
)  # fmt: skip
_HELPER = Place(
    -0x47C10,
    b"\x89\xb7\x30\x03\x00\x00"              # mov    [rdi+0x330], esi
    b"\xe9\x05\xc6\xf7\xff"                  # jmp    update_mxcsr_status
    b"\x0f\x1f\x44\x00\x00"                  # nop
)  # fmt: skip
# update_mxcsr_status: the byte is that of the x87, and then that of SSE
_FLUSH_TO_ZERO = Place(
    -0x480FB,
    b"\x88\x87\x0c\x03\x00\x00"              # mov    [rdi+0x30c], al
)  # fmt: skip
_FLUSHES_SSE = b"\x88\x87\x2c\x03\x00\x00"  # mov    [rdi+0x32c], al
# void helper(CPUX86State *env, ZMMReg *result, ZMMReg *operand): a load to XMM0, the instruction
# itself, a store, and a return
_ESTIMATES = (
    (  # rsqrtps
        Place(-0x43860, b"\x41\x54\x4c\x8d\xa7\x28\x03\x00\x00\x55\x48\x89\xd5"),
        b"\x0f\x10\x02\x0f\x52\xc0\x0f\x11\x06\xc3",
    ),
    (  # rsqrtss
        Place(-0x437D0, b"\x41\x54\x4c\x8d\xa7\x28\x03\x00\x00\x53\x48\x89\xf3"),
        b"\xf3\x0f\x10\x02\xf3\x0f\x52\xc0\xf3\x0f\x11\x06\xc3",
    ),
    (  # rcpps
        Place(-0x43790, b"\x41\x54\x4c\x8d\xa7\x28\x03\x00\x00\xbf\x00\x00\x80"),
        b"\x0f\x10\x02\x0f\x53\xc0\x0f\x11\x06\xc3",
    ),
    (  # rcpss
        Place(-0x43720, b"\x53\x49\x89\xd0\x48\x89\xf3\x48\x8d\x97\x28\x03\x00"),
        b"\xf3\x0f\x10\x02\xf3\x0f\x53\xc0\xf3\x0f\x11\x06\xc3",
    ),
)


def mend(unicorn: Unicorn) -> bool:
    """Change libunicorn's arithmetic of SSE; False where it is not the known build."""
    places = _LOAD, _HELPER, _FLUSH_TO_ZERO, *(place for place, _ in _ESTIMATES)
    return patch(unicorn, places, _make, _FUNCTIONS)


def _make(_anchor: int, words: Words) -> Iterator[tuple[Place, bytes]]:
    load, store = _LDMXCSR % words, _STMXCSR % words
    page = host.place_code(load + store)
    yield _HELPER, go(page)
    yield _LOAD, go(page + len(load), CALL_RAX)
    yield _FLUSH_TO_ZERO, _FLUSHES_SSE
    yield from _ESTIMATES
