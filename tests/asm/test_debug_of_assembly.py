"""Line tables and compile units of hand-written assembly, as -g asks for them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyldso.asm.assembler import assemble
from pyldso.asm.assembly import AsmOptions
from pyldso.asm.line_table import DebugOptions
from pyldso.elf.object_writer import write_object

from .compare import differences

AS = Path(__file__).parents[2] / "cli" / "bin" / "as"

ONE_SECTION = """\t.globl main
\t.type main, @function
main:
\tpushq %rbp; movq %rsp, %rbp

\tcall hidden
1:\tjne 1b
\tpopq %rbp
\tret
\t.size main, .-main
\t.type unsized, @function
unsized:
\tnop
\t.align 16
\tret
\t.data
\t.long 3
"""
LOCAL_AND_GLOBAL = (
    ONE_SECTION
    + """\t.text
\t.type hidden, @function
hidden:\tret
\t.size hidden, 1
\t.weak light
\t.type light, @function
light:\tjmp main
\t.size light, .-light
"""
)
MANY_SECTIONS = """# 1 "y.S"
\t.macro two a
\tnop
\tmov $\\a, %eax
\t.endm
\t.globl f
f:\tnop; nop
# 20 "inc/z.h"
\ttwo 3
\tret
\t.section .text.b, "ax"
\t.type g, @function
g:\t.rept 3
\tnop
\tret
\t.endr
\t.irp x, 1, 2
\ttwo \\x
\tret
\t.endr
\t.section .other, "x"
\tnop
\t.text 1
\tjmp g
\t.file "q.c"
\tnop
\t.text
\tjmp f
\t.type k, @gnu_indirect_function
k:\tret
\t.size k, 1
\ttwo 1
"""
OTHER_LINES = """\tnop
\t.file "q.c"
\tnop
\t.line 70
\tnop
\t.linefile 80 "a/b.c"
\tnop
"""
ROWS_WITHOUT_UNIT = """\tnop
\t.section .x, "ax"
\tnop
\t.text
\t.file 1 "a/b.c"
f:\t.loc 1 3 4
\tnop
\t.loc 1 5 4 prologue_end
\tnop
\t.section .foo, "a"
\t.loc 1 7
\tnop
\t.type f, @function
\t.size f, 3
"""
SOURCES = {
    "one_section": ONE_SECTION,
    "local_and_global": LOCAL_AND_GLOBAL,
    "many_sections": MANY_SECTIONS,
    "other_lines": OTHER_LINES,
    "rows_without_unit": ROWS_WITHOUT_UNIT,
}


@pytest.mark.parametrize("level", [0, 2, 3, 4, 5])
@pytest.mark.parametrize("folder", ["", "sub/"])
@pytest.mark.parametrize("name", SOURCES)
def test_the_object_is_that_of_gnu_as(
    name: str, folder: str, level: int, tmp_path: Path, gnu_as: str
) -> None:
    path = f"{folder}s.s"
    (tmp_path / "sub").mkdir()
    (tmp_path / path).write_text(SOURCES[name])
    flags = [f"--gdwarf-{level}"] if level else []
    command = [gnu_as, *flags, "-o", "theirs.o", path]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    version = subprocess.run([gnu_as, "--version"], capture_output=True, text=True, check=True)
    producer = "GNU AS " + version.stdout.split("\n")[0].split()[-1]
    debug = DebugOptions(bool(level), level, str(tmp_path), (), producer)
    built = assemble(SOURCES[name], path, AsmOptions(debug=debug))
    assert differences(write_object(built), (tmp_path / "theirs.o").read_bytes()) == []


def run(folder: Path, *words: object) -> str:
    """Run a command whose Python is this one, and return what it printed."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    command = [str(word) for word in words]
    environment = {"PATH": path, "HOME": str(folder), "DEBUGINFOD_URLS": ""}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("maker", ["mkso", "driver"])
def test_gdb_shows_lines_of_assembly(maker: str, tmp_path: Path, gcc: str, pyldso) -> None:
    if not shutil.which("gdb"):
        pytest.skip("gdb is not installed, and is what shows the lines")
    (tmp_path / "h.S").write_text(
        "#define ANSWER 42\n\t.globl main\n\t.type main, @function\nmain:\n"
        "\tmovl $ANSWER, %eax\n\tcall twice\n\tret\n\t.size main, .-main\n"
        "twice:\n\taddl %eax, %eax  # here\n\tret\n"
    )
    if maker == "mkso":
        assert pyldso("mkso", "-g", "-c", "h.S").returncode == 0
    else:
        run(tmp_path, gcc, f"-B{AS.parent}", "-g", "-c", "h.S")
    run(tmp_path, gcc, "-o", "h", "h.o")
    shown = run(
        tmp_path, "gdb", "-nx", "-batch", "-ex", "break h.S:10", "-ex", "run", "-ex", "bt", "./h"
    )
    assert "addl %eax, %eax  # here" in shown
    assert "main () at h.S:6" in shown


def test_folders_are_written_as_the_prefix_map_says(tmp_path: Path) -> None:
    (tmp_path / "m.s").write_text("f:\tnop\n")
    run(tmp_path, AS, "--gdwarf-5", "--debug-prefix-map", f"{tmp_path}=/src", "-o", "m.o", "m.s")
    data = (tmp_path / "m.o").read_bytes()
    assert data.count(b"/src\0") == 2
    assert bytes(tmp_path) not in data
