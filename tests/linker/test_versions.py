"""Symbol versions and what is exported, compared with GNU ld on the same objects and scripts."""

from __future__ import annotations

import re

import pytest

from pyldso.errors import PyldsoError
from pyldso.linker.version_script import parse_version_script

LIBRARY = r"""
__asm__(".symver old_answer, answer@V1");
__asm__(".symver new_answer, answer@@V2");
int old_answer(void) { return 1; }
int new_answer(void) { return 2; }
int plain(void) { return 3; }
int helper(void) { return 4; }
int best_effort(void) { return helper() + plain(); }
"""
SCRIPT = """
# as a library's maintainer writes it
V1 { global: answer; /* the old one */ local: *; };
V2 { global: answer; p*; best_?ffort; } V1;
V3 { } V2;
"""


def exports(bench, path: str) -> set[str]:
    """The defined dynamic symbols with versions; GNU ld's symbol for each version aside."""
    rows = re.findall(r"(\w+) +DEFAULT +(\w+) (\S+)", bench.readelf("--dyn-syms", path))
    return {f"{kind} {name}" for kind, section, name in rows if section not in ("UND", "ABS")}


def version_definitions(bench, path: str) -> list[str]:
    text = bench.readelf("-V", path).partition("Version definition")[2].partition("Version n")[0]
    return re.findall(r"(Flags: \w+ +Index: \d+ +Cnt: \d+ +Name: \S+|Parent \d+: \S+)", text)


def by_both(bench, *words: str, shared: bool = True) -> None:
    """Link the same words with gcc and pyldso; the same name, in two folders."""
    for folder in ("ld", "ours"):
        (bench.folder / folder).mkdir(exist_ok=True)
    kind = ["-shared"] if shared else []
    bench.tool("gcc", *kind, "-o", "ld/out", *words)
    bench.tool_ours(*kind, "-o", "ours/out", "--verify", *words)


@pytest.fixture
def bench(bench, pyldso):
    def link(*words: str) -> None:
        done = pyldso("link", *words)
        assert (done.returncode, done.stderr) == (0, "")
        bench.check("ours/out")

    bench.__class__ = type("BenchWithOurs", (type(bench),), {"tool_ours": staticmethod(link)})
    return bench


def test_a_version_script_gives_the_versions_of_gnu_ld(bench) -> None:
    bench.compile("lib.o", LIBRARY, "-fpic")
    (bench.folder / "lib.map").write_text(SCRIPT)
    by_both(bench, "lib.o", "-Wl,--version-script=lib.map", "-Wl,-soname,libv.so.1")
    assert exports(bench, "ours/out") == exports(bench, "ld/out")
    assert "GLOBAL answer@V1" in exports(bench, "ours/out")
    assert version_definitions(bench, "ours/out") == version_definitions(bench, "ld/out")


def test_programs_bind_to_the_version_that_they_were_linked_with(bench) -> None:
    bench.compile("old.o", "int answer(void) { return 1; }", "-fpic")
    bench.compile("lib.o", LIBRARY, "-fpic")
    main = '#include <stdio.h>\nint answer(void);\nint main(void) { printf("%d", answer()); }'
    bench.compile("main.o", main)
    (bench.folder / "lib.map").write_text(SCRIPT)
    (bench.folder / "old.map").write_text("V1 { answer; };")
    old = {"version_script": bench.path("old.map"), "soname": "libv.so"}
    bench.shared("libv.so", "old.o", **old)
    bench.link("old", "main.o", "./libv.so", rpath=["$ORIGIN"])
    bench.shared("libv.so", "lib.o", version_script=bench.path("lib.map"), soname="libv.so")
    bench.link("new", "main.o", "./libv.so", rpath=["$ORIGIN"])
    assert (bench.output("old"), bench.output("new")) == ("1", "2")
    assert "answer@V1" in bench.readelf("--dyn-syms", "old")


@pytest.mark.parametrize(
    "script",
    [
        "{ global: plain; local: *; };",
        "{ global: p*; local: helper; *; };",
        'V9 { global: "plain"; *effort; local: best_effort; h*; };',
        'V { global: plain; extern "C++" { "never(int)"; }; local: *; };',
    ],
)
def test_the_more_exact_pattern_wins_as_in_gnu_ld(bench, script) -> None:
    bench.compile("lib.o", LIBRARY.replace("__asm__", "// "), "-fpic")
    (bench.folder / "lib.map").write_text(script)
    by_both(bench, "lib.o", "-Wl,--version-script,lib.map")
    assert exports(bench, "ours/out") == exports(bench, "ld/out")


def test_patterns_of_cplusplus_match_readable_names(bench) -> None:
    source = """
    namespace shop { int price(int x) { return x; } struct Cart { Cart(); }; Cart::Cart() {} }
    int hidden(int) { return 0; }
    int shown(long) { return 1; }
    """
    bench.compile("lib.o", source, "-fpic", compiler="g++")
    (bench.folder / "lib.map").write_text(
        'V { global: extern "C++" { shop::*; "shown(long)"; }; local: *; };'
    )
    by_both(bench, "lib.o", "-Wl,--version-script=lib.map")
    assert exports(bench, "ours/out") == exports(bench, "ld/out")
    assert len(exports(bench, "ours/out")) == 4


def test_a_symver_without_its_version_is_an_error(bench, pyldso, tool) -> None:
    bench.compile("lib.o", LIBRARY, "-fpic")
    done = pyldso("mkso", "-o", "out.so", "lib.o")
    assert done.returncode == 1
    assert "version node not found for symbol answer@V1" in done.stderr
    assert "version node not found for symbol answer@@V2" in done.stderr
    assert not (bench.folder / "out.so").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.map:1: the version script is empty"),
        ("V1 {", "x.map:1: the file ends inside a version or list"),
        ("V1 { a; }", "x.map:1: expected `;`, found the end"),
        ("\nV2 { } V1;", "x.map:2: the version V1 that V2 inherits is not defined"),
        ("V { }; V { };", "the version V is defined twice"),
        ("{ a; }; V { };", "an anonymous version cannot stand beside others"),
        ('V { "a; };', "a quote or comment without end"),
        ("V { a b; };", "expected `;`, found `b`"),
        ('V { extern "Java" { a; }; };', "the languages are C and C++"),
    ],
)
def test_a_damaged_script_is_named_with_its_line(text, message) -> None:
    with pytest.raises(PyldsoError) as caught:
        parse_version_script(text, "x.map")
    assert message in str(caught.value)


INTERPOSED = r"""
#include <stdio.h>
int value = 1;
int function(void) { return 1; }
int other(void) { return 1; }
void show(void) { printf("%d %d %d\n", value, function(), other()); }
"""
PREEMPTS = "int value = 2; int function(void) { return 2; } int other(void) { return 2; }"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-Wl,-Bsymbolic"],
        ["-Wl,-Bsymbolic-functions"],
        ["-Wl,--dynamic-list=own.list"],
        ["-Wl,-Bsymbolic", "-Wl,--dynamic-list=own.list"],
    ],
)
def test_a_library_binds_to_itself_as_far_as_it_is_told(bench, words) -> None:
    bench.compile("lib.o", INTERPOSED, "-fPIC", "-fno-inline", "-fsemantic-interposition")
    bench.compile("main.o", PREEMPTS + "void show(void); int main(void) { show(); }", "-fPIC")
    (bench.folder / "own.list").write_text("{ function; v*e; };")
    by_both(bench, "lib.o", *words)
    for folder in ("ld", "ours"):
        bench.tool("gcc", "-o", f"{folder}/main", "main.o", f"{folder}/out", "-Wl,-rpath,.")
    assert bench.output("ours/main") == bench.output("ld/main")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-rdynamic"],
        ["-Wl,--dynamic-list=own.list"],
        ["-Wl,--export-dynamic-symbol=fun*"],
        ["-Wl,--export-dynamic", "-Wl,--version-script=own.map"],
    ],
)
def test_a_program_exports_what_gnu_ld_exports(bench, words) -> None:
    bench.compile("main.o", INTERPOSED + "int main(void) { show(); }")
    (bench.folder / "own.list").write_text("{ function; v*e; };")
    (bench.folder / "own.map").write_text("{ global: value; local: function; };")
    by_both(bench, "main.o", *words, shared=False)
    ours, by_ld = (
        {name for name in exports(bench, f"{who}/out") if "_" not in name} for who in ("ours", "ld")
    )
    # the boundaries of the image, and what gcc's crt files bring
    assert ours == by_ld - {"GLOBAL main", "GLOBAL _start"} | ours & {"GLOBAL main"}


def test_the_symbols_of_excluded_archives_stay_inside(bench) -> None:
    bench.compile("one.o", "int one(void) { return 1; }", "-fpic")
    bench.compile("two.o", "int two(void) { return 2; }", "-fpic")
    bench.compile("main.o", "int one(void), two(void); int sum(void) { return one() + two(); }",
                  "-fpic")  # fmt: skip
    bench.tool("ar", "rcs", "libone.a", "one.o")
    bench.tool("ar", "rcs", "libtwo.a", "two.o")
    for excluded in ("libone.a", "libone.a,libtwo.a", "ALL", "libtwo"):
        words = ["main.o", "-L.", "-lone", "-ltwo", f"-Wl,--exclude-libs={excluded}"]
        by_both(bench, *words)
        assert exports(bench, "ours/out") == exports(bench, "ld/out")


def test_defined_symbols_stand_for_numbers_and_for_other_symbols(bench) -> None:
    source = r"""
    #include <stdio.h>
    extern char size[], second[], table[8];
    int alias(void);
    int target(void) { return 7; }
    char table[8] = "abcdefg";
    int main(void) { printf("%#lx %d %c\n", (long)size, alias(), second[0]); }
    """
    bench.compile("main.o", source, "-fno-pie")
    words = [
        "-Wl,--defsym=size=0x1234",
        "-Wl,--defsym,alias=target",
        "-Wl,--defsym=second=table+2-1",
    ]
    by_both(bench, "-no-pie", "main.o", *words, shared=False)
    assert bench.output("ours/out") == bench.output("ld/out") == "0x1234 7 b\n"


@pytest.mark.parametrize(
    ("defsym", "message"),
    [
        ("x", "use NAME=SYMBOL"),
        ("x=a-b", "no difference of two"),
        ("x=0y", "0y is not a number"),
        ("x=absent", "undefined symbol: absent"),
    ],
)
def test_a_defsym_that_cannot_be_is_an_error(bench, pyldso, defsym, message) -> None:
    bench.compile("main.o", "int main(void) { return 0; }")
    done = pyldso("link", "main.o", f"-Wl,--defsym={defsym}")
    assert done.returncode == 1
    assert message in done.stderr
