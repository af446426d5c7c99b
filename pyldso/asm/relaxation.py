"""The sizes of branches, alignments and LEB128 numbers: what depends on where everything lies.

The relaxation is gas's own (gas/write.c, relax_segment and relax_frag), because where several
layouts are possible the bytes should be GNU as's: branches start short and only grow, passes go
from the first fragment to the last until nothing changes, and a target further on is taken to move
as the branch itself has, unless an alignment between them may absorb that.

Large programs take a hundred passes. Most branches are decided from the start, since they reach
their target even if everything between grows, or never do; only what is open is walked again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import add

from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, Operation, address_of, evaluate
from pyldso.asm.fragments import (
    Align,
    Laid,
    LayoutError,
    Leb,
    variable_size,
)
from pyldso.asm.special import Jump
from pyldso.asm.symbols import AsmSymbol

_MOST_PASSES = 1000
_SHRINKING_PASSES = 16
_LARGEST_SECTION = 1 << 31
_SORTING_PASSES = (0, 2, 12)
"""Passes before which what is decided by then is set apart."""


def relax(sections: Sequence[Laid]) -> None:
    """Find the sizes of all variable pieces of sections that may depend on each other.

    Raises LayoutError for a piece whose size cannot be known.
    """
    movable = (laid for laid in sections if laid.variables)
    together = [laid for laid in movable if laid.measures or not _relax_alone(laid)]
    for count in range(_MOST_PASSES):
        changed = False
        for laid in together:
            changed |= _relax_section(laid, count)
        if not changed:
            return
    error = StatementError("the sizes here depend on each other and never settle")
    raise LayoutError(error, together[0].places[0])


class _Open:
    """The variable pieces that may still change: columns of equal length.

    `before` is the number of bytes between a piece and the one before it. The target of a branch
    is `delta` bytes into the run after open piece number `run - 1`.
    """

    __slots__ = (
        "before",
        "delta",
        "index",
        "is_same_region",
        "mask",
        "most",
        "run",
        "size",
    )  # fmt: skip

    def __init__(self) -> None:
        self.index = array("I")
        self.size = array("q")
        self.before = array("I")
        self.mask = array("q")
        """One less than an alignment; 0 for a jump."""
        self.most = array("q")
        """What a branch takes once it is not short; the most that an alignment may skip."""
        self.run = array("I")
        self.delta = array("q")
        self.is_same_region = bytearray()

    def add(self, index: int, size: int, mask: int, most: int, is_same_region: bool) -> None:
        """Append a piece; where things are is filled in when all are known."""
        self.index.append(index)
        self.size.append(size)
        self.mask.append(mask)
        self.most.append(most)
        self.is_same_region.append(is_same_region)


def _relax_alone(laid: Laid) -> bool:
    """Relax a section of branches and alignments; False for targets that are too intricate."""
    targets = _find_targets(laid)
    if targets is None:
        return False
    changed, count = True, 0
    pieces, runs = _Open(), array("q")
    while changed:
        if count in _SORTING_PASSES:
            _write_back(laid, pieces)
            del pieces  # not both at a time
            pieces, runs = _find_open(laid, targets)
        changed = _walk(pieces, runs)
        if runs[-1] > _LARGEST_SECTION:
            error = StatementError(f"section {laid.section.name} grows larger than 2 GiB")
            raise LayoutError(error, laid.places[-1])
        count += 1
    _write_back(laid, pieces)
    return True


class _Targets:
    """Where each branch that is short so far leads: a fragment, and an offset there."""

    __slots__ = ("fragments", "offsets")

    def __init__(self, count: int) -> None:
        self.fragments = array("I", bytes(4 * count))
        self.offsets = array("q", bytes(8 * count))


def _find_targets(laid: Laid) -> _Targets | None:
    """Return the targets of the branches of a section; None where one is too intricate."""
    targets = _Targets(len(laid.variables))
    for index, variable in enumerate(laid.variables):
        if type(variable) is Jump and laid.sizes[index] == len(variable.short) + 1:
            found = _label_and_distance(laid.targets[index])
            if found is None or found[0].section is not laid.section:
                return None
            targets.fragments[index] = found[0].fragment
            targets.offsets[index] = found[0].offset + found[1]
    return targets


def _label_and_distance(tree: Expression) -> tuple[AsmSymbol, int] | None:
    """Return what `label + number` consists of, through equates."""
    distance = 0
    for _ in range(100):
        if isinstance(tree, AsmSymbol):
            if tree.equated is None:
                return tree, distance
            tree = tree.equated
        elif isinstance(tree, Operation) and isinstance(tree.right, int):
            if tree.operator not in "+-":
                return None
            distance += tree.right if tree.operator == "+" else -tree.right
            tree = tree.left
        else:
            return None
    return None


def _find_open(laid: Laid, targets: _Targets) -> tuple[_Open, array[int]]:
    """Return the pieces that may still change, and where the run of bytes after each starts.

    The first run is the one before all of them.
    """
    lengths, sizes, starts = laid.lengths, laid.sizes, laid.section.starts
    # A short branch has two bytes; nothing but branches and alignments is in this section.
    largest, end = array("q", [0]), 0
    for index, variable in enumerate(laid.variables):
        if type(variable) is Align:
            end += lengths[index] + variable.alignment - 1
        elif type(variable) is Jump and sizes[index] == 2:
            end += lengths[index] + len(variable.near) + 4
        else:
            end += lengths[index] + sizes[index]
        largest.append(end)
    pieces = _Open()
    for index, variable in enumerate(laid.variables):
        if type(variable) is Align:
            pieces.add(index, sizes[index], variable.alignment - 1, variable.maximum, False)
        elif type(variable) is Jump and sizes[index] == 2:
            fragment, offset = targets.fragments[index], targets.offsets[index]
            if fragment > index:
                is_decided = largest[fragment] + offset - largest[index + 1] <= 127
            else:
                after = largest[index] + lengths[index] + sizes[index]
                is_decided = after - largest[fragment] - offset <= 128
            if not is_decided:
                is_same_region = laid.regions[fragment] == laid.regions[index]
                pieces.add(index, sizes[index], 0, len(variable.near) + 4, is_same_region)
    del largest  # the columns to come take as much
    runs = array("q", [0])
    runs.extend(starts[index + 1] for index in pieces.index)
    for number, index in enumerate(pieces.index):
        pieces.before.append(starts[index] + lengths[index] - runs[number])
        run = delta = 0
        if not pieces.mask[number]:
            fragment, offset = targets.fragments[index], targets.offsets[index]
            run = bisect_left(pieces.index, fragment)
            delta = starts[fragment] + offset - runs[run]
        pieces.run.append(run)
        pieces.delta.append(delta)
    return pieces, runs


def _walk(pieces: _Open, runs: array[int]) -> bool:
    """Walk the pieces once, moving each by what those before it grew; tell whether any did."""
    sizes, before, most = pieces.size, pieces.before, pieces.most
    stretch = 0
    changed = False
    for number, mask in enumerate(pieces.mask):
        if stretch:
            runs[number] += stretch
        if mask and not stretch & mask:
            continue  # it has moved by nothing, or by a multiple of what it aligns to
        size, limit = sizes[number], most[number]
        if mask:
            wanted = -(runs[number] + before[number]) & mask
            if limit and wanted > limit:
                wanted = 0
            if wanted == size:
                continue
        elif size == limit:
            continue
        else:
            at = runs[number] + before[number]
            run = pieces.run[number]
            address = runs[run] + pieces.delta[number]
            if stretch and run > number:
                if stretch < 0 or pieces.is_same_region[number]:
                    address += stretch
                elif address < at + 1:
                    # All before has grown past it: a forward branch must not look backward.
                    continue
            if -128 <= address - at - size <= 127:
                continue
            wanted = limit
        sizes[number] = wanted
        stretch += wanted - size
        changed = True
    runs[-1] += stretch
    return changed


def _write_back(laid: Laid, pieces: _Open) -> None:
    """Take over the sizes of the pieces, and with them the places of all fragments."""
    for index, size in zip(pieces.index, pieces.size, strict=True):
        laid.sizes[index] = size
    # The last bytes of a section have no piece behind them.
    laid.section.starts[:] = array("q", accumulate(map(add, laid.lengths, laid.sizes), initial=0))


def _relax_section(laid: Laid, count: int) -> bool:
    """Walk the fragments once, moving each by what those before it grew."""
    starts, lengths, sizes = laid.section.starts, laid.lengths, laid.sizes
    stretch = 0
    changed = False
    for index, variable in enumerate(laid.variables):
        starts[index] += stretch
        size = sizes[index]
        if type(variable) is Jump:
            if size != len(variable.short) + 1:
                continue
            at = starts[index] + lengths[index]
            wanted = _jump_size(laid, index, variable, at, stretch)
        else:
            at = starts[index] + lengths[index]
            try:
                wanted = variable_size(variable, at)
            except StatementError as error:
                raise LayoutError(error, laid.places[index]) from None
            if wanted < size and type(variable) is Leb and count >= _SHRINKING_PASSES:
                wanted = size
        if wanted != size:
            sizes[index] = wanted
            stretch += wanted - size
            changed = True
        if at > _LARGEST_SECTION:
            too_large = StatementError(f"section {laid.section.name} grows larger than 2 GiB")
            raise LayoutError(too_large, laid.places[index])
    starts[-1] += stretch
    return changed


def _jump_size(laid: Laid, index: int, jump: Jump, at: int, stretch: int) -> int:
    value = evaluate(laid.targets[index])
    target = value.plus
    if target is None:
        return len(jump.near) + 4
    base = target
    while base.equated is not None:
        inner = evaluate(base.equated)
        if inner.plus is None or inner.plus is base:
            break
        base = inner.plus
    address = value.constant + address_of(target)
    if stretch and base.fragment > index:
        if stretch < 0 or laid.regions[base.fragment] == laid.regions[index]:
            # It will move as this branch did, unless an alignment between them absorbs it.
            address += stretch
        elif address < at + 1:
            # What came before has grown past it: a forward branch must not look backward.
            return laid.sizes[index]
    distance = address - at - len(jump.short) - 1
    return len(jump.short) + 1 if -128 <= distance <= 127 else len(jump.near) + 4
