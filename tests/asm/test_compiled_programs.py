"""What gcc writes assembles to the bytes that GNU as makes of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.asm.compare import differences, gnu_object, our_object

SOURCES = Path(__file__).parent / "sources"
EXAMPLES = Path(__file__).parents[2] / "examples" / "csapp"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.s")))
def test_a_students_assembly_gives_the_bytes_of_gnu_as(
    name: str, tmp_path: Path, gnu_as: str
) -> None:
    source = tmp_path / name
    source.write_bytes((EXAMPLES / name).read_bytes())
    assert differences(our_object(source), gnu_object(source, gnu_as)) == []


LEVELS = (
    "-O0",
    "-O2",
    "-Os -fcf-protection",
    "-O2 -fpic",
    "-O0 -fpic",
    "-O2 -fno-pic -no-pie",
    "-O0 -g",
    "-O2 -g -fpic",
    "-O2 -masm=intel",
    "-O0 -fpic -masm=intel",
    "-O3 -mavx2 -mfma",
)


@pytest.mark.parametrize("flags", LEVELS)
@pytest.mark.parametrize("name", sorted(path.name for path in SOURCES.glob("*.c*")))
def test_compiler_output_gives_the_bytes_of_gnu_as(
    name: str, flags: str, tmp_path: Path, gnu_as: str, gcc: str
) -> None:
    assembly = tmp_path / "program.s"
    command = [gcc, "-S", *flags.split(), "-o", assembly, SOURCES / name]
    subprocess.run(command, check=True, capture_output=True)
    assert differences(our_object(assembly), gnu_object(assembly, gnu_as)) == []


# What changes more than instructions: models, tables, sections, debug information.
MODES = (
    "-mtls-dialect=gnu2 -fPIC", "-mcmodel=medium", "-mcmodel=large", "-mcmodel=large -fPIC",
    "-fno-plt -fPIC", "-pg", "-fsanitize=address", "-fpatchable-function-entry=5,2",
    "-ffunction-sections -fdata-sections", "-g3", "-gdwarf-4", "-gsplit-dwarf",
    "-g -gno-as-locview-support", "-g -gno-as-loc-support", "-g -fno-dwarf2-cfi-asm", "-fcommon",
    "-frecord-gcc-switches", "-fsplit-stack", "-mfunction-return=thunk", "-g -ggnu-pubnames",
    "-g -flto",
)  # fmt: skip


@pytest.mark.parametrize("flags", MODES)
@pytest.mark.parametrize("name", ["modes.c", "exceptions.cpp"])
def test_the_modes_of_gcc_give_the_bytes_of_gnu_as(
    name: str, flags: str, tmp_path: Path, gnu_as: str, gcc: str
) -> None:
    assembly = tmp_path / "program.s"
    command = [gcc, "-S", "-O2", *flags.split(), "-o", assembly, SOURCES / name]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"this gcc does not take {flags}")
    assert differences(our_object(assembly), gnu_object(assembly, gnu_as)) == []


CLANG_LEVELS = ("-O0 -fPIC", "-O2", "-O0 -g", "-O2 -g", "-O1 -masm=intel")


@pytest.mark.parametrize("flags", CLANG_LEVELS)
@pytest.mark.parametrize("name", sorted(path.name for path in SOURCES.glob("*.c*")))
def test_clang_output_gives_the_bytes_of_gnu_as(
    name: str, flags: str, tmp_path: Path, gnu_as: str
) -> None:
    clang = shutil.which("clang")
    if not clang:
        pytest.skip("clang is not installed")
    assembly = tmp_path / "program.s"
    command = [clang, "-S", *flags.split(), "-o", assembly, SOURCES / name]
    subprocess.run(command, check=True, capture_output=True)
    # GNU as 2.40 does not know .addrsig, which changes no byte of ours.
    lines = assembly.read_text("latin-1").splitlines(keepends=True)
    assembly.write_text("".join(line for line in lines if ".addrsig" not in line), "latin-1")
    assert differences(our_object(assembly), gnu_object(assembly, gnu_as)) == []
