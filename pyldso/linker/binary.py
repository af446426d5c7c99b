"""`-b binary`: any file as the .data of an object, between symbols that carry its name."""

from __future__ import annotations

import re

from pyldso.elf.constants import SHF, SHN, SHT, STB, STT
from pyldso.elf.object import ObjectFile, Section, Symbol


def binary_object(data: bytes, path: str, machine: int) -> ObjectFile:
    """Return the object of a file: `_binary_NAME_start`, `_end` and, absolute, `_size`.

    In NAME, the path as it is given, every character that C has no place for is an underscore.
    """
    flags = int(SHF.ALLOC | SHF.WRITE)
    section = Section(".data", SHT.PROGBITS, flags, 1, data, len(data))
    name = "_binary_" + re.sub(r"[^A-Za-z0-9]", "_", path)
    symbols = [
        Symbol(""),
        Symbol(f"{name}_start", STB.GLOBAL, STT.NOTYPE, 0, section),
        Symbol(f"{name}_end", STB.GLOBAL, STT.NOTYPE, 0, section, 0, len(data)),
        Symbol(f"{name}_size", STB.GLOBAL, STT.NOTYPE, 0, None, SHN.ABS, len(data)),
    ]
    return ObjectFile(path, machine, [section], symbols)
