"""The face of as: gcc and clang find it by -B, and it takes GNU as's options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

AS = Path(__file__).parents[2] / "cli" / "bin" / "as"
C_SOURCE = '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }\n'
LISTED = """\t.text
main:\tmovabsq $0x123456789abcdef0, %rax
\tret
\t.data
x:\t.quad 1, 2, 3
\t.string "hello"
\t.macro foo a
\tnop
\tmov $\\a, %eax
\t.endm
\t.text
\tfoo 4
\tcall main
"""
SYMBOLS_LISTED = """\t.file "q.c"
\t.globl main
main:
.Lx:\tnop
\tjmp .Lx
\tjmp ext
\t.comm com, 4, 8
w = 7
\t.weak unused
a:
b:\t.long c - a, .Ly
c:
\t.section .foo, "a"
.Ly:\t.quad 1
\t.set alias, main
"""


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose Python is this one."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    command = [str(word) for word in words]
    return subprocess.run(
        command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("flags", [[], ["-O2", "-g"], ["-pipe"], ["-Wa,--noexecstack,-W"]])
def test_the_objects_of_the_driver_are_those_of_gnu_as(
    flags: list[str], tmp_path: Path, gcc: str
) -> None:
    (tmp_path / "h.c").write_text(C_SOURCE)
    assert run(tmp_path, gcc, *flags, "-c", "-o", "theirs.o", "h.c").returncode == 0
    done = run(tmp_path, gcc, f"-B{AS.parent}", *flags, "-c", "-o", "ours.o", "h.c")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "ours.o").read_bytes() == (tmp_path / "theirs.o").read_bytes()


def test_the_driver_finds_pyldso(tmp_path: Path, gcc: str) -> None:
    assert AS.stat().st_mode & 0o111
    found = run(tmp_path, gcc, f"-B{AS.parent}", "-print-prog-name=as").stdout.strip()
    assert Path(found).samefile(AS)
    assert run(tmp_path, AS, "--version").stdout.startswith("pyldso assembler ")


@pytest.mark.parametrize("kinds", ["-aln", "-al", "-a", "-as", "-asn", "-alsn", "-ahls"])
@pytest.mark.parametrize("source", [LISTED, SYMBOLS_LISTED, "\t.quad 1, 2, 3\n" * 130, "\tnop\n"])
def test_the_listing_is_that_of_gnu_as(
    source: str, kinds: str, tmp_path: Path, gnu_as: str
) -> None:
    (tmp_path / "l.s").write_text(source)
    theirs = run(tmp_path, gnu_as, kinds, "-o", "theirs.o", "l.s")
    ours = run(tmp_path, AS, f"{kinds}=listing", "-o", "ours.o", "l.s")
    assert (ours.returncode, ours.stderr) == (0, "")
    assert (tmp_path / "listing").read_text() == theirs.stdout


def test_symbols_and_folders_come_from_the_command_line(tmp_path: Path, gnu_as: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "n.inc").write_text("\t.long N\n")
    (tmp_path / "m.s").write_text('\t.if N == 7\n\t.include "n.inc"\n\t.endif\n')
    for tool, name in ((gnu_as, "theirs.o"), (AS, "ours.o")):
        words = ("--64", "-I", "d", "--defsym", "N=7", "--execstack", "-o", name, "m.s")
        assert run(tmp_path, tool, *words).stderr == ""
    assert (tmp_path / "ours.o").read_bytes() == (tmp_path / "theirs.o").read_bytes()


def test_a_source_may_print(tmp_path: Path) -> None:
    (tmp_path / "p.s").write_text('\t.print "half \\"way\\""\n\tnop\n')
    assert run(tmp_path, AS, "-o", "p.o", "p.s").stdout == 'half "way"\n'


SYMBOLS_AND_LOADS = """\t.text
f:
.La:\tmov x@GOTPCREL(%rip), %rax
\tcall *y@GOTPCREL(%rip)
\tjmp g
\t.globl g
g:\tret
\t.comm c, 4, 4
\t.lcomm lc, 8
\t.set number, 5
\t.set again, number
\t.globl kept
\t.set kept, 6
\tjmp .La
.Lb:\t.quad .La, number
1:\tjmp 1b
\t.set .Lnumber, 3
\t.p2align 5
\t.section .debug_info
.Ltext:\t.fill 900, 1, 7
\t.long .Lb, .Ltext
\t.section .debug_str, "MS", @progbits, 1
\t.string "short"
"""


@pytest.mark.parametrize(
    "flags",
    [
        "-L", "--keep-locals", "--strip-local-absolute", "--elf-stt-common=yes",
        "--elf-stt-common=no", "-mrelax-relocations=no", "-mtune=znver3", "-march=core2+avx",
        "--compress-debug-sections", "--compress-debug-sections=zlib",
        "--compress-debug-sections --nocompress-debug-sections", "-O0 -D -f -q --divide",
    ],
)  # fmt: skip
def test_an_option_changes_the_object_as_in_gnu_as(flags: str, tmp_path: Path, gnu_as: str) -> None:
    (tmp_path / "s.s").write_text(SYMBOLS_AND_LOADS)
    for tool, name in ((gnu_as, "theirs.o"), (AS, "ours.o")):
        done = run(tmp_path, tool, *flags.split(), "-o", name, "s.s")
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "ours.o").read_bytes() == (tmp_path / "theirs.o").read_bytes()


@pytest.mark.parametrize(
    "flag",
    [
        "-R", "-n", "-O2", "-Os", "-Z", "-M", "-mshared", "-msse2avx", "-mtune=i686",
        "--gdwarf-sections", "--gdwarf-cie-version=3", "--compress-debug-sections=zstd",
        "-mbranches-within-32B-boundaries", "-mlfence-after-load=yes", "--traditional-format",
    ],
)  # fmt: skip
def test_an_option_that_would_change_the_object_is_refused(flag: str, tmp_path: Path) -> None:
    (tmp_path / "s.s").write_text("\tret\n")
    done = run(tmp_path, AS, flag, "-o", "s.o", "s.s")
    assert done.returncode == 1
    assert flag.partition("=")[0] in done.stderr
    assert not (tmp_path / "s.o").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--32", "m.s"], "only x86-64 (--64) is supported"),
        (["nothing.s"], "cannot open nothing.s: No such file or directory"),
        (["--defsym", "a=x", "m.s"], "--defsym takes SYMBOL=VALUE with a number, not 'a=x'"),
        (["--nonsense", "m.s"], "no such option: --nonsense"),
        (["--fatal-warnings", "m.s"], "1 warnings, and --fatal-warnings was given"),
    ],
)
def test_what_as_cannot_do_is_said(words: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "m.s").write_text("\t.byte 0x100\n")
    done = run(tmp_path, AS, *words, "-o", "m.o")
    assert done.returncode == 1
    assert f"pyldso: error: {message}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "m.o").exists()
