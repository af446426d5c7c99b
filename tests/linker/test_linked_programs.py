"""What programs and libraries linked by pyldso do on the real kernel, under the real ld.so."""

from __future__ import annotations

import shutil

import pytest
from processes import run_command

from pyldso.linker.options import InputFile, Library

ADDVEC_TIMES_TEN = """
void addvec(int *x, int *y, int *z, int n) {
    for (int i = 0; i < n; i++) z[i] = 10 * (x[i] + y[i]);
}
"""


def test_the_walkthrough_prints_the_sum(walkthrough) -> None:
    assert walkthrough.output("prog2l") == "z = [4 6]\n"


def test_a_changed_library_changes_the_program_without_relinking(walkthrough) -> None:
    walkthrough.compile("addvec.o", ADDVEC_TIMES_TEN, "-fpic")
    walkthrough.shared("libvector.so", "addvec.o")
    assert walkthrough.output("prog2l") == "z = [40 60]\n"


def test_the_program_has_no_byte_of_the_library(walkthrough) -> None:
    library = walkthrough.tool("objdump", "-d", "--no-show-raw-insn", "libvector.so").stdout
    program = walkthrough.tool("objdump", "-d", "--no-show-raw-insn", "prog2l").stdout
    assert "<addvec>:" in library
    assert "<addvec>:" not in program


def test_gnu_ld_links_against_our_library(walkthrough) -> None:
    walkthrough.tool("gcc", "-o", "by_ld", "main2.o", "./libvector.so")
    assert walkthrough.output("by_ld") == "z = [4 6]\n"


def test_we_link_against_a_library_of_gnu_ld(walkthrough) -> None:
    walkthrough.tool("gcc", "-shared", "-o", "libvector.so", "addvec.o")
    walkthrough.link("again", "main2.o", "./libvector.so")
    assert walkthrough.output("again") == "z = [4 6]\n"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("kind", ["pie", "exec"])
def test_ordinary_c_of_both_compilers_runs(bench, compiler, level, kind) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    source = r"""
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    static int compare(const void *a, const void *b) { return *(int *)a - *(int *)b; }
    const char *words[] = {"one", "two", "three"};
    static long counter = 40;
    int table[5] = {5, 3, 1, 4, 2};
    double half(double x) { return x / 2; }
    double (*volatile pointer)(double) = half;
    int main(int argc, char **argv) {
        qsort(table, 5, sizeof *table, compare);
        for (int i = 0; i < 5; i++) printf("%d ", table[i]);
        counter += argc;
        printf("%s %zu %ld %.2f %s\n", words[2], strlen(words[1]), counter, pointer(5), argv[1]);
        fprintf(stderr, "%s\n", getenv("HOME") ? "home" : "none");
        return counter == 42 ? 7 : 1;
    }"""
    flags = ["-fPIE"] if kind == "pie" else ["-fno-pic"]
    bench.compile("a.o", source, level, *flags, compiler=compiler)
    bench.link("a", "a.o", is_pie=kind == "pie")
    completed = bench.run("a", "word", HOME="/")
    assert completed.stdout == "1 2 3 4 5 three 3 42 2.50 word\n"
    assert completed.stderr == "home\n"
    assert completed.returncode == 7


POINTERS_LIBRARY = """
int shared_value = 5;
const int constant[3] = {7, 8, 9};
int answer(void) { return shared_value; }
int (*answer_address(void))(void) { return answer; }
int *value_address(void) { return &shared_value; }
"""
POINTERS_MAIN = r"""
#include <stdio.h>
extern int shared_value; extern const int constant[3];
int answer(void); int (*answer_address(void))(void); int *value_address(void);
int (*table[])(void) = {answer};
int *value = &shared_value;
int main(void) {
    shared_value = 6;
    printf("%d %d %d %d %d %d\n", answer(), answer_address() == answer, table[0] == answer,
           value_address() == &shared_value, value == &shared_value, constant[2]);
    return 0;
}"""


@pytest.mark.parametrize("flag", ["-fno-pic", "-fPIE", "-fPIC"])
@pytest.mark.parametrize("is_pie", [False, True])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_variables_and_functions_have_one_address(bench, flag, is_pie, level) -> None:
    if flag == "-fno-pic" and is_pie:
        pytest.skip("such code cannot be position-independent")
    bench.compile("lib.o", POINTERS_LIBRARY, "-fpic")
    bench.shared("libp.so", "lib.o")
    bench.compile("main.o", POINTERS_MAIN, flag, level)
    bench.link("main", "main.o", "./libp.so", is_pie=is_pie)
    assert bench.output("main") == "6 1 1 1 1 9\n"


def test_a_copied_variable_takes_all_its_names(bench) -> None:
    source = r"""
    #include <stdio.h>
    #include <stdlib.h>
    extern char **environ, **__environ;
    int main(void) {
        static char *only[] = {"WHO=me", 0};
        environ = only;
        puts(getenv("WHO"));
        return 0;
    }"""
    bench.compile("a.o", source, "-fno-pic")
    bench.link("a", "a.o", is_pie=False)
    assert bench.output("a") == "me\n"
    symbols = bench.readelf("--dyn-syms", "a")
    assert " environ@" in symbols and " __environ@" in symbols


def test_a_copied_constant_is_read_only_after_relocation(bench) -> None:
    bench.compile("lib.o", POINTERS_LIBRARY, "-fpic")
    bench.shared("libp.so", "lib.o")
    source = "extern int constant[3]; int main(void) { constant[0] = 1; return 0; }"
    bench.compile("main.o", source, "-fno-pic")
    bench.link("main", "main.o", "./libp.so", is_pie=False)
    assert bench.run("main").returncode == -11


def test_initializers_and_finalizers_run_in_their_order(bench) -> None:
    source = r"""
    #include <stdio.h>
    #include <stdlib.h>
    __attribute__((constructor(300))) static void second(void) { puts("second"); }
    __attribute__((constructor(200))) static void first(void) { puts("first"); }
    __attribute__((constructor)) static void third(void) { puts("third"); }
    __attribute__((destructor)) static void last(void) { puts("last"); }
    static void at_exit(void) { puts("atexit"); }
    int main(void) { atexit(at_exit); puts("main"); return 0; }"""
    bench.compile("a.o", source)
    bench.link("a", "a.o")
    assert bench.output("a").split() == ["first", "second", "third", "main", "atexit", "last"]


def test_a_closed_library_runs_what_it_gave_to_atexit(bench) -> None:
    library = r"""
    #include <stdio.h>
    #include <stdlib.h>
    static void bye(void) { puts("library: bye"); }
    __attribute__((constructor)) static void hello(void) { atexit(bye); }"""
    source = r"""
    #include <dlfcn.h>
    #include <stdio.h>
    int main(void) {
        void *library = dlopen("./libbye.so", RTLD_NOW);
        if (!library) { puts(dlerror()); return 1; }
        dlclose(library);
        puts("closed");
        return 0;
    }"""
    bench.compile("lib.o", library, "-fpic")
    bench.shared("libbye.so", "lib.o")
    bench.compile("a.o", source)
    bench.link("a", "a.o")
    assert bench.output("a") == "library: bye\nclosed\n"


@pytest.mark.parametrize("flag", ["-fno-pic", "-fPIE"])
def test_an_undefined_weak_symbol_is_null_unless_a_library_has_it(bench, flag) -> None:
    source = r"""
    #include <stdio.h>
    __attribute__((weak)) int maybe(void); __attribute__((weak)) extern int perhaps;
    int main(void) { printf("%d %d\n", maybe ? maybe() : -1, &perhaps ? perhaps : -1); return 0; }
    """
    bench.compile("a.o", source, flag)
    bench.link("without", "a.o", is_pie=flag == "-fPIE")
    assert bench.output("without") == "-1 -1\n"
    bench.compile("lib.o", "int perhaps = 3; int maybe(void) { return 4; }", "-fpic")
    bench.shared("libmaybe.so", "lib.o")
    bench.link("with", "a.o", "./libmaybe.so", is_pie=flag == "-fPIE")
    assert bench.output("with") == "4 3\n"


def test_the_programs_definition_comes_before_the_librarys(bench) -> None:
    library = """
    #include <stdio.h>
    int level = 1;
    void report(void) { puts("library"); }
    void say(void) { printf("%d ", level); report(); }"""
    source = """
    #include <stdio.h>
    void say(void);
    int level = 2;
    void report(void) { puts("program"); }
    int main(void) { say(); return 0; }"""
    bench.compile("lib.o", library, "-fpic")
    bench.shared("libsay.so", "lib.o")
    bench.compile("a.o", source)
    bench.link("a", "a.o", "./libsay.so")
    assert bench.output("a") == "2 program\n"
    bench.shared("libsay.so", "lib.o", bsymbolic=True)
    assert bench.output("a") == "1 library\n"


def test_hidden_and_protected_symbols_keep_to_their_library(bench) -> None:
    library = """
    __attribute__((visibility("hidden"))) int hidden(void) { return 1; }
    __attribute__((visibility("protected"))) int guarded(void) { return 2; }
    int call_hidden(void) { return hidden(); }
    int call_guarded(void) { return guarded(); }"""
    source = r"""
    #include <stdio.h>
    int call_hidden(void), call_guarded(void);
    int hidden(void) { return 10; } int guarded(void) { return 20; }
    int main(void) { printf("%d %d\n", call_hidden(), call_guarded()); return 0; }"""
    bench.compile("lib.o", library, "-fpic")
    bench.shared("libv.so", "lib.o")
    bench.compile("a.o", source)
    bench.link("a", "a.o", "./libv.so")
    assert bench.output("a") == "1 2\n"
    assert " hidden" not in bench.readelf("--dyn-syms", "libv.so")


def test_export_dynamic_lets_dlsym_find_the_programs_functions(bench) -> None:
    source = r"""
    #include <dlfcn.h>
    #include <stdio.h>
    int mine(void) { return 5; }
    int main(void) {
        int (*found)(void) = dlsym(0, "mine");
        printf("%d\n", found ? found() : -1);
        return 0;
    }"""
    bench.compile("a.o", source)
    bench.link("plain", "a.o")
    bench.link("exporting", "a.o", export_dynamic=True)
    assert bench.output("plain") == "-1\n"
    assert bench.output("exporting") == "5\n"


def test_wrap_stands_between_caller_and_definition(bench) -> None:
    source = r"""
    #include <stdio.h>
    #include <stdlib.h>
    void *__real_malloc(size_t);
    void *__wrap_malloc(size_t n) {
        void *p = __real_malloc(n);
        printf("malloc(%zu)\n", n);
        return p;
    }
    int main(void) { setvbuf(stdout, 0, _IONBF, 0); free(malloc(32)); return 0; }"""
    bench.compile("a.o", source, "-O0", "-fno-builtin")
    bench.link("a", "a.o", wrap=["malloc"])
    assert bench.output("a") == "malloc(32)\n"


def test_start_and_stop_symbols_bound_a_section(bench) -> None:
    source = r"""
    #include <stdio.h>
    extern const int __start_numbers[], __stop_numbers[];
    extern char _end[], _edata[], __bss_start[], _etext[], __executable_start[], end[];
    __attribute__((section("numbers"), used)) static const int a = 1, b = 2, c = 3;
    static int zeros[4];
    int main(void) {
        int sum = 0;
        for (const int *p = __start_numbers; p < __stop_numbers; p++) sum += *p;
        printf("%d %d %d %d %d\n", sum, (char *)zeros >= __bss_start, (char *)zeros < _end,
               (char *)main < _etext && (char *)main > __executable_start, end == _end);
        return 0;
    }"""
    bench.compile("a.o", source)
    bench.link("a", "a.o")
    assert bench.output("a") == "6 1 1 1 1\n"


def test_one_copy_of_a_comdat_group_is_kept(bench) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    header = """
    inline int counter() { static int n = 0; return ++n; }
    template <class T> T twice(T x) { return x + x; }
    """
    one = header + "int one() { return counter() + twice(10); }"
    two = (
        header
        + r"""
    #include <cstdio>
    int one();
    int main() { int a = one(), b = counter(), c = twice(4); std::printf("%d %d %d\n", a, b, c); }
    """
    )
    for level in ("-O0", "-O2"):
        bench.compile("one.o", one, level, compiler="g++")
        bench.compile("two.o", two, level, compiler="g++")
        bench.link("a", "one.o", "two.o")
        assert bench.output("a") == "21 2 8\n"


def test_c_plus_plus_exceptions_unwind_through_program_and_library(bench) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    library = """
    #include <stdexcept>
    #include <string>
    struct Noisy { ~Noisy(); };
    #include <cstdio>
    Noisy::~Noisy() { std::puts("~Noisy"); }
    void fail(int n) { Noisy noisy; throw std::runtime_error("failed " + std::to_string(n)); }"""
    source = """
    #include <cstdio>
    #include <iostream>
    #include <stdexcept>
    void fail(int);
    static std::string greeting = "hello";
    int main() {
        try { fail(3); } catch (const std::exception &e) { std::puts(e.what()); }
        try { throw 42; } catch (int n) { std::cout << greeting << " " << n << std::endl; }
    }"""
    for flags in (["-O0"], ["-O2"]):
        bench.compile("lib.o", library, "-fpic", *flags, compiler="g++")
        bench.compile("a.o", source, *flags, compiler="g++")
        libraries = [Library(":libstdc++.so.6"), Library(":libgcc_s.so.1")]
        bench.shared("libfail.so", "lib.o", *libraries)
        bench.link("a", "a.o", "./libfail.so", *libraries)
        assert bench.output("a") == "~Noisy\nfailed 3\nhello 42\n"


@pytest.mark.parametrize("flag", ["-fno-pic", "-fPIE"])
def test_common_symbols_are_merged_to_the_largest(bench, flag) -> None:
    bench.compile("one.o", "int common[2]; int *one(void) { return common; }", "-fcommon", flag)
    two = r"""
    #include <stdio.h>
    int common[8]; int *one(void);
    int main(void) { common[7] = 3; printf("%d %d\n", one() == common, one()[7]); return 0; }"""
    bench.compile("two.o", two, "-fcommon", flag)
    bench.link("a", "one.o", "two.o", is_pie=flag == "-fPIE")
    assert bench.output("a") == "1 3\n"


def test_archive_members_come_in_when_they_are_needed(bench) -> None:
    bench.compile("used.o", "int helper(void); int used(void) { return helper(); }")
    bench.compile("helper.o", "int helper(void) { return 11; }")
    bench.compile("unused.o", "int nowhere(void); int unused(void) { return nowhere(); }")
    bench.tool("ar", "rcs", "libx.a", "unused.o", "used.o", "helper.o")
    bench.tool("ar", "rcST", "thin.a", "unused.o", "used.o", "helper.o")
    source = r"""
    #include <stdio.h>
    int used(void); int main(void) { printf("%d\n", used()); return 0; }"""
    bench.compile("a.o", source)
    bench.link("a", "a.o", Library("x"), library_path=[str(bench.folder)])
    assert bench.output("a") == "11\n"
    assert "unused" not in bench.readelf("-s", "a")
    bench.link("b", "a.o", "thin.a")
    assert bench.output("b") == "11\n"


def test_a_whole_archive_brings_all_its_members(bench) -> None:
    bench.compile("one.o", "int one(void) { return 1; }", "-fpic")
    bench.compile("two.o", "int two(void) { return 2; }", "-fpic")
    bench.tool("ar", "rcs", "liball.a", "one.o", "two.o")
    whole = Library("all", is_whole=True)
    bench.shared("liball.so", whole, library_path=[str(bench.folder)])
    symbols = bench.readelf("--dyn-syms", "liball.so")
    assert " one\n" in symbols
    assert " two\n" in symbols


def test_a_library_is_found_by_soname_and_runpath(bench) -> None:
    (bench.folder / "lib").mkdir()
    bench.compile("lib.o", "int seven(void) { return 7; }", "-fpic")
    bench.shared("lib/libseven.so.1", "lib.o", soname="libseven.so.1")
    (bench.folder / "lib" / "libseven.so").symlink_to("libseven.so.1")
    bench.compile("a.o", "int seven(void); int main(void) { return seven(); }")
    folder = str(bench.folder / "lib")
    bench.link("a", "a.o", Library("seven"), library_path=[folder], rpath=["$ORIGIN/lib"])
    assert bench.run("a").returncode == 7
    dynamic = bench.readelf("-d", "a")
    assert "Shared library: [libseven.so.1]" in dynamic
    assert "Library runpath: [$ORIGIN/lib]" in dynamic


@pytest.mark.parametrize("is_pie", [False, True])
@pytest.mark.parametrize("z_options", [[], ["now"], ["norelro"], ["now", "norelro"]])
def test_lazy_and_immediate_binding_run_alike(bench, is_pie, z_options) -> None:
    source = '#include <stdio.h>\nint main(void) { puts("bound"); return 0; }'
    bench.compile("a.o", source, "-fPIE" if is_pie else "-fno-pic")
    bench.link("a", "a.o", is_pie=is_pie, z_options=z_options)
    assert bench.output("a") == "bound\n"
    assert ("BIND_NOW" in bench.readelf("-d", "a")) == ("now" in z_options)
    assert ("GNU_RELRO" in bench.readelf("-l", "a")) == ("norelro" not in z_options)


def test_a_program_without_libc_is_static(bench) -> None:
    source = """
    .globl _start
    _start: mov $60, %eax
            lea value(%rip), %rdi
            mov (%rdi), %edi
            syscall
    .data
    value:  .long 9
    """
    bench.compile("a.o", source)
    bench.link("a", "a.o", is_pie=False, nostdlib=True)
    assert bench.run("a").returncode == 9
    assert "INTERP" not in bench.readelf("-l", "a")


def test_aligned_data_is_aligned_in_memory(bench) -> None:
    source = r"""
    #include <stdio.h>
    #include <stdint.h>
    __attribute__((aligned(4096))) int page = 1;
    __attribute__((aligned(16384))) int wide[3];
    __attribute__((aligned(64))) const int line = 2;
    int main(void) {
        uintptr_t p = (uintptr_t)&page, w = (uintptr_t)wide, l = (uintptr_t)&line;
        printf("%d\n", (int)(p % 4096 + w % 16384 + l % 64));
        return 0;
    }"""
    for is_pie in (False, True):
        bench.compile("a.o", source, "-fPIE" if is_pie else "-fno-pic")
        bench.link("a", "a.o", is_pie=is_pie)
        assert bench.output("a") == "0\n"


def test_gdb_shows_symbols_and_unwinds(walkthrough) -> None:
    commands = ["-ex", "break addvec", "-ex", "run", "-ex", "backtrace"]
    shown = walkthrough.tool("gdb", "-batch", "-nx", *commands, "./prog2l").stdout
    assert "in addvec" in shown
    assert "in main" in shown


def test_backtrace_names_the_callers(bench) -> None:
    source = r"""
    #include <execinfo.h>
    #include <stdio.h>
    __attribute__((noinline)) int inner(void) { void *frames[9]; return backtrace(frames, 9); }
    __attribute__((noinline)) int outer(void) { return inner() + 0; }
    int main(void) { printf("%d\n", outer() >= 4); return 0; }"""
    bench.compile("a.o", source, "-O0", "-fomit-frame-pointer")
    bench.link("a", "a.o")
    assert bench.output("a") == "1\n"


def test_an_as_needed_library_without_use_is_dropped(walkthrough) -> None:
    folder = str(walkthrough.folder)
    given = [Library("vector"), Library("m", is_as_needed=True)]
    walkthrough.link("a", "main2.o", *given, library_path=[folder], rpath=[folder])
    dynamic = walkthrough.readelf("-d", "a")
    assert "libvector.so" in dynamic
    assert "libm.so" not in dynamic
    assert walkthrough.output("a") == "z = [4 6]\n"


def test_what_a_library_leaves_undefined_the_program_gives(bench) -> None:
    bench.compile("lib.o", "int given(void); int ask(void) { return given() + 1; }", "-fpic")
    bench.shared("libask.so", "lib.o")
    bench.compile(
        "a.o", "int ask(void); int given(void) { return 4; } int main(void) { return ask(); }"
    )
    bench.link("a", "a.o", "./libask.so")
    assert bench.run("a").returncode == 5


def test_libc_is_found_without_its_development_files(bench) -> None:
    bench.compile(
        "a.o", "#include <math.h>\nint main(int n, char **v) { return (int)cbrt(n * 27); }"
    )
    (bench.folder / "lib").mkdir()
    libm = run_command("gcc", "-print-file-name=libm.so.6").stdout.strip()
    (bench.folder / "lib" / "libmy.so.6").symlink_to(libm)
    bench.link("a", InputFile("a.o"), Library("my"), library_path=[str(bench.folder / "lib")])
    assert bench.run("a").returncode == 3


def test_nested_functions_get_an_executable_stack(bench) -> None:
    source = """
    static int apply(int (*f)(int), int n) { return f(n); }
    int main(int argc, char **argv) {
        int add(int n) { return n + argc; }
        return apply(add, 4);
    }"""
    bench.compile("a.o", source, "-O0")
    bench.link("a", "a.o")
    assert bench.run("a").returncode == 5
    assert "GNU_STACK" in bench.readelf("-l", "a")
    assert " RWE " in bench.readelf("-l", "a")


def test_an_older_libc_is_given_the_initializers(bench) -> None:
    libc = r"""
    #include <unistd.h>
    typedef int Main(int, char **, char **); typedef void Init(int, char **, char **);
    int __libc_start_main(Main *main, int argc, char **argv, Init *init) {
        char **environment = argv + argc + 1;
        init(argc, argv, environment);
        _exit(main(argc, argv, environment));
    }"""
    source = """
    static int sum;
    __attribute__((constructor)) static void one(int argc) { sum += argc; }
    __attribute__((constructor)) static void two(int argc, char **argv) { sum += argv[0] != 0; }
    int main(int argc, char **argv) { return sum * 10 + argc; }"""
    bench.compile("libc.o", libc, "-fpic")
    bench.shared("libold.so", "libc.o")
    bench.compile("a.o", source)
    bench.link("a", "a.o", "./libold.so", Library(":libc.so.6"), nostdlib=True)
    assert bench.run("a", "x", "y").returncode == 43


def test_arithmetic_beyond_the_cpus_comes_from_libgcc(bench) -> None:
    source = """
    volatile unsigned __int128 big = (unsigned __int128)7 << 70;
    int main(void) { return (int)(big / 3 >> 68) + __builtin_cpu_supports("sse2") * 0; }"""
    bench.compile("a.o", source, "-O0")
    bench.link("a", "a.o")
    assert bench.run("a").returncode == 9
    assert "libgcc_s.so.1" in bench.readelf("-d", "a")
    bench.link("b", bench.compile("b.o", "int main(void) { return 3; }"))
    assert "libgcc" not in bench.readelf("-d", "b")


def test_text_relocations_are_made_where_they_are_asked_for(bench) -> None:
    source = """
    .text
    .globl main
    main: mov table(%rip), %rax
          mov (%rax), %eax
          ret
    table: .quad value
    .data
    value: .long 8
    """
    bench.compile("a.o", source)
    bench.link("a", "a.o", z_options=["notext"])
    assert bench.run("a").returncode == 8
    assert "TEXTREL" in bench.readelf("-d", "a")
