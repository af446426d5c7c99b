"""Strings that several inputs share stand once in the output."""

from __future__ import annotations

from pathlib import Path


def test_equal_strings_of_two_objects_are_one(bench) -> None:
    one = 'const char *one(void) { return "a string that both of them have"; }'
    two = r"""
    #include <stdio.h>
    #include <wchar.h>
    const char *one(void);
    const char *two(void) { return "a string that both of them have"; }
    const char *table[] = {"first", "a string that both of them have", "last"};
    const wchar_t *wide = L"wide";
    int main(void) {
        printf("%d %s %s %ls %s\n", one() == two(), table[0], table[2], wide, one());
        return 0;
    }"""
    for level in ("-O1", "-O2"):
        bench.compile("one.o", one, level, "-fPIE")
        bench.compile("two.o", two, level, "-fPIE")
        bench.link("a", "one.o", "two.o")
        expected = "1 first last wide a string that both of them have\n"
        assert bench.output("a") == expected
        assert Path("a").read_bytes().count(b"a string that both of them have") == 1


def test_a_reference_into_a_string_keeps_its_place(bench) -> None:
    source = """
    .section .rodata.str1.1,"aMS",@progbits,1
    first:  .string "padding"
    whole:  .string "hello, world"
    .section .rodata.str1.8,"aMS",@progbits,1
    .align 8
    .string "x"
    .align 8
    wide:   .string "aligned"
    .text
    .globl main
    main:   push %rbx
            lea whole+7(%rip), %rdi
            call puts@PLT
            mov table(%rip), %rdi
            call puts@PLT
            lea wide(%rip), %rdi
            test $7, %dil
            jnz 1f
            call puts@PLT
    1:      xor %eax, %eax
            pop %rbx
            ret
    .data
    table:  .quad whole+3
    """
    bench.compile("other.o", '.section .rodata.str1.1,"aMS",@progbits,1\n.string "hello, world"\n')
    bench.compile("a.o", source)
    bench.link("a", "other.o", "a.o")
    assert bench.output("a") == "world\nlo, world\naligned\n"


def test_debugging_information_stays_readable(walkthrough) -> None:
    bench = walkthrough
    library = "void addvec(int *x, int *y, int *z, int n) { z[0] = x[n]; }"
    bench.compile("addvec.o", library, "-g", "-fpic")
    bench.compile("other.o", "int other(int n) { return n + 1; }", "-g", "-fpic")
    bench.shared("libvector.so", "addvec.o", "other.o")
    lines = bench.tool("gdb", "-batch", "-nx", "-ex", "info line other", "libvector.so").stdout
    assert 'Line 1 of "other.c"' in lines
    assert bench.tool("readelf", "--debug-dump=info", "libvector.so").stderr == ""
