"""Which known name a wrong one was probably meant to be; imported only where there is an error."""

from __future__ import annotations

from collections.abc import Collection, Iterator

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789_.-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST = 300
"""Of more letters than this nobody knows whether one is wrong, and there are too many to try."""


def similar(word: str, known: Collection[str], cutoff: float = 0.65) -> str:
    """Return the name of `known` that is nearest to `word`, empty where none is near.

    First come names that differ in case and underscores only, then those one slip of the fingers
    away, then what difflib finds, whose ratio must reach `cutoff`.
    """
    if len(word) > _LONGEST:
        return ""
    names = sorted(known)
    plain = word.lower().strip("_")
    for name in names:
        if name.lower().strip("_") == plain and name != word:
            return name
    inside = set(names)
    for candidate in _one_slip_away(word):
        if candidate in inside:
            return candidate
    from difflib import get_close_matches

    near = [name for name in names if abs(len(name) - len(word)) <= 2]
    found = get_close_matches(word, near, 1, cutoff)
    return found[0] if found else ""


def _one_slip_away(word: str) -> Iterator[str]:
    """Yield the words one slip from `word`: letters swapped, one too many, wrong, missing."""
    splits = [(word[:index], word[index:]) for index in range(len(word) + 1)]
    for head, tail in splits:
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
    for head, tail in splits:
        if tail and len(word) > 1:
            yield head + tail[1:]
    for head, tail in splits[:-1]:
        for letter in ALPHABET:
            yield head + letter + tail[1:]
    for head, tail in splits:
        for letter in ALPHABET:
            yield head + letter + tail
