"""GLIBC_TUNABLES: what a user asks of glibc, written into ld.so's own table (elf/dl-tunables.c).

libc and ld.so's code read the table by `__tunable_get_val`. Its rows begin with their names; where
the other members are shows in what that function reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from pyldso.elf.constants import PF
from pyldso.ldso.lookup import find_in

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

VARIABLE = b"GLIBC_TUNABLES"
ALIASES = {
    b"MALLOC_CHECK_": b"glibc.malloc.check",
    b"MALLOC_TOP_PAD_": b"glibc.malloc.top_pad",
    b"MALLOC_PERTURB_": b"glibc.malloc.perturb",
    b"MALLOC_MMAP_MAX_": b"glibc.malloc.mmap_max",
    b"MALLOC_MMAP_THRESHOLD_": b"glibc.malloc.mmap_threshold",
    b"MALLOC_TRIM_THRESHOLD_": b"glibc.malloc.trim_threshold",
    b"MALLOC_ARENA_MAX": b"glibc.malloc.arena_max",
    b"MALLOC_ARENA_TEST": b"glibc.malloc.arena_test",
    b"LD_HWCAP_MASK": b"glibc.cpu.hwcap_mask",
}
"""Variables that set a tunable by themselves (elf/dl-tunables.list)."""
RSEQ, STATIC_TLS = b"glibc.pthread.rseq", b"glibc.rtld.optional_static_tls"
SORT, OLD_SORT = b"glibc.rtld.dynamic_sort", 1
_SAMPLE = b"glibc.malloc.arena_max"
"""One that has a number, and is in every version."""
_NAME = re.compile(rb"glibc\.[a-z]+\.\w+(?=\0)")
_NUMBER = re.compile(rb"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)")
_INT_32, _STRING = 0, 3
_MASK, _SIGN = 2**64 - 1, 1 << 63


def requested(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the tunables that the environment names, known or not, with their values as text."""
    found: dict[bytes, bytes] = {}
    for item in environment.get(VARIABLE, b"").split(b":"):
        name, equals, text = item.partition(b"=")
        if equals:
            found[name] = text
    for variable, name in ALIASES.items():
        if variable in environment:
            found.setdefault(name, environment[variable])
    return found


def number(text: bytes) -> int:
    """Return the number that a text begins with, 0 where it does not (_dl_strtoul)."""
    found = _NUMBER.match(text)
    if found is None:
        return 0
    digits = found[2]
    base = 16 if digits[:2] in (b"0x", b"0X") else 8 if digits[:1] == b"0" else 10
    if base == 8:
        digits = digits[: len(digits) - len(digits.lstrip(b"01234567"))]
    value = min(int(digits, base), _MASK)
    return -value & _MASK if found[1] == b"-" else value


def wanted(namespace: Namespace, name: bytes, default: int) -> int:
    """Return the number that is asked for by a name, or the default."""
    text = namespace.tunables.get(name)
    return default if text is None else number(text)


class _Table(NamedTuple):
    """The rows' names with their addresses, and the distances of a row's other members."""

    rows: dict[bytes, int]
    type: int
    value: int
    is_set: int

    @property
    def is_strict(self) -> bool:
        """Tell whether the table is glibc 2.39's or later: it has texts with their lengths."""
        return self.is_set - self.value > 8


def apply(namespace: Namespace) -> None:
    """Set the tunables that the environment asks for; strange names and values are passed over."""
    memory = namespace.memory
    table = _find_table(namespace, namespace.interpreter)
    for name, text in namespace.tunables.items():
        row = table.rows.get(name) if table else None
        if table is None or row is None:
            continue
        if memory.read_u32(row + table.type) == _STRING:
            memory.write_u64(row + table.value, namespace.heap.string(text))
            if table.is_strict:  # its length follows
                memory.write_u64(row + table.value + 8, len(text))
        elif table.is_strict and not _NUMBER.fullmatch(text):
            shown, option = (item.decode(errors="replace") for item in (text, name))
            problem = f"invalid GLIBC_TUNABLES value `{shown}' for option `{option}'"
            namespace.warn(f"WARNING: ld.so: {problem}: ignored.")
            continue
        else:
            value = number(text)
            kind, least, most = (memory.read_u64(row + table.type + 8 * i) for i in range(3))
            order = _SIGN if kind & 0xFFFFFFFF == _INT_32 else 0  # makes signed ones comparable
            if not least ^ order <= value ^ order <= most ^ order:
                continue
            memory.write_u64(row + table.value, value)
        memory.write(row + table.is_set, b"\1")


def _find_table(namespace: Namespace, interpreter: Dso | None) -> _Table | None:
    getter = find_in(namespace, interpreter, b"__tunable_get_val")
    if interpreter is None or getter is None:
        return None
    rows: dict[bytes, int] = {}
    for phdr in interpreter.loads:
        if phdr.p_flags & PF.W:
            start = interpreter.base + phdr.p_vaddr
            data = namespace.memory.read(start, phdr.p_filesz)
            rows |= {found[0]: start + found.start() for found in _NAME.finditer(data)}
    places = list(rows.values())
    if len(places) < 2 or _SAMPLE not in rows:
        return None
    first, size = places[0], places[1] - places[0]
    scratch = namespace.heap.allocate(16)
    arguments = (places.index(rows[_SAMPLE]), scratch, scratch)  # a callback, not called yet
    function = interpreter.symbol_address(getter)
    reads = namespace.process.probe_reads(
        function, arguments, first, size * len(places), first=False
    )
    namespace.heap.free(scratch, 16)
    if len(reads) != 3 or places != list(range(first, first + size * len(places), size)):
        return None
    return _Table(rows, *(place - rows[_SAMPLE] for place in reads))
