"""A process as Linux keeps one: memory, processor, files, signals, and the loop that runs it.

The guest runs inside libunicorn. System calls are answered in its hook, with the machine standing;
traps (entries to pyldso's own code, such as the lazy resolver) stop the machine and are handled
between two runs, so that their handlers may run guest code themselves.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from signal import SIGSEGV
from struct import unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64 import registers
from pyldso.arch.x86_64.syscalls import NOT_PERMITTED, SyscallRow, syscall_row
from pyldso.errors import os_error
from pyldso.events import EventStream, Topic
from pyldso.kernel.binding import Argument, BoundSyscall
from pyldso.kernel.cpu import PAGE_FAULT, Cpu, Fault
from pyldso.kernel.events import ProcessEnded as ProcessEndedEvent
from pyldso.kernel.events import Refused, SyscallEntered, SyscallExited
from pyldso.kernel.family import other_members
from pyldso.kernel.files import Files
from pyldso.kernel.guest_calls import GuestCalls
from pyldso.kernel.host import forbid_core_files, host_syscall
from pyldso.kernel.layout import Layout
from pyldso.kernel.memory import AddressSpace
from pyldso.kernel.mmu import EXECUTE, WRITE, Arena, MemoryFault
from pyldso.kernel.own_calls import OwnCalls
from pyldso.kernel.policy import Policy
from pyldso.kernel.signal_intake import Interrupted
from pyldso.kernel.signals import Signals
from pyldso.kernel.status import (
    SI_KERNEL,
    ExitStatus,
    Inherited,
    Killed,
    ProcessEnded,
    ProcessReplaced,
)
from pyldso.kernel.stubs import TRAP_BASE, Stubs, TrapHandler
from pyldso.kernel.thread import RESTARTED, Thread, ThreadWaits, Wait

if TYPE_CHECKING:
    import ctypes

    from pyldso.kernel.futex import Futexes
    from pyldso.kernel.limits import Budget, Clock
    from pyldso.kernel.scheduler import Scheduler
    from pyldso.kernel.vfork import VforkChild

_UNKNOWN_SYSCALL = -errno.ENOSYS
_SIZE_OF_SYSCALL = 2
"""Bytes of the instruction."""
_MASK = 2**64 - 1
_MOST_CALLS = 300
"""Nested calls: each takes some 12 KiB of the host's stack, and a dozen frames of Python's."""
_MOST_REFUSED = 1000
"""Refusals that are remembered, each of which is told once."""

_RLIMIT_CORE = 4


class Process(OwnCalls):
    """One emulated process.

    `run` and `call` raise or return the end of the process: ProcessEnded carries an ExitStatus.
    """

    def __init__(
        self,
        events: EventStream,
        policy: Policy | None = None,
        budget: Budget | None = None,
        aslr_seed: int | None = None,
        inherited: Inherited | None = None,
    ) -> None:
        self.events = events
        self.budget = budget
        self.layout = Layout(aslr_seed)
        arena = Arena()
        self.cpu = Cpu(arena)
        self.memory = AddressSpace(arena, self.cpu)
        self.memory.mmap_top = self.layout.mmap_top
        self.cpu.resolve_page_fault = self.memory.resolve_page_fault
        self.cpu.on_syscall = self._on_syscall
        self.intake = self.cpu.signal_intake
        self.files = Files(policy or Policy.default(), self.refuse, self.intake.call)
        self.memory.keep_fd = self.files.keep_private
        self.memory.close_fd = self.files.close_private
        self.memory.on_sharing = self._share_atomics
        self.files.generate = self._proc_file
        self.files.thread_ids = lambda: self.threads.keys()
        self.files.relatives = lambda: other_members(self)
        self.files.show_relative = self._proc_file_of_relative
        inherited = inherited or Inherited()
        self.signals = Signals(self, inherited)
        self.thread = Thread(os.getpid())
        """The thread that runs; what is said of the processor's registers is said of it."""
        self.threads = {self.thread.tid: self.thread}
        """All threads of the process by their tid, the first of which is the process's pid."""
        self.first_thread_status = 0
        """What the first thread has left to exit(2)."""
        self.scheduler: Scheduler | None = None
        self.futexes: Futexes | None = None
        """Both None in a process that has never had a second thread."""
        self.runs_alone = 0
        """Calls that pyldso makes now during which no other thread may run."""
        self._calls = 0
        self.exit_status: int | None = None
        self.status: ExitStatus | None = None
        self.brk = self.brk_start = 0
        self.command_name = self.cmdline = self.environ = self.auxv = b""
        """What /proc/self shows under these names, the first as comm."""
        self.execfn = b""
        """The name that execve(2) was given, where it is not that of the file: a script's."""
        self.is_dumpable = True
        self.resource_limits = dict(inherited.resource_limits)
        self.outer_group = inherited.outer_group or os.getpgrp()
        self.family_fd = inherited.family_fd
        if self.family_fd >= 0:
            self.files.private_fds.add(self.family_fd)
            self.files.family_fd = self.family_fd
        self.vfork: VforkChild | None = None
        """In the child of vfork(2): what its parent waits for."""
        self.host_iovec: ctypes.Array[ctypes.c_uint64] | None = None
        self._bound: dict[int, BoundSyscall] = {}
        self._refused: set[str] = set()
        self._pending_traps: list[TrapHandler] = []
        self.stubs = Stubs(self.memory, self.layout.mmap_top)
        self.guest_calls = GuestCalls(self)
        self._clock = self._obey(budget) if budget is not None else None

    def _obey(self, budget: Budget) -> Clock:
        """Let the limits hold, and return what watches over them."""
        from pyldso.kernel.limits import Clock, LimitStatus  # start-up: only where there is a limit

        if budget.limits.memory is not None:
            self.memory.limit_size(budget.limits.memory, lambda: budget.end(LimitStatus.MEMORY))
        if budget.limits.instructions is not None:
            self.cpu.count_instructions(budget.instructions_address)
        return Clock(budget, self.stop)

    # ---- running ---------------------------------------------------------------------------

    def call(self, function: int, *arguments: int) -> int:
        """Run a guest function of integer arguments and return its RAX.

        The stack pointer is preserved, other registers are not. Raises ProcessEnded where the
        process ends meanwhile, or where such calls nest so deep that the host's stack would end:
        ld.so's would, too. Other threads run meanwhile.
        """
        cpu, sp, pc = self.cpu, self.cpu.sp, self.cpu.pc
        if self._calls == _MOST_CALLS:
            reason = "calls from within the dynamic linker nest too deep"
            raise ProcessEnded(Killed(SIGSEGV, pc, None, SI_KERNEL, reason))
        self.prepare_call(arguments, self.stubs.return_address)
        self._calls += 1
        try:
            self._loop(function)
        finally:
            self._calls -= 1
        cpu.sp, cpu.pc = sp, pc
        if self.scheduler is not None:
            self.scheduler.wake_returned()
        return cpu.get(registers.RAX)

    def call_alone(self, function: int, *arguments: int) -> int:
        """Do what `call` does for a function that waits for no other thread: none runs."""
        self.runs_alone += 1
        try:
            return self.call(function, *arguments)
        finally:
            self.runs_alone -= 1

    def prepare_call(self, arguments: Sequence[int], return_address: int) -> None:
        """Set registers and stack as a call of a function leaves them."""
        cpu, sp = self.cpu, self.cpu.sp
        for register, value in zip(registers.CALL_ARGUMENTS, arguments, strict=False):
            cpu.set(register, value & _MASK)
        on_stack = arguments[len(registers.CALL_ARGUMENTS) :]
        inner_sp = ((sp - registers.RED_ZONE - 8 * len(on_stack)) & ~15) - 8
        self.memory.translate(inner_sp, sp - inner_sp, WRITE)  # the stack grows
        self.memory.write_u64(inner_sp, return_address)
        for number, value in enumerate(on_stack, 1):
            self.memory.write_u64(inner_sp + 8 * number, value & _MASK)
        cpu.sp = inner_sp
        cpu.set(registers.RAX, 0)  # no vector registers hold variable arguments

    def probe_reads(
        self, function: int, arguments: Sequence[int], start: int, length: int, *, first: bool
    ) -> list[int]:
        """Run a guest function and return the addresses that it reads within a range.

        With `first` the run ends at the first read. Faults end it too; all registers are restored.
        """
        cpu, reads = self.cpu, list[int]()

        def on_read(address: int) -> None:
            if not (first and reads):
                reads.append(address)
            if first:
                cpu.stop()

        registers_before, pc = cpu.save(), cpu.pc
        self.prepare_call(arguments, self.stubs.return_address)
        watch = cpu.watch_reads(start, length, on_read)
        try:
            place, end = function, self.stubs.return_address
            while cpu.start(place, end, is_exact=False) is None:
                place = cpu.pc
                if place == end or self._pending_traps or (first and reads):
                    break  # else it was stopped for another thread
        finally:
            cpu.unwatch(watch)
            self._pending_traps.clear()
            cpu.restore(registers_before)
            cpu.pc = pc
        return reads

    def run(self, pc: int) -> ExitStatus:
        """Run the process from `pc` to its end."""
        with self.intake.listening():
            try:
                if self.intake.listens:
                    if _RLIMIT_CORE not in self.resource_limits:
                        self.resource_limits[_RLIMIT_CORE] = forbid_core_files()
                    self.signals.begin_to_listen()
                if self._clock is not None:
                    self._clock.watch()
                self._loop(pc)
                status = self._killed_astray()
            except ProcessEnded as end:
                status = end.status
            except ProcessReplaced:
                self.intake.leave_to_next(self.signals.timers)
                raise
            finally:
                if self._clock is not None:
                    self._clock.rest()
            self.intake.end_timers(self.signals.timers)
        return self.end(status)

    def _loop(self, pc: int) -> None:
        """Run from `pc` until the running thread reaches the return stub, or ProcessEnded."""
        cpu, thread = self.cpu, self.thread
        until = self.stubs.return_address
        while True:
            self.check_budget()
            if self.intake.has_signal:
                cpu.pc = pc
                self.signals.take(is_running=True)
                pc = cpu.pc
                continue
            fault = cpu.start(pc, until)
            if fault is not None:
                pc = self._answer_fault(fault)
                continue
            if self._pending_traps:
                cpu.pc = cpu.pc  # settles RIP behind the stub's instruction
            elif self.scheduler is not None and cpu.pc != until:
                self.scheduler.rotate()  # its time is over
            while True:
                while self._pending_traps:
                    self._handle_trap(self._pending_traps.pop(0))
                pc = cpu.pc
                if pc != until:
                    break
                if self.thread is thread or self.scheduler is None:
                    return
                self.scheduler.wait_to_return()

    def _handle_trap(self, handler: TrapHandler) -> None:
        try:
            result = handler()
            if not (result is None or isinstance(result, int)):
                result = self.guest_calls.begin(result)
        except ThreadWaits as waits:
            self.thread.trap = handler
            self._let_wait(waits.wait)
            return
        except MemoryFault as fault:  # in a pointer of the guest's: ld.so would have met it, too
            raise ProcessEnded(Killed(SIGSEGV, self.cpu.pc, fault.address, SI_KERNEL)) from None
        if result is not None:
            self.cpu.set(registers.RAX, result & _MASK)

    def _let_wait(self, wait: Wait) -> None:
        """Let the running thread wait, and go on with another once the machine stands."""
        if self.scheduler is not None:
            self.scheduler.park(wait)
            self.after_system_call(self.scheduler.switch)

    def go_on(self) -> None:
        """Let the running thread go on where it waited or was stopped."""
        thread = self.thread
        if thread.call is not None:
            (number, arguments), thread.call = thread.call, None
            self._answer_system_call(number, arguments, thread.result)
        if thread.trap is not None:
            self._pending_traps.append(thread.trap)
            thread.trap = None
        if thread.waiting:
            self._pending_traps.append(self.signals.call_handlers)

    def stop(self) -> None:
        """Let the process look at what watches over it, soon; callable from any thread."""
        self.cpu.interrupt()
        self.intake.ask_for_stop()
        if self.scheduler is not None:
            self.scheduler.ring()

    def _answer_fault(self, fault: Fault) -> int:
        """Return where the guest's handler of a fault begins; ProcessEnded where it has none."""
        from pyldso.kernel.exceptions import answer_fault  # start-up: few programs fault

        return answer_fault(self, fault)

    def _killed_astray(self) -> ExitStatus:
        """Return how a guest ends that went into pyldso's own page, which nobody has called."""
        from pyldso.kernel.exceptions import killed_by  # start-up

        return killed_by(self, Fault(PAGE_FAULT, self.cpu.pc, EXECUTE))

    def after_system_call(self, action: TrapHandler) -> None:
        """Do something to the machine once it stands behind the system call at hand."""
        self._pending_traps.append(action)
        self.cpu.stop()

    def _share_atomics(self) -> None:
        """Let atomic instructions hold for the processes that memory may be shared with."""
        if not self.cpu.has_shared_atomics:
            self.after_system_call(self._try_to_share_atomics)

    def _try_to_share_atomics(self) -> None:
        if not self.cpu.share_atomics():
            self.refuse("memory of several processes", "atomic instructions there are not atomic")

    def check_budget(self) -> None:
        """Raise the end of the process where a limit wants it."""
        if self.budget is not None:
            self.budget.check()

    # ---- system calls -----------------------------------------------------------------------

    def answer_own(self, number: int, arguments: tuple[Argument, ...]) -> int:
        """Answer a system call that pyldso makes itself, which no signal interrupts."""
        bound = self._bind(number)
        self.intake.is_patient = True
        try:
            return bound.call_decoded(self, arguments)
        finally:
            self.intake.is_patient = False

    def _on_syscall(self) -> None:
        """Answer the guest's system call: the machine stands on the instruction."""
        number, *arguments = self.cpu.syscall_registers()
        if number >= TRAP_BASE and (trap := self.stubs.trap(number, self.cpu.pc)):
            self.after_system_call(trap)
            return
        try:
            result = self._system_call(number, arguments)
        except Interrupted:
            self.check_budget()
            self.after_system_call(self._return_to_system_call)
            return
        except ThreadWaits as waits:
            self.thread.call = number, arguments
            self._let_wait(waits.wait)
            return
        self._answer_system_call(number, arguments, result)
        if self.thread.waiting:
            self.after_system_call(self.signals.call_handlers)

    def _return_to_system_call(self) -> None:
        """Stand on the system call that was not made, because a signal came before it."""
        self.cpu.pc -= _SIZE_OF_SYSCALL

    def _answer_system_call(self, number: int, arguments: list[int], result: int) -> None:
        """Give a system call its result, and tell those who watch."""
        thread = self.thread
        if thread.restored_mask is not None and not (thread.waiting or self.intake.has_signal):
            mask, thread.restored_mask = thread.restored_mask, None
            self.signals.set_mask(mask)
        if result == RESTARTED:
            self._return_to_system_call()
        else:
            self.cpu.set(registers.RAX, result & _MASK)
        if self.events.wanted & Topic.SYSCALLS:
            self.events.emit(SyscallExited(number, tuple(arguments), result))

    def _system_call(self, number: int, arguments: list[int]) -> int:
        bound = self._bound.get(number)
        if bound is None:
            if syscall_row(number) is None:
                self.refuse(f"system call {number}", "not known")
                return _UNKNOWN_SYSCALL
            bound = self._bind(number)
        try:
            result = bound(self, arguments)
        except OSError as error:
            result = -(error.errno or errno.EIO)
        except ProcessEnded as end:
            if isinstance(end.status, Killed) and end.status.pc == self.cpu.pc:
                end.status = end.status._replace(pc=end.status.pc + _SIZE_OF_SYSCALL)
            if self.events.wanted & Topic.SYSCALLS:
                self.events.emit(SyscallEntered(number, tuple(arguments)))
            raise
        return result

    def _bind(self, number: int) -> BoundSyscall:
        bound = self._bound.get(number)
        if bound is None:
            row = syscall_row(number)
            if row is None:
                raise os_error(errno.ENOSYS)
            if not row.handler:
                self.refuse(f"system call {row.name}", row.note or "not supported")
            elif row.handler == NOT_PERMITTED:
                self.refuse(f"system call {row.name}", "only for the privileged")
            bound = self._bound[number] = self._new_binding(row)
        return bound

    def _new_binding(self, row: SyscallRow) -> BoundSyscall:
        if self.budget is not None and self.budget.limits.output is not None:
            from pyldso.kernel.metered import WRITING, MeteredSyscall  # start-up

            if row.name in WRITING and row.handler:
                return MeteredSyscall(row, self.budget)
        return BoundSyscall(row, self.scheduler is not None)

    def call_host(
        self,
        number: int,
        arguments: tuple[int | bytes, ...],
        finish: Callable[[int], int] | None = None,
        *,
        is_interruptible: bool = True,
    ) -> int:
        """Make a system call of the host that may wait; return what `finish` makes of its result.

        All pointers among the arguments must have been checked. Raises OSError, and ThreadWaits
        where another thread can run meanwhile: then `finish` is called later.
        """
        if self.scheduler is not None and len(self.threads) > 1 and not self.runs_alone:
            result = self.scheduler.call_host(number, arguments, finish, is_interruptible)
        elif is_interruptible:
            result = self.intake.call(number, *arguments)
        else:
            while True:
                try:
                    result = host_syscall(number, *arguments)
                except InterruptedError:
                    self.check_budget()
                else:
                    break
        return result if finish is None else finish(result)

    # ---- threads, forks and the end ---------------------------------------------------------

    def start_scheduler(self) -> Scheduler:
        """Return what switches between threads, which the first new one brings along."""
        if self.scheduler is None:
            # start-up: few programs have threads
            from pyldso.kernel.futex import Futexes
            from pyldso.kernel.scheduler import Scheduler

            self.scheduler = Scheduler(self)
            self.futexes = Futexes(self.memory, self.scheduler)
            self._bound.clear()  # system calls that wait are bound anew
        return self.scheduler

    def continue_as_child(self) -> None:
        """Go on as the child of a fork: one thread, no pending signals."""
        self._keep_running_thread()
        if self.vfork is not None:  # which remains the other's
            self.vfork.forget(self)
            self.vfork = None
        self.signals.continue_as_child()
        if self._clock is not None:
            self._clock.watch()

    def _keep_running_thread(self) -> None:
        """Let the thread that forked be the only one, and have the process's id."""
        thread = self.thread
        thread.tid = os.getpid()
        thread.pending.clear()
        thread.host = None
        if self.scheduler is not None:
            self.scheduler.leave_to_parent()
        self.threads = {thread.tid: thread}
        self.scheduler = self.futexes = None
        self._bound.clear()

    def release_vfork_parent(self) -> None:
        """Let the parent go on, where it waits (vfork(2))."""
        if self.vfork is not None:
            self.vfork.release_parent(self)
            self.vfork = None

    def end(self, status: ExitStatus) -> ExitStatus:
        """Note how the process ended and tell those who watch."""
        self._release_threads()
        self.release_vfork_parent()
        self.status, self.exit_status = status, status.exit_status
        if self.events.wanted & Topic.SYSCALLS:
            end: tuple[int, int, int | None] = (0, 0, None)
            if isinstance(status, Killed):
                code = 0 if status.is_told else status.code
                end = status.signal, code, status.address
            self.events.emit(ProcessEndedEvent(status.exit_status, *end))
        return status

    def _release_threads(self) -> None:
        """Let go of the robust futexes that the threads of a process hold at its end."""
        for thread in self.threads.values():
            head = thread.robust_list
            with suppress(MemoryFault):
                # start-up: most lists are empty
                if head and _holds_locks(self.memory, head):
                    from pyldso.kernel.syscalls_threads import release_robust_list

                    release_robust_list(self, thread)
            thread.robust_list = 0

    def heritage(self) -> Inherited:
        """Return what goes on with the next program in the process's place."""
        return Inherited(
            self.signals.ignored(),
            self.signals.kept_defaults,
            self.resource_limits,
            self.family_fd,
            self.outer_group,
        )

    def discard(self) -> None:
        """Give back the machine and its memory: another program takes the process's place."""
        self._release_threads()
        if self.scheduler is not None:
            self.scheduler.end_others()
        self.files.close_on_exec()
        for fd in {vma.eof_fd for vma in self.memory.vmas if vma.eof_fd is not None}:
            self.files.close_private(fd)
        self.files.discard()
        self.cpu.close()
        self.memory.arena.close()

    # ---- what exec.py and the system calls leave here ----------------------------------------

    def set_brk(self, start: int) -> None:
        """Set where the heap begins; it is empty."""
        self.brk = self.brk_start = start

    def remember_start(self, argv: list[bytes], envp: list[bytes], auxv: bytes) -> None:
        """Keep what /proc/self/cmdline, environ and auxv show."""
        name = self.execfn
        if not name or name.removeprefix(b"/dev/fd/").isdigit():  # fexecve(3)'s is no file's
            name = os.fsencode(self.files.program_path.removesuffix(" (deleted)"))
        self.command_name = os.path.basename(name)[:15]
        self.cmdline = b"".join(text + b"\0" for text in argv)
        self.environ = b"".join(text + b"\0" for text in envp)
        self.auxv = auxv
        if self.family_fd >= 0:
            from pyldso.kernel.relatives import publish  # start-up: only where others may look

            publish(self)

    def _proc_file(self, entry: str, tid: int) -> bytes | None:
        from pyldso.kernel.procfs import content  # start-up: few programs ask

        return content(self, entry, tid)

    def _proc_file_of_relative(self, pid: int, entry: str) -> bytes | None:
        if self.family_fd < 0:
            return None
        from pyldso.kernel.procfs import content_of_relative  # start-up: few programs ask

        return content_of_relative(self, pid, entry)

    def refuse(self, what: str, reason: str) -> None:
        """Tell once that the guest asked for something it does not get."""
        if what in self._refused or not self.events.wanted & Topic.UNSUPPORTED:
            return
        if len(self._refused) == _MOST_REFUSED:  # a guest can think of any number of them
            self._refused.clear()
        self._refused.add(what)
        self.events.emit(Refused(what, reason))


def _holds_locks(memory: AddressSpace, head: int) -> bool:
    """Tell whether a list of robust futexes (struct robust_list_head) names any."""
    first, _, pending = unpack("<3Q", memory.read(head, 24))
    return (first, pending) != (head, 0)
