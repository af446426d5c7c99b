"""Answers the host's own SIGSEGV and SIGBUS in the guest's memory, in machine code.

The host's pages have the guest's protections (mmu.py), and there are three who may run against
them:

- Code of the guest that accesses memory directly (direct_memory.py). It goes on at its slow way,
  which asks the emulated MMU.
- pyldso itself, which reads and writes the guest's memory whatever its protection, as a kernel
  does. The page is opened, and closed again before the guest goes on.
- Both, where a file was truncated beneath a mapping: the page is there for the emulated machine,
  and gone for the host. An empty page takes its place, it is marked as past the end of its file,
  and the machine is stopped, which then raises the guest's SIGBUS (sigaction(2), mmap(2)).
"""

from __future__ import annotations

import ctypes
from signal import SIGBUS, SIGSEGV
from struct import pack

from pyldso.kernel import host
from pyldso.kernel.mmu import HOST_READ_ONLY, MAPPED, PAGE_SIZE, PAST_EOF, Arena

_GUARDED = SIGBUS, SIGSEGV
_SA_SIGINFO = 4
_SIGACTION = "<Q128xi12x"
"""struct sigaction of the host's C library: handler, mask, flags, restorer."""

# The page behind the code: where a page was found gone; zeros, which are the default action; how
# many pages were opened, and the last of them.
_GONE, _COUNT, _OPENED, _MOST_OPENED = 0, 0x40, 0x48, 64

# void handler(int number, siginfo_t *info, ucontext_t *context)
_HANDLER = (
                                      # handler:
    b"\x48\x8b\x82\xa8\x00\x00\x00"   # mov  rax, [rdx+0xa8]             RIP
    b"\x81\x78\xf1\x48\x03\x34\xfd"   # cmp  dword [rax-0xf], `add rsi, [rdi*8+..]`
    b"\x75%%"                         # jne  host                       "%" is 0x25
    b"\x81\x78\xf5%(windows)b"        # cmp  dword [rax-0xb], windows
    b"\x75\x1c"                       # jne  host
    b"\x4c\x8b\x42\x68"               # mov  r8, [rdx+0x68]              RDI, the window
    b"\x4e\x8b\x04\xc5%(windows)b"    # mov  r8, [r8*8+windows]
    b"\x4c\x29\x42\x70"               # sub  [rdx+0x70], r8              RSI: addr again
    b"\x48\x63\x48\xfc"               # movsxd rcx, dword [rax-0x4]
    b"\x48\x01\x8a\xa8\x00\x00\x00"   # add  [rdx+0xa8], rcx
    b"\xc3"                           # ret
                                      # host:
    b"\x48\x8b\x46\x10"               # mov  rax, [rsi+0x10]             si_addr
    b"\x48\x89\xc1"                   # mov  rcx, rax
    b"\x49\xb8%(base)b"               # mov  r8, base
    b"\x4c\x29\xc1"                   # sub  rcx, r8
    b"\x49\xb9%(size)b"               # mov  r9, size
    b"\x4c\x39\xc9"                   # cmp  rcx, r9
    b"\x0f\x83\x09\x01\x00\x00"       # jae  other
    b"\x48\xc1\xe9\x0c"               # shr  rcx, 0xc
    b"\x49\xb9%(permissions)b"        # mov  r9, permissions
    b"\x49\x01\xc9"                   # add  r9, rcx
    b"\x49\x89\xc0"                   # mov  r8, rax
    b"\x49\x81\xe0\x00\xf0\xff\xff"   # and  r8, -4096
    b"\x83\xff\x0b"                   # cmp  edi, 0xb                    SIGSEGV
    b"\x74\x45"                       # je   open
    b"\x48\x89\x05\x7d\x0f\x00\x00"   # mov  [rip+0xf7d], rax   slot
    b"\x41\xc6\x01%(past_eof)b"       # mov  byte [r9], PAST_EOF
    b"\x4c\x89\xc7"                   # mov  rdi, r8
    b"\xbe\x00\x10\x00\x00"           # mov  esi, 0x1000
    b"\xba\x03\x00\x00\x00"           # mov  edx, 0x3                    PROT_READ | PROT_WRITE
    b"\x41\xba\x32\x40\x00\x00"       # mov  r10d, 0x4032                MAP_PRIVATE and so on
    b"\x49\xc7\xc0\xff\xff\xff\xff"   # mov  r8, 0xffffffffffffffff
    b"\x45\x31\xc9"                   # xor  r9d, r9d
    b"\xb8\x09\x00\x00\x00"           # mov  eax, 0x9                    mmap
    b"\x0f\x05"                       # syscall
    b"\x48\xbf%(machine)b"            # mov  rdi, machine
    b"\x48\xb8%(stop)b"               # mov  rax, uc_emu_stop
    b"\xff\xe0"                       # jmp  rax
                                      # open:
    b"\x45\x0f\xb6\x09"               # movzx r9d, byte [r9]
    b"\x41\xf7\xc1%(mapped)b\x00\x00\x00"# test r9d, MAPPED
    b"\x0f\x84\x93\x00\x00\x00"       # je   other
    b"\x8b\x8a\xc0\x00\x00\x00"       # mov  ecx, dword [rdx+0xc0]       the error code
    b"\xba\x03\x00\x00\x00"           # mov  edx, 0x3                    PROT_READ | PROT_WRITE
    b"\x41\xf7\xc1%(host_read_only)b\x00\x00\x00"# test r9d, HOST_READ_ONLY
    b"\x74\x0d"                       # je   any
    b"\xba\x01\x00\x00\x00"           # mov  edx, 0x1                    PROT_READ
    b"\xf7\xc1\x02\x00\x00\x00"       # test ecx, 0x2                    a write
    b"\x75\x72"                       # jne  other
    b"\x4c\x89\xc7"                   # mov  rdi, r8
    b"\xbe\x00\x10\x00\x00"           # mov  esi, 0x1000
    b"\xb8\x0a\x00\x00\x00"           # mov  eax, 0xa                    mprotect
    b"\x0f\x05"                       # syscall
    b"\x85\xc0"                       # test eax, eax
    b"\x75\x5a"                       # jne  dead
    b"\x48\x8b\x05\x33\x0f\x00\x00"   # mov  rax, [count]
    b"\x48\xff\x05\x2c\x0f\x00\x00"   # inc  [count]
    b"\x83\xe0\x3f"                   # and  eax, 0x3f
    b"\x48\x8d\x0d\x2a\x0f\x00\x00"   # lea  rcx, [ring]
    b"\x48\x8d\x0c\xc1"               # lea  rcx, [rcx+rax*8]
    b"\x48\x8b\x01"                   # mov  rax, [rcx]
    b"\x4c\x89\x01"                   # mov  [rcx], r8
    b"\x48\x85\xc0"                   # test rax, rax
    b"\x74\x32"                       # je   done
    b"\x48\x89\xc7"                   # mov  rdi, rax
    b"\x49\xb8%(base)b"               # mov  r8, base
    b"\x4c\x29\xc0"                   # sub  rax, r8
    b"\x48\xc1\xe8\x0c"               # shr  rax, 0xc
    b"\x49\xb9%(permissions)b"        # mov  r9, permissions
    b"\x41\x0f\xb6\x14\x01"           # movzx edx, byte [r9+rax*1]
    b"\x83\xe2\x03"                   # and  edx, 0x3                    READ | WRITE
    b"\xbe\x00\x10\x00\x00"           # mov  esi, 0x1000
    b"\xb8\x0a\x00\x00\x00"           # mov  eax, 0xa                    mprotect
    b"\x0f\x05"                       # syscall
    b"\xc3"                           # ret
                                      # dead:
    b"\xbf\x0b\x00\x00\x00"           # mov  edi, 0xb
                                      # other:
    b"\x48\x8d\x35\x9c\x0e\x00\x00"   # lea  rsi, [zeros]
    b"\x31\xd2"                       # xor  edx, edx
    b"\x41\xba\x08\x00\x00\x00"       # mov  r10d, 0x8
    b"\xb8\x0d\x00\x00\x00"           # mov  eax, 0xd                    rt_sigaction
    b"\x0f\x05"                       # syscall
    b"\xc3"                           # ret
)  # fmt: skip


class MemoryGuard:
    """Watches over the arena's host memory; `machine` is what `stop_address`'s function takes."""

    __slots__ = ("_arena", "_count", "_gone", "_opened", "_page")

    def __init__(self, arena: Arena, machine: int, stop_address: int) -> None:
        self._arena = arena
        numbers = {
            b"base": arena.base,
            b"size": arena.size,
            b"permissions": arena.permissions_address,
            b"machine": machine,
            b"stop": stop_address,
        }
        words = {name: value.to_bytes(8, "little") for name, value in numbers.items()}
        flags = {b"past_eof": PAST_EOF, b"mapped": MAPPED, b"host_read_only": HOST_READ_ONLY}
        words |= {name: bytes((value,)) for name, value in flags.items()}
        words[b"windows"] = arena.direct_windows.to_bytes(4, "little")
        self._page = host.place_code(_HANDLER % words, PAGE_SIZE)
        data = self._page + PAGE_SIZE
        self._gone = ctypes.c_uint64.from_address(data + _GONE)
        self._count = ctypes.c_uint64.from_address(data + _COUNT)
        self._opened = (ctypes.c_uint64 * _MOST_OPENED).from_address(data + _OPENED)
        for number in _GUARDED:
            host.set_signal_action(number, pack(_SIGACTION, self._page, _SA_SIGINFO))
        host.unblock_signals(sum(1 << (number - 1) for number in _GUARDED))

    @property
    def handler(self) -> int:
        """The address of the handler's machine code."""
        return self._page

    def close_pages(self) -> None:
        """Give the pages that were opened their protection again."""
        if not self._count.value:
            return
        for index in range(min(self._count.value, _MOST_OPENED)):
            self._arena.match_host_page(self._opened[index] - self._arena.base)
            self._opened[index] = 0
        self._count.value = 0

    def take(self) -> int | None:
        """Return the guest's address of a page that was found gone, and forget it."""
        address, self._gone.value = self._gone.value, 0
        return self._arena.guest_address(address) if address else None

    def close(self) -> None:
        """Let the signals have their default action again."""
        for number in _GUARDED:
            host.set_signal_action(number, pack(_SIGACTION, 0, 0))
        host.unmap_memory(self._page, 2 * PAGE_SIZE)
