"""AVX instructions that a program reaches end it; no wrong result is computed."""

import re

import pytest

from pyldso.arch.x86_64.vex import find_unsupported, measure

LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
LINE = re.compile(r"^ +([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t?(\S*)")


def test_lengths_of_instructions_are_those_that_objdump_sees(tool):
    text = tool(
        "objdump", "-d", "-w", "--start-address=0x90000", "--stop-address=0xa8000", LIBC
    ).stdout  # fmt: skip
    count = 0
    for line in text.splitlines()[:-1]:
        found = LINE.match(line)
        if not found or "(bad)" in line or found[3].startswith(("data16", "rex")):
            continue
        code = bytes.fromhex(found[2])
        mnemonic = line.split("\t")[2].split()
        is_avx = any(word.startswith("v") and len(word) > 3 for word in mnemonic[:2])
        count += 1
        length, _, is_supported = measure(code + bytes(15), 0)
        if is_supported:
            assert length == len(code), line
            assert not is_avx, line
        else:
            assert is_avx or mnemonic[0][0] == "k", line
    assert count > 10000


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("4889c5 c3", None),  # mov rbp, rax; ret
        ("c5e9fec3", 0),  # vpaddd xmm0, xmm2, xmm3
        ("90 c5f877", 1),  # nop; vzeroupper
        ("b8c5e9fec3 90", None),  # the bytes stand in an immediate
        ("c4e2f0f2c2 c5f877", 5),  # andn; vzeroupper
        ("62f1fd486fc1", 0),  # vmovdqa64 zmm0, zmm1
        ("c4e3fbf0c005 90", None),  # rorx
    ],
)
def test_unsupported_instruction_is_found_among_bytes(code, place):
    assert find_unsupported(bytes.fromhex(code)) == place


SOURCE = r"""
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) void clear(void) { __asm__ volatile("vzeroupper"); }
int main(int argc, char **argv) {
    puts("before");
    fflush(stdout);
    switch (atoi(argv[1])) {
    case 0:  // those that are right
        printf("%llx\n", (long long)_pext_u64(0x123456789abcdef0, 0xf0f0f0f0f0f0f0f0));
        break;
    case 1: {
        __m128i a = _mm_set1_epi32(argc), b = _mm_set1_epi32(3), sum;
        __asm__ volatile("mov $5, %%eax; vpaddd %1, %2, %0" : "=x"(sum) : "x"(a), "x"(b) : "eax");
        printf("%d\n", _mm_cvtsi128_si32(sum));
        break;
    }
    case 2:
        clear();
        break;
    case 3:
        __asm__ volatile(".byte 0x62, 0xf1, 0xfd, 0x48, 0x6f, 0xc1");
        break;
    case 4:
        for (volatile int i = 0; i < 3000; i++)
            if (i == 2999) __asm__ volatile("vpxor %ymm0, %ymm0, %ymm0");
        break;
    case 5:  // a fault in front of one in the same block
        __asm__ volatile("mov 0, %eax; vzeroupper");
    }
    puts("after");
}
"""


@pytest.fixture(scope="module")
def avx(compile_c):
    return compile_c(SOURCE, "-O1", "-mbmi2")


@pytest.mark.parametrize("kind", ["1", "2", "3", "4"])
@pytest.mark.parametrize("mode", [(), ("--interp",)], ids=["own linker", "real linker"])
def test_avx_instruction_ends_the_program_when_it_is_reached(kind, mode, avx, pyldso):
    ended = pyldso("run", *mode, avx, kind)
    assert (ended.returncode, ended.stdout) == (132, "before\n")
    where = "clear" if kind == "2" else r"main\+0x\w+"
    assert re.search(
        rf"Illegal instruction \(pc 0x5\w+, {where} in \w+\): an AVX instruction", ended.stderr
    )


def test_what_comes_before_an_avx_instruction_comes_first(avx, pyldso):
    assert "Segmentation fault at address 0x0" in pyldso("run", avx, "5").stderr


def test_bmi_instructions_compute_what_the_processor_computes(avx, pyldso):
    assert pyldso("run", avx, "0").stdout == "before\n13579bdf\nafter\n"
