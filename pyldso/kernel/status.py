"""How a process ends."""

from __future__ import annotations

from collections.abc import Mapping
from signal import SIGINT
from typing import NamedTuple

SI_KERNEL = 0x80
"""si_code of a signal that the kernel sends, where it says no more."""


class Exited(NamedTuple):
    """The process ended itself."""

    status: int

    @property
    def exit_status(self) -> int:
        """What a shell would show as `$?`."""
        return self.status


class Killed(NamedTuple):
    """A signal ended the process; `code` is the siginfo's si_code (sigaction(2)).

    `address` is the address whose access failed, or None; `reason` says more where pyldso knows
    more than Linux would tell.
    """

    signal: int
    pc: int
    address: int | None = None
    code: int = 0
    reason: str = ""
    is_told: bool = False
    """Whether SignalDelivered has told of it."""

    @property
    def exit_status(self) -> int:
        """What a shell would show as `$?`."""
        return 128 + self.signal

    @property
    def is_sent(self) -> bool:
        """Whether kill(2) sent it, of which a shell tells; Ctrl-C is told of like a fault."""
        return self.code == 0 and self.signal != SIGINT


class Exhausted(NamedTuple):
    """The process has reached a limit of its run; `reason` is empty where another tells of it."""

    exit_status: int
    reason: str


ExitStatus = Exited | Killed | Exhausted


class Inherited(NamedTuple):
    """What a process keeps when another program takes its place (execve(2)), beside its files."""

    ignored: frozenset[int] | None = None
    """The signals that it ignores; None: those that were ignored when pyldso started."""
    kept_defaults: frozenset[int] = frozenset((SIGINT,))
    """Signals by which the first process ends itself, to tell of them, and not by the host."""
    resource_limits: Mapping[int, bytes] = {}
    """struct rlimit by resource, of those limits that are not the host's."""
    family_fd: int = -1
    """See family.py."""
    outer_group: int = 0
    """The process group that pyldso was started in, where others may be; 0: not asked for yet."""


class ProcessReplaced(Exception):  # noqa: N818 - no error: it unwinds to who starts programs
    """The process goes on as another program: execve(2).

    `execfn` is the name that it was given, and `program_fd` one of pyldso's own descriptors where
    the program is that of an open file, else -1.
    """

    def __init__(
        self, path: str, argv: list[bytes], envp: list[bytes], execfn: bytes, program_fd: int
    ) -> None:
        super().__init__(path)
        self.path = path
        self.argv = argv
        self.envp = envp
        self.execfn = execfn
        self.program_fd = program_fd
        self.inherited = Inherited()


class ProcessEnded(Exception):  # noqa: N818 - no error: it unwinds to the trap loop
    """The process is over, with this status."""

    def __init__(self, status: ExitStatus) -> None:
        super().__init__(status)
        self.status = status


class Unwound(Exception):  # noqa: N818 - no error: it unwinds what waits for a guest's call
    """An exception of the guest's passes through the call that a handler waits for."""
