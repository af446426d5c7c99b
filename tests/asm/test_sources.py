"""Sources of every kind become objects that the system's own tools link."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pyldso.elf.object_writer import write_object
from pyldso.errors import PyldsoError
from pyldso.sources import SourceOptions, read_source
from tests.asm.compare import differences, gnu_object

EXAMPLES = Path(__file__).parents[2] / "examples" / "csapp"


def test_the_walkthroughs_objects_link_with_gcc_and_run(tmp_path: Path, gcc: str) -> None:
    for name in ("addvec", "multvec", "main2"):
        built = read_source(str(EXAMPLES / f"{name}.s"))
        (tmp_path / f"{name}.o").write_bytes(write_object(built))
    run = {"cwd": tmp_path, "check": True}
    subprocess.run([gcc, "-shared", "-o", "libvector.so", "addvec.o", "multvec.o"], **run)
    subprocess.run([gcc, "-o", "prog", "main2.o", "./libvector.so"], **run)
    done = subprocess.run(["./prog"], capture_output=True, text=True, **run)
    assert done.stdout == "z = [4 6]\n"


def test_c_is_compiled_and_assembled(tmp_path: Path, gcc: str) -> None:
    source = tmp_path / "x.c"
    source.write_text("extern int shared; int get(void) { return shared; }\n")
    built = read_source(str(source), SourceOptions(pic=True, compiler_flags=("-O1",)))
    (tmp_path / "x.o").write_bytes(write_object(built))
    listing = subprocess.run(
        ["readelf", "-rW", tmp_path / "x.o"], check=True, capture_output=True, text=True
    ).stdout
    assert "GOTPCRELX" in listing


def test_assembly_with_macros_of_the_preprocessor(tmp_path: Path, gcc: str) -> None:
    source = tmp_path / "x.S"
    source.write_text("#define VALUE 42\n#ifdef EXTRA\n\t.long VALUE\n#endif\n\t.byte VALUE\n")
    built = read_source(str(source), SourceOptions(defines=("EXTRA",)))
    assert built.sections[0].data == b"\x2a\0\0\0\x2a"


def test_the_written_object_reads_back(tmp_path: Path) -> None:
    built = read_source(str(EXAMPLES / "main2.s"))
    (tmp_path / "main2.o").write_bytes(write_object(built))
    again = read_source(str(tmp_path / "main2.o"))
    assert write_object(again) == (tmp_path / "main2.o").read_bytes()


def test_code_knows_its_source_lines() -> None:
    built = read_source(str(EXAMPLES / "main2.s"))
    text = built.sections[0]
    assert text.lines is not None
    offset = next(iter(text.relocations.offsets))
    path, line = text.lines.find(offset) or ("", 0)
    assert path.endswith("main2.s")
    assert "(%rip)" in Path(path).read_text().splitlines()[line - 1]


def test_included_files_and_binary_data(tmp_path: Path, gnu_as: str) -> None:
    (tmp_path / "part.s").write_text("\t.byte 7\n")
    (tmp_path / "data.bin").write_bytes(bytes(range(10)))
    source = tmp_path / "x.s"
    source.write_text(
        f'\t.include "{tmp_path}/part.s"\n\t.incbin "{tmp_path}/data.bin"\n'
        f'\t.incbin "{tmp_path}/data.bin", 2, 3\n'
    )
    built = write_object(read_source(str(source)))
    assert differences(built, gnu_object(source, gnu_as)) == []


def test_warnings_reach_who_asks_for_them(tmp_path: Path) -> None:
    source = tmp_path / "x.s"
    source.write_text('\t.byte 0x123\n\t.warning "careful"\n')
    seen: list[str] = []
    read_source(str(source), SourceOptions(report=lambda warning: seen.append(warning.render())))
    assert "x.s:1:8: warning: value 0x123 truncated to 0x23" in seen[0]
    assert "warning: careful" in seen[1]


def test_a_compiler_that_fails_is_named(tmp_path: Path, gcc: str) -> None:
    source = tmp_path / "x.c"
    source.write_text("int broken(\n")
    with pytest.raises(PyldsoError, match=r"failed \(exit status 1\)"):
        read_source(str(source))
