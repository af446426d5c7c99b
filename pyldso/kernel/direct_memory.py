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

Two places of libunicorn's code generator for x86-64 hosts, tcg_out_qemu_ld and tcg_out_qemu_st,
are replaced in memory where they are the tested version's.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from pyldso.kernel import host
from pyldso.kernel.code_generator import ANCHOR, Place, go, replace
from pyldso.kernel.mmu import PAGE_SIZE

if TYPE_CHECKING:
    from pyldso.kernel.libunicorn import Unicorn
    from pyldso.kernel.mmu import Arena

_REGISTERS = 16
_SPACE = 32
_REX_W, _REX_R_SHIFT, _MODRM_RDI, _MODRM_RSI = 0x48, 2, 0xC7, 0xC6
# An access of memory, by the number of the register with the guest's address. The slow way's
# distance is filled in as that of a jump; the access itself follows.
_ACCESS = (
    b"%(rex)b\x89%(to_rdi)b"                  # mov  rdi, register
    b"%(rex)b\x89%(to_rsi)b"                  # mov  rsi, register
    b"\x48\xc1\xef%(window_bits)b"            # shr  rdi, window_bits
    b"\x48\x03\x34\xfd%(windows)b"            # add  rsi, [rdi*8+windows]
    b"\x0f\x1f\x80\x00\x00\x00\x00"          # nop  dword [rax+slow]
)  # fmt: skip

# Entered in the middle of tcg_out_qemu_ld and tcg_out_qemu_st, with ZF set where the access need
# not be aligned. 0x9970 is in the TCGContext the offset of uc, 0x88 that of code_ptr; 0x430, 0x448
# and 0x478 are in uc those of the lists of hooks. What must be aligned is left to libunicorn.
_LOAD = (
    b"\x75\x37"                           # jne  ld_aligned
    b"\x49\x8b\x86\x70\x99\x00\x00"       # mov  rax, [r14+0x9970]       uc
    b"\x48\x3b\x05\xf0\x0f\x00\x00"       # cmp  rax, [owner]
    b"\x75\x1b"                           # jne  ld_checked
    b"\x4c\x89\xf7"                       # mov  rdi, r14                the TCGContext
    b"\x89\xe9"                           # mov  ecx, ebp                the address's register
    b"\xe8\x9b\x00\x00\x00"               # call emit
    b"\x72\x0f"                           # jb   ld_checked
    b"\x49\x89\xc4"                       # mov  r12, rax                the label
    b"\x48\xb8%(ld_resume)b"              # mov  rax, ld_resume
    b"\xff\xe0"                           # jmp  rax
                                          # ld_checked:
    b"\x48\xb8%(ld_checked)b"             # mov  rax, ld_checked
    b"\xff\xe0"                           # jmp  rax
                                          # ld_aligned:
    b"\x41\x83\xff\x70"                   # cmp  r15d, 0x70
    b"\x48\xb9%(ld_natural)b"             # mov  rcx, ld_natural
    b"\x74\x0a"                           # je   done
    b"\x48\xb9%(ld_aligned)b"             # mov  rcx, ld_aligned
    b"\xb8\x01\x00\x00\x00"               # mov  eax, 0x1
    b"\xff\xe1"                           # jmp  rcx
)  # fmt: skip
_STORE = (
    b"\x75\x3b"                           # jne  st_aligned
    b"\x49\x8b\x87\x70\x99\x00\x00"       # mov  rax, [r15+0x9970]       uc
    b"\x48\x3b\x05\x96\x0f\x00\x00"       # cmp  rax, [owner]
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
                                          # st_aligned:
    b"\x83\xff\x70"                       # cmp  edi, 0x70
    b"\x48\xb9%(st_natural)b"             # mov  rcx, st_natural
    b"\x74\x0a"                           # je   done
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
    b"\x72\x26"                           # jb   done
    b"\xc1\xe1\x05"                       # shl  ecx, 0x5
    b"\x48\x8d\x35\x62\x0f\x00\x00"       # lea  rsi, [accesses]
    b"\x48\x01\xce"                       # add  rsi, rcx
    b"\x49\x8b\xb8\x88\x00\x00\x00"       # mov  rdi, [r8+0x88]          code_ptr
    b"\xb9\x19\x00\x00\x00"               # mov  ecx, SIZE
    b"\xf3\xa4"                           # rep  movsb
    b"\x49\x89\xb8\x88\x00\x00\x00"       # mov  [r8+0x88], rdi          code_ptr
    b"\x48\x8d\x47\xfc"                   # lea  rax, [rdi-0x4]
    b"\xc3"                               # ret
)  # fmt: skip
_OWNER, _ACCESSES = 0, 0x40
"""In the page behind the code: the uc_engine that the code is generated for, and the accesses."""

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
_HAVE_MOVBE = 0x10BC6DE
"""Whether a load or store is one instruction in either order of bytes."""
_GOALS = {
    b"ld_resume": _AFTER_LOAD_CHECK.offset,
    b"ld_checked": -0x85D10,
    b"ld_natural": -0x85B10,
    b"ld_aligned": _LOAD_CHECK.offset + len(_LOAD_CHECK.expected),
    b"st_resume": _AFTER_STORE_CHECK.offset,
    b"st_checked": -0x84890,
    b"st_natural": -0x845E8,
    b"st_aligned": _STORE_CHECK.offset + len(_STORE_CHECK.expected),
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
        page = _place(unicorn.function_address(ANCHOR))
        self._owner = ctypes.c_uint64.from_address(page + PAGE_SIZE + _OWNER)
        for register in range(_REGISTERS):
            number = register & 7
            code = _ACCESS % {
                b"rex": bytes((_REX_W | (register >> 3) << _REX_R_SHIFT,)),
                b"to_rdi": bytes((_MODRM_RDI | number << 3,)),
                b"to_rsi": bytes((_MODRM_RSI | number << 3,)),
                b"window_bits": bytes((arena.window_bits,)),
                b"windows": arena.direct_windows.to_bytes(4, "little"),
            }
            ctypes.memmove(page + PAGE_SIZE + _ACCESSES + _SPACE * register, code, len(code))
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


def _place(anchor: int) -> int:
    """Change the code generator, once, and return the page of the new code."""
    page = _pages.get(anchor)
    if page is None:
        checks = _LOAD_CHECK, _STORE_CHECK, _AFTER_LOAD_CHECK, _AFTER_STORE_CHECK, _HOOKS
        if not all(check.stands(anchor) for check in checks):
            raise LookupError("not the known build")
        if not ctypes.c_ubyte.from_address(anchor + _HAVE_MOVBE).value:
            raise LookupError("the processor has no movbe")
        goals = {name: (anchor + offset).to_bytes(8, "little") for name, offset in _GOALS.items()}
        load, store, emit = (code % goals for code in (_LOAD, _STORE, _EMIT))
        page = host.place_code(load + store + emit, PAGE_SIZE)
        try:
            replace(anchor, _LOAD_CHECK, go(page))
            replace(anchor, _STORE_CHECK, go(page + len(load)))
        except OSError:
            raise LookupError("code cannot be written") from None
        _pages[anchor] = page
    return page
