"""Takes the signals that the host's kernel delivers, for the guest.

The guest's processes are the host's: what the guest ignores or leaves to its default is ignored or
left to its default on the host, what it blocks is blocked there, so that stopping and continuing,
terminals, timers, signalfd(2) and the order of pending signals are Linux's own. For a signal that
the guest handles stands a handler in machine code. It keeps the siginfo, blocks all signals
until that one was taken, and stops the emulated machine. Linux restarts system calls or ends them
with EINTR as the guest's SA_RESTART says (signal(7)).

Two races are closed. A system call that waits is made between two labels: where the signal finds
the thread there, before the kernel has begun to wait, the call is given up (Interrupted) and made
again after the guest's handler. And a stop that comes while the machine is about to start
is lost: a timer repeats it until the signal was taken.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from struct import pack

from pyldso.arch.x86_64.syscalls import NUMBERS, numbers_of
from pyldso.errors import os_error
from pyldso.kernel import host
from pyldso.kernel.host import ALL_SIGNALS, set_kernel_action, set_signal_mask
from pyldso.kernel.mmu import PAGE_SIZE
from pyldso.kernel.signal_frames import SignalInfo

_GETTID, _TGKILL = numbers_of("gettid", "tgkill")
_SETITIMER = NUMBERS["setitimer"]
_INTERVAL_TIMERS = (0, 1, 2)
"""ITIMER_REAL, ITIMER_VIRTUAL and ITIMER_PROF of setitimer(2)."""
_SIGBUS, _SIGSEGV, WAKE = 7, 11, 32
"""The first two are the memory guard's, too. The last is the C library's own (SIGCANCEL, SIGTIMER);
it comes from no other process, and from timers with a value. Without one it repeats a stop here."""
_GUARDED = _SIGBUS, _SIGSEGV
NEVER_BLOCKED = 1 << (_SIGBUS - 1) | 1 << (_SIGSEGV - 1) | 1 << (WAKE - 1)
_DEAF = ALL_SIGNALS & ~NEVER_BLOCKED
_SIG_DFL, _SIG_IGN = 0, 1
_SA_NOCLDSTOP, _SA_NOCLDWAIT, _SA_SIGINFO = 1, 2, 4
_SA_RESTORER, _SA_RESTART = 0x04000000, 0x10000000
_MIRRORED_FLAGS = _SA_NOCLDSTOP | _SA_NOCLDWAIT | _SA_RESTART
_LARGEST_ERRNO = 4096
_REPEAT_NANOSECONDS = 1_000_000
_GIVEN_UP = -512
"""Linux's ERESTARTSYS, which never reaches a program."""

# The second page: a byte each for a signal that was kept and for a stop that was asked for; the
# timer's id; an eventfd or -1 that tells of signals; the timer's itimerspec; the mask while a
# signal is kept; the memory guard's handler; the siginfo.
_TIMER, _NOTICE, _SPEC, _INFO = 8, 0xC, 0x10, 0x40
_INFO_SIZE = 128

# call: long call(long number, long a, long b, long c, long d, long e, long f)
# handler: void handler(int number, siginfo_t *info, ucontext_t *context)
_RESTORER, _HANDLER = 0x2B, 0x32
_CODE = (
    b"\x48\x89\xf8"                  # 00 call:     mov  rax, rdi
    b"\x48\x89\xf7"                  # 03           mov  rdi, rsi
    b"\x48\x89\xd6"                  # 06           mov  rsi, rdx
    b"\x48\x89\xca"                  # 09           mov  rdx, rcx
    b"\x4d\x89\xc2"                  # 0c           mov  r10, r8
    b"\x4d\x89\xc8"                  # 0f           mov  r8, r9
    b"\x4c\x8b\x4c\x24\x08"          # 12           mov  r9, [rsp+0x8]
    b"\x83\x3d\xe2\x0f\x00\x00\x00"  # 17 check:    cmp  dword [pending], 0x0
    b"\x75\x03"                      # 1e           jne  interrupted
    b"\x0f\x05"                      # 20           syscall
    b"\xc3"                          # 22           ret
    b"\x48\xc7\xc0\x00\xfe\xff\xff"  # 23 interrupted: mov rax, -512
    b"\xc3"                          # 2a           ret
    b"\xb8\x0f\x00\x00\x00"          # 2b restorer: mov  eax, 0xf             rt_sigreturn
    b"\x0f\x05"                      # 30           syscall
    b"\x83\xff\x07"                  # 32 handler:  cmp  edi, 0x7              SIGBUS
    b"\x74\x05"                      # 35           je   fault
    b"\x83\xff\x0b"                  # 37           cmp  edi, 0xb              SIGSEGV
    b"\x75\x0c"                      # 3a           jne  other
    b"\x83\x7e\x08\x00"              # 3c fault:    cmp  dword [rsi+0x8], 0x0 si_code
    b"\x7e\x1c"                      # 40           jle  record
    b"\xff\x25\xf0\x0f\x00\x00"      # 42           jmp  [guard]
    b"\x83\xff\x20"                  # 48 other:    cmp  edi, 0x20
    b"\x75\x11"                      # 4b           jne  record
    b"\x48\x83\x7e\x18\x00"          # 4d           cmp  [rsi+0x18], 0x0 si_value: the guest's
    b"\x75\x0a"                      # 52           jne  record
    b"\x83\x3d\xa5\x0f\x00\x00\x00"  # 54           cmp  dword [pending], 0x0
    b"\x75\x25"                      # 5b           jne  wake
    b"\xc3"                          # 5d           ret
    b"\xb9\x10\x00\x00\x00"          # 5e record:   mov  ecx, 0x10
    b"\x48\x8d\x3d\xd6\x0f\x00\x00"  # 63           lea  rdi, [info]
    b"\xf3\x48\xa5"                  # 6a           rep  movsq
    b"\x83\x0d\x8c\x0f\x00\x00\x01"  # 6d           or   dword [pending], 0x1
    b"\x48\x8b\x05\xb5\x0f\x00\x00"  # 74           mov  rax, [mask]
    b"\x48\x89\x82\x28\x01\x00\x00"  # 7b           mov  [rdx+0x128], rax     uc_sigmask
    b"\x49\x89\xd0"                  # 82 wake:     mov  r8, rdx
    b"\xb8\xdf\x00\x00\x00"          # 85           mov  eax, 0xdf            timer_settime
    b"\x8b\x3d\x78\x0f\x00\x00"      # 8a           mov  edi, dword [timer]
    b"\x31\xf6"                      # 90           xor  esi, esi
    b"\x48\x8d\x15\x77\x0f\x00\x00"  # 92           lea  rdx, [spec]
    b"\x45\x31\xd2"                  # 99           xor  r10d, r10d
    b"\x0f\x05"                      # 9c           syscall
    b"\x49\x8b\x80\xa8\x00\x00\x00"  # 9e           mov  rax, [r8+0xa8]       RIP
    b"\x48\x8d\x0d\x6b\xff\xff\xff"  # a5           lea  rcx, [check]
    b"\x48\x29\xc8"                  # ac           sub  rax, rcx
    b"\x48\x83\xf8\x0b"              # af           cmp  rax, 0xb             up to the syscall
    b"\x73\x0e"                      # b3           jae  stop
    b"\x48\x8d\x0d\x67\xff\xff\xff"  # b5           lea  rcx, [interrupted]
    b"\x49\x89\x88\xa8\x00\x00\x00"  # bc           mov  [r8+0xa8], rcx
    b"\x8b\x3d\x43\x0f\x00\x00"      # c3 stop:     mov  edi, dword [notice]
    b"\x48\x8d\x35\x58\x0f\x00\x00"  # c9           lea  rsi, [spec+24]
    b"\xba\x08\x00\x00\x00"          # d0           mov  edx, 0x8
    b"\xb8\x01\x00\x00\x00"          # d5           mov  eax, 0x1             write
    b"\x0f\x05"                      # da           syscall
)  # fmt: skip
_MOV_RDI, _MOV_RAX, _JMP_RAX = b"\x48\xbf", b"\x48\xb8", b"\xff\xe0"


class Interrupted(Exception):  # noqa: N818 - no error: the call is made again
    """A signal came before a system call of the host began: nothing has happened yet."""


class SignalIntake:
    """The host's side of a process's signals.

    `machine` is what `stop_address`'s function takes to stop it; `guard` is the handler in
    machine code of the host's own SIGBUS and SIGSEGV.
    """

    def __init__(self, machine: int, stop_address: int, guard: int) -> None:
        code = _CODE + _MOV_RDI + pack("<Q", machine)  # uc_emu_stop(machine)
        code += _MOV_RAX + pack("<Q", stop_address) + _JMP_RAX
        self._page = page = host.place_code(code, PAGE_SIZE)
        data = page + PAGE_SIZE
        self._pending = (ctypes.c_ubyte * 2).from_address(data)
        self._timer = ctypes.c_int.from_address(data + _TIMER)
        self._notice = ctypes.c_int.from_address(data + _NOTICE)
        self._timer.value = self._notice.value = -1
        kept = pack("<4Q", 0, 0, 0, _REPEAT_NANOSECONDS)
        kept += pack("<QQ", _DEAF, guard)
        ctypes.memmove(data + _SPEC, kept, len(kept))
        prototype = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_size_t] * 7)
        self._call: Callable[..., int] = prototype(page)
        self.is_patient = False
        """Whether calls are pyldso's own, which no signal of the guest interrupts."""
        self.listens = False
        """Whether signals are taken here; else they do what they did before."""
        self._handled: set[int] = set()
        self._former: dict[int, bytes] = {}
        """struct kernel sigaction of the signals that were changed, as they were before."""

    # ---- system calls that signals interrupt ------------------------------------------------

    def call(self, number: int, *arguments: int | bytes) -> int:
        """Make a system call of the host that may wait, as `host_syscall` does.

        Raises OSError, and Interrupted where a signal came before the call began.
        """
        if self.is_patient:
            return host.host_syscall(number, *arguments)
        words, _buffers = host.call_words(arguments)
        result = self._call(number, *words)
        if -_LARGEST_ERRNO < result < 0:
            if result == _GIVEN_UP:
                raise Interrupted
            raise os_error(-result)
        return result

    # ---- listening --------------------------------------------------------------------------

    @property
    def has_signal(self) -> bool:
        """Tell whether a signal waits to be taken."""
        return self._pending[0] != 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals while the body runs; only a process's first thread can."""
        self.listens = host.host_syscall(_GETTID) == os.getpid()
        if self.listens:
            for number in _GUARDED:
                self._former[number] = set_kernel_action(number, self._own_action(0))
        try:
            yield
        finally:
            if self.listens:
                mask = set_signal_mask(_DEAF)
                self._forget_timer()
                for number, action in self._former.items():
                    if number in self._handled:  # what is pending was the guest's
                        set_kernel_action(number, self._action(_SIG_IGN, 0))
                    set_kernel_action(number, action)
                self._former.clear()
                self._handled.clear()
                self.listens = False
                self._pending[0] = self._pending[1] = 0
                set_signal_mask(mask)

    def end_timers(self, timers: Iterable[int]) -> None:
        """Let no timer of the guest, which has ended, send a signal any more."""
        for timer in timers:
            host.delete_timer(timer)
        for which in _INTERVAL_TIMERS:
            host.host_syscall(_SETITIMER, which, bytes(32), 0)

    def leave_to_next(self, timers: Iterable[int]) -> None:
        """Give handled signals their default action: another program takes the process's place.

        The timers of the one before end with it, those of setitimer(2) do not.
        """
        for timer in timers:
            host.delete_timer(timer)
        if self.listens:
            mask = set_signal_mask(_DEAF)
            self._forget_timer()
            for number in self._handled:
                set_kernel_action(number, self._action(_SIG_DFL, 0))
            self._former.clear()
            set_signal_mask(mask)

    def close(self) -> None:
        """Give back the machine code: no signal comes any more."""
        set_kernel_action(WAKE, self._action(_SIG_IGN, 0))
        host.unmap_memory(self._page, 2 * PAGE_SIZE)

    def set_action(self, number: int, handler: int, flags: int, *, is_kept: bool) -> None:
        """Let the host do with a signal what the guest's disposition says.

        With `is_kept` it is kept to be taken; else the host ignores it or does the default.
        """
        if not self.listens or number == WAKE:
            return
        flags &= _MIRRORED_FLAGS
        if is_kept or number in _GUARDED:
            self.prepare()
            self._handled.add(number)
            action = self._own_action(flags)
        else:
            action = self._action(handler, flags)
            self._handled.discard(number)
        former = set_kernel_action(number, action)
        self._former.setdefault(number, former)

    def _action(self, handler: int, flags: int) -> bytes:
        """Return a struct kernel sigaction without a handler."""
        return pack("<QQQQ", handler, flags | _SA_RESTORER, self._page + _RESTORER, 0)

    def _own_action(self, flags: int) -> bytes:
        flags |= _SA_SIGINFO | _SA_RESTORER
        return pack("<QQQQ", self._page + _HANDLER, flags, self._page + _RESTORER, _DEAF)

    def set_mask(self, mask: int) -> None:
        """Block on the host what the guest blocks; what is pending and free comes at once.

        Where a signal waits to be taken, all others stay blocked until it was.
        """
        if self.listens:
            new = ctypes.c_uint64(mask & ~NEVER_BLOCKED)
            place = ctypes.addressof(new)
            self._call(host.RT_SIGPROCMASK, host.SIG_SETMASK, place, 0, 8, 0, 0)

    def block_all(self) -> None:
        """Block all signals until the next `set_mask`: around a fork.

        Even SIGBUS and SIGSEGV: no guest memory is touched meanwhile, and what came to the child
        before its `continue_as_child` would be lost.
        """
        if self.listens:
            set_signal_mask(ALL_SIGNALS)

    def notify(self, fd: int) -> None:
        """Write eight bytes to a descriptor whenever a signal is kept; -1 for none."""
        self._notice.value = fd

    def take(self) -> SignalInfo:
        """Return the signal that waits; all others stay blocked until the next `set_mask`."""
        siginfo = ctypes.string_at(self._page + PAGE_SIZE + _INFO, _INFO_SIZE)
        self._pending[0] = 0
        if self._timer.value >= 0:
            host.host_syscall(host.TIMER_SETTIME, self._timer.value, 0, bytes(32), 0)
        return SignalInfo(int.from_bytes(siginfo[:4], "little"), siginfo)

    # ---- a stop from within -----------------------------------------------------------------

    def ask_for_stop(self) -> None:
        """Let no call wait any more, and interrupt the one that does; callable from any thread."""
        self._pending[1] = 1
        if self.listens:
            host.host_syscall(_TGKILL, os.getpid(), os.getpid(), WAKE)

    # ---- forks ------------------------------------------------------------------------------

    def continue_as_child(self) -> None:
        """Forget what was the parent's: a signal that it had not taken yet, and its timer."""
        self._pending[0] = 0
        self._notice.value = -1
        self._timer.value = -1  # fork(2): timers are not inherited
        if self._handled:
            self.prepare()

    def prepare(self) -> None:
        """Make ready for signals: their handler can stop the machine, and WAKE ends waits."""
        if self._timer.value >= 0 or not self.listens:
            return
        event = host.SIGEVENT.pack(0, WAKE, host.SIGEV_THREAD_ID, os.getpid())
        self._timer.value = host.create_timer(host.CLOCK_MONOTONIC, event)
        set_kernel_action(WAKE, self._own_action(0))

    def _forget_timer(self) -> None:
        if self._timer.value >= 0:
            host.delete_timer(self._timer.value)
            self._timer.value = -1
