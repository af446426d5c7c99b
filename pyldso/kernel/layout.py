"""Where a process's parts go: Linux's places without randomisation, or moved by a seed."""

from __future__ import annotations

from pyldso.kernel.memory import MMAP_TOP, TASK_SIZE

_ET_DYN_BASE = 0x555555554000
_PAGE_SHIFT = 12
_MMAP_RANDOM_BITS = 28
_STACK_RANDOM_BITS = 22
_STACK_PAD = 1 << (_STACK_RANDOM_BITS + _PAGE_SHIFT)
_BRK_RANDOM_PAGES = 0x2000
# The guest's AT_RANDOM bytes where nothing is random: a run can be repeated exactly.
_FIXED_RANDOM_BYTES = bytes.fromhex("9e3779b97f4a7c15f39cc0605cedc834")


class Layout:
    """The places; with a seed they are drawn as arch/x86/mm/mmap.c and binfmt_elf.c do."""

    def __init__(self, seed: int | None) -> None:
        self.mmap_top, self.stack_top = MMAP_TOP, TASK_SIZE
        self.random_bytes = _FIXED_RANDOM_BYTES
        self._program_shift = self._brk_shift = self._stack_shift = 0
        if seed is None:
            return
        from random import Random  # start-up: only a randomised run needs it

        draw = Random(seed)
        self.mmap_top -= _STACK_PAD + (draw.getrandbits(_MMAP_RANDOM_BITS) << _PAGE_SHIFT)
        self.stack_top -= draw.getrandbits(_STACK_RANDOM_BITS) << _PAGE_SHIFT
        self._program_shift = draw.getrandbits(_MMAP_RANDOM_BITS) << _PAGE_SHIFT
        self._brk_shift = draw.randrange(_BRK_RANDOM_PAGES) << _PAGE_SHIFT
        self._stack_shift = draw.randrange(8192)
        self.random_bytes = draw.randbytes(16)

    def program_base(self, alignment: int) -> int:
        """Return the first page of a position-independent program."""
        return (_ET_DYN_BASE + self._program_shift) & -alignment

    def brk(self, end: int) -> int:
        """Return where the heap begins, the program ending at `end`."""
        return end + self._brk_shift

    def align_stack(self, sp: int) -> int:
        """Return the stack pointer below the argument strings (arch_align_stack())."""
        return (sp - self._stack_shift) & ~15
