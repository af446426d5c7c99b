"""Many objects that refer to one another: `python -m bench.objects COUNT FOLDER`.

Each has ten functions, a variable, a string, and a hundred relocations: calls and accesses within
its block of BLOCK objects, so that the first k blocks are a program as well. A file called `words`
names those of each count that the table asks for. It is a process of its own because what a
process measures must not be larger than what is measured (measuring.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyldso.arch.x86_64.relocations import R_X86_64
from pyldso.elf.constants import EM, SHF, SHT, STB, STT
from pyldso.elf.object import ObjectFile, Section, Symbol
from pyldso.elf.object_writer import write_object
from pyldso.elf.rela import RelaTable, Row

BLOCK = 250
FUNCTIONS, REFERENCES = 10, 10
CALL, LOAD, RETURN = b"\xe8\0\0\0\0", b"\x8b\x05\0\0\0\0", b"\xc3"


def make_object(number: int) -> ObjectFile:
    """Return the object of that number."""
    made = ObjectFile(f"o{number}.o", EM.X86_64, symbols=[Symbol("")])
    text = Section(".text", SHT.PROGBITS, int(SHF.ALLOC | SHF.EXECINSTR), 16)
    data = Section(
        ".data", SHT.PROGBITS, int(SHF.ALLOC | SHF.WRITE), 4, number.to_bytes(4, "little"), 4
    )
    words = f"string {number % 97}".encode() + b"\0"
    flags = int(SHF.ALLOC | SHF.MERGE | SHF.STRINGS)
    strings = Section(".rodata.str1.1", SHT.PROGBITS, flags, 1, words, len(words), 1)
    stack = Section(".note.GNU-stack", SHT.PROGBITS)
    made.sections += [text, data, strings, stack]
    code = bytearray()
    places: list[tuple[int, R_X86_64, str]] = []
    defined: list[Symbol] = []
    first = number - number % BLOCK
    for function in range(FUNCTIONS):
        start = len(code)
        for step in range(REFERENCES):
            other = first + (number * 7 + step * 13 + function) % BLOCK
            if step % 2:
                code += CALL
                name = f"f{other}_{(function + step) % FUNCTIONS}"
                places.append((len(code) - 4, R_X86_64.PLT32, name))
            else:
                code += LOAD
                places.append((len(code) - 4, R_X86_64.PC32, f"v{other}"))
        code += RETURN
        size = len(code) - start
        defined.append(
            Symbol(f"f{number}_{function}", STB.GLOBAL, STT.FUNC, 0, text, 0, start, size)
        )
    if number == 0:
        defined.append(Symbol("main", STB.GLOBAL, STT.FUNC, 0, text, 0, len(code), 1))
        code += RETURN
    defined.append(Symbol(f"v{number}", STB.GLOBAL, STT.OBJECT, 0, data, 0, 0, 4))
    text.data, text.size = bytes(code), len(code)
    made.symbols += defined
    numbers = {symbol.name: index for index, symbol in enumerate(made.symbols)}
    rows: list[Row] = []
    for offset, r_type, name in places:
        if name not in numbers:
            numbers[name] = len(made.symbols)
            made.symbols.append(Symbol(name, STB.GLOBAL))
        rows.append((offset, numbers[name] << 32 | r_type, -4))
    text.relocations = RelaTable.of(rows)
    return made


def main() -> None:
    """Write the objects."""
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    for number in range(count):
        (folder / f"o{number}.o").write_bytes(write_object(make_object(number)))


if __name__ == "__main__":
    main()
