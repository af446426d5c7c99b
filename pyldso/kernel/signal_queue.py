"""Signals that wait until a thread unblocks them (signal(7), "Queueing and delivery semantics")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyldso.kernel.signal_frames import SignalInfo

FIRST_REAL_TIME = 32
_SYNCHRONOUS = frozenset((4, 5, 7, 8, 11, 31))
"""SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV and SIGSYS go before all others."""


def delivery_order(info: SignalInfo) -> tuple[bool, int]:
    """Return what sorts signals by which the kernel delivers first; same ones stay in order."""
    return info.number not in _SYNCHRONOUS, info.number


class SignalQueue:
    """Of a standard signal the first waits, of a real-time signal all do, in their order."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int, list[SignalInfo]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, info: SignalInfo) -> None:
        """Let a signal wait."""
        same = self._waiting.setdefault(info.number, [])
        if not same or info.number >= FIRST_REAL_TIME:
            same.append(info)

    def set(self) -> int:
        """Return the sigset_t of the signals that wait."""
        return sum(1 << (number - 1) for number in self._waiting)

    def take(self, wanted: int) -> SignalInfo | None:
        """Take the next signal out that is in the set `wanted`."""
        first = (same[0] for number, same in self._waiting.items() if wanted >> (number - 1) & 1)
        info = min(first, key=delivery_order, default=None)
        if info is None:
            return None
        same = self._waiting[info.number]
        del same[0]
        if not same:
            del self._waiting[info.number]
        return info

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
