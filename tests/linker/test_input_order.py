"""Options whose place on the command line matters, compared with GNU ld."""

from __future__ import annotations

import re

import pytest

COUNTED = (
    '#include <stdio.h>\nstatic __attribute__((constructor)) void hi(void) {{ puts("{0}"); }}\n'
)
USES = "int one(void); int main(void) { return one() - 1; }"
NOT_OUR_DEFAULT = "-Wl,--no-as-needed"
"""Some distributions' gcc begins with --as-needed."""


def needed(bench, path: str) -> list[str]:
    return re.findall(r"NEEDED.*\[(.*)\]", bench.readelf("-d", path))


@pytest.fixture
def libraries(bench):
    """The bench with main.o, libone.so and .a (which it uses), libtwo.so and .a (which not)."""
    for name in ("one", "two"):
        bench.compile(f"{name}.o", f"int {name}(void) {{ return 1; }}", "-fpic")
        bench.compile(f"{name}_hi.o", COUNTED.format(name), "-fpic")
        bench.tool("gcc", "-shared", "-o", f"lib{name}.so", f"{name}.o")
        bench.tool("ar", "rcs", f"lib{name}.a", f"{name}.o", f"{name}_hi.o")
    bench.compile("main.o", USES)
    return bench


@pytest.mark.parametrize(
    "words",
    [
        ["-lone", "-ltwo"],
        ["-Wl,--as-needed", "-lone", "-ltwo"],
        ["-Wl,--as-needed", "./libone.so", "./libtwo.so"],
        ["-Wl,--push-state,--as-needed", "-ltwo", "-Wl,--pop-state", "-lone"],
        ["-Wl,--as-needed", "-ltwo", "-Wl,--no-as-needed", "-ltwo", "-lone"],
        ["-Wl,-Bstatic", "-lone", "-Wl,-Bdynamic", "-ltwo"],
        ["-Wl,--start-group", "-lone", "-ltwo", "-Wl,--end-group"],
        ["-Wl,-(", "-l:libone.so", "-Wl,-)"],
    ],
)
def test_the_libraries_needed_are_those_of_gnu_ld(libraries, pyldso, words) -> None:
    libraries.tool("gcc", "-no-pie", "-o", "by_ld", "main.o", "-L.", NOT_OUR_DEFAULT, *words)
    done = pyldso("link", "-no-pie", "-o", "ours", "main.o", "-L.", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert needed(libraries, "ours") == needed(libraries, "by_ld")
    assert libraries.run("ours", LD_LIBRARY_PATH=".").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["-Wl,--whole-archive", "libone.a", "-Wl,--no-whole-archive", "libtwo.a"],
        ["-Wl,--push-state,--whole-archive,-Bstatic", "-lone", "-ltwo", "-Wl,--pop-state"],
        ["libone.a", "libtwo.a"],
    ],
)
def test_whole_archives_bring_what_nothing_asks_for(libraries, pyldso, words) -> None:
    libraries.tool("gcc", "-o", "by_ld", "main.o", "-L.", *words)
    done = pyldso("link", "-o", "ours", "main.o", "-L.", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(libraries.output("ours").split()) == sorted(libraries.output("by_ld").split())


def test_an_unknown_word_of_z_is_named_as_gnu_ld_does(libraries, pyldso) -> None:
    by_ld = libraries.tool("gcc", "-o", "by_ld", "main.o", "one.o", "-Wl,-z,nonsense").stderr
    ours = pyldso("link", "-o", "ours", "main.o", "one.o", "-z", "nonsense", "-z", "lazy")
    assert ours.stderr == "pyldso: warning: -z nonsense ignored\n"
    assert ours.stderr.removeprefix("pyldso: ") in by_ld
    assert ours.returncode == 0


def test_the_last_of_two_contrary_words_counts(libraries, pyldso) -> None:
    words = ["-z", "now", "-z", "lazy", "-z", "norelro", "-z", "relro"]
    assert pyldso("link", "-o", "ours", "main.o", "one.o", *words).returncode == 0
    assert "NOW" not in libraries.readelf("-d", "ours")
    assert "GNU_RELRO" in libraries.readelf("-l", "ours")


def test_pop_state_needs_a_push(libraries, pyldso) -> None:
    done = pyldso("link", "main.o", "-Wl,--pop-state")
    assert done.returncode == 2
    assert "--pop-state without --push-state" in done.stderr


@pytest.mark.parametrize("word", ["--allow-shlib-undefined", "--no-allow-shlib-undefined"])
def test_libraries_may_need_what_nothing_defines_where_that_is_allowed(
    libraries, pyldso, word
) -> None:
    libraries.compile("lacks.o", "int absent(void); int one(void) { return absent(); }", "-fpic")
    libraries.tool("gcc", "-shared", "-o", "liblacks.so", "lacks.o")
    done = pyldso("link", "-o", "ours", "main.o", "./liblacks.so", f"-Wl,{word}")
    by_ld = libraries.tool("sh", "-c", f"gcc -o by_ld main.o ./liblacks.so -Wl,{word}; echo $?")
    assert done.returncode == int(by_ld.stdout)
    assert ("undefined symbol: absent" in done.stderr) == (word == "--no-allow-shlib-undefined")
