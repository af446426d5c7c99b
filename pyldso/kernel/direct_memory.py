"""Lets code of the guest access memory without the soft TLB: the host's MMU checks instead.

libunicorn looks up every access in its soft TLB, ten instructions with four loads, which is half
the time of a program such as python3. But here each window of the guest's addresses lies in one
piece in the host's memory, and its pages have the guest's protections (mmu.py). So the host's
address is a sum, and what is not allowed is a fault of the host, whose handler (memory_guard.py)
lets the access go on in the slow way: there the emulated MMU grows a stack, finds out the end of a
file, or raises the guest's fault.

The TLB also knows from which pages code was translated, and forgets that code when they are
written. Here no page is writable and executed at once: where a program wants that, all its code
is translated in libunicorn's way from then on.

What an instruction of SSE wants aligned (alignment.py) has an address that no memory has, where it
is not.

Two places of libunicorn's code generator for x86-64 hosts, tcg_out_qemu_ld and tcg_out_qemu_st,
are replaced in memory where they are the tested version's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyldso.kernel import alignment, host
from pyldso.kernel.mmu import PAGE_SIZE
from pyldso.kernel.patches import ANCHOR, Place, Words, address_word, go, patch

if TYPE_CHECKING:
    from pyldso.kernel.libunicorn import Unicorn
    from pyldso.kernel.mmu import Arena

_REGISTERS = 16
_SPACE = 64
"""Bytes for an access; the last says how many it has."""
_REX_W, _REX_R_SHIFT, _MODRM_RDI, _MODRM_RSI = 0x48, 2, 0xC7, 0xC6
# An access of memory, by the number of the register with the guest's address. The slow way's
# distance is filled in as that of a jump; the access itself follows.
_GET_ADDRESS = (
    b"%(rex)b\x89%(to_rdi)b"                  # mov  rdi, register
    b"%(rex)b\x89%(to_rsi)b"                  # mov  rsi, register
)  # fmt: skip
_SPOIL_ODD_ADDRESS = (
    b"\x83\xe7\x0f"                          # and  edi, 15
    b"\x48\xc1\xe7%(odd_shift)b"              # shl  rdi, ODD_SHIFT
    b"\x48\x01\xfe"                          # add  rsi, rdi
    b"\x48\x89\xf7"                          # mov  rdi, rsi
)  # fmt: skip
_MAKE_HOST_ADDRESS = (
    b"\x48\xc1\xef%(window_bits)b"            # shr  rdi, window_bits
    b"\x48\x03\x34\xfd%(windows)b"            # add  rsi, [rdi*8+windows]
    b"\x0f\x1f\x80\x00\x00\x00\x00"          # nop  dword [rax+slow]
)  # fmt: skip
_KINDS = _GET_ADDRESS + _MAKE_HOST_ADDRESS, _GET_ADDRESS + _SPOIL_ODD_ADDRESS + _MAKE_HOST_ADDRESS

# Entered in the middle of tcg_out_qemu_ld and tcg_out_qemu_st, with ZF set where the access need
# not be aligned. 0x9970 is in the TCGContext the offset of uc, 0x88 that of code_ptr; 0x430, 0x448
# and 0x478 are in uc those of the lists of hooks.
_LOAD = (
    b"\x41\xb9\x00\x00\x00\x00"           # mov  r9d, 0x0                an access of any address
    b"\x74\x16"                           # je   more
    b"\x41\x83\xff\x40"                   # cmp  r15d, 0x40              MO_ALIGN_16
    b"\x75\x47"                           # jne  ld_other
    b"\x45\x31\xff"                       # xor  r15d, r15d
    b"\x41\x81\xe5\xff\xf8\xff\xff"       # and  r13d, ~0x700            not for the slow way
    b"\x41\xb9\x00\x04\x00\x00"           # mov  r9d, 0x400              of one that is aligned
    b"\x49\x8b\x86\x70\x99\x00\x00"       # mov  rax, [r14+0x9970]       uc
    b"\x48\x3b\x05\xd4\x0f\x00\x00"       # cmp  rax, [owner]
    b"\x75\x1b"                           # jne  ld_checked
    b"\x4c\x89\xf7"                       # mov  rdi, r14                the TCGContext
    b"\x89\xe9"                           # mov  ecx, ebp                the address's register
    b"\xe8\xbb\x00\x00\x00"               # call emit
    b"\x72\x0f"                           # jb   ld_checked
    b"\x49\x89\xc4"                       # mov  r12, rax                the label
    b"\x48\xb8%(ld_resume)b"              # mov  rax, ld_resume
    b"\xff\xe0"                           # jmp  rax
                                          # ld_checked:
    b"\x48\xb8%(ld_checked)b"             # mov  rax, ld_checked
    b"\xff\xe0"                           # jmp  rax
                                          # ld_other:
    b"\x41\x83\xff\x70"                   # cmp  r15d, 0x70
    b"\x48\xb9%(ld_natural)b"             # mov  rcx, ld_natural
    b"\x74\x0a"                           # je   more
    b"\x48\xb9%(ld_aligned)b"             # mov  rcx, ld_aligned
    b"\xb8\x01\x00\x00\x00"               # mov  eax, 0x1
    b"\xff\xe1"                           # jmp  rcx
)  # fmt: skip
_STORE = (
    b"\x41\xb9\x00\x00\x00\x00"           # mov  r9d, 0x0                an access of any address
    b"\x74\x1a"                           # je   more
    b"\x83\xff\x40"                       # cmp  edi, 0x40               MO_ALIGN_16
    b"\x75\x50"                           # jne  st_other
    b"\xc7\x44\x24\x08\x00\x00\x00\x00"   # mov  dword [rsp+0x8], 0x0
    b"\x41\x81\xe6\xff\xf8\xff\xff"       # and  r14d, ~0x700            not for the slow way
    b"\x41\xb9\x00\x04\x00\x00"           # mov  r9d, 0x400              of one that is aligned
    b"\x49\x8b\x87\x70\x99\x00\x00"       # mov  rax, [r15+0x9970]       uc
    b"\x48\x3b\x05\x5a\x0f\x00\x00"       # cmp  rax, [owner]
    b"\x75\x1f"                           # jne  st_checked
    b"\x4c\x89\xff"                       # mov  rdi, r15                the TCGContext
    b"\x89\xd9"                           # mov  ecx, ebx                the address's register
    b"\xe8\x41\x00\x00\x00"               # call emit
    b"\x72\x13"                           # jb   st_checked
    b"\x48\x89\xc5"                       # mov  rbp, rax                the label
    b"\x41\x83\xe4\x08"                   # and  r12d, 0x8               what was left out
    b"\x48\xb8%(st_resume)b"              # mov  rax, st_resume
    b"\xff\xe0"                           # jmp  rax
                                          # st_checked:
    b"\x48\xb8%(st_checked)b"             # mov  rax, st_checked
    b"\xff\xe0"                           # jmp  rax
                                          # st_other:
    b"\x83\xff\x70"                       # cmp  edi, 0x70
    b"\x48\xb9%(st_natural)b"             # mov  rcx, st_natural
    b"\x74\x0a"                           # je   more
    b"\x48\xb9%(st_aligned)b"             # mov  rcx, st_aligned
    b"\xb8\x01\x00\x00\x00"               # mov  eax, 0x1
    b"\xff\xe1"                           # jmp  rcx
)  # fmt: skip
_EMIT = (
    b"\x49\x89\xf8"                       # mov  r8, rdi
    b"\x48\x8b\x90\x30\x04\x00\x00"       # mov  rdx, [rax+0x430]        hooks of memory
    b"\x48\x0b\x90\x48\x04\x00\x00"       # or   rdx, [rax+0x448]
    b"\x48\x0b\x90\x78\x04\x00\x00"       # or   rdx, [rax+0x478]
    b"\x48\xf7\xda"                       # neg  rdx                     CF: there is one
    b"\x72\x28"                           # jb   more
    b"\xc1\xe1\x06"                       # shl  ecx, 0x6
    b"\x48\x8d\x35\xe6\x0f\x00\x00"       # lea  rsi, [accesses]
    b"\x4c\x01\xce"                       # add  rsi, r9
    b"\x48\x01\xce"                       # add  rsi, rcx
    b"\x49\x8b\xb8\x88\x00\x00\x00"       # mov  rdi, [r8+0x88]          code_ptr
    b"\x0f\xb6\x4e\x3f"                   # movzx ecx, byte [rsi+0x3f]
    b"\xf3\xa4"                           # rep  movsb
    b"\x49\x89\xb8\x88\x00\x00\x00"       # mov  [r8+0x88], rdi          code_ptr
    b"\x48\x8d\x47\xfc"                   # lea  rax, [rdi-0x4]
    b"\xc3"                               # ret
)  # fmt: skip
_OWNER, _WINDOWS, _ACCESSES = 0, 8, 0x100
"""In the page behind the code: the uc_engine that code is generated for, its `direct_windows`, and
the accesses of any addresses, then those of aligned ones. Between them is what alignment.py has."""

_LOAD_CHECK = Place(
    -0x85FAD,
    b"\x0f\x84\x97\x02\x00\x00"              # je     ld_checked
    b"\x41\x83\xff\x70"                      # cmp    r15d, 0x70
    b"\x0f\x84\x8d\x04\x00\x00"              # je     ld_natural
)  # fmt: skip
_STORE_CHECK = Place(
    -0x84BAD,
    b"\x0f\x84\x17\x03\x00\x00"              # je     st_checked
    b"\x83\xff\x70"                          # cmp    edi, 0x70
    b"\x0f\x84\xb6\x05\x00\x00"              # je     st_natural
)  # fmt: skip
_AFTER_LOAD_CHECK = Place(
    -0x85D5B,
    b"\x44\x0f\xb6\x7c\x24\x1c"              # movzx  r15d, byte [rsp+0x1c]
)  # fmt: skip
_AFTER_STORE_CHECK = Place(
    -0x8495D,
    b"\x80\x3d\x34\x10\x14\x01\x00"          # cmp    byte [have_movbe], 0
)  # fmt: skip
_HOOKS = Place(
    -0x85DD3,
    b"\x49\x8b\x96\x70\x99\x00\x00"          # mov    rdx, [r14+0x9970]
    b"\x49\x8b\x86\x88\x00\x00\x00"          # mov    rax, [r14+0x88]
    b"\x48\x83\xba\x30\x04\x00\x00\x00"      # cmp    qword [rdx+0x430], 0
)  # fmt: skip
_PLACES = (
    *(_LOAD_CHECK, _STORE_CHECK, _AFTER_LOAD_CHECK, _AFTER_STORE_CHECK, _HOOKS),
    *alignment.PLACES,
)
_HAVE_MOVBE = 0x10BC6DE
"""Whether a load or store is one instruction in either order of bytes."""
_GOALS = {
    b"ld_resume": _AFTER_LOAD_CHECK.offset,
    b"ld_checked": -0x85D10,
    b"ld_natural": -0x85B10,
    b"ld_aligned": _LOAD_CHECK.end,
    b"st_resume": _AFTER_STORE_CHECK.offset,
    b"st_checked": -0x84890,
    b"st_natural": -0x845E8,
    b"st_aligned": _STORE_CHECK.end,
}
_pages: dict[int, int] = {}
"""The code's page by the anchor of the library: a process has one."""


class DirectMemory:
    """Code for one machine that accesses memory directly, in what is translated while it is on.

    A process has one such machine, whose MemoryGuard is the last that was made.

    Raises LookupError where libunicorn is not the known build, or the arena has no windows for it.
    """

    __slots__ = ("_engine", "_owner")

    def __init__(self, unicorn: Unicorn, arena: Arena) -> None:
        if not arena.direct_windows:
            raise LookupError("no address space")
        if not patch(unicorn, _PLACES, _make):
            raise LookupError("not the known build")
        anchor = unicorn.function_address(ANCHOR)
        if not ctypes.c_ubyte.from_address(anchor + _HAVE_MOVBE).value:
            raise LookupError("the processor has no movbe")
        page = _pages[anchor]
        self._owner = ctypes.c_uint64.from_address(page + PAGE_SIZE + _OWNER)
        ctypes.c_uint64.from_address(page + PAGE_SIZE + _WINDOWS).value = arena.direct_windows
        place = page + PAGE_SIZE + _ACCESSES
        for kind in _KINDS:
            for register in range(_REGISTERS):
                code = kind % _operands(register, arena)
                slot = code.ljust(_SPACE - 1, b"\0") + bytes((len(code),))
                ctypes.memmove(place, slot, _SPACE)
                place += _SPACE
        self._engine = unicorn.engine_address
        self._owner.value = self._engine

    @property
    def is_on(self) -> bool:
        """Tell whether code is generated so."""
        return self._owner.value == self._engine

    def end(self) -> None:
        """Let code be generated in libunicorn's way; what was generated must be forgotten."""
        if self.is_on:
            self._owner.value = 0


def _operands(register: int, arena: Arena) -> dict[bytes, bytes]:
    number = register & 7
    values = {
        b"rex": _REX_W | (register >> 3) << _REX_R_SHIFT,
        b"to_rdi": _MODRM_RDI | number << 3,
        b"to_rsi": _MODRM_RSI | number << 3,
        b"odd_shift": alignment.ODD_SHIFT,
        b"window_bits": arena.window_bits,
    }
    operands = {name: bytes((value,)) for name, value in values.items()}
    return operands | {b"windows": arena.direct_windows.to_bytes(4, "little")}


def _make(anchor: int, _words: Words) -> Iterator[tuple[Place, bytes]]:
    goals = {name: address_word(anchor + offset) for name, offset in _GOALS.items()}
    load, store, emit = (code % goals for code in (_LOAD, _STORE, _EMIT))
    code = (load + store + emit).ljust(alignment.CODE_OFFSET, b"\0") + alignment.code(anchor)
    page = host.place_code(code, PAGE_SIZE)
    alignment.fill_table(page + PAGE_SIZE)
    _pages[anchor] = page
    yield _LOAD_CHECK, go(page)
    yield _STORE_CHECK, go(page + len(load))
    yield from alignment.changes(page)
