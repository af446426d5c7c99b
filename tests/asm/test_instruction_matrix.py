"""Every instruction that objdump knows in a sample of all opcodes: GNU as's bytes, or refused."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyldso.asm.assembler import assemble
from pyldso.asm.encoder import Encoder
from pyldso.errors import AsmError

_SLOT = 16
_PREFIXES = [b"", b"\x66", b"\xf2", b"\xf3", b"\x48", b"\x66\x48", b"\xf3\x41", b"\x67", b"\x64"]


def _operands(choose: random.Random) -> bytes:
    """Return ModRM with what belongs to it, and bytes for an immediate."""
    reg = choose.randrange(8) << 3
    short = bytes([choose.choice((1, 0x40, 0x7F, 0x80, 0xF0))])
    long = choose.choice((0x12340, -0x12340, 0x100)).to_bytes(4, "little", signed=True)
    base = choose.choice((0, 1, 2, 3, 6, 7))
    address = choose.choice(
        [
            bytes([0xC0 | reg | choose.randrange(8)]),
            bytes([reg | base]),
            bytes([0x40 | reg | base]) + short,
            bytes([0x44 | reg, choose.randrange(32)]) + short,
            bytes([0x80 | reg | base]) + long,
            bytes([reg | 5]) + long,
            bytes([reg | 4, 0x25]) + long,
        ]
    )
    return address + bytes([choose.randrange(0x20)]) + b"\x12\x34\x56\x78"


def machine_code(seed: int) -> Iterator[bytes]:
    """Yield code for each opcode of each map, in legacy encoding, VEX and EVEX."""
    choose = random.Random(seed)
    for opcode in range(256):
        byte = bytes([opcode])
        for opcode_map in (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a"):
            yield choose.choice(_PREFIXES) + opcode_map + byte + _operands(choose)
        for number in (1, 2, 3):
            flags = choose.randrange(8) << 5 | number
            rest = choose.choice((0x78, 0x38, choose.randrange(0x80))) | choose.randrange(2) << 7
            yield (
                bytes([0xC4, flags, rest & 0xFB | choose.choice((0, 4))]) + byte + _operands(choose)
            )
            vector = bytes([rest & 0xF8 | 4 | rest & 3, choose.choice((0x48, 0x49, 8, 0xC9, 0x58))])
            yield (
                bytes([0x62, choose.randrange(16) << 4 | number])
                + vector
                + byte
                + _operands(choose)
            )


def disassembled(code: list[bytes], syntax: str, folder: Path) -> list[str]:
    """Return each code as the text that objdump makes of it, but for what it does not know."""
    slots = b"".join(piece[:15].ljust(_SLOT, b"\x90") for piece in code)
    (folder / "code").write_bytes(slots)
    words = ["objdump", "-D", "-bbinary", "-mi386:x86-64", "-w", "--no-show-raw-insn"]
    shown = subprocess.run(
        [*words, f"-M{syntax}", folder / "code"], check=True, capture_output=True, text=True
    ).stdout
    found: dict[str, None] = {}
    for match in re.finditer(r"^\s*[0-9a-f]*0:\s+(.*)$", shown, re.MULTILINE):
        text = " ".join(match[1].split("#")[0].split())
        # Branches go to labels.
        if not re.search(r"\(bad\)|[re]iz|^\.byte|^(\w+ )*(j\w+|call\w*|loop\w*|xbegin)\b", text):
            found[text] = None
    return list(found)


def gnu_code(texts: list[str], syntax: str, folder: Path) -> dict[str, bytes]:
    """Return the code that GNU as gives for each text that it takes."""
    first = "\t.intel_syntax noprefix" if syntax == "intel" else ""
    source, target, binary = folder / "x.s", folder / "x.o", folder / "x.bin"
    source.write_text("\n".join([first, *texts, ""]))
    done = subprocess.run(["as", "-o", target, source], capture_output=True, text=True, check=False)
    bad = {int(match[1]) for match in re.finditer(r":(\d+): (?:Error|Warning)", done.stderr)}
    good = [text for line, text in enumerate(texts, 2) if line not in bad]
    slots = [f"\t.org {_SLOT * index}\n{text}" for index, text in enumerate(good)]
    source.write_text("\n".join([first, *slots, f"\t.org {_SLOT * len(good)}", ""]))
    subprocess.run(["as", "-o", target, source], check=True, capture_output=True)
    subprocess.run(["objcopy", "-Obinary", "-j.text", target, binary], check=True)
    code = binary.read_bytes()
    return {text: code[_SLOT * n : _SLOT * (n + 1)] for n, text in enumerate(good)}


@pytest.mark.parametrize("syntax", ["att", "intel"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_instruction_gets_the_bytes_of_gnu_as_or_is_refused(
    seed: int, syntax: str, tmp_path: Path, gnu_as: str
) -> None:
    if not shutil.which("objdump") or not shutil.which("objcopy"):
        pytest.skip("objdump is not installed, and is what spells the instructions")
    texts = disassembled(list(machine_code(seed)), syntax, tmp_path)
    expected = gnu_code(texts, syntax, tmp_path)
    first = ".intel_syntax noprefix;" if syntax == "intel" else ""
    encoder = Encoder()
    same, wrong = 0, []
    for text, code in expected.items():
        # GNU as reads fstps as fst where a rex prefix stands before it.
        if re.match(r"rex\S* .*fstps\b", text):
            continue
        try:
            built = assemble(f"{first}{text}\n", "x.s", encoder=encoder)
        except AsmError:
            continue
        ours = bytes(built.sections[0].data).ljust(_SLOT, b"\0")
        same += ours == code
        if ours != code:
            wrong.append(f"{text}: {ours.hex()} instead of {code.hex()}")
    assert wrong == []
    assert same > len(expected) // 2
