"""What Linux keeps for one thread beside what all threads of its process share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes

    from pyldso.kernel.signal_frames import SignalInfo


class Thread:
    """One thread: its registers while another runs, and its own part of the signals.

    `registers` is what `Cpu.save` returned, the program counter included, or None for the thread
    that runs; all other numbers are the guest's.
    """

    __slots__ = (
        "alternate_stack",
        "clear_child_tid",
        "mask",
        "pending",
        "registers",
        "robust_list",
        "tid",
        "waiting",
    )

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self.registers: ctypes.c_void_p | None = None
        self.mask = 0
        """The sigset_t of blocked signals."""
        self.pending: dict[int, SignalInfo] = {}
        """Blocked signals that were sent to this thread: of one sent twice, the first."""
        self.waiting: list[SignalInfo] = []
        """Signals whose handlers are to be called before the thread goes on."""
        self.alternate_stack = bytes(24)
        """struct stack_t; of size zero until the guest sets one."""
        self.clear_child_tid = self.robust_list = 0
