"""Linker scripts of the libc.so kind: text to the files and folders that it names.

Those are the commands of GNU ld's manual, 3.4.2 (dealing with files) and 3.4.3 (object formats).
Scripts that lay out the output are refused by name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pyldso.errors import ElfFormatError

SCRIPT_LIMIT = 1 << 16
NAMING = ("GROUP", "INPUT", "AS_NEEDED")
SEARCHING = "SEARCH_DIR"
IGNORED = ("OUTPUT_FORMAT", "OUTPUT_ARCH", "TARGET")
"""Here there is one format only."""
COMMANDS = (*NAMING, SEARCHING, *IGNORED)
LAYOUT = ("SECTIONS", "MEMORY", "PHDRS", "OVERLAY", "VERSION", "ENTRY", "PROVIDE", "EXTERN")
TOKEN = re.compile(r'/\*.*?\*/|[(),;{}]|"[^"\n]*"|[^\s(),;{}"]+', re.S)


class ScriptFile(NamedTuple):
    """A file name or `-lNAME`, and whether it is inside AS_NEEDED."""

    name: str
    is_as_needed: bool


class Script(NamedTuple):
    """What a script says."""

    files: list[ScriptFile]
    folders: list[str]
    """Where `-l` looks, too (SEARCH_DIR)."""


def read_script(text: bytes, path: str) -> Script:
    """Return what a script names.

    Raises ElfFormatError for a command that is not supported, with its line, and for a file that
    is neither a script nor ELF nor an archive.
    """
    decoded = text.decode("utf-8", "replace")
    script = Script([], [])
    commands: list[str] = []
    former = ""
    for found in TOKEN.finditer(decoded):
        token = found[0]
        where = f"{path}:{decoded.count(chr(10), 0, found.start()) + 1}"
        if token.startswith("/*") or token in (",", ";"):
            continue
        if token in LAYOUT and not commands:
            raise ElfFormatError(where, f"linker scripts with {token} are not supported")
        if not former and token not in COMMANDS:
            break
        if token == "(":
            commands.append(former)
        elif token == ")":
            if not commands:
                raise ElfFormatError(where, "linker script: `)` without `(`")
            commands.pop()
        elif token not in COMMANDS:
            if not commands:
                raise ElfFormatError(where, f"linker script: {token} is not supported")
            take(script, token.strip('"'), commands)
        former = token
    if not former:
        raise ElfFormatError(
            path, "not an ELF file, nor an archive or a linker script of the libc.so kind"
        )
    return script


def take(script: Script, word: str, commands: list[str]) -> None:
    """Enter a word that stands inside commands."""
    if commands[-1] == SEARCHING:
        script.folders.append(word.removeprefix("="))  # `=` is the sysroot, here /
    elif commands[-1] not in IGNORED:
        script.files.append(ScriptFile(word, "AS_NEEDED" in commands))
