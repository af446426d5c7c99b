"""Finds out what instructions want a multiple of 16 for the address of their operand in memory.

Most of SSE's do, and raise a general protection fault where it is none (Intel SDM volume 2, 2.4).
libunicorn knows nothing of that: a program whose stack is not aligned, which ends at the first
`movaps` of the C library, would go on. Here its translator is told, where it asks for the first
half of such an operand, that the access is to be aligned; what it makes of that is for the code
generator (direct_memory.py).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from pyldso.kernel.patches import Place, address_word, go

ODD_SHIFT = 58
"""What an address is short of being aligned goes to these of its bits, which no address has."""
_ALIGNMENT, _ADDRESS_BITS = 16, 47
CODE_OFFSET = 0x800
_TABLE, _TABLE_SIZE = 0x40, 6 * 32

# By the prefix and the map of the opcode: none, 66, F3 and F2 before 0F; 66 before 0F 38; and 66
# before 0F 3A. A test runs all of them on the processor.
_ALIGNED = (
    "14-15 28-29 2b 51-59 5b-5f c2 c6",
    "14-15 28-29 2b-2d 51 54-6d 6f-70 74-76 7c-7d 7f c2 c6 d0-d5 d8-ef f1-f6 f8-fe",
    "12 16 5b 70",
    "70 7c-7d d0 e6",
    "00-0b 10 14-15 17 1c-1e 28-2b 37-41 db-df",
    "08-09 0c-0f 40-42 44 df",
)

# void tcg_gen_qemu_ld_i64 or st_i64(TCGContext *, TCGv_i64, TCGv address, TCGArg, MemOp), entered
# where they begin. 0xd8 is in a DisasContext the offset of A0, the address of the operand; 0x9970
# and 0xa650 in the TCGContext those of uc and pc_start.
_LOAD = (
    b"\xe8\x39\x00\x00\x00"               # call require
    b"\x44\x89\xc0"                       # mov  eax, r8d
    b"\x55"                               # push rbp
    b"\x49\x89\xc9"                       # mov  r9, rcx
    b"\x48\x89\xfd"                       # mov  rbp, rdi
    b"\x83\xe0\xf7"                       # and  eax, -9
    b"\x49\xba%(gen_load)b"               # mov  r10, gen_load
    b"\x41\xff\xe2"                       # jmp  r10
)  # fmt: skip
_STORE = (
    b"\xe8\x1a\x00\x00\x00"               # call require
    b"\x44\x89\xc0"                       # mov  eax, r8d
    b"\x55"                               # push rbp
    b"\x49\x89\xc9"                       # mov  r9, rcx
    b"\x48\x89\xfd"                       # mov  rbp, rdi
    b"\x83\xe0\xf7"                       # and  eax, -9
    b"\x49\xba%(gen_store)b"              # mov  r10, gen_store
    b"\x41\xff\xe2"                       # jmp  r10
)  # fmt: skip
_REQUIRE = (
    b"\x48\x8b\x44\x24\x08"               # mov  rax, [rsp+0x8]          who asks for an access
    b"\x49\xba%(gen_ldo_env_A0)b"         # mov  r10, gen_ldo_env_A0
    b"\x4c\x29\xd0"                       # sub  rax, r10
    b"\x49\x89\xd9"                       # mov  r9, rbx                 its DisasContext
    b"\x48\x3d\xe0\x00\x00\x00"           # cmp  rax, 0xe0
    b"\x72\x15"                           # jb   called
    b"\x48\x2d\x00\x72\x00\x00"           # sub  rax, 0x7200             gen_sse
    b"\x49\x89\xe9"                       # mov  r9, rbp                 its DisasContext
    b"\x48\x3d\x90\x47\x00\x00"           # cmp  rax, 0x4790
    b"\x0f\x83\xc8\x00\x00\x00"           # jae  done
                                          # called:
    b"\x49\x3b\x91\xd8\x00\x00\x00"       # cmp  rdx, [r9+0xd8]          A0: the first half
    b"\x0f\x85\xbb\x00\x00\x00"           # jne  done
    b"\x48\x8b\x87\x70\x99\x00\x00"       # mov  rax, [rdi+0x9970]       uc
    b"\x48\x3b\x05\x75\x07\x00\x00"       # cmp  rax, [owner]
    b"\x0f\x85\xa7\x00\x00\x00"           # jne  done
    b"\x4c\x8b\x90\x30\x04\x00\x00"       # mov  r10, [rax+0x430]        hooks of memory
    b"\x4c\x0b\x90\x48\x04\x00\x00"       # or   r10, [rax+0x448]
    b"\x4c\x0b\x90\x78\x04\x00\x00"       # or   r10, [rax+0x478]
    b"\x0f\x85\x8c\x00\x00\x00"           # jne  done
    b"\x4c\x8b\x97\x50\xa6\x00\x00"       # mov  r10, [rdi+0xa650]       pc_start
    b"\x4c\x89\xd0"                       # mov  rax, r10
    b"\x48\xc1\xe8\x28"                   # shr  rax, 0x28
    b"\x48\xc1\xe0\x03"                   # shl  rax, 0x3
    b"\x48\x03\x05\x43\x07\x00\x00"       # add  rax, [windows]
    b"\x4c\x03\x10"                       # add  r10, [rax]
    b"\x45\x31\xdb"                       # xor  r11d, r11d
                                          # next:
    b"\x41\x0f\xb6\x02"                   # movzx eax, byte [r10]
    b"\x49\xff\xc2"                       # inc  r10
    b"\x3c\x0f"                           # cmp  al, 0xf
    b"\x74\x2a"                           # je   opcode
    b"\x3c\xc4"                           # cmp  al, 0xc4                VEX
    b"\x74\x5e"                           # je   done
    b"\x3c\xc5"                           # cmp  al, 0xc5                VEX
    b"\x74\x5a"                           # je   done
    b"\x3c\x66"                           # cmp  al, 0x66
    b"\x74\x16"                           # je   operand
    b"\x45\x85\xdb"                       # test r11d, r11d
    b"\x75\xe4"                           # jne  next
    b"\x3c\xf3"                           # cmp  al, 0xf3
    b"\x74\x07"                           # je   repz
    b"\x3c\xf2"                           # cmp  al, 0xf2
    b"\x75\xdc"                           # jne  next
    b"\x41\xff\xc3"                       # inc  r11d
                                          # repz:
    b"\x41\x83\xc3\x02"                   # add  r11d, 0x2
    b"\xeb\xd3"                           # jmp  next
                                          # operand:
    b"\x41\xbb\x01\x00\x00\x00"           # mov  r11d, 0x1
    b"\xeb\xcb"                           # jmp  next
                                          # opcode:
    b"\x41\x0f\xb6\x02"                   # movzx eax, byte [r10]
    b"\x41\xc1\xe3\x08"                   # shl  r11d, 0x8
    b"\x3c\x38"                           # cmp  al, 0x38
    b"\x74\x09"                           # je   three
    b"\x3c\x3a"                           # cmp  al, 0x3a
    b"\x74\x05"                           # je   three
    b"\x44\x09\xd8"                       # or   eax, r11d
    b"\xeb\x16"                           # jmp  look
                                          # three:
    b"\x41\x81\xfb\x00\x01\x00\x00"       # cmp  r11d, 0x100
    b"\x75\x1a"                           # jne  done
    b"\x83\xe0\x02"                       # and  eax, 0x2
    b"\x8d\x40\x08"                       # lea  eax, [rax+0x8]
    b"\xc1\xe0\x07"                       # shl  eax, 0x7
    b"\x41\x8a\x42\x01"                   # mov  al, byte [r10+0x1]
                                          # look:
    b"\x0f\xa3\x05\x0e\x07\x00\x00"       # bt   dword [rip+0x70e], eax   aligned
    b"\x73\x04"                           # jae  done
    b"\x41\x83\xc8\x40"                   # or   r8d, 0x40               MO_ALIGN_16
                                          # done:
    b"\xc3"                               # ret
)  # fmt: skip

_BEGIN = (
    b"\x44\x89\xc0"                          # mov    eax, r8d
    b"\x55"                                  # push   rbp
    b"\x49\x89\xc9"                          # mov    r9, rcx
    b"\x48\x89\xfd"                          # mov    rbp, rdi
    b"\x83\xe0\xf7"                          # and    eax, -9
)  # fmt: skip
_GEN_LOAD, _GEN_STORE = Place(-0x74E40, _BEGIN), Place(-0x74E00, _BEGIN)
# gen_ldo_env_A0: the load of 16 bytes
_GEN_LDO = Place(
    -0x29700,
    b"\x41\x55"                              # push   r13
    b"\x41\xb8\x03\x00\x00\x00"              # mov    r8d, 3
)  # fmt: skip
# gen_sse, where it asks for a store of 16 bytes
_GEN_SSE = Place(
    -0x2198E,
    b"\x48\x8b\x95\xd8\x00\x00\x00"          # mov    rdx, [rbp+0xd8]
)  # fmt: skip
# disas_insn
_PC_START = Place(
    -0x1DD39,
    b"\x48\x89\x88\x50\xa6\x00\x00"          # mov    [rax+0xa650], rcx
)  # fmt: skip
PLACES = _GEN_LOAD, _GEN_STORE, _GEN_LDO, _GEN_SSE, _PC_START


def code(anchor: int) -> bytes:
    """Return the machine code, which belongs to `CODE_OFFSET` of direct_memory.py's page."""
    goals = {
        b"gen_load": _GEN_LOAD.end,
        b"gen_store": _GEN_STORE.end,
        b"gen_ldo_env_A0": _GEN_LDO.offset,
    }
    words = {name: address_word(anchor + offset) for name, offset in goals.items()}
    return b"".join(part % words for part in (_LOAD, _STORE, _REQUIRE))


def fill_table(data: int) -> None:
    """Write down the instructions in the page behind the code."""
    table = bytearray(_TABLE_SIZE)
    for number, ranges in enumerate(_ALIGNED):
        for words in ranges.split():
            first, _, last = words.partition("-")
            for opcode in range(int(first, 16), int(last or first, 16) + 1):
                table[32 * number + opcode // 8] |= 1 << opcode % 8
    ctypes.memmove(data + _TABLE, bytes(table), _TABLE_SIZE)


def changes(page: int) -> Iterator[tuple[Place, bytes]]:
    """Yield what lets the translator ask here."""
    yield _GEN_LOAD, go(page + CODE_OFFSET)
    yield _GEN_STORE, go(page + CODE_OFFSET + len(_LOAD % {b"gen_load": bytes(8)}))


def is_odd(address: int) -> bool:
    """Tell whether an address is one that was not aligned."""
    odd = address % _ALIGNMENT
    return odd != 0 and address >> _ADDRESS_BITS == odd << (ODD_SHIFT - _ADDRESS_BITS)
