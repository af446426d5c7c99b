"""`mkso -c` beside GNU as and clang's assembler: sqlite, growth, and many small files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from bench.measuring import (
    MIB,
    PYLDSO,
    Measured,
    Row,
    Workshop,
    compile_to_assembly,
    measure,
    print_table,
    rounds,
    run_module,
    verdict,
)

TIMES_AS, TIMES_INPUT = 5, 10
"""At most this many times GNU as's wall time, and this many times the input's size in memory."""

_LEVELS = (("-O2",), ("-O2", "-g"))
_SCALES = (1, 2, 4)


def show(workshop: Workshop) -> None:
    """Print the tables of one large file, of files that grow, and of many small ones."""
    _show_large(workshop.source("sqlite/build/sqlite3.c"))
    print()
    _show_growth()
    print()
    _show_many(workshop.source("torture"))


def _show_large(source: Path) -> None:
    lines: list[tuple[str, ...]] = []
    for flags in _LEVELS:
        name = _assembly_name(*flags)
        compile_to_assembly(name, source, *flags)
        measured = measure(_assemblers(name), rounds(3))
        lines += _beside_as(" ".join(("sqlite3", *flags)), name, measured)
    print_table(("assembler: whole process", "wall", "/as", "peak", "/input", ""), lines)


def _assembly_name(*flags: str) -> str:
    return f"sqlite3{''.join(flags)}.s"


def _assemblers(source: str) -> tuple[Row, ...]:
    rows = (
        Row("as", ["as", "-o", "as.o", source]),
        Row("clang -c", ["clang", "-c", "-o", "clang.o", source]),
        Row("mkso -c", [PYLDSO, "mkso", "-c", "-o", "mkso.o", source]),
    )
    # clang 14 does not take what gcc 12 writes for -g: the file numbers of DWARF 5.
    return tuple(row for row in rows if not (row.name == "clang -c" and "-g" in source))


def _beside_as(title: str, source: str, measured: dict[str, Measured]) -> Iterable[tuple[str, ...]]:
    size = Path(source).stat().st_size
    theirs = measured["as"].wall
    for name, result in measured.items():
        times_as, times_input = result.wall / theirs, result.peak / size
        yield (
            f"{title}, {size / MIB:.1f} MiB: {name}",
            f"{result.wall:.2f} s",
            f"{times_as:.1f}x",
            f"{result.peak / MIB:.0f} MiB",
            f"{times_input:.1f}x",
            f"{verdict(times_as, TIMES_AS, 'x as')}; "
            f"{verdict(times_input, TIMES_INPUT, 'x its input')}"
            if name.startswith("mkso")
            else "",
        )


def _show_growth() -> None:
    """Print the time of one, two and four copies of sqlite in one file."""
    measured: dict[int, Measured] = {}
    sizes: dict[int, int] = {}
    for scale in _SCALES:
        name = f"copies{scale}.s"
        run_module("bench.copies", _assembly_name("-O2"), str(scale), name)
        measured[scale] = measure(_assemblers(name)[-1:], rounds(2))["mkso -c"]
        sizes[scale] = Path(name).stat().st_size
        Path(name).unlink()
    unit = measured[1].cpu
    print_table(
        ("growth: sqlite3 -O2 so many times", "size", "cpu", "/size", "peak", "/input", ""),
        [
            (
                f"{scale}x",
                f"{sizes[scale] / MIB:.1f} MiB",
                f"{result.cpu:.2f} s",
                f"{result.cpu / unit / scale:.2f}",
                f"{result.peak / MIB:.0f} MiB",
                f"{result.peak / sizes[scale]:.1f}x",
                verdict(result.cpu / unit / scale, 1.2, "", "of the time for one"),
            )
            for scale, result in measured.items()
        ],
    )


def _show_many(folder: Path) -> None:
    """Print the time of some, and of all, of gcc's test programs in one call."""
    sources = _compile_tests(folder)
    lines = []
    for count in (1, 100, len(sources) // 2, len(sources)):
        rows = (
            Row("gcc -c", ["gcc", "-c", *sources[:count]]),
            Row("mkso -c", [PYLDSO, "mkso", "-c", *sources[:count]]),
        )
        measured = measure(rows, rounds(1))
        theirs, ours = measured["gcc -c"], measured["mkso -c"]
        lines.append((
            f"{count}", f"{theirs.wall:.2f} s", f"{ours.wall:.2f} s",
            f"{ours.wall / count * 1e3:.1f} ms", f"{ours.wall / theirs.wall:.1f}x",
            f"{ours.peak / MIB:.0f} MiB",
        ))  # fmt: skip
    heading = ("files in one call", "gcc -c", "mkso -c", "each", "/gcc", "mkso's peak")
    print_table(heading, lines)


def _compile_tests(folder: Path) -> list[str]:
    """Compile gcc's tests at two levels into the current folder; a few are no whole programs."""
    names: list[str] = []
    tests = [str(path) for path in sorted(folder.glob("*.c"))]
    for level in ("-O0", "-O2"):
        Path("compiled").mkdir()
        command = ["gcc", "-w", level, "-S", *tests]
        subprocess.run(command, cwd="compiled", stderr=subprocess.DEVNULL, check=False)
        made = sorted(Path("compiled").iterdir())
        names += [path.rename(f"{path.stem}{level}.s").name for path in made]
        Path("compiled").rmdir()
    return names
