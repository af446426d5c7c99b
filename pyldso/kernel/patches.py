"""Replaces code of libunicorn in this process's copy of the library, where it is the known build.

Places are told by their distance from one exported function, and by the bytes that stand there in
the tested version's build for Linux with glibc; elsewhere nothing changes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyldso.kernel import host

if TYPE_CHECKING:
    from pyldso.kernel.libunicorn import Unicorn

ANCHOR = "translator_loop_x86_64"
"""The exported function that places are relative to."""
_MOV_RAX, CALL_RAX, _JMP_RAX, _NOP = b"\x48\xb8", b"\xff\xd0", b"\xff\xe0", b"\x90"


class Place(NamedTuple):
    """Bytes of libunicorn, at an offset from `ANCHOR`."""

    offset: int
    expected: bytes

    @property
    def end(self) -> int:
        """The offset behind the bytes."""
        return self.offset + len(self.expected)

    def stands(self, anchor: int) -> bool:
        """Tell whether the bytes are there."""
        return ctypes.string_at(anchor + self.offset, len(self.expected)) == self.expected


Words = Mapping[bytes, bytes]
Make = Callable[[int, Words], Iterable[tuple[Place, bytes]]]
"""Takes the anchor's address and those of functions, and returns what comes to which places."""
_done: set[tuple[int, Make]] = set()
"""What was made of which library: a process has one."""


def patch(
    unicorn: Unicorn,
    places: Sequence[Place],
    make: Make,
    functions: Mapping[str, str] | None = None,
) -> bool:
    """Replace code once, if all `places` are as expected; False where it cannot be.

    `functions` are exported functions by the name under which `make` is given their addresses, 8
    bytes each. Each change is whole by itself: one that fails leaves those before it.
    """
    try:
        anchor = unicorn.function_address(ANCHOR)
        words = {
            key.encode(): address_word(unicorn.function_address(name))
            for key, name in (functions or {}).items()
        }
    except LookupError:
        return False
    if (anchor, make) in _done:
        return True
    if not all(place.stands(anchor) for place in places):
        return False
    try:
        for place, code in make(anchor, words):
            host.replace_code(anchor + place.offset, code.ljust(len(place.expected), _NOP))
    except OSError:  # a kernel that lets nobody write to code
        return False
    _done.add((anchor, make))
    return True


def address_word(address: int) -> bytes:
    """Return an address as code holds it."""
    return address.to_bytes(8, "little")


def go(address: int, how: bytes = _JMP_RAX) -> bytes:
    """Return code that jumps to an address; RAX is lost."""
    return _MOV_RAX + address_word(address) + how
