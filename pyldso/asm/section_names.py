"""What the name of a section says of it, and how `.section` writes its flags (gas manual, 7.96)."""

from __future__ import annotations

from pyldso.asm.errors import StatementError
from pyldso.elf.constants import SHF, SHT

_A, _W, _X, _T = SHF.ALLOC, SHF.WRITE, SHF.EXECINSTR, SHF.TLS
_LARGE = SHF.X86_64_LARGE

# A name, or with a final `*` the name alone and followed by a dot and more (bfd/elf.c).
_SPECIAL: dict[str, tuple[int, int]] = {
    ".text*": (SHT.PROGBITS, _A | _X),
    ".data*": (SHT.PROGBITS, _A | _W),
    ".data1": (SHT.PROGBITS, _A | _W),
    ".bss*": (SHT.NOBITS, _A | _W),
    ".rodata*": (SHT.PROGBITS, _A),
    ".rodata1": (SHT.PROGBITS, _A),
    ".tdata*": (SHT.PROGBITS, _A | _W | _T),
    ".tbss*": (SHT.NOBITS, _A | _W | _T),
    ".init": (SHT.PROGBITS, _A | _X),
    ".fini": (SHT.PROGBITS, _A | _X),
    ".init_array*": (SHT.INIT_ARRAY, _A | _W),
    ".fini_array*": (SHT.FINI_ARRAY, _A | _W),
    ".preinit_array*": (SHT.PREINIT_ARRAY, _A | _W),
    ".got": (SHT.PROGBITS, _A | _W),
    ".plt": (SHT.PROGBITS, _A | _X),
    ".note.GNU-stack": (SHT.PROGBITS, 0),
    ".note*": (SHT.NOTE, 0),
    ".lbss*": (SHT.NOBITS, _A | _W | _LARGE),
    ".ldata*": (SHT.PROGBITS, _A | _W | _LARGE),
    ".lrodata*": (SHT.PROGBITS, _A | _LARGE),
    ".gnu.linkonce.b*": (SHT.NOBITS, _A | _W),
}

_FLAG_LETTERS = {
    "a": SHF.ALLOC,
    "w": SHF.WRITE,
    "x": SHF.EXECINSTR,
    "M": SHF.MERGE,
    "S": SHF.STRINGS,
    "G": SHF.GROUP,
    "T": SHF.TLS,
    "o": SHF.LINK_ORDER,
    "e": SHF.EXCLUDE,
    "R": SHF.GNU_RETAIN,
    "l": SHF.X86_64_LARGE,
}

_TYPES = {
    "progbits": SHT.PROGBITS,
    "nobits": SHT.NOBITS,
    "note": SHT.NOTE,
    "init_array": SHT.INIT_ARRAY,
    "fini_array": SHT.FINI_ARRAY,
    "preinit_array": SHT.PREINIT_ARRAY,
    "unwind": SHT.X86_64_UNWIND,
}


def default_attributes(name: str) -> tuple[int, int]:
    """Return the sh_type and sh_flags that a section gets by its name alone."""
    exact = _SPECIAL.get(name) or _SPECIAL.get(name + "*")
    if exact is not None:
        return exact
    for pattern, attributes in _SPECIAL.items():
        if pattern[-1] == "*" and name.startswith(pattern[:-1] + "."):
            return attributes
    if name.startswith(".note"):
        return SHT.NOTE, 0
    return SHT.PROGBITS, 0


def read_flags(letters: str) -> tuple[int, bool]:
    """Return the sh_flags of a flag string, and whether `?` asks for the present group.

    Raises StatementError for a letter that means nothing.
    """
    flags = 0
    in_present_group = False
    rest = letters
    while rest:
        letter, rest = rest[0], rest[1:]
        if letter == "?":
            in_present_group = True
        elif letter.isdigit():
            digits = letter
            while rest and (rest[0].isalnum()):
                digits, rest = digits + rest[0], rest[1:]
            try:
                flags |= int(digits, 0)
            except ValueError:
                raise StatementError(f"bad section flags `{digits}'", digits) from None
        elif letter in _FLAG_LETTERS:
            flags |= _FLAG_LETTERS[letter]
        else:
            raise StatementError(
                f"unknown section flag `{letter}'", letters, f"flags are {', '.join(_FLAG_LETTERS)}"
            )
    return flags, in_present_group


def read_type(text: str) -> int:
    """Return the sh_type of `@progbits` and its kin.

    Raises StatementError for a type that does not exist.
    """
    name = text.strip().strip('"').lstrip("@%").strip('"')
    if name in _TYPES:
        return _TYPES[name]
    try:
        return int(name, 0)
    except ValueError:
        hint = f"types are {', '.join('@' + known for known in _TYPES)}"
        raise StatementError(f"unknown section type `{text}'", text, hint) from None
