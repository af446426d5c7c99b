"""C++ across the borders of libraries: what must be one thing in all of them is one."""

from __future__ import annotations

from collections import Counter

import pytest

from .conftest import compilers

SHARED = r"""
#include <functional>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>
struct Log {
    static Log &one() { static Log log; return log; }      // one in all: STB_GNU_UNIQUE
    std::vector<std::string> lines;
    void say(const std::string &line) { lines.push_back(line); }
};
struct Mark {                                              // static initialisers and their order
    const char *name;
    explicit Mark(const char *which) : name(which) { Log::one().say(std::string("+") + name); }
    ~Mark();
};
template <typename T> struct Counter {                     // a template's static member
    static int count;
    static thread_local int of_thread;
};
template <typename T> int Counter<T>::count;
template <typename T> thread_local int Counter<T>::of_thread = 40;
inline int *inline_variable() { static int value; return &value; }
struct Base { virtual ~Base() = default; virtual std::string name() const { return "base"; } };
struct Derived : Base { std::string name() const override; };
struct Failure : std::runtime_error { using std::runtime_error::runtime_error; int code = 7; };
struct PerThread { int value = 5; PerThread(); ~PerThread(); };
extern thread_local PerThread per_thread;                  // initialised at its first use
extern thread_local int plain_thread_local;
void inner(int);                                           // in libinner.so
void outer(int, const std::function<void(int)> &);         // in libouter.so
Base *make_derived();
int *inner_variable();
int *inner_counter();
int inner_of_thread();
"""

INNER = r"""
#include "shared.h"
#include <cstdio>
Mark::~Mark() { std::printf("-%s\n", name); std::fflush(stdout); }
static Mark mark("inner");
std::string Derived::name() const { return "derived"; }
Base *make_derived() { return new Derived; }
PerThread::PerThread() { std::printf("thread begins\n"); }
PerThread::~PerThread() { std::printf("thread ends with %d\n", value); }
thread_local PerThread per_thread;
thread_local int plain_thread_local = 3;
int *inner_variable() { return inline_variable(); }
int *inner_counter() { return &++Counter<Base>::count; }
int inner_of_thread() { return ++Counter<Base>::of_thread; }
void inner(int depth) {
    Mark here("frame");
    if (depth > 0) return inner(depth - 1);
    if (depth < 0) throw depth;
    throw Failure("from inside");
}
"""

OUTER = r"""
#include "shared.h"
static Mark mark("outer");
void outer(int depth, const std::function<void(int)> &between) {
    try {
        between(depth);
    } catch (Failure &failure) {
        failure.code++;
        throw;
    }
}
"""

MAIN = r"""
#include "shared.h"
#include <cstdio>
#include <memory>
#include <thread>
static Mark mark("main");
static void use(const char *who) {
    per_thread.value += ++plain_thread_local + inner_of_thread() + ++Counter<Base>::of_thread;
    std::printf("%s: %d %d\n", who, plain_thread_local, Counter<Base>::of_thread);
}
int main() {
    for (auto &line : Log::one().lines) std::printf("%s\n", line.c_str());
    try {
        outer(2, inner);
    } catch (std::exception &error) {
        std::printf("%s %d %d\n", error.what(), dynamic_cast<Failure &>(error).code,
                    typeid(error) == typeid(Failure));
    }
    try { outer(-3, [](int depth) { inner(depth); }); } catch (int number) {
        std::printf("%d\n", number);
    }
    std::unique_ptr<Base> base(make_derived());
    std::printf("%s %d\n", base->name().c_str(), dynamic_cast<Derived *>(base.get()) != nullptr);
    std::printf("%d %d\n", inner_variable() == inline_variable(),
                inner_counter() == &Counter<Base>::count);
    use("first");
    std::thread([] { use("second"); }).join();
    use("first");
}
"""

EXPECTED = """\
+inner
+outer
+main
-frame
-frame
-frame
from inside 8 1
-frame
-3
derived 1
1 1
thread begins
first: 4 42
thread begins
second: 4 42
thread ends with 92
first: 5 44
thread ends with 184
-main
-outer
-inner
"""
KINDS = (["-O0"], ["-O2", "-Wl,-z,now"], ["-O2", "-fvisibility-inlines-hidden"], ["-O1", "-Wl,-O1",
         "-Wl,-Bsymbolic-functions"], ["-O2", "-g", "-mtls-dialect=gnu2", "-Wl,--gc-sections",
         "-ffunction-sections"])  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=" ".join)
@pytest.mark.parametrize("compiler", compilers())
def test_borders_of_libraries_divide_nothing(bench, compiler, kind) -> None:
    if compiler == "clang":
        kind = [word for word in kind if not word.startswith("-mtls")]
    compiler = {"gcc": "g++", "clang": "clang++"}[compiler]
    sources = {"shared.h": SHARED, "inner.cc": INNER, "outer.cc": OUTER, "main.cc": MAIN}
    for name, source in sources.items():
        (bench.folder / name).write_text(source)
    library = [*kind, "-fPIC", "-shared"]
    rpath = ["-L.", "-Wl,-rpath,$ORIGIN"]
    for words in (
        [*library, "-o", "libinner.so", "inner.cc"],
        [*library, "-o", "libouter.so", "outer.cc", *rpath, "-linner"],
        [*kind, "-o", "main", "main.cc", *rpath, "-louter", "-linner", "-pthread"],
    ):
        done = bench.driver(compiler, *words)
        assert (done.returncode, done.stderr) == (0, "")
        bench.check(words[words.index("-o") + 1])
    assert bench.output("main") == EXPECTED


def test_the_symbol_table_has_the_names_of_gnu_lds(bench) -> None:
    (bench.folder / "shared.h").write_text(SHARED)
    (bench.folder / "inner.cc").write_text(INNER)
    words = ["-shared", "-fPIC", "-O1", "inner.cc", "-o"]
    assert bench.driver("g++", *words, "ours.so").stderr == ""
    bench.tool("g++", *words, "theirs.so")
    ours, theirs = (
        Counter(
            line.split()[-1]
            for line in bench.readelf("-s", library).partition("'.symtab'")[2].splitlines()[2:]
        )
        for library in ("ours.so", "theirs.so")
    )
    # not the signatures of groups, which are symbols, too; GNU ld drops an empty .tm_clone_table
    assert set(ours - theirs) <= {"__TMC_LIST__"}
    assert set(theirs - ours) <= {"__GNU_EH_FRAME_HDR", "_DYNAMIC", "LOCAL", "ABS"}
