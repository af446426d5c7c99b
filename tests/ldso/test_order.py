"""The order of initialisers and finalisers in random graphs of libraries, circles among them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from processes import Completed

LIBRARY = """
#include <unistd.h>
#define TEXT(word) #word
#define SAY(sign, name) write(1, sign TEXT(name) " ", 3)
#define DEFINE(name) int g##name
#define VARIABLE(name) DEFINE(name)
#define USE(name) extern __attribute__((weak)) int g##name; int *p##name = &g##name;
VARIABLE(NAME);
USES
__attribute__((constructor)) static void up(void) { SAY("+", NAME); }
__attribute__((destructor)) static void down(void) { SAY("-", NAME); }
"""
MAIN = """
#include <dlfcn.h>
int main(int argc, char **argv) {
    void *handles[9];
    for (int i = 1; i < argc; i++) handles[i] = dlopen(argv[i], RTLD_LAZY | RTLD_GLOBAL);
    for (int i = 1; i < argc; i += 2) dlclose(handles[i]);
    return 0;
}
"""


def build(folder: Path, random: Random, tool: Callable[..., Completed]) -> list[list[str]]:
    """Build libraries that need and use one another at random; return commands that load them."""
    count = random.randint(4, 7)
    (folder / "library.c").write_text(LIBRARY)
    (folder / "main.c").write_text(MAIN)
    names = [f"./l{number}.so" for number in range(count)]
    for number, name in enumerate(names):
        others = [other for other in range(count) if other != number]
        uses = "".join(f"USE({other})" for other in others if random.random() < 0.4)
        words = ("-c", "-fpic", f"-DNAME={number}", f"-DUSES={uses}", "-o", f"l{number}.o")
        tool("gcc", "-w", *words, "library.c", cwd=folder)
        tool("gcc", "-shared", "-o", name, f"l{number}.o", cwd=folder)  # for the others to name
    keep = "-Wl,--no-as-needed,--allow-shlib-undefined"
    for number, name in enumerate(names):
        others = [other for other in names if other != name and random.random() < 0.3]
        random.shuffle(others)
        tool("gcc", "-shared", keep, "-o", name, f"l{number}.o", *others, cwd=folder)
    chosen = random.sample(names, random.randint(1, 3))
    tool("gcc", keep, "-o", "linked", "main.c", *chosen, cwd=folder)
    tool("gcc", "-o", "opening", "main.c", cwd=folder)
    return [["./linked"], ["./opening", *random.sample(names, 3)]]


@pytest.mark.parametrize("seed", [1, 5, 12, 17, 36])
def test_order_in_random_graphs_is_that_of_either_algorithm(
    seed: int, tmp_path: Path, tool: Callable[..., Completed], pyldso: Callable[..., Completed]
) -> None:
    orders = []
    for words in build(tmp_path, Random(seed), tool):
        for algorithm in (1, 2):
            tunable = f"glibc.rtld.dynamic_sort={algorithm}"
            environment = {**os.environ, "GLIBC_TUNABLES": tunable}
            native = subprocess.run(
                words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
            )
            assert native.returncode == 0
            ours = pyldso("run", "-E", f"GLIBC_TUNABLES={tunable}", *words)
            assert (ours.stdout, ours.returncode) == (native.stdout, 0), (words, tunable)
            orders.append(native.stdout)
    assert len(set(orders)) > 1
