"""The `ld` of pyldso beside GNU ld, lld and mold: sqlite's shell, C++, many objects, and growth."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.measuring import (
    MIB,
    PYTHON,
    Measured,
    Row,
    Workshop,
    measure,
    print_table,
    rounds,
    run_module,
    verdict,
)
from bench.objects import BLOCK, FUNCTIONS, REFERENCES

TIMES_LD = {"sqlite3": 10, "objects": 15}
TIMES_INPUT = 6
"""Peak memory to the size of all files that take part, those of libc as well."""
LARGE = 4 * MIB
"""Below this size bare Python is most of the memory."""

_SCALES = (1, 2, 4, 8, 16)
_TEMPLATES = r"""
#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>
struct Key%(n)d { int a; std::string s;
  bool operator<(const Key%(n)d &o) const { return a < o.a || s < o.s; } };
std::map<Key%(n)d, std::vector<std::string>> table%(n)d;
int work%(n)d(const std::string &text) {
  std::regex r("a(b|c)*%(n)d"); std::smatch m;
  std::regex_match(text, m, r);
  std::vector<Key%(n)d> v{{1, text}, {2, text}};
  std::sort(v.begin(), v.end());
  for (auto &k : v) table%(n)d[k].push_back(text);
  std::function<int(int)> f = [](int x) { return x + %(n)d; };
  std::ostringstream o;
  for (auto &p : table%(n)d) o << p.first.a;
  return f(m.size()) + o.str().size();
}
"""
_CPLUSPLUS_FILES = 6


def show(workshop: Workshop) -> None:
    """Print the tables of real programs, of many objects, and of a program that grows."""
    build = workshop.source("sqlite/build")
    lines: list[tuple[str, ...]] = []
    for flags in (("-O2",), ("-O2", "-g")):
        objects = _compile_sqlite(build, *flags)
        lines += _beside_ld(" ".join(("sqlite3 shell", *flags)), objects, TIMES_LD["sqlite3"])
    lines += _beside_ld("C++ templates -g", _compile_templates(), None, "-lstdc++")
    run_module("bench.objects", str(BLOCK * _SCALES[-1]), ".")
    count = 4 * BLOCK
    title = f"{count} objects, {count * FUNCTIONS * REFERENCES} relocations"
    lines += _beside_ld(title, _objects(count), TIMES_LD["objects"])
    print_table(("linker: whole process", "wall", "cpu", "/ld", "peak", "/input", ""), lines)
    print()
    _show_growth()


def _compile_sqlite(build: Path, *flags: str) -> list[str]:
    names = [f"{name}{''.join(flags)}.o" for name in ("sqlite3", "shell")]
    for name, source in zip(names, ("sqlite3.c", "shell.c"), strict=True):
        command = ["gcc", "-w", "-c", "-o", name, *flags, str(build / source)]
        subprocess.run(command, check=True)
    return names


def _compile_templates() -> list[str]:
    for number in range(_CPLUSPLUS_FILES):
        text = _TEMPLATES % {"n": number}
        Path(f"t{number}.cc").write_text(text + ("int main() { return 0; }" * (number == 0)))
        subprocess.run(["g++", "-g", "-c", "-o", f"t{number}.o", f"t{number}.cc"], check=True)
    return [f"t{number}.o" for number in range(_CPLUSPLUS_FILES)]


def _objects(count: int) -> list[str]:
    """Return the first `count` objects as one word, in a response file."""
    name = f"words{count}"
    Path(name).write_text(" ".join(f"o{number}.o" for number in range(count)))
    return [f"@{name}"]


def _file_of_gcc(name: str) -> str:
    done = subprocess.run(
        ["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True
    )
    return os.path.realpath(done.stdout.strip())


def _words(objects: Sequence[str], *libraries: str) -> list[str]:
    """Return the command line that gcc gives to ld for a program."""
    return [
        "-pie", "--eh-frame-hdr", "--hash-style=gnu",
        "-dynamic-linker", "/lib64/ld-linux-x86-64.so.2",
        *map(_file_of_gcc, ("Scrt1.o", "crti.o", "crtbeginS.o")),
        f"-L{Path(_file_of_gcc('libgcc.a')).parent}", f"-L{Path(_file_of_gcc('libc.so')).parent}",
        *objects, *libraries, "-lm", "-lc", "-lgcc", "--as-needed", "-lgcc_s", "--no-as-needed",
        *map(_file_of_gcc, ("crtendS.o", "crtn.o")),
    ]  # fmt: skip


def _linkers(words: list[str]) -> tuple[Row, ...]:
    package = find_spec("pyldso_cli")
    ours = str(Path((package and package.origin) or "").parent / "bin" / "ld")
    return (
        Row("ld", ["ld", "-o", "by-ld", *words]),
        Row("ld.lld", ["ld.lld", "-o", "by-lld", *words]),
        Row("mold", ["mold", "-o", "by-mold", *words]),
        Row("pyldso", [PYTHON, ours, "-o", "by-pyldso", *words]),
    )


def _input_size(words: list[str]) -> int:
    """Return the size of all files that GNU ld reads; of an archive each member names it."""
    command = ["ld", "-t", "-o", "by-ld", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    files = {os.path.realpath(line.strip("()").partition(")")[0]) for line in done.stdout.split()}
    return sum(os.path.getsize(path) for path in files if os.path.isfile(path))


def _beside_ld(
    title: str, objects: Sequence[str], times: int | None, *libraries: str
) -> Iterable[tuple[str, ...]]:
    words = _words(objects, *libraries)
    size = _input_size(words)
    measured = measure(_linkers(words), rounds(5))
    theirs = measured["ld"].cpu  # neither has threads, and others may use the machine
    for name, result in measured.items():
        times_ld, times_input = result.cpu / theirs, result.peak / size
        budgets = [verdict(times_ld, times, "x ld")] if times else []
        budgets += [verdict(times_input, TIMES_INPUT, "x its input")] if size > LARGE else []
        yield (
            f"{title}, {size / MIB:.1f} MiB: {name}",
            f"{result.wall * 1e3:.0f} ms",
            f"{result.cpu * 1e3:.0f} ms",
            f"{times_ld:.1f}x",
            f"{result.peak / MIB:.0f} MiB",
            f"{times_input:.1f}x",
            "; ".join(budgets) if name == "pyldso" else "",
        )


def _show_growth() -> None:
    """Print the time of a program of one block of objects, of two, and so on."""
    measured: dict[int, Measured] = {}
    sizes: dict[int, int] = {}
    for scale in _SCALES:
        words = _words(_objects(scale * BLOCK))
        sizes[scale] = _input_size(words)
        measured[scale] = measure(_linkers(words)[-1:], rounds(3))["pyldso"]
    largest = measured[_SCALES[-1]].cpu / _SCALES[-1]
    print_table(
        ("growth: objects of 100 relocations", "size", "cpu", "/object", "peak", "/input", ""),
        [
            (
                f"{scale * BLOCK} objects",
                f"{sizes[scale] / MIB:.1f} MiB",
                f"{result.cpu * 1e3:.0f} ms",
                f"{result.cpu / scale / BLOCK * 1e3:.2f} ms",
                f"{result.peak / MIB:.0f} MiB",
                f"{result.peak / sizes[scale]:.1f}x",
                verdict(largest / (result.cpu / scale), 1.2, "x for each object of the largest")
                if scale == 4
                else "",
            )
            for scale, result in measured.items()
        ],
    )
