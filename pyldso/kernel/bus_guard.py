"""Survives the host's own SIGBUS: a file that was truncated beneath a mapping of the guest.

The page is there for the emulated machine, and gone for the host. A signal handler in machine code
puts an empty page in its place, marks it as past the end of its file, and stops the machine, which
then raises the guest's SIGBUS (sigaction(2), mmap(2)).
"""

from __future__ import annotations

import ctypes
from signal import SIGBUS
from struct import pack

from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_SIZE, PAST_EOF, Arena

_SA_SIGINFO = 4
_SIGACTION = "<Q128xi12x"
"""struct sigaction of the host's C library: handler, mask, flags, restorer."""

# void handler(int number, siginfo_t *info, void *context). The slot is the first word of the page
# behind the code, and zeros follow it: the default action.
_HANDLER = (
    b"\x48\x8b\x46\x10"              # mov  rax, [rsi+16]      si_addr
    b"\x48\x89\xc1"                  # mov  rcx, rax
    b"\x49\xb8%(base)b"              # mov  r8, base
    b"\x4c\x29\xc1"                  # sub  rcx, r8
    b"\x49\xb9%(size)b"              # mov  r9, size
    b"\x4c\x39\xc9"                  # cmp  rcx, r9
    b"\x73\x5b"                      # jae  other
    b"\x48\x89\x05\xd6\x0f\x00\x00"  # mov  [slot], rax
    b"\x48\xc1\xe9\x0c"              # shr  rcx, 12
    b"\x49\xb9%(permissions)b"       # mov  r9, permissions
    b"\x41\xc6\x04\x09%(past_eof)b"  # mov  byte [r9+rcx], PAST_EOF
    b"\x48\x89\xc7"                  # mov  rdi, rax
    b"\x48\x81\xe7\x00\xf0\xff\xff"  # and  rdi, -4096
    b"\xbe\x00\x10\x00\x00"          # mov  esi, 4096
    b"\xba\x03\x00\x00\x00"          # mov  edx, PROT_READ | PROT_WRITE
    b"\x41\xba\x32\x40\x00\x00"      # mov  r10d, MAP_PRIVATE | FIXED | ANONYMOUS | NORESERVE
    b"\x49\xc7\xc0\xff\xff\xff\xff"  # mov  r8, -1
    b"\x45\x31\xc9"                  # xor  r9d, r9d
    b"\xb8\x09\x00\x00\x00"          # mov  eax, 9             mmap
    b"\x0f\x05"                      # syscall
    b"\x48\xbf%(machine)b"           # mov  rdi, machine
    b"\x48\xb8%(stop)b"              # mov  rax, uc_emu_stop
    b"\xff\xe0"                      # jmp  rax
                                     # other: not the guest's memory
    b"\xbf\x07\x00\x00\x00"          # mov  edi, SIGBUS
    b"\x48\x8d\x35\x7e\x0f\x00\x00"  # lea  rsi, [slot+8]
    b"\x31\xd2"                      # xor  edx, edx
    b"\x41\xba\x08\x00\x00\x00"      # mov  r10d, 8
    b"\xb8\x0d\x00\x00\x00"          # mov  eax, 13            rt_sigaction
    b"\x0f\x05"                      # syscall
    b"\xc3"                          # ret
)  # fmt: skip


class BusGuard:
    """Watches over the arena's host memory; `machine` is what `stop_address`'s function takes."""

    __slots__ = ("_arena", "_page", "_slot")

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
        code = _HANDLER % (words | {b"past_eof": bytes((PAST_EOF,))})
        self._page = host.place_code(code, PAGE_SIZE)
        self._slot = ctypes.c_uint64.from_address(self._page + PAGE_SIZE)
        host.set_signal_action(SIGBUS, pack(_SIGACTION, self._page, _SA_SIGINFO))

    @property
    def handler(self) -> int:
        """The address of the handler's machine code."""
        return self._page

    def take(self) -> int | None:
        """Return the guest's address of a page that was found gone, and forget it."""
        address, self._slot.value = self._slot.value, 0
        return self._arena.guest_address(address) if address else None

    def close(self) -> None:
        """Let SIGBUS have its default action again."""
        host.set_signal_action(SIGBUS, pack(_SIGACTION, 0, 0))
        host.unmap_memory(self._page, 2 * PAGE_SIZE)
