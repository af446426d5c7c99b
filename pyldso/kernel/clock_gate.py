"""Tells the guest the time in the midst of a run: a hook in machine code on one instruction.

It takes the clock's number from a register, asks the host's C library, whose own vDSO answers, and
puts seconds and nanoseconds into two others: a few nanoseconds in place of a system call's
microseconds, and always the host's very time.
"""

from __future__ import annotations

from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_SIZE

# void hook(uc_engine *uc, uint64_t address, uint32_t size, void *user)
_HOOK = (
    b"\x53"                          # push  rbx
    b"\x48\x83\xec\x10"              # sub   rsp, 16          struct timespec
    b"\x48\x89\xfb"                  # mov   rbx, rdi
    b"\xbe%(clock)b"                 # mov   esi, clock
    b"\x48\x89\xe2"                  # mov   rdx, rsp
    b"\x48\xb8%(read)b"              # mov   rax, uc_reg_read
    b"\xff\xd0"                      # call  rax
    b"\x8b\x3c\x24"                  # mov   edi, [rsp]
    b"\x48\x89\xe6"                  # mov   rsi, rsp
    b"\x48\xb8%(clock_gettime)b"     # mov   rax, clock_gettime
    b"\xff\xd0"                      # call  rax
    b"\x85\xc0"                      # test  eax, eax
    b"\x75\x2d"                      # jnz   done             no such clock here
    b"\x48\x89\xdf"                  # mov   rdi, rbx
    b"\xbe%(seconds)b"               # mov   esi, seconds
    b"\x48\x89\xe2"                  # mov   rdx, rsp
    b"\x48\xb8%(write)b"             # mov   rax, uc_reg_write
    b"\xff\xd0"                      # call  rax
    b"\x48\x89\xdf"                  # mov   rdi, rbx
    b"\xbe%(nanoseconds)b"           # mov   esi, nanoseconds
    b"\x48\x8d\x54\x24\x08"          # lea   rdx, [rsp+8]
    b"\x48\xb8%(write)b"             # mov   rax, uc_reg_write
    b"\xff\xd0"                      # call  rax
                                     # done:
    b"\x48\x83\xc4\x10"              # add   rsp, 16
    b"\x5b"                          # pop   rbx
    b"\xc3"                          # ret
)  # fmt: skip


class ClockGate:
    """The hook: `function` is its host address."""

    __slots__ = ("function",)

    def __init__(self, read: int, write: int, clock: int, seconds: int, nanoseconds: int) -> None:
        """Take the addresses of libunicorn's access to registers, and its numbers of three."""
        functions = {b"read": read, b"write": write, b"clock_gettime": host.clock_gettime_address()}
        numbers = {b"clock": clock, b"seconds": seconds, b"nanoseconds": nanoseconds}
        values = {name: value.to_bytes(8, "little") for name, value in functions.items()}
        values |= {name: value.to_bytes(4, "little") for name, value in numbers.items()}
        self.function = host.place_code(_HOOK % values)

    def close(self) -> None:
        """Give back the code's page; the hook must be gone."""
        host.unmap_memory(self.function, PAGE_SIZE)
