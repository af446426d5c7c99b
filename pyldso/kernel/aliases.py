"""Code that is written through one mapping of a file and run through another.

A just-in-time compiler that never has memory both writable and executable maps an anonymous file
twice. The machine knows nothing of that: to it the two are different memory. So of the mappings of
one page either one can be executed or the others can be written: the page fault that follows
changes over, and what was translated is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyldso.kernel.mmu import EXECUTE, PAGE_SIZE, WRITE

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace
    from pyldso.kernel.vma import Vma


def part_aliases(memory: AddressSpace, vma: Vma) -> None:
    """Let no page of a file's new mapping be executable that is writable elsewhere, nor reverse."""
    for other, start, end in _aliases(memory, vma, vma.start, vma.end):
        if other.prot & EXECUTE and vma.prot & WRITE:
            memory.revoke(start, end, EXECUTE)
        if other.prot & WRITE and vma.prot & EXECUTE:
            memory.revoke(vma.start, vma.end, EXECUTE)


def change_over(memory: AddressSpace, vma: Vma, page: int, access: int) -> bool:
    """Allow an access of a mapping that was revoked, and tell whether it can be one such."""
    if access not in (WRITE, EXECUTE):
        return False
    for other, start, end in _aliases(memory, vma, page, page + PAGE_SIZE):
        if other.prot & (WRITE | EXECUTE) & ~access:
            memory.revoke(start, end, WRITE if access == EXECUTE else EXECUTE)
    memory.allow(page, access)
    return True


def _aliases(
    memory: AddressSpace, vma: Vma, start: int, end: int
) -> Iterator[tuple[Vma, int, int]]:
    """Yield other mappings of what is behind a part of a mapping, and from where to where it is."""
    first, last = vma.offset + start - vma.start, vma.offset + end - vma.start
    for other in memory.vmas:
        if other is vma or not other.is_shared or other.file != vma.file:
            continue
        shift = other.start - other.offset
        low, high = max(first, other.offset), min(last, other.end - shift)
        if low < high:
            yield other, low + shift, high + shift
