"""The changed code generator: it is in effect, and chained blocks of two pages stay true."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from processes import Completed

from pyldso.kernel import code_generator
from pyldso.kernel.cpu import Cpu
from pyldso.kernel.mmu import Arena

Run = Callable[..., tuple[int, bytes, bytes]]

# The first page jumps to the second, which returns a number.
_PAGES = r"""
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static sigjmp_buf before;
static unsigned char *pages;
static void handle(int number) { siglongjmp(before, number); }
static void put_number(int number) {
    unsigned char code[] = {0xb8, number, 0, 0, 0, 0xc3};     /* mov eax, number; ret */
    memcpy(pages + 4096, code, sizeof code);
}
static int call(void) {
    int number = sigsetjmp(before, 1), result = 0;
    if (number) return -number;
    for (int i = 0; i < 1000; i++) result = ((int (*)(void))pages)();
    return result;
}
int main(void) {
    unsigned char jump[] = {0xe9, 0xfb, 0x0f, 0, 0};          /* jmp pages + 4096 */
    int all = PROT_READ | PROT_WRITE | PROT_EXEC, kind = MAP_PRIVATE | MAP_ANONYMOUS;
    signal(SIGSEGV, handle);
    pages = mmap(0, 8192, all, kind, -1, 0);
    memcpy(pages, jump, sizeof jump);
    put_number(1);
    printf("%d\n", call());
    put_number(2);
    printf("changed: %d\n", call());
    mprotect(pages + 4096, 4096, PROT_READ);
    printf("not executable: %d\n", call());
    mprotect(pages + 4096, 4096, all);
    printf("again: %d\n", call());
    munmap(pages + 4096, 4096);
    printf("gone: %d\n", call());
    mmap(pages + 4096, 4096, all, kind | MAP_FIXED, -1, 0);
    put_number(3);
    printf("new: %d\n", call());
    madvise(pages + 4096, 4096, MADV_DONTNEED);
    put_number(4);
    printf("discarded: %d\n", call());
    unsigned char code[] = {0xb8, 5, 0, 0, 0, 0xc3};
    int ends[2];
    pipe(ends);
    write(ends[1], code, sizeof code);
    read(ends[0], pages + 4096, sizeof code);
    printf("read: %d\n", call());
}
"""

# Two functions in two pages, one of which goes on to the other, under a hail of signals.
_STOPS = r"""
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
static volatile int signals;
static void handle(int number) { signals++; }
long steps(long count);
__asm__(".p2align 12\n steps: xor %eax, %eax\n.Lmore: add $1, %rax\n jmp .Lother\n"
        ".p2align 12\n .Lother: cmp %rdi, %rax\n jne .Lmore\n ret\n");
int main(void) {
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    signal(SIGALRM, handle);
    long wrong = 0;
    setitimer(ITIMER_REAL, &often, 0);
    while (signals < 300) wrong += steps(100000) != 100000;
    setitimer(ITIMER_REAL, &never, 0);
    printf("%ld wrong\n", wrong);
}
"""


def test_the_installed_libunicorn_is_the_known_build() -> None:
    with closing(Cpu(Arena())) as cpu:
        assert code_generator.improve(cpu)


def test_code_behind_a_jump_to_another_page_may_change(
    compile_c: Callable[..., str], run_native: Run, run_guest: Run, run_portable: Run
) -> None:
    program = compile_c(_PAGES)
    assert run_native(program)[:2] == run_guest(program)[:2] == run_portable(program)[:2]


def test_a_loop_over_two_pages_is_stopped_between_instructions(
    compile_c: Callable[..., str], run_guest: Run
) -> None:
    assert run_guest(compile_c(_STOPS))[:2] == (0, b"0 wrong\n")


@pytest.mark.parametrize("options", [(), ("--interp",)], ids=["own", "interp"])
def test_a_loop_over_two_pages_ends_at_the_timeout(
    options: tuple[str, ...], compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    program = compile_c(_STOPS.replace("100000)", "-1)"))
    assert pyldso("run", "--timeout=1", *options, program).returncode == 124
