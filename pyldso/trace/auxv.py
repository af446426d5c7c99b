"""What LD_SHOW_AUXV prints: the auxiliary vector that the kernel gives a program (getauxval(3))."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyldso.kernel.exec import AT

if TYPE_CHECKING:
    from pyldso.kernel.memory import AddressSpace

DECIMAL, HEXADECIMAL, BARE_HEXADECIMAL, TEXT = "d", "#x", "x", "s"
FORMS = {
    AT.SYSINFO_EHDR: ("SYSINFO_EHDR", HEXADECIMAL),
    AT.PHENT: ("PHENT", DECIMAL),
    AT.PHNUM: ("PHNUM", DECIMAL),
    AT.PAGESZ: ("PAGESZ", DECIMAL),
    AT.CLKTCK: ("CLKTCK", DECIMAL),
    AT.UID: ("UID", DECIMAL),
    AT.EUID: ("EUID", DECIMAL),
    AT.GID: ("GID", DECIMAL),
    AT.EGID: ("EGID", DECIMAL),
    AT.SECURE: ("SECURE", DECIMAL),
    AT.MINSIGSTKSZ: ("MINSIGSTKSZ", DECIMAL),
    AT.HWCAP: ("HWCAP", BARE_HEXADECIMAL),
    AT.PHDR: ("PHDR", HEXADECIMAL),
    AT.BASE: ("BASE", HEXADECIMAL),
    AT.FLAGS: ("FLAGS", HEXADECIMAL),
    AT.ENTRY: ("ENTRY", HEXADECIMAL),
    AT.RANDOM: ("RANDOM", HEXADECIMAL),
    AT.HWCAP2: ("HWCAP2", HEXADECIMAL),
    AT.EXECFN: ("EXECFN", TEXT),
    AT.PLATFORM: ("PLATFORM", TEXT),
}
PATH_LIMIT = 4096


def auxiliary_vector(memory: AddressSpace, address: int) -> str:
    """Return a line for each entry of the vector at `address`."""
    read: dict[str, Callable[[int], str]] = {
        DECIMAL: str,
        HEXADECIMAL: "{:#x}".format,
        BARE_HEXADECIMAL: "{:x}".format,
        TEXT: lambda value: memory.read_cstring(value, PATH_LIMIT).decode(errors="replace"),
    }
    lines: list[str] = []
    while True:
        kind, value = struct.unpack("<QQ", memory.read(address, 16))
        if kind == AT.NULL:
            return "".join(lines)
        if kind in FORMS:
            name, form = FORMS[kind]
            lines.append(f"AT_{name}:".ljust(22) + read[form](value) + "\n")
        else:
            lines.append(f"AT_??? ({kind:#x}): {value:#x}\n")
        address += 16
