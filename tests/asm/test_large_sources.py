"""Sources larger than what is read at once: the same bytes, the right places, little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .compare import differences, gnu_object

FUNCTIONS = 6000


def function(number: int) -> str:
    """Return a function with branches that must grow, frames, and instructions that repeat."""
    lines = [
        f"\t.p2align 4\n\t.globl f{number}\n\t.type f{number}, @function\nf{number}:",
        "\t.cfi_startproc\n\tpushq %rbx\n\t.cfi_def_cfa_offset 16\n\t.cfi_offset 3, -16",
        f".La{number}:\n\tcmpl ${number % 500}, {number % 1000 * 8}(%rdi)\n\tje\t.Lb{number}",
        *[f"\tleaq .LC{number}(%rip), %rdi\n\tcall puts\n\tjmp\t.La{number}"] * (1 + number % 4),
        f".Lb{number}:\n\tmovl\tcounter+{number % 64}(%rip), %eax\n\tpopq %rbx",
        "\t.cfi_def_cfa_offset 8\n\tret\n\t.cfi_endproc",
        f"\t.size f{number}, .-f{number}\n\t.section .rodata\n.LC{number}:",
        f'\t.string "text {number}"\n\t.long .Lb{number}-.La{number}\n\t.text',
    ]
    return "\n".join(lines)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.s"
    text = "\n".join(["\t.text", *map(function, range(FUNCTIONS)), "\t.comm counter,64,4", ""])
    assert len(text) > 2 << 20
    path.write_text(text)
    return path


def make(pyldso, source: Path) -> bytes:
    done = pyldso("mkso", "-c", source)
    assert (done.returncode, done.stderr) == (0, "")
    return (source.parent / f"{source.stem}.o").read_bytes()


def test_its_object_is_that_of_gnu_as(large: Path, gnu_as: str, pyldso) -> None:
    assert differences(make(pyldso, large), gnu_object(large, gnu_as)) == []


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("\t/* over\n lines */\n", "a comment over lines"),
        ("\tnop\r\n", "a carriage return"),
        ("\tnop", "no newline at the end"),
        ('\t.ascii "' + "x" * 100_000 + '"\n', "a line longer than a piece"),
        ("\t.text 1\n\tje .La0\n\t.text 0\n\tnop\n", "subsections after much code"),
        ("\t.text -1\nz:\tje .La0\n\t.text\n\tje z\n", "a subsection before all code"),
        ("x:\tjmp y\n\tnop\ny:\n\t.long .La1-f1\n\t.fill y-x\n", "distances"),
    ],
)
def test_it_may_hold_what_cannot_be_read_in_pieces(
    large: Path, ending: str, reason: str, gnu_as: str, pyldso
) -> None:
    with large.open("a", newline="") as file:
        file.write(ending)
    assert differences(make(pyldso, large), gnu_object(large, gnu_as)) == [], reason


def test_errors_name_their_lines(large: Path, pyldso) -> None:
    lines = large.read_text().splitlines()
    lines[100] = "\tbad %eax"
    lines[40_000] = "\tmovl %eaxx, %eax"
    lines.append("\tjmp .Lnowhere")
    large.write_text("\n".join(lines))
    done = pyldso("mkso", "-c", large)
    places = [line for line in done.stderr.splitlines() if "error: " in line]
    assert [place.removeprefix(str(large)) for place in places] == [
        ":101:2: error: unknown instruction `bad'",
        ":40001:7: error: bad register name `%eaxx'",
        f":{len(lines)}:6: error: undefined local label `.Lnowhere'",
    ]
    assert "\tbad %eax" in done.stderr.splitlines()
    assert not large.with_suffix(".o").exists()


def test_an_object_as_large_is_named_for_what_it_is(large: Path, pyldso) -> None:
    large.write_bytes(b"\x7fELF\2\1\1" + bytes(9) + b"\1\0\x3e\0" + b"\n" * (2 << 20))
    done = pyldso("mkso", "-c", large)
    assert done.returncode == 1
    assert "relocatable object, not source text" in done.stderr


def test_memory_grows_with_names_and_not_with_lines(large: Path, pyldso_script: Path) -> None:
    half = large.with_name("half.s")
    half.write_text("\n".join(map(function, range(FUNCTIONS // 2))) + "\n\t.comm counter,64,4\n")
    tell_usage = (
        "import os, subprocess, sys; process = subprocess.Popen(sys.argv[1:]);"
        "_, status, usage = os.wait4(process.pid, 0); print(status, usage.ru_maxrss)"
    )

    def peak(source: Path) -> int:
        command = [sys.executable, "-c", tell_usage, str(pyldso_script), "mkso", "-c", str(source)]
        done = subprocess.run(command, cwd=large.parent, capture_output=True, text=True)
        status, kilobytes = map(int, done.stdout.split())
        assert status == 0, done.stderr
        return kilobytes << 10

    grown = peak(large) - peak(half)
    # Functions as small as these are mostly names; of a compiler's code it is half of that.
    assert grown < 20 * (large.stat().st_size - half.stat().st_size)


def test_an_instruction_without_encoding_is_reported_wherever_it_stands_again(
    large: Path, pyldso
) -> None:
    lines = large.read_text().splitlines()
    lines[100] = lines[40_000] = "\taddl %eax, %rbx"
    large.write_text("\n".join(lines))
    done = pyldso("mkso", "-c", large)
    places = [line.removeprefix(str(large)) for line in done.stderr.splitlines() if "error" in line]
    assert [place.split(" error")[0] for place in places] == [":101:13:", ":40001:13:"]
