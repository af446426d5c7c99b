"""Operands of SSE that are not aligned: the processor says of each instruction what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from processes import Completed

SOURCE = Path(__file__).with_name("alignment.c")
FINE, REFUSED, UNKNOWN = "......", ".BBBBB", "iiiiii"
"""At an aligned address and five others: what ran, and what was a general protection fault."""

STACK = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <xmmintrin.h>
static void handle(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    unsigned char *code = (unsigned char *)registers[REG_RIP];
    printf("%d %d %p, exception %d %d at %02x %02x\n", number, info->si_code, info->si_addr,
           (int)registers[REG_TRAPNO], (int)registers[REG_ERR], code[0], code[1]);
    registers[REG_RIP] += 5;
}
int main(int count, char **arguments) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0), sigaction(SIGBUS, &action, 0);
    __asm__ volatile("push %rax; movaps %xmm0, -64(%rsp); pop %rax");
    __asm__ volatile("push %rax; movaps (%rsp), %xmm0; nop; pop %rax");
    __asm__ volatile("push %rax; movups %xmm0, -64(%rsp); pop %rax");
    fflush(stdout);
    signal(SIGSEGV, SIG_DFL);
    __asm__ volatile("push %rax; movaps %xmm0, -64(%rsp); pop %rax");
}
"""


def _results(output: str) -> dict[str, str]:
    return {line[:4]: line[5:] for line in output.splitlines()}


def test_each_instruction_wants_what_the_processor_wants(
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
) -> None:
    program = compile_c(SOURCE.read_text(), "-O1")
    native = _results(run_native(program)[1].decode())
    own = _results(pyldso("run", program).stdout)
    assert native.keys() == own.keys()
    # Newer processors know more, and libunicorn takes some that none knows.
    common = {key for key in native if UNKNOWN not in (native[key], own[key])}
    assert {key: own[key] for key in common} == {key: native[key] for key in common}
    assert sum(own[key] == REFUSED for key in common) == 167
    assert sum(own[key] == FINE for key in common) > 140


def test_a_stack_that_is_not_aligned_ends_the_program(
    compile_c: Callable[..., str],
    run_native: Callable[..., tuple[int, bytes, bytes]],
    pyldso: Callable[..., Completed],
) -> None:
    # `main` begins with an aligned stack, and so each `push` makes it odd.
    program = compile_c(STACK, "-O1", "-mno-red-zone")
    own = pyldso("run", program)
    assert own.stdout == run_native(program)[1].decode()
    assert own.stdout.count("exception 13 0") == 2
    assert own.returncode == 139
    assert "the address of an SSE operand is no multiple of 16" in own.stderr
