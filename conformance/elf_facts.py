"""What readelf tells of a linked file where the ABI leaves a linker no freedom.

Aspects, each a list of lines that may be compared between the outputs of several linkers:

    dynamic   the dynamic section: needs, names, flags, what is there (not where it is)
    segments  permissions of PT_LOAD, PT_GNU_STACK, what PT_GNU_RELRO covers, PT_INTERP
    versions  what is defined and needed, and which symbol has which
    symbols   .dynsym: name, binding, type, visibility of exports; names of imports but
              weak ones, which a linker may leave out where nothing defines them
    tls       size and alignment of PT_TLS, and the offset of every thread-local variable
    notes     properties, and whether there is a build-id
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ASPECTS = ("dynamic", "segments", "versions", "symbols", "tls", "notes")

_PLACED = frozenset((
    "STRTAB", "SYMTAB", "STRSZ", "SYMENT", "PLTGOT", "PLTRELSZ", "PLTREL", "JMPREL", "RELA",
    "RELASZ", "RELAENT", "RELACOUNT", "VERSYM", "VERDEF", "VERNEED", "RELR", "RELRSZ", "RELRENT",
    "NULL", "VERNEEDNUM", "VERDEFNUM", "TLSDESC_GOT", "TLSDESC_PLT",
))  # fmt: skip
"""Tags that say where something is or how large; or that follow from the choice of relocations."""

_ADDRESSES = frozenset((
    "INIT", "FINI", "INIT_ARRAY", "FINI_ARRAY", "PREINIT_ARRAY", "HASH", "GNU_HASH", "DEBUG",
    "SYMBOLIC", "TEXTREL",
))  # fmt: skip
"""Tags of which it matters that they are there."""

_PROTECTED = (".tdata", ".init_array", ".fini_array", ".data.rel.ro", ".dynamic", ".got")
"""Sections that the dynamic linker writes and that PT_GNU_RELRO is there for."""

OF_CRT = "__cxa_finalize"
"""A weak need of gcc's crt files, which mold makes a strong one."""

Facts = dict[str, list[str]]


def facts_of(path: Path) -> Facts:
    """Return the lines of each aspect of a linked file."""
    text = subprocess.run(
        ["readelf", "-W", "-l", "-d", "-V", "-n", "--dyn-syms", "-s", path],
        capture_output=True, text=True, errors="replace", check=False,
    ).stdout  # fmt: skip
    text = text.replace("OBJECT  <OS specific>: 10", "OBJECT  UNIQUE").replace(
        "<OS specific>: 10", "IFUNC"
    )
    tables = _symbol_tables(text)
    return {
        "dynamic": _dynamic(text),
        "segments": _segments(text),
        "versions": _versions(text) + _symbol_versions(tables.get(".dynsym", [])),
        "symbols": _dynamic_symbols(tables.get(".dynsym", [])),
        "tls": _thread_local(text, tables),
        "notes": _notes(text),
    }


def _dynamic(text: str) -> list[str]:
    lines: list[str] = []
    for tag, value in re.findall(r"^ 0x[0-9a-f]{16} \((\w+)\) *(.*)$", text, re.M):
        if tag in _PLACED:
            continue
        lines.append(tag if tag in _ADDRESSES else f"{tag} {value.strip()}")
    needed = [line for line in lines if line.startswith("NEEDED")]
    return needed + sorted(line for line in lines if not line.startswith("NEEDED"))


def _segments(text: str) -> list[str]:
    rows = re.findall(r"^  ([A-Z_]+) +0x\w+ 0x\w+ 0x\w+ 0x\w+ 0x\w+ (.{3}) ", text, re.M)
    lines = {
        f"{kind} {flags.replace(' ', '')}"
        for kind, flags in rows
        if kind not in ("NOTE", "GNU_PROPERTY")
    }
    lines.update(re.findall(r"Requesting program interpreter: [^\]]+", text))
    mapping = text.partition("Section to Segment mapping:")[2]
    covered = re.findall(r"^   (\d\d) +(.*)$", mapping, re.M)
    names = {name for _, held in covered for name in held.split()}
    for number, held in covered:
        if int(number) < len(rows) and rows[int(number)][0] == "GNU_RELRO":
            bare = sorted(names.intersection(_PROTECTED).difference(held.split()))
            lines.add("GNU_RELRO covers all" if not bare else f"not in GNU_RELRO: {bare}")
    return sorted(lines)


def _symbol_tables(text: str) -> dict[str, list[list[str]]]:
    """Return by section the rows (value, size, type, binding, visibility, section, name)."""
    tables: dict[str, list[list[str]]] = {}
    for name, body in re.findall(r"Symbol table '([^']+)' contains .*\n((?:.+\n)*)", text):
        rows = [line.split() for line in body.splitlines()[1:]]
        tables[name] = [row[1:8] for row in rows if len(row) >= 8]
    return tables


def _dynamic_symbols(rows: list[list[str]]) -> list[str]:
    lines: list[str] = []
    for value, size, kind, binding, visibility, section, name in rows:
        bare = name.partition("@")[0]
        if section == "UND":
            if binding != "WEAK" and bare != OF_CRT:
                lines.append(f"import {bare}")
        elif not _is_of_version([value, size, kind, binding, visibility, section, name]):
            shown = size if kind in ("OBJECT", "TLS") else ""
            lines.append(f"export {bare} {binding} {kind} {visibility} {shown}".rstrip())
    return sorted(set(lines))


def _symbol_versions(rows: list[list[str]]) -> list[str]:
    names = {
        row[6]
        for row in rows
        if "@" in row[6] and row[3] != "WEAK" and not _is_of_version(row) and OF_CRT not in row[6]
    }
    return sorted(f"symbol {name}" for name in names)


def _is_of_version(row: list[str]) -> bool:
    """Tell of the symbols that GNU ld alone makes, one for each version."""
    return row[5] == "ABS" and row[2] == "OBJECT" and row[1] == "0"


def _versions(text: str) -> list[str]:
    """Return definitions with flags and parents, and what is needed of which file."""
    lines: list[str] = []
    file = ""
    for line in text.splitlines():
        defined = re.search(r"Rev: \d+  Flags: (.*?)  ?Index: \d+  Cnt: \d+  Name: (.*)", line)
        parent = re.search(r"Parent \d+: (.*)", line)
        needed = re.search(r"Version: \d+  File: (\S+)  Cnt", line)
        version = re.search(r"^ +0x\w+: +Name: (\S+)  Flags: (.*?)  Version:", line)
        if defined:
            lines.append(f"defines {defined[2]} ({defined[1].strip()})")
        elif parent:
            lines[-1] += f" inherits {parent[1]}"
        elif needed:
            file = needed[1]
        elif version:
            lines.append(f"needs {file} {version[1]} ({version[2].strip()})")
    return sorted(lines)


def _thread_local(text: str, tables: dict[str, list[list[str]]]) -> list[str]:
    lines = [
        f"size {int(size, 16)} alignment {int(alignment, 16)}"
        for size, alignment in re.findall(
            r"^  TLS +0x\w+ 0x\w+ 0x\w+ 0x\w+ (0x\w+) .{3} (0x\w+)", text, re.M
        )
    ]
    rows = [row for table in tables.values() for row in table]
    offsets = {
        f"{row[6].partition('@')[0]} {row[0]}"
        for row in rows
        if row[2] == "TLS" and row[5] != "UND" and not row[6].startswith(("_TLS_MODULE", ".L"))
    }
    if any("__libc_errno" in row[6] for row in rows if row[5] != "UND"):
        offsets = set()  # of libc.a's members each linker has its own order
    return lines + sorted(offsets)


def _notes(text: str) -> list[str]:
    lines = ["build-id"] * text.count("Build ID: ")
    for line in text.splitlines():
        found = re.match(r"^\s+(?:Properties: )?(x86 (?:feature|ISA).*)$", line)
        if found:
            lines += [part.strip() for part in re.split(r" (?=x86 )", found[1])]
    return lines


def complaints_of(path: Path) -> list[str]:
    """Return what readelf and eu-elflint find wrong with a file."""
    words = ["readelf", "-aW", path]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    lines = [f"readelf: {line}" for line in done.stderr.splitlines()]
    try:
        lint = subprocess.run(
            ["eu-elflint", "--gnu-ld", path], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return lines
    lines += [
        f"eu-elflint: {line}"
        for line in lint.stdout.splitlines()
        if line != "No errors" and not any(text in line for text in LINT_IS_OLD)
    ]
    return lines


LINT_IS_OLD = (
    "non-default vis", "'stapsdt'", "'.relr.dyn' has wrong type", "contains no writable sections",
    "unknown object file note type",
)  # fmt: skip
"""It does not know that protected symbols are exported, notes of other people, SHT_RELR, and
segments that hold .bss alone, of which GNU ld's have complaints, too."""
