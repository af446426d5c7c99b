"""The vDSO: a small shared object that the kernel maps into every process (vdso(7)).

Its file is made of arch's code and a few tables, and is the same at every start. It goes where the
machine's own kernel puts its own, behind as many pages of [vvar], so that all else comes to lie
where it would natively; those pages are empty: what stands in Linux's comes in by the gate.
"""

from __future__ import annotations

import os
from struct import Struct, pack
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.vdso import CALL_READ_CLOCK, FRAME_CIE, FUNCTIONS, GATE, READ_CLOCK
from pyldso.elf.constants import (
    DF,
    DT,
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    EM,
    ET,
    EV_CURRENT,
    PF,
    PT,
    SHF,
    SHT,
    STB,
    STT,
)
from pyldso.elf.dynamic import gnu_hash, sysv_hash
from pyldso.elf.records import DYN, EHDR, NHDR, PHDR, SHDR, SYM, VERDAUX, VERDEF
from pyldso.kernel.mmu import EXECUTE, PAGE_SIZE, READ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyldso.kernel.process import Process

SONAME, VERSION = b"linux-vdso.so.1", b"LINUX_2.6"
PREFIX = b"__vdso_"
"""Each function is there with it before its name, and weakly by its name alone."""
BUILD_ID = bytes.fromhex("3c88dbda168b053bc0a7fa54eb00bc01295139ee")
"""The file's SHA-1 with zeros in this place; to compute it at each start would cost more."""
LABEL, _LABELS = "[vdso]", ("[vvar]", "[vvar_vclock]", "[vdso]")
_USUAL_LAYOUT = (("[vvar]", 4 * PAGE_SIZE), (LABEL, 2 * PAGE_SIZE))
"""What Linux maps up to 6.12, for a machine whose kernel has none."""

_NT_GNU_BUILD_ID = 3
_BASE_INDEX, _VERSION_INDEX, _VER_FLG_BASE = 1, 2, 1
_BLOOM_SHIFT = 6
_CODE_ALIGNMENT, _NOP = 16, b"\x90"
_FDE, _FRAME_HEADER, _FRAME_ROW = Struct("<IIiIB3x"), Struct("<4BiI"), Struct("<ii")
_FRAME_ENCODINGS = 1, 0x1B, 0x03, 0x3B
"""The version, and how .eh_frame_hdr encodes the place, the count and the rows of its table."""
_TEXT_INDEX = 11


_Section = tuple[bytes, int, int, int, tuple[int, int, int]]
"""Name, sh_type, size, alignment; sh_link, sh_info, sh_entsize. A class would cost start-up."""


def build_image(build_id: bytes = BUILD_ID) -> tuple[bytes, int]:
    """Return the file of the vDSO, and the place in it at which the machine is to tell the time.

    It is one segment, the tables before the code (gABI ch. 5).
    """
    code, places = _place_code()
    names = [(prefix + name, name) for prefix in (PREFIX, b"") for name in FUNCTIONS]
    symbols = [symbol for symbol, _ in names]
    count, functions = 1 + len(names), len(places)
    strings, indices = b"\0", dict[bytes, int]()
    for text in (SONAME, VERSION, *symbols):
        indices[text] = len(strings)
        strings += text + b"\0"
    note = NHDR.pack(4, len(build_id), _NT_GNU_BUILD_ID) + b"GNU\0" + build_id

    frame_size = len(FRAME_CIE) + functions * _FDE.size + 4
    plain = 0, 0, 0
    sections: tuple[_Section, ...] = (
        (b".hash", SHT.HASH, 4 * (3 + count), 8, (3, 0, 4)),
        (b".gnu.hash", SHT.GNU_HASH, 24 + 4 * count, 8, (3, 0, 0)),
        (b".dynsym", SHT.DYNSYM, SYM.size * count, 8, (4, 1, SYM.size)),
        (b".dynstr", SHT.STRTAB, len(strings), 1, plain),
        (b".gnu.version", SHT.GNU_VERSYM, 2 * count, 2, (3, 0, 2)),
        (b".gnu.version_d", SHT.GNU_VERDEF, 2 * (VERDEF.size + VERDAUX.size), 8, (4, 2, 0)),
        (b".dynamic", SHT.DYNAMIC, 13 * DYN.size, 8, (4, 0, DYN.size)),
        (b".note", SHT.NOTE, len(note), 4, plain),
        (b".eh_frame_hdr", SHT.PROGBITS, _FRAME_HEADER.size + 8 * functions, 4, plain),
        (b".eh_frame", SHT.PROGBITS, frame_size, 8, plain),
        (b".text", SHT.PROGBITS, len(code), _CODE_ALIGNMENT, plain),
    )
    end, at = EHDR.size + 4 * PHDR.size, dict[bytes, int]()
    for name, _, size, alignment, _ in sections:
        at[name] = -(-end // alignment) * alignment
        end = at[name] + size
    eh_frame, eh_frame_hdr = _frames(places, at)
    contents = {
        b".hash": _sysv_table(count),
        b".gnu.hash": _gnu_table(symbols),
        b".dynsym": _symbol_table(names, indices, places, at[b".text"]),
        b".dynstr": strings,
        b".gnu.version": pack(f"<{count}H", 0, *(count - 1) * [_VERSION_INDEX]),
        b".gnu.version_d": _version_table(indices),
        b".dynamic": _dynamic_section(indices, len(strings), at),
        b".note": note,
        b".eh_frame_hdr": eh_frame_hdr,
        b".eh_frame": eh_frame,
        b".text": code,
    }
    data = bytearray(end)
    for name, content in contents.items():
        data[at[name] : at[name] + len(content)] = content
    data[EHDR.size : EHDR.size + 4 * PHDR.size] = _program_headers(sections, at, end)
    tail = _section_headers(sections, at, end)
    shoff = end + len(tail) - SHDR.size * (len(sections) + 2)
    ident = ELFMAG + bytes((ELFCLASS64, ELFDATA2LSB, EV_CURRENT)) + bytes(9)
    sizes = EHDR.size, PHDR.size, 4, SHDR.size, len(sections) + 2, len(sections) + 1
    EHDR.pack_into(data, 0, ident, ET.DYN, EM.X86_64, EV_CURRENT, 0, EHDR.size, shoff, 0, *sizes)
    return bytes(data) + tail, at[b".text"] + GATE


def _place_code() -> tuple[bytes, dict[bytes, tuple[int, int]]]:
    """Return the functions one behind the other, and where each begins and how long it is."""
    code, places = b"", dict[bytes, tuple[int, int]]()
    for name, function in {b"": READ_CLOCK, **FUNCTIONS}.items():
        code = code.ljust(-(-len(code) // _CODE_ALIGNMENT) * _CODE_ALIGNMENT, _NOP)
        places[name] = start, _ = len(code), len(function)
        call = function.find(CALL_READ_CLOCK)
        if call >= 0:
            end = call + len(CALL_READ_CLOCK)
            function = function[: end - 4] + pack("<i", -(start + end)) + function[end:]
        code += function
    return code, places


def _symbol_table(
    names: Sequence[tuple[bytes, bytes]],
    indices: dict[bytes, int],
    places: dict[bytes, tuple[int, int]],
    text: int,
) -> bytes:
    rows = [bytes(SYM.size)]
    for symbol, function in names:
        start, size = places[function]
        binding = STB.WEAK if symbol is function else STB.GLOBAL
        info = binding << 4 | STT.FUNC
        rows.append(SYM.pack(indices[symbol], info, 0, _TEXT_INDEX, text + start, size))
    return b"".join(rows)


def _sysv_table(count: int) -> bytes:
    """Return DT_HASH: one bucket whose chain goes through all symbols, from the last on."""
    return pack(f"<{3 + count}I", 1, count, count - 1, 0, *range(count - 1))


def _gnu_table(symbols: Sequence[bytes]) -> bytes:
    """Return DT_GNU_HASH: a filter of one word, one bucket, and the hashes, the last one odd."""
    hashes = [gnu_hash(symbol) for symbol in symbols]
    bloom = 0
    for value in hashes:
        bloom |= 1 << value % 64 | 1 << (value >> _BLOOM_SHIFT) % 64
    chain = [value & ~1 for value in hashes]
    chain[-1] |= 1
    return pack(f"<4IQI{len(chain)}I", 1, 1, 1, _BLOOM_SHIFT, bloom, 1, *chain)


def _version_table(indices: dict[bytes, int]) -> bytes:
    size = VERDEF.size + VERDAUX.size
    rows = ((SONAME, _VER_FLG_BASE, _BASE_INDEX, size), (VERSION, 0, _VERSION_INDEX, 0))
    return b"".join(
        VERDEF.pack(1, flags, index, 1, sysv_hash(name), VERDEF.size, following)
        + VERDAUX.pack(indices[name], 0)
        for name, flags, index, following in rows
    )


def _dynamic_section(indices: dict[bytes, int], string_size: int, at: dict[bytes, int]) -> bytes:
    entries = (
        (DT.SONAME, indices[SONAME]),
        (DT.SYMBOLIC, 0),
        (DT.HASH, at[b".hash"]),
        (DT.GNU_HASH, at[b".gnu.hash"]),
        (DT.STRTAB, at[b".dynstr"]),
        (DT.SYMTAB, at[b".dynsym"]),
        (DT.STRSZ, string_size),
        (DT.SYMENT, SYM.size),
        (DT.VERDEF, at[b".gnu.version_d"]),
        (DT.VERDEFNUM, 2),
        (DT.FLAGS, DF.SYMBOLIC),
        (DT.VERSYM, at[b".gnu.version"]),
        (DT.NULL, 0),
    )
    return b"".join(DYN.pack(*entry) for entry in entries)


def _frames(places: dict[bytes, tuple[int, int]], at: dict[bytes, int]) -> tuple[bytes, bytes]:
    """Return .eh_frame, and the table by which an address is found in it."""
    start, header, text = at[b".eh_frame"], at[b".eh_frame_hdr"], at[b".text"]
    content, rows = FRAME_CIE, b""
    for begin, size in places.values():
        place = len(content)
        distance = text + begin - (start + place + 8)  # from the field itself
        rows += _FRAME_ROW.pack(text + begin - header, start + place - header)
        content += _FDE.pack(_FDE.size - 4, place + 4, distance, size, 0)
    table = _FRAME_HEADER.pack(*_FRAME_ENCODINGS, start - (header + 4), len(places)) + rows
    return content + bytes(4), table


def _program_headers(sections: Sequence[_Section], at: dict[bytes, int], end: int) -> bytes:
    headers = [PHDR.pack(PT.LOAD, PF.R | PF.X, 0, 0, 0, end, end, PAGE_SIZE)]
    p_types = {b".dynamic": PT.DYNAMIC, b".note": PT.NOTE, b".eh_frame_hdr": PT.GNU_EH_FRAME}
    for name, _, size, alignment, _ in sections:
        if name in p_types:
            place = at[name]
            headers.append(
                PHDR.pack(p_types[name], PF.R, place, place, place, size, size, alignment)
            )
    return b"".join(headers)


def _section_headers(sections: Sequence[_Section], at: dict[bytes, int], end: int) -> bytes:
    """Return what follows the segment: the sections' names, and their headers."""
    names, rows = b"\0", [bytes(SHDR.size)]
    for text, sh_type, size, alignment, (sh_link, sh_info, sh_entsize) in sections:
        flags = SHF.ALLOC | (SHF.EXECINSTR if text == b".text" else 0)
        name, names, place = len(names), names + text + b"\0", at[text]
        links = sh_link, sh_info, alignment, sh_entsize
        rows.append(SHDR.pack(name, sh_type, flags, place, place, size, *links))
    own = b".shstrtab"
    name, names = len(names), names + own + b"\0"
    rows.append(SHDR.pack(name, SHT.STRTAB, 0, 0, end, len(names), 0, 0, 1, 0))
    return names + bytes(-(end + len(names)) % 8) + b"".join(rows)


# ---- in a process ----


def map_vdso(process: Process) -> int:
    """Map the vDSO where the host's kernel does, below all that is mapped; return its address.

    Raises OSError where there is no room.
    """
    layout = host_layout()
    memory = process.memory
    address = memory.find_gap(sum(size for _, size in layout))
    vdso = 0
    for label, size in layout:
        prot = READ
        if label == LABEL:
            prot, vdso = READ | EXECUTE, address
        memory.map(address, size, prot, fixed=True, label=label)
        address += size
    data, gate = build_image()
    memory.write(vdso, data)
    process.cpu.tell_time_at(vdso + gate)
    return vdso


def host_layout() -> Sequence[tuple[str, int]]:
    """Return labels and sizes of what the host's kernel maps for its vDSO, in ascending order."""
    fd, text = os.open("/proc/self/maps", os.O_RDONLY | os.O_CLOEXEC), b""
    while piece := os.read(fd, 1 << 16):
        text += piece
    os.close(fd)
    found = []
    at = text.find(b"[v")
    while at >= 0:
        start, _, rest = text[text.rfind(b"\n", 0, at) + 1 : at].partition(b"-")
        label = text[at : text.index(b"\n", at)].decode()
        if label in _LABELS:
            found.append((label, int(rest.split()[0], 16) - int(start, 16)))
        at = text.find(b"[v", at + 1)
    return found if found and found[-1][0] == LABEL else _USUAL_LAYOUT
