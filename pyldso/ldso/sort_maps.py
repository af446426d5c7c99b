"""The order of files by their dependencies, on which initialisers and finalisers depend.

Both of glibc's algorithms (elf/dl-sort-maps.c): that of 2.35 and later, and the one before it,
which glibc.rtld.dynamic_sort=1 asks for. What a file was found to need counts as its dependency:
for one that was opened by name this is all that it needs, as it was sorted.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso


def sort_maps(
    objects: Sequence[Dso],
    *,
    keeps_first: bool = False,
    is_final: bool = False,
    fresh: Dso | None = None,
    used: Container[Dso] = (),
) -> list[Dso]:
    """Return `objects`, each before what it depends on; circles are cut where they are met.

    `is_final` is the order of finalisers, for which relocation dependencies count, too; files that
    are still `used` are not looked at then. `fresh` has no dependencies yet: it is sorted with its
    own for the first time.
    """
    if not objects or not objects[0].owner.sorts_as_before:
        return _depth_first(objects, keeps_first, is_final, fresh)
    head = list(objects[:1]) if keeps_first else []
    return head + _moved_behind(objects[len(head) :], is_final, fresh, used)


def dependencies_first(objects: Sequence[Dso]) -> list[Dso]:
    """Return `objects` so that each comes after what it depends on."""
    return sort_maps(objects)[::-1]


def _needs(dso: Dso, fresh: Dso | None) -> Sequence[Dso]:
    """Return what a file was found to need (l_initfini)."""
    return () if dso is fresh else dso.init_order or dso.dependencies


def _depth_first(
    objects: Sequence[Dso], keeps_first: bool, is_final: bool, fresh: Dso | None
) -> list[Dso]:
    """Return the reverse postorder of a walk from the last object on (_dl_sort_maps_dfs).

    Where relocation dependencies were met, they only choose between orders without them.
    """
    order = _reverse_postorder(objects, fresh, with_relocation_dependencies=is_final)
    if is_final and any(dso.has_relocation_dependencies for dso in order):
        order = _reverse_postorder(order, fresh, with_relocation_dependencies=False)
    if keeps_first and objects:
        order.remove(objects[0])
        order.insert(0, objects[0])
    return order


def _reverse_postorder(
    objects: Sequence[Dso], fresh: Dso | None, *, with_relocation_dependencies: bool
) -> list[Dso]:
    program = objects[0].owner.program if objects else None
    inside = set(objects)
    visited: set[Dso] = set()
    postorder: list[Dso] = []

    def following(dso: Dso) -> Iterator[Dso]:
        yield from _needs(dso, fresh)
        if with_relocation_dependencies:
            yield from reversed(dso.relocation_dependencies)

    for root in reversed(objects):
        if root in visited:
            continue
        visited.add(root)
        stack = [(root, following(root))]
        while stack:
            dso, targets = stack[-1]
            for target in targets:
                if target in inside and target not in visited and target is not program:
                    visited.add(target)
                    stack.append((target, following(target)))
                    break
            else:
                postorder.append(dso)
                stack.pop()
    return postorder[::-1]


def _moved_behind(
    objects: Sequence[Dso], is_final: bool, fresh: Dso | None, used: Container[Dso]
) -> list[Dso]:
    """Return `objects` as _dl_sort_maps_original moves them.

    Each in turn goes behind the last one that depends on it, until nothing moves; how often an
    object was looked at ends circles.
    """

    def depends(other: Dso, dso: Dso) -> bool:
        if dso in _needs(other, fresh):
            return True
        # Not where it would contradict a dependency of the link.
        is_noted = is_final and dso in other.relocation_dependencies
        return is_noted and other not in _needs(dso, fresh)

    order, seen = list(objects), [0] * len(objects)
    at = 0
    while at < len(order):
        seen[at] += 1
        dso, behind = order[at], len(order) - 1
        if is_final and (dso.real is not None or dso in used):
            behind = at
        while behind > at and not depends(order[behind], dso):
            behind -= 1
        if behind == at:
            at += 1
            seen[at:] = [0] * (len(order) - at)
            continue
        order.insert(behind, order.pop(at))
        if seen[at + 1] > len(order) - at:
            at += 1
            seen[at:] = [0] * (len(order) - at)
        else:
            seen.insert(behind, seen.pop(at))
    return order
