"""Thread-local variables in every model, in programs and libraries."""

from __future__ import annotations

import pytest

LIBRARY = r"""
#include <stdio.h>
__thread int from_library = 40;
static __thread int private_first = 2, private_second = 3;
static __thread char zeros[100];
int sum(void) { return from_library + private_first + private_second++ + zeros[99]; }
int *address(void) { return &from_library; }
"""
MAIN = r"""
#include <pthread.h>
#include <stdio.h>
extern __thread int from_library;
__thread int mine = 7;
static __thread long own = 5, second[3];
__thread int aligned __attribute__((aligned(64))) = 1;
int sum(void); int *address(void);
static void *work(void *unused) {
    from_library = 50; mine++; own += 2; second[2] = own;
    printf("%d %d %ld %ld %d %d %d\n", sum(), mine, own, second[2], address() == &from_library,
           (int)((unsigned long)&aligned % 64), aligned);
    return unused;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    pthread_join(thread, 0);
    work(0);
    return 0;
}
"""
EXPECTED = "55 8 7 7 1 0 1\n55 8 7 7 1 0 1\n"


@pytest.mark.parametrize("dialect", ["gnu", "gnu2"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("flags", ["-fno-pic", "-fPIE", "-fPIC", "-fPIC -fno-plt"])
def test_every_model_reaches_the_variables_of_its_thread(bench, dialect, level, flags) -> None:
    words = [level, f"-mtls-dialect={dialect}", *flags.split()]
    library_flags = ["-fPIC", level, f"-mtls-dialect={dialect}"]
    bench.compile("lib.o", LIBRARY, *library_flags)
    bench.shared("libtls.so", "lib.o")
    bench.compile("main.o", MAIN, *words)
    bench.link("main", "main.o", "./libtls.so", is_pie=flags != "-fno-pic")
    assert bench.output("main") == EXPECTED
    kind = "-no-pie" if flags == "-fno-pic" else "-pie"
    bench.tool("gcc", kind, "-o", "by_ld", "main.o", "./libtls.so")
    assert bench.output("by_ld") == EXPECTED


@pytest.mark.parametrize("dialect", ["gnu", "gnu2"])
def test_a_program_made_of_general_code_asks_nobody(bench, dialect) -> None:
    source = MAIN.replace("extern __thread", "__thread").replace("address() ==", "(int *)1 !=")
    source = source.replace("int sum(void); int *address(void);", "int sum(void) { return 55; }")
    bench.compile("main.o", source, "-fPIC", "-O1", f"-mtls-dialect={dialect}")
    bench.link("main", "main.o")
    assert bench.output("main") == EXPECTED
    assert "TLS" in bench.readelf("-l", "main")
    relocations = bench.readelf("-r", "main")
    assert "TPOFF" not in relocations
    assert "DTPMOD" not in relocations
    assert "TLSDESC" not in relocations


def test_initial_exec_in_a_library_marks_static_tls(bench) -> None:
    source = (
        '__attribute__((tls_model("initial-exec"))) __thread int n = 6; int get(void) { return n; }'
    )
    bench.compile("lib.o", source, "-fPIC")
    bench.shared("libie.so", "lib.o")
    assert "STATIC_TLS" in bench.readelf("-d", "libie.so")
    bench.compile("main.o", "int get(void); int main(void) { return get(); }")
    bench.link("main", "main.o", "./libie.so")
    assert bench.run("main").returncode == 6


def test_errno_of_libc_is_reached(bench) -> None:
    source = r"""
    #include <errno.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(void) { close(-1); printf("%d\n", errno == EBADF); return 0; }"""
    bench.compile("main.o", source)
    bench.link("main", "main.o")
    assert bench.output("main") == "1\n"
