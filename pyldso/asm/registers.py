"""Names of the x86-64 registers, as operands are checked against them."""

from __future__ import annotations

_GENERAL = "ax bx cx dx si di bp sp"

NAMES: frozenset[str] = frozenset(
    [
        *(prefix + name for name in _GENERAL.split() for prefix in ("r", "e", "")),
        *[
            "al",
            "bl",
            "cl",
            "dl",
            "ah",
            "bh",
            "ch",
            "dh",
            "sil",
            "dil",
            "bpl",
            "spl",
            "rip",
            "eip",
            "riz",
            "eiz",
            "st",
        ],
        *["cs", "ds", "es", "fs", "gs", "ss", "cr0", "cr2", "cr3", "cr4", "cr8", "cr9"],
        *(f"r{number}{suffix}" for number in range(8, 16) for suffix in ("", "d", "w", "b")),
        *(f"{kind}mm{number}" for number in range(32) for kind in "xyz"),
        *(f"{kind}{number}" for number in range(8) for kind in ("mm", "k", "db", "dr", "st")),
        *(f"cr{number}" for number in range(16)),
        *(f"dr{number}" for number in range(16)),
        *(f"st({number})" for number in range(8)),
    ]
)

_SUFFIXES = {
    **dict.fromkeys(
        ["al", "bl", "cl", "dl", "ah", "bh", "ch", "dh", "sil", "dil", "bpl", "spl"], "b"
    ),
    **{f"r{number}b": "b" for number in range(8, 16)},
    **dict.fromkeys(_GENERAL.split(), "w"),
    **{f"r{number}w": "w" for number in range(8, 16)},
    **{f"e{name}": "l" for name in _GENERAL.split()},
    **{f"r{number}d": "l" for number in range(8, 16)},
    **{f"r{name}": "q" for name in _GENERAL.split()},
    **{f"r{number}": "q" for number in range(8, 16)},
}


def suffix_of(register: str) -> str:
    """Return the AT&T size suffix that a general register implies, or an empty string."""
    return _SUFFIXES.get(register, "")


_ADDRESSING = frozenset(
    [
        *(name for name, suffix in _SUFFIXES.items() if suffix in ("l", "q")),
        *("rip", "eip", "riz", "eiz", "dx"),
    ]
)
_VECTOR_INDEX = ("xmm", "ymm", "zmm")


def can_address(name: str) -> bool:
    """Tell whether a register may stand in an address; vectors may as an index of a gather."""
    return name in _ADDRESSING or name.startswith(_VECTOR_INDEX)


def is_register(name: str) -> bool:
    """Tell whether `name` (lower case, no %) is a register."""
    return name in NAMES
