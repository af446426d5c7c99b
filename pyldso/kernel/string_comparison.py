"""Lets the host's processor compare strings for PCMPESTRI and its kind (Intel SDM volume 2, 4.1).

libunicorn misses a string that is found in part at the end of another ("equal ordered"). A host
with movbe has SSE4.2, too: machine code has the instruction executed, with the lengths and the
operands that libunicorn's helpers have found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyldso.kernel import host
from pyldso.kernel.patches import Place, Words, go, patch

if TYPE_CHECKING:
    from pyldso.kernel.libunicorn import Unicorn

# unsigned pcmpxstrx(CPUX86State *env, ZMMReg *first, ZMMReg *second, int8_t kind,
# int second_length, int first_length): returns the bits of the result (IntRes2), and leaves flags
# in env's cc_src.
_CODE = (
    b"\x0f\x10\x06"                   # movups xmm0, [rsi]
    b"\x0f\x10\x0a"                   # movups xmm1, [rdx]
    b"\x44\x89\xc8"                   # mov  eax, r9d
    b"\x44\x89\xc2"                   # mov  edx, r8d
    b"\x83\xe1\x3f"                   # and  ecx, 0x3f
    b"\x4c\x8d\x15\x1b\x00\x00\x00"   # lea  r10, [kinds]
    b"\x4d\x8d\x14\xca"               # lea  r10, [r10+rcx*8]
    b"\x41\xff\xd2"                   # call r10
    b"\x9c"                           # pushf
    b"\x5a"                           # pop  rdx
    b"\x81\xe2\xc1\x08\x00\x00"       # and  edx, 0x8c1              CF, ZF, SF and OF
    b"\x48\x89\x97\x98\x00\x00\x00"   # mov  [rdi+0x98], rdx         cc_src
    b"\x66\x0f\x7e\xc0"               # movd eax, xmm0
    b"\xc3"                           # ret
)  # fmt: skip
_PCMPESTRM, _RET, _KINDS, _SIZE = b"\x66\x0f\x3a\x60\xc1", b"\xc3", 64, 8
_FUNCTION = Place(
    -0x4B990,
    b"\x89\xc8"                          # mov  eax, ecx
    b"\x41\x57"                          # push r15
    b"\x49\x89\xd3"                      # mov  r11, rdx
    b"\x41\x8d\x50\xff"                  # lea  edx, [r8-1]
    b"\x83\xe0\x01"                      # and  eax, 1
)  # fmt: skip


def mend(unicorn: Unicorn) -> bool:
    """Change libunicorn's comparison of strings; False where it is not the known build."""
    return patch(unicorn, [_FUNCTION], _make)


def _make(_anchor: int, _words: Words) -> Iterator[tuple[Place, bytes]]:
    kinds = (_PCMPESTRM + bytes((kind,)) + _RET for kind in range(_KINDS))
    page = host.place_code(_CODE + b"".join(code.ljust(_SIZE, b"\0") for code in kinds))
    yield _FUNCTION, go(page)
