"""`mkso -c` with many sources, as `gcc -c` takes them: an object of each, and every error told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def write_sources(folder: Path, count: int) -> list[str]:
    """Write sources that differ in symbols and in numbers; return their names."""
    names = [f"s{number}.s" for number in range(count)]
    for number, name in enumerate(names):
        lines = [f"\tmovl ${number * 50 + line}, {line}(%rax)" for line in range(50)]
        text = f"\t.globl f{number}\nf{number}:\n" + "\n".join(lines) + f"\n\tjmp g{number}\n"
        (folder / name).write_text(text)
    return names


def test_each_source_gives_its_object_in_the_current_folder(pyldso, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    names = write_sources(tmp_path / "deep", 3)
    done = pyldso("mkso", "-c", *(f"deep/{name}" for name in names), "-lc")
    assert (done.returncode, done.stderr) == (0, "")
    together = {path.name: path.read_bytes() for path in tmp_path.glob("*.o")}
    assert sorted(together) == ["s0.o", "s1.o", "s2.o"]
    for name in names:
        assert pyldso("mkso", "-c", f"deep/{name}").returncode == 0
    assert together == {path.name: path.read_bytes() for path in tmp_path.glob("*.o")}


def test_an_error_in_one_keeps_no_other_from_its_object(pyldso, tmp_path: Path) -> None:
    names = write_sources(tmp_path, 3)
    (tmp_path / "bad.s").write_text("\tbad %eax\n")
    (tmp_path / "worse.s").write_text('\t.string "x\n')
    (tmp_path / "s1.o").mkdir()
    words = ("bad.s", names[0], "none.s", names[1], "worse.s", names[2])
    done = pyldso("mkso", "-c", *words)
    assert done.returncode == 1
    places = [line for line in done.stderr.splitlines() if "error: " in line]
    assert places == [
        "bad.s:1:2: error: unknown instruction `bad'",
        "pyldso: error: none.s: No such file or directory",
        "pyldso: error: cannot write s1.o: it is a folder",
        "worse.s:1:10: error: unterminated string",
    ]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "bad.s", "s0.o", "s0.s", "s1.s", "s2.o", "s2.s", "worse.s",
    ]  # fmt: skip


def test_one_name_for_several_objects_is_refused_before_any_is_made(pyldso, tmp_path: Path) -> None:
    names = write_sources(tmp_path, 2)
    done = pyldso("mkso", "-c", "-o", "all.o", *names)
    assert done.returncode == 1
    assert done.stderr == "pyldso: error: -o names one file, but -c makes one of each input\n"
    assert list(tmp_path.glob("*.o")) == []


def test_memory_does_not_grow_with_the_number_of_sources(
    pyldso_script: Path, tmp_path: Path
) -> None:
    names = write_sources(tmp_path, 400)
    tell_usage = (
        "import os, subprocess, sys; process = subprocess.Popen(sys.argv[1:]);"
        "_, status, usage = os.wait4(process.pid, 0); print(status, usage.ru_maxrss)"
    )

    def kilobytes(count: int) -> int:
        command = [sys.executable, "-c", tell_usage, str(pyldso_script), "mkso", "-c"]
        done = subprocess.run(
            [*command, *names[:count]], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        status, peak = map(int, done.stdout.split())
        assert status == 0, done.stderr
        return peak

    assert kilobytes(400) - kilobytes(100) < 8 * 1024
