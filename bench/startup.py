"""Short commands, which are mostly start-up: pyldso, gcc, as, ld, qemu-user and the program."""

from __future__ import annotations

import shutil

from bench.measuring import (
    EXAMPLES,
    MIB,
    PYLDSO,
    PYTHON,
    Row,
    Workshop,
    measure,
    measure_once,
    print_table,
    rounds,
    verdict,
)

ROWS = (
    Row("python -c pass", [PYTHON, "-c", "pass"]),
    Row("python -c 'import click'", [PYTHON, "-c", "import click"]),
    Row("pyldso --version", [PYLDSO, "--version"]),
    Row("pyldso mkso, two .s", [PYLDSO, "mkso", "-shared", "-fpic", "-o", "libvector.so",
                                "addvec.s", "multvec.s"]),
    Row("gcc -shared, two .s", ["gcc", "-shared", "-fpic", "-o", "gcc.so",
                                "addvec.s", "multvec.s"]),
    Row("as, one .s", ["as", "-o", "addvec.o", "addvec.s"]),
    Row("pyldso link, main2.s", [PYLDSO, "link", "-o", "prog2l", "main2.s", "./libvector.so"]),
    Row("pyldso link, main2.o", [PYLDSO, "link", "-o", "prog2l", "main2.o", "./libvector.so"]),
    Row("gcc, main2.s", ["gcc", "-o", "prog2l.gcc", "main2.s", "./libvector.so"]),
    Row("ld, two .o", ["ld", "-shared", "-o", "ld.so", "addvec.o", "multvec.o"]),
    Row("ld.lld, two .o", ["ld.lld", "-shared", "-o", "lld.so", "addvec.o", "multvec.o"]),
    Row("mold, two .o", ["mold", "-shared", "-o", "mold.so", "addvec.o", "multvec.o"]),
    Row("pyldso run ./prog2l", [PYLDSO, "run", "./prog2l"]),
    Row("pyldso run --interp ./prog2l", [PYLDSO, "run", "--interp", "./prog2l"]),
    Row("qemu-x86_64 ./prog2l", ["qemu-x86_64", "./prog2l"]),
    Row("./prog2l", ["./prog2l"]),
)  # fmt: skip

BUDGETS = {"pyldso mkso, two .s": 110, "pyldso link, main2.s": 110, "pyldso run ./prog2l": 80}
"""Milliseconds that a command may take where bare Python takes 10."""


def show(workshop: Workshop) -> None:
    """Print medians, and their ratio to `python -c pass` in the same run."""
    for name in ("addvec", "multvec", "main2"):
        shutil.copy(EXAMPLES / f"{name}.s", workshop.folder)
        measure_once([PYLDSO, "mkso", "-c", "-o", f"{name}.o", f"{name}.s"])
    measured = measure(ROWS, rounds(21))
    bare = measured["python -c pass"].wall
    lines = []
    for name, result in measured.items():
        budget = BUDGETS.get(name)
        ratio = result.wall / bare
        lines.append((
            name,
            f"{result.wall * 1e3:.1f} ms",
            f"{result.best * 1e3:.1f} ms",
            f"{ratio:.1f}x",
            f"{result.peak / MIB:.0f} MiB",
            verdict(ratio, budget / 10, "x", f"{budget} ms where python takes 10")
            if budget
            else "",
        ))  # fmt: skip
    print_table(("start-up: whole process", "median", "best", "/python", "peak", ""), lines)
