"""System calls that write, where a limit holds for how much (`--max-output`)."""

from __future__ import annotations

from struct import iter_unpack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.syscalls import SyscallRow
from pyldso.kernel.binding import IOV_MAX, BoundSyscall, parse_parameters
from pyldso.kernel.limits import Budget, LimitStatus
from pyldso.kernel.mmu import READ

if TYPE_CHECKING:
    from pyldso.kernel.process import Process

WRITING = frozenset(
    ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg",
     "sendfile", "splice", "tee", "copy_file_range")
)  # fmt: skip
"""Calls whose result is how many bytes they have written."""
_SIZES = ("count", "len", "size")


class MeteredSyscall(BoundSyscall):
    """A call that writes no more than the budget has left, and ends the process for more."""

    __slots__ = ("_budget", "_iov_index", "_size_index")

    def __init__(self, row: SyscallRow, budget: Budget) -> None:
        super().__init__(row)
        self._budget = budget
        names = [parameter.name for parameter in parse_parameters(row.parameters)]
        self._size_index = next((names.index(name) for name in _SIZES if name in names), None)
        self._iov_index = names.index("iov") if "iov" in names else None

    def __call__(self, process: Process, registers: list[int]) -> int:
        """Write what may be written; raises ProcessEnded where more was asked for."""
        left = self._budget.output_left
        is_cut = False
        if self._size_index is not None and registers[self._size_index] > left:
            is_cut = True
            registers = [*registers]
            registers[self._size_index] = left
        elif self._iov_index is not None:
            is_cut = _total(process, *registers[self._iov_index : self._iov_index + 2]) > left
        if is_cut and (left == 0 or self._size_index is None):
            raise self._budget.end(LimitStatus.OUTPUT)
        result = super().__call__(process, registers)
        self._budget.use_output(max(result, 0))
        if is_cut and result == left:
            raise self._budget.end(LimitStatus.OUTPUT)
        return result


def _total(process: Process, iov: int, count: int) -> int:
    """Return the sum of the lengths of struct iovec."""
    if not 0 < count <= IOV_MAX:
        return 0
    rows = process.memory.view(iov, 16 * count, READ)
    return sum(length for _, length in iter_unpack("<QQ", rows))
