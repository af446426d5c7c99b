"""Messages say what lld's say of the same mistake, and more where more is known."""

from __future__ import annotations

import re

import pytest

MISTAKES: dict[str, dict[str, str]] = {
    "a call": {"a.c": "int gone(void);\nint main(void) { return gone(); }\n"},
    "two calls": {"a.c": "int gone(void);\nint main(void) { return gone()\n+ gone(); }\n"},
    "many calls": {
        "a.c": "int gone(void);\nint main(void) { return gone()" + "\n+ gone()" * 9 + "; }\n"
    },
    "data": {"a.c": "extern int gone;\nint main(void) { return gone; }\n"},
    "a pointer": {"a.c": "int gone(void);\nint (*p)(void) = gone;\nint main(void) { return 0; }\n"},
    "in a header": {"a.c": '#include "h.h"\nint main(void) { return inner(); }\n'},
    "in a folder": {"src/a.c": "int gone(void);\nint main(void) { return gone(); }\n"},
    "two files": {
        "a.c": "int gone(void), other(void);\nint main(void) { return gone() + other(); }\n",
        "b.c": "int gone(void);\n\nint other(void) { return gone(); }\n",
    },
    "a spelling": {
        "a.c": "int adress(void);\nint main(void) { return adress(); }\n",
        "b.c": "int address(void) { return 1; }\n",
    },
    "case": {
        "a.c": "int Address(void);\nint main(void) { return Address(); }\n",
        "b.c": "int address(void) { return 1; }\n",
    },
    "C called from C++": {
        "a.cc": "int twice(int);\nint main() { return twice(1); }\n",
        "b.c": "int twice(int x) { return 2 * x; }\n",
    },
    "C++ called from C": {
        "a.c": "int twice(int);\nint main(void) { return twice(1); }\n",
        "b.cc": "int twice(int x) { return 2 * x; }\n",
    },
    "a method": {"a.cc": "struct S { int f(long) const; };\nint main() { return S().f(1); }\n"},
    "a template": {"a.cc": "template <class T> T f(T);\nint main() { return f(1); }\n"},
    "a vtable": {"a.cc": "struct V { virtual int f(); };\nint main() { V v; return sizeof v; }\n"},
    "a static member": {"a.cc": "struct S { static int n; };\nint main() { return S::n; }\n"},
    "hidden": {
        "a.c": '__attribute__((visibility("hidden"))) int gone(void);\n'
        "int main(void) { return gone(); }\n"
    },
    "thread-local": {"a.c": "extern __thread int gone;\nint main(void) { return gone; }\n"},
    "two functions": {
        "a.c": "int twice(void) { return 1; }\nint main(void) { return twice(); }\n",
        "b.c": "\nint twice(void) { return 2; }\n",
    },
    "two variables": {
        "a.c": "int twice = 1;\nint main(void) { return twice; }\n",
        "b.c": "int twice = 2;\n",
    },
    "two methods": {
        "a.cc": "struct S { int f(); };\nint S::f() { return 1; }\n"
        "int main() { return S().f(); }\n",
        "b.cc": "struct S { int f(); };\nint S::f() { return 2; }\n",
    },
    "thrice": {
        "a.c": "int twice(void) { return 1; }\nint main(void) { return twice(); }\n",
        "b.c": "int twice(void) { return 2; }\n",
        "c.c": "int twice(void) { return 3; }\n",
    },
}  # fmt: skip
HEADER = "int gone(void);\nstatic int inner(void)\n{\n    return gone();\n}\n"


def build(bench, sources: dict[str, str], *flags: str) -> list[str]:
    (bench.folder / "h.h").write_text(HEADER)
    objects = []
    for name, text in sources.items():
        path = bench.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        objects.append(f"{path.stem}.o")
        compiler = "g++" if path.suffix == ".cc" else "gcc"
        bench.tool(compiler, "-g", "-c", "-O0", *flags, "-o", objects[-1], name)
    return objects


def facts(text: str) -> set[str]:
    """Return what a message says: errors, source lines, objects and functions, guesses."""
    found: set[str] = set()
    for line in text.splitlines():
        line = re.sub(r"^(pyldso|ld\.lld): ", "", line)
        line = re.sub(r" \([^ ]*:\d+\)$", "", line)  # lld's full path
        line = re.sub(r":\([.][^)]*\) \(", ":(", line)  # lld names the place or the function
        line = re.sub(r":\(\.[^)]*\)", "", re.sub(r" +", " ", line))
        line = re.sub(r"(?<=[ (])[\w/]+/(\w+\.\w+:\d+)", r"\1", line)
        line = re.sub(r"referenced by (?=\S+\.o)", "", line)  # no line: it has the source's name
        is_told_otherwise = "the vtable" in line or "defined in" in line
        is_told_otherwise |= line.endswith((".o", ".c"))
        if line and not is_told_otherwise:
            found.add(line)
    return found


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_as_lld_tells_it(bench, pyldso, mistake) -> None:
    objects = build(bench, MISTAKES[mistake])
    theirs = bench.failing_tool("ld.lld", "-o", "by_lld", "-e", "main", *objects).stderr
    ours = pyldso("link", "-nostdlib", "-e", "main", "-o", "out", *objects)
    assert ours.returncode == 1
    assert not (bench.folder / "out").exists()
    said = facts(ours.stderr)
    assert {line for line in facts(theirs) if " more time" not in line} <= said, ours.stderr


ABSOLUTE = """
extern int data; int own = 4; __thread int t; int arr[9];
int *get(void) { return &data; }
int load(int i) { return (&own)[i] + t; }
const char *text(void) { return "text"; }
int index(int i) { return arr[i]; }
"""


def test_code_for_fixed_addresses_is_told_as_lld_tells_it(bench, pyldso) -> None:
    objects = build(bench, {"a.c": ABSOLUTE}, "-fno-pic", "-mcmodel=small", "-fno-builtin", "-O1")
    theirs = facts(bench.failing_tool("ld.lld", "-shared", "-o", "by_lld", *objects).stderr)
    ours = pyldso("mkso", "-nostdlib", "-o", "out", *objects)
    said = facts(ours.stderr)
    assert {line for line in theirs if line.startswith(">>>")} <= said, ours.stderr
    for line in theirs:
        found = re.search(r"relocation (\w+) cannot be used against symbol '(\w+)'", line)
        if found:
            text = f"relocation {found[1]} cannot be used against symbol {found[2]}"
            assert f"error: {text}; recompile with -fPIC" in said
    assert len([line for line in said if "recompile with -fPIC" in line]) == 5


@pytest.mark.parametrize("flag", ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gz"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_lines_of_every_version_of_dwarf_are_read(bench, pyldso, flag, compiler) -> None:
    (bench.folder / "src").mkdir()
    text = "int gone(void);\nint pad(int x) { return x; }\nint main(void)\n{\n  return gone();\n}\n"
    (bench.folder / "src" / "a.c").write_text(text)
    bench.tool(compiler, "-c", "-g", flag, "-ffunction-sections", "-o", "a.o", "src/a.c")
    done = pyldso("link", "a.o")
    assert ">>> referenced by src/a.c:5\n>>>               a.o:(.text.main+0x" in done.stderr
    assert "+0x5) (main)" in done.stderr or "(main)" in done.stderr


@pytest.mark.parametrize("section", ["line", "info", "abbrev"])
def test_damaged_tables_cost_only_the_line(bench, section) -> None:
    bench.compile("a.o", "int own = 1;" + MISTAKES["a call"]["a.c"], "-g")
    data = bytearray((bench.folder / "a.o").read_bytes())
    row = re.search(rf"\.debug_{section} +PROGBITS +\w+ (\w+) (\w+)", bench.readelf("-S", "a.o"))
    offset, size = int(row[1], 16), int(row[2], 16)
    for at in range(offset, offset + size):
        changed = bytes(data[:at]) + b"\xff" + bytes(data[at + 1 :])
        (bench.folder / "bad.o").write_bytes(changed)
        done = bench.link_error("bad.o")
        assert "undefined symbol: gone" in done


def test_an_archive_is_named_with_its_member(bench, pyldso) -> None:
    objects = build(bench, MISTAKES["two files"])
    bench.tool("ar", "rcs", "libx.a", objects[1])
    done = pyldso("link", objects[0], "libx.a")
    assert (
        ">>> referenced by b.c:3\n>>>               libx.a(b.o):(.text+0x5) (other)" in done.stderr
    )


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("double floor(double); int main(int c, char **v) { return floor(c); }", "add -lm"),
        ("int gone(void); int main(void) { return gone(); }", None),
    ],
)
def test_a_library_that_was_forgotten_is_named(bench, pyldso, source, note) -> None:
    bench.compile("a.o", source, "-fno-builtin")
    done = pyldso("link", "a.o")
    assert (f"libm.so.6 defines it: {note}" in done.stderr) if note else "add -l" not in done.stderr


def test_only_the_name_of_a_function_is_compared_for_what_was_meant(bench, pyldso) -> None:
    source = """#include <string>
    struct T { void go(const std::string &, int) const; };
    void T::%s(const std::string &, %s) const {} int main() { T().go("", 1); }"""
    source = source.replace(
        "int) const; };", "int) const; void %s(const std::string &, %s) const; };"
    )
    for name, parameter, note in [
        ("gone", "int", ">>> did you mean: T::gone("),
        ("go", "long", ">>> did you mean: T::go("),
        ("come", "int", ""),
    ]:
        words = (name, parameter) * 2
        bench.compile("m.o", source % words, compiler="g++")
        done = pyldso("link", "m.o", "-lstdc++", cwd=bench.folder)
        assert note in done.stderr if note else "did you mean" not in done.stderr


def test_names_are_left_mangled_on_request(bench, pyldso) -> None:
    objects = build(bench, MISTAKES["a method"])
    assert "undefined symbol: S::f(long) const" in pyldso("link", *objects).stderr
    done = pyldso("link", *objects, "-Wl,--no-demangle")
    assert "undefined symbol: _ZNK1S1fEl" in done.stderr


def test_names_are_those_of_cxxfilt(bench) -> None:
    from pyldso.linker.demangle import demangler

    source = (
        "#include <map>\n#include <regex>\n#include <string>\n"
        'std::map<std::string, int> m; int f() { std::regex r("a"); return m["a"]; }'
    )
    bench.compile("a.o", source, compiler="g++")
    names = sorted(set(re.findall(r" (_Z\w+)$", bench.tool("nm", "a.o").stdout, re.M)))
    (bench.folder / "names").write_text("\n".join(names))
    theirs = bench.tool("sh", "-c", "c++filt --no-verbose < names").stdout.split("\n")
    demangle = demangler()
    assert len(names) > 200
    assert [demangle(name) for name in names] == theirs


def test_what_an_input_warns_of_is_told(bench, pyldso) -> None:
    bench.compile("a.o", "char *tmpnam(char *); int main(void) { return !tmpnam(0); }", "-g")
    theirs = bench.tool("gcc", "a.o", "-o", "by_ld").stderr
    done = pyldso("link", "a.o", "-o", "out")
    assert done.returncode == 0
    warning = re.search(r"warning: (.*)", theirs)[1]
    assert f"warning: {warning}\n>>> referenced by a.c:1\n" in done.stderr
    assert ".gnu.warning" not in bench.readelf("-S", "out")
    fatal = pyldso("link", "a.o", "-o", "fatal", "-Wl,--fatal-warnings")
    assert (fatal.returncode, (bench.folder / "fatal").exists()) == (1, False)
    assert f"error: {warning}" in fatal.stderr


def test_an_executable_stack_is_told(bench, pyldso) -> None:
    source = (
        "int run(int (*f)(int)); int main(int c, char **v) {\n"
        "int add(int x) { return x + c; } return run(add); }\nint run(int (*f)(int)) { return 0; }"
    )
    bench.compile("a.o", source, "-O0")
    theirs = bench.tool("gcc", "a.o", "-o", "by_ld").stderr
    done = pyldso("link", "a.o", "-o", "out")
    assert done.stderr.split("warning: ")[1] == theirs.split("warning: ")[1]
    assert pyldso("link", "a.o", "-o", "out", "-Wl,-z,execstack").stderr == ""


def warnings(text: str) -> list[str]:
    return [line.replace("warning: ", "") for line in text.splitlines() if "warning: " in line]


def test_common_symbols_that_clash_are_told(bench, pyldso) -> None:
    sources = {
        "a": "int x; int y[2]; int z[9]; int d;",
        "b": "int x; int y[5]; int z[3]; int d = 4;",
        "c": "int d; int main(void) { return 0; }",
    }
    objects = [bench.compile(f"{name}.o", text, "-fcommon") for name, text in sources.items()]
    theirs = bench.tool("ld", "--warn-common", "-e", "main", "-o", "by_ld", *objects).stderr
    done = pyldso("link", "-Wl,--warn-common", "-o", "out", *objects)
    assert len(warnings(theirs)) == 5
    assert warnings(done.stderr) == [
        line.replace("ld: ", "pyldso: ", 1) for line in warnings(theirs)
    ]
    assert pyldso("link", "-o", "out", *objects).stderr == ""


def test_relocations_of_code_are_told_where_they_are_allowed(bench, pyldso) -> None:
    bench.compile(
        "a.o", ".globl f\nf: movabs $data, %rax\nret\n.data\n.globl data\ndata: .quad 1\n"
    )
    words = ["-z", "notext", "--warn-textrel", "-o", "by_ld", "a.o"]
    theirs = bench.tool("ld", "-shared", *words).stderr
    done = pyldso("mkso", "-nostdlib", "-Wl,-z,notext,--warn-textrel", "-o", "out.so", "a.o")
    assert warnings(theirs)[-1] == "ld: creating DT_TEXTREL in a shared object"
    assert warnings(done.stderr) == ["pyldso: creating DT_TEXTREL in a shared object"]


def expanding_name(levels: int) -> str:
    """Return a name in which each level doubles what it stands for."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    references = [f"S{digits[number]}_" for number in range(levels)]
    return "_Z1f1BI1AS0_E" + "".join(f"S_I{one}{one}E" for one in references[1:])


def test_a_name_that_stands_for_gigabytes_stays_as_it_is() -> None:
    from pyldso.linker.demangle import demangler

    demangle = demangler()
    assert demangle(expanding_name(3)).startswith("f(B<A, A>, B<B<A, A>, B<A, A> >")
    for levels in (20, 24, 34):
        assert demangle(expanding_name(levels)) == expanding_name(levels)
        assert demangle("_ZN4shop5priceElPKc") == "shop::price(long, char const*)"
    many = "_Z1fSsSsSsSsSsSsSsSsSsSsSsSsSsSsSs"
    assert demangle(many).startswith("f(std::string, std::string, ")
