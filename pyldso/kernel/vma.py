"""One mapping of a process: what /proc/self/maps shows as a line."""

from __future__ import annotations

from typing import NamedTuple

from pyldso.kernel.mmu import READ


class MappedFile(NamedTuple):
    """The file behind a mapping."""

    path: str
    device: int
    inode: int
    is_segment: bool = False
    """Whether it is System V shared memory, of that id (shmat(2))."""


def access_of(prot: int) -> int:
    """Return what the processor lets a program do: what can be written or executed can be read."""
    return prot | READ if prot else prot


class Vma:
    """One mapping: pages [start, end) with one protection, of one file or of none.

    `offset` is the place of `start` in the file, `label` what /proc/self/maps shows where there is
    no file, `eof_fd` an open descriptor where the mapping reaches past the end of its file, which
    was at the address `eof_start` (that of shared memory without a file is where it was made to),
    `is_sealed` that the guest may not touch the mapping (mseal(2)), and `has_copies` that pages of
    a private file mapping were copied on write, which keeps Linux from merging it (anon_vma).
    """

    __slots__ = (
        "end", "eof_fd", "eof_start", "file", "grows_down", "has_copies", "is_sealed", "is_shared",
        "label", "offset", "prot", "start",
    )  # fmt: skip

    def __init__(self, start: int, end: int, prot: int) -> None:
        self.start, self.end, self.prot = start, end, prot
        self.file: MappedFile | None = None
        self.offset = 0
        self.label = ""
        self.is_shared = self.grows_down = self.is_sealed = self.has_copies = False
        self.eof_fd: int | None = None
        self.eof_start = 0

    @property
    def access(self) -> int:
        """What can be done with the pages."""
        return access_of(self.prot)

    @property
    def path(self) -> str | None:
        """The mapped file's path."""
        return self.file.path if self.file else None

    @property
    def name(self) -> str:
        """What the last column of /proc/self/maps shows."""
        return self.file.path if self.file else self.label

    def part(self, start: int, end: int) -> Vma:
        """Return a mapping like this one for a part of its pages."""
        piece = Vma(start, end, self.prot)
        piece.file, piece.label = self.file, self.label
        piece.eof_start = self.eof_start
        if end > self.eof_start:
            piece.eof_fd = self.eof_fd
        piece.is_shared, piece.is_sealed = self.is_shared, self.is_sealed
        piece.has_copies = self.has_copies
        piece.grows_down = self.grows_down and start == self.start
        piece.offset = self.offset + start - self.start if self.file else 0
        return piece

    def continues_in(self, following: Vma) -> bool:
        """Tell whether the mapping behind this one is its continuation (vma_merge())."""
        return (
            self.end == following.start
            and self.prot == following.prot
            and self.file == following.file
            and self.label == following.label
            and self.is_shared == following.is_shared
            and self.is_sealed == following.is_sealed
            and self.has_copies == following.has_copies
            and self.eof_fd == following.eof_fd
            and not following.grows_down
            and (self.file is None or self.offset + self.end - self.start == following.offset)
            and not (self.file is None and self.is_shared)
        )
