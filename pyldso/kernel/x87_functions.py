"""Lets the host's x87 compute what the guest's shall: transcendental functions and remainders.

libunicorn computes them in double precision, with 53 of 64 bits right, and FPREM1 and the condition
codes not always; logl(3) and fmodl(3) of a C library are made of them. The host is an x86-64, too:
machine code takes the operands, the rounding and the precision from the guest's registers, has the
instruction executed, and puts results, condition codes and exceptions back. The helpers' entries
are replaced in memory where they are the tested version's.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from pyldso.kernel import host
from pyldso.kernel.patches import Place, Words, go, patch

if TYPE_CHECKING:
    from pyldso.kernel.libunicorn import Unicorn

# void helper(CPUX86State *env), with the address of the instruction in RAX. In env lie at 0x25c the
# number of the top register, at 0x260 the status word, at 0x262 the control word, at 0x264 a byte
# for each register, 1 where it is empty, and at 0x270 the registers, 16 bytes each.
_CODE = (
                                      # one_push:
    b"\x48\x83\xec\x18"               # sub  rsp, 0x18
    b"\xe8\xc0\x00\x00\x00"           # call begin
    b"\x41\xdb\x28"                   # fld  Tbyte [r8]
    b"\xff\xd0"                       # call rax
    b"\xdf\xe0"                       # fnstsw ax
    b"\xf6\xc4\x04"                   # test ah, 0x4                 C2: out of range
    b"\x75\x1d"                       # jne  more
    b"\xff\xc9"                       # dec  ecx
    b"\x83\xe1\x07"                   # and  ecx, 0x7
    b"\x89\x8f\x5c\x02\x00\x00"       # mov  dword [rdi+0x25c], ecx
    b"\xc6\x84\x0f\x64\x02\x00\x00\x00"# mov  byte [rdi+rcx+0x264], 0x0
    b"\xc1\xe1\x04"                   # shl  ecx, 0x4
    b"\xdb\xbc\x0f\x70\x02\x00\x00"   # fstp Tbyte [rdi+rcx+0x270]
    b"\x41\xdb\x38"                   # fstp Tbyte [r8]
    b"\xeb\x58"                       # jmp  finish
                                      # one:
    b"\x48\x83\xec\x18"               # sub  rsp, 0x18
    b"\xe8\x89\x00\x00\x00"           # call begin
    b"\x41\xdb\x28"                   # fld  Tbyte [r8]
    b"\xff\xd0"                       # call rax
    b"\xdf\xe0"                       # fnstsw ax
    b"\x41\xdb\x38"                   # fstp Tbyte [r8]
    b"\xeb\x43"                       # jmp  finish
                                      # two:
    b"\x48\x83\xec\x18"               # sub  rsp, 0x18
    b"\xe8\x74\x00\x00\x00"           # call begin
    b"\x41\xdb\x29"                   # fld  Tbyte [r9]
    b"\x41\xdb\x28"                   # fld  Tbyte [r8]
    b"\xff\xd0"                       # call rax
    b"\xdf\xe0"                       # fnstsw ax
    b"\x41\xdb\x38"                   # fstp Tbyte [r8]
    b"\xdd\xd8"                       # fstp st(0)
    b"\xeb\x29"                       # jmp  finish
                                      # two_pop:
    b"\x48\x83\xec\x18"               # sub  rsp, 0x18
    b"\xe8\x5a\x00\x00\x00"           # call begin
    b"\x41\xdb\x29"                   # fld  Tbyte [r9]
    b"\x41\xdb\x28"                   # fld  Tbyte [r8]
    b"\xff\xd0"                       # call rax
    b"\xdf\xe0"                       # fnstsw ax
    b"\x41\xdb\x39"                   # fstp Tbyte [r9]
    b"\xc6\x84\x0f\x64\x02\x00\x00\x01"# mov  byte [rdi+rcx+0x264], 0x1
    b"\xff\xc1"                       # inc  ecx
    b"\x83\xe1\x07"                   # and  ecx, 0x7
    b"\x89\x8f\x5c\x02\x00\x00"       # mov  dword [rdi+0x25c], ecx
                                      # finish:
    b"\x25\x3f\x47\x00\x00"           # and  eax, 0x473f             C0 to C3, and exceptions
    b"\x0f\xb7\x97\x60\x02\x00\x00"   # movzx edx, word [rdi+0x260]
    b"\x81\xe2\xff\xb8\x00\x00"       # and  edx, 0xb8ff             not C0 to C3
    b"\x09\xc2"                       # or   edx, eax
    b"\x0f\xb7\x87\x62\x02\x00\x00"   # movzx eax, word [rdi+0x262]
    b"\xf7\xd0"                       # not  eax
    b"\x21\xd0"                       # and  eax, edx
    b"\xa8\x3f"                       # test al, 0x3f
    b"\x74\x06"                       # je   more
    b"\x81\xca\x80\x80\x00\x00"       # or   edx, 0x8080             ES and B
    b"\x66\x89\x97\x60\x02\x00\x00"   # mov  word [rdi+0x260], dx
    b"\xdb\xe2"                       # fnclex
    b"\xd9\x2c\x24"                   # fldcw word [rsp]
    b"\x48\x83\xc4\x18"               # add  rsp, 0x18
    b"\xc3"                           # ret
                                      # begin:
    b"\x8b\x8f\x5c\x02\x00\x00"       # mov  ecx, dword [rdi+0x25c]  fpstt
    b"\x8d\x51\x01"                   # lea  edx, [rcx+0x1]
    b"\x83\xe2\x07"                   # and  edx, 0x7
    b"\xc1\xe2\x04"                   # shl  edx, 0x4
    b"\x4c\x8d\x8c\x17\x70\x02\x00\x00"# lea  r9, [rdi+rdx+0x270]
    b"\x89\xca"                       # mov  edx, ecx
    b"\xc1\xe2\x04"                   # shl  edx, 0x4
    b"\x4c\x8d\x84\x17\x70\x02\x00\x00"# lea  r8, [rdi+rdx+0x270]
    b"\xd9\x7c\x24\x08"               # fnstcw word [rsp+0x8]
    b"\x0f\xb7\x97\x62\x02\x00\x00"   # movzx edx, word [rdi+0x262]
    b"\x83\xca\x3f"                   # or   edx, 0x3f               masks all exceptions
    b"\x66\x89\x54\x24\x0c"           # mov  word [rsp+0xc], dx
    b"\xdb\xe2"                       # fnclex
    b"\xd9\x6c\x24\x0c"               # fldcw word [rsp+0xc]
    b"\xc3"                           # ret
)  # fmt: skip
_ONE_PUSH, _ONE, _TWO, _TWO_POP = 0x0, 0x37, 0x4C, 0x66
"""Where in it begins what takes one or two registers, and what pushes or pops one then."""

_ONE_ENTRY = b"\x41\x54\x55\x53\x8b\x87\x5c\x02\x00\x00\x48\x89\xfb"
_TWO_ENTRY = b"\x41\x54\x55\x53\x48\x89\xfb\x4c\x8d\xa3\x08\x03\x00\x00"
_LONG_ENTRY = b"\x41\x55\x41\x54\x55\x53\x48\x89\xfb\x4c\x8d\xa3\x08\x03"
"""How the helpers begin: they push registers, and load fpstt or the address of fp_status."""
_RET, _LEA_RAX, _JMP = b"\xc3", b"\x48\x8d\x05", b"\xe9"


class _Function(NamedTuple):
    instruction: bytes
    kind: int
    helper: Place


_FUNCTIONS = (
    _Function(b"\xd9\xf0", _ONE, Place(-0x49620, _ONE_ENTRY)),  # f2xm1
    _Function(b"\xd9\xf1", _TWO_POP, Place(-0x495A0, _TWO_ENTRY)),  # fyl2x
    _Function(b"\xd9\xf9", _TWO_POP, Place(-0x48A90, _TWO_ENTRY)),  # fyl2xp1
    _Function(b"\xd9\xf2", _ONE_PUSH, Place(-0x49490, _ONE_ENTRY)),  # fptan
    _Function(b"\xd9\xf3", _TWO_POP, Place(-0x493B0, _TWO_ENTRY)),  # fpatan
    _Function(b"\xd9\xfe", _ONE, Place(-0x48720, _ONE_ENTRY)),  # fsin
    _Function(b"\xd9\xff", _ONE, Place(-0x48680, _ONE_ENTRY)),  # fcos
    _Function(b"\xd9\xfb", _ONE_PUSH, Place(-0x48910, _LONG_ENTRY)),  # fsincos
    _Function(b"\xd9\xf8", _TWO, Place(-0x48E60, _LONG_ENTRY)),  # fprem
    _Function(b"\xd9\xf5", _TWO, Place(-0x491B0, _LONG_ENTRY)),  # fprem1
)


def mend(unicorn: Unicorn) -> bool:
    """Change libunicorn's functions of the x87; False where it is not the known build."""
    return patch(unicorn, [function.helper for function in _FUNCTIONS], _make)


def _make(_anchor: int, _words: Words) -> Iterator[tuple[Place, bytes]]:
    code, entries = _CODE, list[int]()
    for function in _FUNCTIONS:
        instruction = len(code)
        code += function.instruction + _RET
        entries.append(len(code))
        code += _LEA_RAX + pack("<i", instruction - len(code) - 7)
        code += _JMP + pack("<i", function.kind - len(code) - 5)
    page = host.place_code(code)
    for function, entry in zip(_FUNCTIONS, entries, strict=True):
        yield function.helper, go(page + entry)
