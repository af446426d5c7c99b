"""Which of the guest's threads runs: one at a time, on the one emulated processor.

A thread runs until it waits, ends, yields, or its time is over: then another thread, of the host's,
stops the machine, which it does between two instructions (cpu.py). What waits is kept here: a
system call of the host is made by the waiting thread's own host thread, everything else is a `Wait`
that another guest thread or a deadline ends. Where all wait, so does pyldso.

The first clone(2) of a thread imports this; a program without threads has no scheduler.
"""

from __future__ import annotations

import _thread
import errno
import os
from _queue import Empty, SimpleQueue
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from select import POLLIN, POLLOUT, poll
from struct import unpack_from
from time import monotonic
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import NUMBERS, numbers_of
from pyldso.kernel import procfs
from pyldso.kernel.host import host_syscall, start_deaf_thread
from pyldso.kernel.host_thread import HostCall, HostThread
from pyldso.kernel.signals import SI_TKILL
from pyldso.kernel.syscalls_futex import FUTEX, is_timed
from pyldso.kernel.syscalls_rseq import leave_sequence, show_processor
from pyldso.kernel.thread import RESTARTED, LockWait, Thread, ThreadWaits, Wait

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.kernel.signal_frames import SignalInfo

SLICE_SECONDS = 0.004
"""How long a thread runs while others could."""
_AGAIN_SECONDS = 0.001
_PIPE_BUF = 4096
"""Bytes that a pipe takes at once when it is writable at all (pipe(7))."""

# What tells without waiting whether a call would wait: by its number, what its descriptor must be.
_READS = frozenset(numbers_of("read", "readv", "recvfrom", "recvmsg"))
_WRITES = dict.fromkeys(numbers_of("write", "sendto"), 2)
"""With the argument that is the size."""
_TIMEOUTS = {NUMBERS["poll"]: 2, NUMBERS["epoll_wait"]: 3}
"""With the argument that is 0 for no wait."""
_WAIT4 = NUMBERS["wait4"]
_WNOHANG = 1

_RESTARTED = frozenset(
    numbers_of(
        *("read", "readv", "preadv", "preadv2", "write", "writev", "pwritev", "pwritev2"),
        *("openat", "ioctl", "fcntl", "flock", "futex", "futex_waitv", "wait4", "waitid"),
        *("connect", "accept", "accept4", "sendto", "sendmsg", "recvfrom", "recvmsg"),
        *("mq_timedsend", "mq_timedreceive"),
    )
)
"""Calls that SA_RESTART restarts (signal(7)): of files, terminals, sockets, children, locks,
queues."""
_SO_RCVTIMEO, _SO_SNDTIMEO = 20, 21
_SOCKET_TIMEOUTS = {
    **dict.fromkeys(
        numbers_of("read", "readv", "recvfrom", "recvmsg", "accept", "accept4"), _SO_RCVTIMEO
    ),
    **dict.fromkeys(numbers_of("write", "writev", "sendto", "sendmsg", "connect"), _SO_SNDTIMEO),
}
"""The option of a socket by which such a call waits for a time only: then nothing restarts it."""
_SA_RESTART = 0x10000000
_RT_SIGTIMEDWAIT, _TGKILL, _RT_TGSIGQUEUEINFO = numbers_of(
    "rt_sigtimedwait", "tgkill", "rt_tgsigqueueinfo"
)


class HostWait(Wait):
    """A wait for the answer of the host thread; `finish` makes the guest's result of it."""

    __slots__ = ("_host", "call", "finish", "has_signal", "is_interruptible")

    def __init__(
        self,
        host: HostThread,
        call: HostCall,
        finish: Callable[[int], int] | None,
        is_interruptible: bool,
    ) -> None:
        super().__init__()
        self._host = host
        self.call = call
        self.finish = finish
        self.is_interruptible = is_interruptible
        self.has_signal = False
        """Whether it got the signal that it waits for (sigtimedwait(2)): others come later."""

    def interrupt(self) -> int | None:
        """Interrupt the host's call, again and again: it may not have begun yet."""
        if self.is_interruptible:
            self._host.interrupt()
            self.deadline = monotonic() + _AGAIN_SECONDS
        return None

    def expire(self) -> int | None:
        """Interrupt the host's call once more."""
        return self.interrupt()


class ReturnWait(LockWait):
    """A wait for the calls that pyldso made later than the one that is over."""

    __slots__ = ()


class Scheduler:
    """The threads that can run, and what wakes the others."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._cpu = process.cpu
        self._ready: deque[Thread] = deque()
        self._answers: SimpleQueue[tuple[HostThread, int] | None] = SimpleQueue()
        self._asked: dict[HostThread, Thread] = {}
        self._deadlines: list[tuple[float, int, Thread, Wait]] = []
        self._numbers = count()
        self._slice_end = 0.0
        self._nearest = inf
        """The nearest of the deadlines."""
        self._planned = inf
        """When the ticker looks again, unless it is rung for."""
        self._is_idle = False
        """Whether all threads wait, and pyldso for an answer."""
        self._is_over = False
        self._ring = _thread.allocate_lock()
        self._ring.acquire()
        self._notice = -1
        if process.intake.listens:
            process.intake.prepare()
            self._notice = process.files.keep_private(os.eventfd(0))
            process.intake.notify(self._notice)
            self._listener_ended = _thread.allocate_lock()
            self._listener_ended.acquire()
            start_deaf_thread(self._listen)
        self._ticker_ended = _thread.allocate_lock()
        self._ticker_ended.acquire()
        start_deaf_thread(self._tick)

    # ---- threads that begin and end ------------------------------------------------------------

    def new_thread(self) -> Thread:
        """Return a new thread, with a new id, that inherits from the running one."""
        host = self._new_host_thread()
        thread = Thread(host.tid)
        thread.host = host
        thread.mask = self._process.thread.mask
        thread.affinity = self._process.thread.affinity
        self._process.threads[thread.tid] = thread
        creator = procfs.thread_name(self._process, self._process.thread.tid)
        procfs.set_thread_name(self._process, thread.tid, creator)
        return thread

    def _new_host_thread(self) -> HostThread:
        return HostThread(self._answer, is_interruptible=self._process.intake.listens)

    def begin(self, thread: Thread, stack: int, set_registers: Callable[[], None]) -> None:
        """Let a new thread begin with the running thread's registers, changed."""
        cpu = self._cpu
        cpu.make_interrupts_exact()
        parent = cpu.save()
        if stack:
            cpu.sp = stack
        set_registers()
        thread.registers = cpu.save()
        cpu.restore(parent)
        self.make_ready(thread)

    def has_thread(self, tid: int) -> bool:
        """Tell whether there is a thread of this id."""
        return tid in self._process.threads

    def end_running(self) -> None:
        """Forget the running thread, which has ended."""
        thread = self._process.thread
        del self._process.threads[thread.tid]
        if thread.host is not None:
            thread.host.end()

    def end_others(self) -> None:
        """End all threads but the running one, whatever they wait for, and the scheduler."""
        process = self._process
        hosts = {thread.host for thread in process.threads.values() if thread.host is not None}
        process.threads = {process.thread.tid: process.thread}
        for host in hosts - self._asked.keys():
            host.end()
        while self._asked:
            for host in self._asked:
                host.interrupt()
            try:
                answer = self._answers.get(timeout=_AGAIN_SECONDS)
            except Empty:
                continue
            if answer is not None:
                del self._asked[answer[0]]
                answer[0].end()
        self._end_ticker()

    # ---- waiting and waking --------------------------------------------------------------------

    def call_host(
        self,
        number: int,
        arguments: tuple[int | bytes, ...],
        finish: Callable[[int], int] | None,
        is_interruptible: bool,
    ) -> int:
        """Make a system call of the host and return its result, where it does not wait.

        Raises ThreadWaits where it would, or might; `finish` makes the result of its answer then.
        """
        thread = self._process.thread
        result = _without_waiting(number, arguments)
        if result is not None:
            return result
        if thread.host is None:
            thread.host = self._new_host_thread()
        call = HostCall(number, arguments)
        raise ThreadWaits(HostWait(thread.host, call, finish, is_interruptible))

    def park(self, wait: Wait) -> None:
        """Let the running thread wait: `switch` follows."""
        thread = self._process.thread
        thread.wait = wait
        if isinstance(wait, HostWait) and thread.host is not None:
            self._asked[thread.host] = thread
            thread.host.ask(wait.call)
        self._note_deadline(thread, wait)

    def wake(self, thread: Thread, result: int) -> None:
        """End a thread's wait with a result of its system call."""
        thread.wait = None
        thread.result = result
        self.make_ready(thread)

    def interrupt(self, thread: Thread) -> None:
        """End a thread's wait because a handler has to run, where its wait can be interrupted."""
        wait = thread.wait
        if wait is None:
            return
        result = wait.interrupt()
        if result is not None:
            self.wake(thread, self._after_interrupt(thread, result))
        else:
            self._note_deadline(thread, wait)

    def _after_interrupt(self, thread: Thread, result: int) -> int:
        """Return RESTARTED for a call that a handler interrupts and that is to be made again."""
        if result != -errno.EINTR or thread.call is None:
            return result
        number, arguments = thread.call
        if number not in _RESTARTED or (number == FUTEX and is_timed(arguments[1], arguments[3])):
            return result
        if number in _SOCKET_TIMEOUTS:
            from pyldso.kernel.syscalls_sockets import has_timeout  # start-up: seldom needed

            if has_timeout(arguments[0], _SOCKET_TIMEOUTS[number]):
                return result
        signals = self._process.signals
        flags = (signals.flags(info.number) for info in thread.waiting)
        return RESTARTED if all(flag & _SA_RESTART for flag in flags) else result

    def is_awaited(self, thread: Thread, info: SignalInfo) -> bool:
        """Tell whether a thread waits for a signal that it blocks, which then is passed on."""
        wait, number = thread.wait, info.number
        if not isinstance(wait, HostWait) or wait.call.number != _RT_SIGTIMEDWAIT:
            return False
        wanted_set = wait.call.arguments[0]
        wanted = unpack_from("<Q", wanted_set)[0] if isinstance(wanted_set, bytes) else 0
        if not wanted >> (number - 1) & 1 or thread.host is None or wait.has_signal:
            return False
        wait.has_signal = True
        _, code = unpack_from("<ii", info.siginfo, 4)
        if code == SI_TKILL:
            host_syscall(_TGKILL, os.getpid(), thread.host.tid, number)
        else:
            host_syscall(_RT_TGSIGQUEUEINFO, os.getpid(), thread.host.tid, number, info.siginfo)
        return True

    def make_ready(self, thread: Thread) -> None:
        """Let a thread run when its turn comes."""
        self._ready.append(thread)
        if len(self._ready) == 1:
            self._slice_end = monotonic() + SLICE_SECONDS
            self._plan(self._slice_end)

    def _note_deadline(self, thread: Thread, wait: Wait) -> None:
        if wait.deadline is not None:
            heappush(self._deadlines, (wait.deadline, next(self._numbers), thread, wait))
            self._nearest = self._deadlines[0][0]
            self._plan(wait.deadline)

    def _expire(self) -> None:
        """End the waits whose deadline has come."""
        while self._deadlines and self._deadlines[0][0] <= monotonic():
            _, _, thread, wait = heappop(self._deadlines)
            if thread.wait is not wait:
                continue
            result = wait.expire()
            if result is not None:
                self.wake(thread, result)
            else:
                self._note_deadline(thread, wait)
        self._nearest = self._deadlines[0][0] if self._deadlines else inf

    def _take(self, answer: tuple[HostThread, int] | None) -> None:
        """Wake the thread whose host thread has answered."""
        if answer is None:
            return
        host, result = answer
        thread = self._asked.pop(host)
        wait = thread.wait
        if not isinstance(wait, HostWait):
            return
        if result == -errno.EINTR and not (thread.waiting and wait.is_interruptible):
            wait.deadline = None
            self._asked[host] = thread
            host.ask(wait.call)  # a signal of pyldso's own
            return
        if wait.finish is not None and result >= 0:
            try:
                result = wait.finish(result)
            except OSError as error:
                result = -(error.errno or errno.EIO)
        self.wake(thread, self._after_interrupt(thread, result))

    def _answer(self, host: HostThread, result: int) -> None:
        """Take an answer from a host thread: it runs there."""
        self._answers.put((host, result))
        if not self._is_idle:
            self._cpu.interrupt()
            self._plan(monotonic() + _AGAIN_SECONDS)

    def _listen(self) -> None:
        """Ring whenever a signal was kept: a host thread of its own, ended by `_end_ticker`."""
        while os.read(self._notice, 8) and not self._is_over:
            self.ring()
        self._listener_ended.release()

    def ring(self) -> None:
        """Let pyldso look at its watchers where all threads wait; callable from any thread."""
        self._answers.put(None)

    # ---- switching -----------------------------------------------------------------------------

    def switch(self) -> None:
        """Go on with the next thread that can run: the running one waits or has ended."""
        process, cpu = self._process, self._cpu
        before = process.thread
        thread = self._next()
        if thread is not before:
            if process.threads.get(before.tid) is before:
                before.registers = cpu.save()
            if thread.registers is not None:
                cpu.restore(thread.registers)
                thread.registers = None
            process.thread = thread
            if thread.affinity != before.affinity:
                from pyldso.kernel.syscalls_sched import set_affinity  # start-up: seldom differs

                set_affinity(thread.affinity)
            if thread.rseq is not None:
                show_processor(process)
        self._slice_end = monotonic() + SLICE_SECONDS
        if self._ready:
            self._plan(self._slice_end)
        process.go_on()

    def rotate(self) -> None:
        """Give the other threads that can run their turn."""
        self._gather()
        if self._ready and not self._process.runs_alone:
            leave_sequence(self._process)
            self._ready.append(self._process.thread)
            self.switch()

    def _gather(self) -> None:
        """Find what has become ready."""
        while not self._answers.empty():
            self._take(self._answers.get_nowait())
        self._expire()

    def _next(self) -> Thread:
        """Return the next thread that can run; wait where all wait."""
        while True:
            self._process.check_budget()
            self._process.signals.take(is_running=False)
            self._gather()
            if self._ready:
                return self._ready.popleft()
            timeout = None
            if self._deadlines:
                timeout = max(self._deadlines[0][0] - monotonic(), 0)
            self._is_idle = True  # an answer that comes from here on ends the wait
            try:
                answer = self._answers.get(timeout=timeout)
            except Empty:
                answer = None
            self._is_idle = False  # and this comes before the next look at all answers
            self._take(answer)

    # ---- calls that pyldso makes ---------------------------------------------------------------

    def wait_to_return(self) -> None:
        """Let the running thread, whose call is over, wait for calls that were made later."""
        self.park(ReturnWait())
        self.switch()

    def wake_returned(self) -> None:
        """Let threads look again whether their call was the latest: one is over."""
        for thread in self._process.threads.values():
            if isinstance(thread.wait, ReturnWait):
                thread.wait = None
                self.make_ready(thread)

    # ---- the clock -----------------------------------------------------------------------------

    def _plan(self, when: float) -> None:
        """See to it that the machine is stopped at a time."""
        if when < self._planned and self._ring.locked():
            self._ring.release()

    def _tick(self) -> None:
        """Stop the machine for answers and other threads' turns: a host thread of its own.

        It does so again until they were looked at: a stop between two runs of the machine is lost.
        """
        while not self._is_over:
            self._planned = inf  # whatever comes while this looks rings
            when = min(self._slice_end if self._ready else inf, self._nearest)
            now = monotonic()
            if when <= now or not (self._is_idle or self._answers.empty()):
                self._cpu.interrupt()
                when = now + _AGAIN_SECONDS
            self._planned = when
            self._ring.acquire(timeout=-1 if when == inf else when - now)
        self._ticker_ended.release()

    def _end_ticker(self) -> None:
        self._is_over = True
        self._planned = inf
        self._plan(0)
        self._ticker_ended.acquire()
        self._end_listener()

    def leave_to_parent(self) -> None:
        """Give back what the child of a fork does not need: it has no threads."""
        if self._notice >= 0:
            self._process.files.close_private(self._notice)

    def _end_listener(self) -> None:
        if self._notice >= 0:
            self._process.intake.notify(-1)
            os.eventfd_write(self._notice, 1)
            self._listener_ended.acquire()
            self._process.files.close_private(self._notice)


def _without_waiting(number: int, arguments: tuple[int | bytes, ...]) -> int | None:
    """Make a call of the host where it is known not to wait; None where it might."""
    if number in _READS:
        is_ready = _is_open_for(arguments[0], POLLIN)
    elif number in _WRITES:
        size = arguments[_WRITES[number]]
        is_small = isinstance(size, int) and size <= _PIPE_BUF
        is_ready = is_small and _is_open_for(arguments[0], POLLOUT)
    elif number in _TIMEOUTS:
        index = _TIMEOUTS[number]
        return _looked(number, arguments, index, 0)
    elif number == _WAIT4:
        return _looked(number, arguments, 2, int(arguments[2]) | _WNOHANG)
    else:
        return None
    return host_syscall(number, *arguments) if is_ready else None


def _looked(number: int, arguments: tuple[int | bytes, ...], index: int, value: int) -> int | None:
    """Make a call with one argument changed so that it only looks; None where it saw nothing."""
    looking = (*arguments[:index], value, *arguments[index + 1 :])
    return host_syscall(number, *looking) or (0 if arguments == looking else None)


def _is_open_for(fd: int | bytes, events: int) -> bool:
    """Tell whether a descriptor is ready."""
    if not isinstance(fd, int) or fd < 0:
        return True
    poller = poll()
    poller.register(fd, events)
    return bool(poller.poll(0))
