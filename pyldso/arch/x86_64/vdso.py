"""The code of the vDSO: functions that the kernel lends every process (vdso(7)).

They tell the time without a system call. Where Linux's read the processor's counter, here
`read_clock` ends in a gate: an instruction at which the emulated machine puts the time into the
registers. For all else, and where nobody minds the gate, they ask the kernel.
"""

from __future__ import annotations

from pyldso.arch.x86_64.registers import RAX, RDI, RDX

# time_t, long read_clock(clockid_t): the seconds, and nanoseconds in RDX.
READ_CLOCK = (
    b"\x48\x83\xc8\xff"              # or    $-1, %rax
                                     # gate:
    b"\xc3"                          # ret
)  # fmt: skip
GATE = 4
"""Where in it the gate is."""
GATE_CLOCK, GATE_SECONDS, GATE_NANOSECONDS = RDI, RAX, RDX
"""The registers that say which clock is wanted, and that are given the time."""
CALL_READ_CLOCK = b"\xe8\0\0\0\0"
"""A call whose distance is filled in where the functions get their places."""

_CLOCK_GETTIME = (
    b"\x83\xff\x0b"                  # cmp   $CLOCK_TAI, %edi
    b"\x77\x1e"                      # ja    ask
    b"\xb8\xf3\x08\x00\x00"          # mov   $0x8f3, %eax     clocks of the system, not a process's
    b"\x0f\xa3\xf8"                  # bt    %edi, %eax
    b"\x73\x14"                      # jnc   ask
    + CALL_READ_CLOCK +              # call  read_clock
    b"\x48\x85\xc0"                  # test  %rax, %rax
    b"\x78\x0a"                      # js    ask
    b"\x48\x89\x06"                  # mov   %rax, (%rsi)
    b"\x48\x89\x56\x08"              # mov   %rdx, 8(%rsi)
    b"\x31\xc0"                      # xor   %eax, %eax
    b"\xc3"                          # ret
                                     # ask:
    b"\xb8\xe4\x00\x00\x00"          # mov   $228, %eax
    b"\x0f\x05"                      # syscall
    b"\xc3"                          # ret
)  # fmt: skip
_GETTIMEOFDAY = (
    b"\x48\x85\xf6"                  # test  %rsi, %rsi
    b"\x75\x2c"                      # jnz   ask              for the time zone
    b"\x48\x85\xff"                  # test  %rdi, %rdi
    b"\x74\x27"                      # jz    ask
    b"\x49\x89\xf8"                  # mov   %rdi, %r8
    b"\x31\xff"                      # xor   %edi, %edi       CLOCK_REALTIME
    + CALL_READ_CLOCK +              # call  read_clock
    b"\x4c\x89\xc7"                  # mov   %r8, %rdi
    b"\x48\x85\xc0"                  # test  %rax, %rax
    b"\x78\x15"                      # js    ask
    b"\x48\x89\x07"                  # mov   %rax, (%rdi)
    b"\x48\x69\xd2\xd3\x4d\x62\x10"  # imul  $0x10624dd3, %rdx, %rdx
    b"\x48\xc1\xea\x26"              # shr   $38, %rdx        together: divided by 1000
    b"\x48\x89\x57\x08"              # mov   %rdx, 8(%rdi)
    b"\x31\xc0"                      # xor   %eax, %eax
    b"\xc3"                          # ret
                                     # ask:
    b"\xb8\x60\x00\x00\x00"          # mov   $96, %eax
    b"\x0f\x05"                      # syscall
    b"\xc3"                          # ret
)  # fmt: skip
_TIME = (
    b"\x49\x89\xf8"                  # mov   %rdi, %r8
    b"\xbf\x05\x00\x00\x00"          # mov   $CLOCK_REALTIME_COARSE, %edi
    + CALL_READ_CLOCK +              # call  read_clock
    b"\x4c\x89\xc7"                  # mov   %r8, %rdi
    b"\x48\x85\xc0"                  # test  %rax, %rax
    b"\x78\x09"                      # js    ask
    b"\x48\x85\xff"                  # test  %rdi, %rdi
    b"\x74\x03"                      # jz    done
    b"\x48\x89\x07"                  # mov   %rax, (%rdi)
                                     # done:
    b"\xc3"                          # ret
                                     # ask:
    b"\xb8\xc9\x00\x00\x00"          # mov   $201, %eax
    b"\x0f\x05"                      # syscall
    b"\xc3"                          # ret
)  # fmt: skip
_GETCPU = (
    b"\xb8\x35\x01\x00\x00"          # mov   $309, %eax
    b"\x0f\x05"                      # syscall
    b"\xc3"                          # ret
)  # fmt: skip
_CLOCK_GETRES = (
    b"\xb8\xe5\x00\x00\x00"          # mov   $229, %eax
    b"\x0f\x05"                      # syscall
    b"\xc3"                          # ret
)  # fmt: skip

FUNCTIONS = {
    b"clock_gettime": _CLOCK_GETTIME,
    b"gettimeofday": _GETTIMEOFDAY,
    b"time": _TIME,
    b"getcpu": _GETCPU,
    b"clock_getres": _CLOCK_GETRES,
}

FRAME_CIE = bytes.fromhex(
    "14000000 00000000"  # length, the id of a CIE
    "01 7a5200"  #         version, "zR": FDEs have their addresses encoded
    "01 78 10"  #          alignment of code 1 and of data -8; the return address is column 16
    "01 1b"  #             as DW_EH_PE_pcrel | DW_EH_PE_sdata4
    "0c0708 9001"  #       DW_CFA_def_cfa: rsp+8; DW_CFA_offset: the return address at cfa-8
    "0000"
)
"""What unwinders must know, of all functions alike: none pushes anything (LSB 10.6)."""
