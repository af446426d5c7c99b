"""What the emulated kernel tells to whoever watches."""

from __future__ import annotations

from pyldso.events import Event, Topic


class SyscallEntered(Event, topic=Topic.SYSCALLS):
    """A system call that does not return: exit_group, or one that ends the process."""

    number: int
    arguments: tuple[int | bytes, ...]


class SyscallExited(Event, topic=Topic.SYSCALLS):
    """A system call and its result, negative errno where it failed.

    `arguments` are the registers of the guest's own calls; in calls that the dynamic linker makes
    through Process, file names and data stand as bytes.
    """

    number: int
    arguments: tuple[int | bytes, ...]
    result: int


class ProcessStarted(Event, topic=Topic.SYSCALLS):
    """A program was mapped and its stack built: what execve(2) does."""

    path: str
    argv: tuple[bytes, ...]
    envp: tuple[bytes, ...]


class SignalDelivered(Event, topic=Topic.SYSCALLS):
    """A signal reaches the guest: its handler runs next, or it ends the process."""

    number: int
    siginfo: bytes


class ProcessEnded(Event, topic=Topic.SYSCALLS):
    """The process is over; `signal` is 0 where it exited by itself.

    `code` and `address` are the signal's si_code and si_addr (sigaction(2)); `code` is 0 where
    SignalDelivered has told of it.
    """

    status: int
    signal: int
    code: int
    address: int | None


class Mapped(Event, topic=Topic.MAP):
    """Pages were mapped."""

    start: int
    end: int
    prot: int
    path: str
    offset: int


class Unmapped(Event, topic=Topic.MAP):
    """Pages were unmapped."""

    start: int
    end: int


class Protected(Event, topic=Topic.MAP):
    """The protection of pages was changed."""

    start: int
    end: int
    prot: int


class Refused(Event, topic=Topic.UNSUPPORTED):
    """Something that the guest asked for is not supported or not allowed; `reason` says which."""

    what: str
    reason: str
