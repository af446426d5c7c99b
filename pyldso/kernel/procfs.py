"""The files of /proc/self whose content is the guest's and not the host process's (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyldso.kernel.mmu import EXECUTE, READ, WRITE

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace
from pyldso.kernel.vma import Vma

_NAME_COLUMN = 73


def maps_text(memory: AddressSpace, shown_name: Callable[[str], str]) -> bytes:
    """Return what /proc/self/maps shows; `shown_name` is the guest's name of a host's file."""
    shown = (vma for vma in memory.vmas if vma.name or not vma.is_sealed)  # not pyldso's empty page
    return b"".join(_maps_line(vma, shown_name) for vma in shown)


def _maps_line(vma: Vma, shown_name: Callable[[str], str]) -> bytes:
    prot = "".join(
        letter if vma.prot & bit else "-"
        for bit, letter in ((READ, "r"), (WRITE, "w"), (EXECUTE, "x"))
    )
    device = vma.file.device if vma.file else 0
    line = (
        f"{vma.start:08x}-{vma.end:08x} {prot}{'s' if vma.is_shared else 'p'} {vma.offset:08x} "
        f"{os.major(device):02x}:{os.minor(device):02x} {vma.file.inode if vma.file else 0} "
    )
    if vma.name:
        line = line.ljust(_NAME_COLUMN) + (shown_name(vma.name) if vma.file else vma.name)
    return os.fsencode(line + "\n")
