"""What mkso makes of assembly: shared objects, and with -c objects for any linker."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyldso.errors import PyldsoError
from pyldso.linker.options import InputFile, LinkOptions
from pyldso.mkso import MksoOptions, mkso

ADDVEC = """
        .text
        .globl  addvec
        .type   addvec, @function
addvec: xorl    %eax, %eax
.Lloop: cmpl    %ecx, %eax
        jge     .Ldone
        movslq  %eax, %r8
        movl    (%rdi,%r8,4), %r9d
        addl    (%rsi,%r8,4), %r9d
        movl    %r9d, (%rdx,%r8,4)
        incl    %eax
        jmp     .Lloop
.Ldone: ret
        .size   addvec, .-addvec
"""
COUNTED = """
        .text
        .globl  count
        .type   count, @function
count:  movq    total@GOTPCREL(%rip), %rax
        incl    (%rax)
        movl    (%rax), %eax
        ret
        .size   count, .-count
        .data
        .globl  total
        .type   total, @object
        .size   total, 4
total:  .long   41
"""


def options(*names: str, **more: object) -> LinkOptions:
    return LinkOptions(inputs=[InputFile(name) for name in names], verify=True, **more)


def test_a_shared_object_is_made_of_sources(bench) -> None:
    Path("addvec.s").write_text(ADDVEC)
    Path("count.s").write_text(COUNTED)
    mkso(MksoOptions(options("addvec.s", "count.s", output="libboth.so")))
    bench.check("libboth.so")
    main = r"""
    #include <stdio.h>
    void addvec(int *, int *, int *, int); int count(void); extern int total;
    int main(void) {
        int x[] = {1, 2}, y[] = {3, 4}, z[2];
        addvec(x, y, z, 2);
        int counted = count();
        printf("%d %d %d %d\n", z[0], z[1], counted, total);
        return 0;
    }"""
    bench.compile("main.o", main)
    bench.tool("gcc", "-o", "by_ld", "main.o", "./libboth.so")
    bench.link("by_us", "main.o", "./libboth.so")
    assert bench.output("by_ld") == bench.output("by_us") == "4 6 42 42\n"


def test_each_source_becomes_an_object_in_the_current_folder(bench) -> None:
    Path("sub").mkdir()
    Path("sub/addvec.s").write_text(ADDVEC)
    Path("count.s").write_text(COUNTED)
    mkso(MksoOptions(options("sub/addvec.s", "count.s"), compile_only=True))
    assert Path("addvec.o").exists()
    bench.tool("gcc", "-shared", "-o", "libboth.so", "addvec.o", "count.o")
    mkso(MksoOptions(options("count.s"), compile_only=True, output="named.o"))
    assert Path("named.o").stat().st_mode & 0o111 == 0


def test_the_errors_of_all_sources_come_together(bench) -> None:
    Path("one.s").write_text("movl %eaz, %ebx\n")
    Path("two.s").write_text("nop\nnosuchthing %eax\n")
    for compile_only in (False, True):
        with pytest.raises(PyldsoError) as caught:
            mkso(MksoOptions(options("one.s", "two.s", output="x.so"), compile_only=compile_only))
        text = caught.value.render()
        assert "one.s:1:" in text
        assert "two.s:2:" in text
        assert not any(Path(name).exists() for name in ("x.so", "one.o", "two.o"))


def test_an_object_is_no_source(bench) -> None:
    bench.compile("a.o", "int a;")
    with pytest.raises(PyldsoError, match="-c takes sources"):
        mkso(MksoOptions(options("a.o"), compile_only=True))


def test_the_options_of_ld_are_those_of_mkso_and_link(bench, pyldso) -> None:
    (bench.folder / "v.map").write_text("V1 { global: f; local: *; };\n")
    (bench.folder / "board.ld").write_text("SECTIONS { }\n")
    bench.compile("f.o", "int g(void) { return 4; } int f(void) { return g(); }", "-fPIC", "-g")
    bench.compile("m.o", "int f(void); int main(void) { return f() - 4; }")
    words = ["-Wl,--version-script=v.map,--compress-debug-sections=zlib,-z,nodelete,--cref"]
    done = pyldso("mkso", "-shared", "--verify", "-o", "libf.so", "f.o", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Cross Reference Table" in done.stdout
    assert "f@@V1" in bench.readelf("--dyn-syms", "libf.so")
    assert "NODELETE" in bench.readelf("-d", "libf.so")
    words = ["-Wl,-q", "-no-pie", "-Ttext=0x500000"]
    done = pyldso("link", "--verify", "-o", "m", "m.o", "./libf.so", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert ".rela.text" in bench.readelf("-S", "m") and "500000" in bench.readelf("-S", "m")
    assert bench.run("m").returncode == 0
    for command in ("mkso", "link"):
        done = pyldso(command, "f.o", "-Wl,-T,board.ld")
        assert "board.ld:1: linker scripts with SECTIONS are not supported" in done.stderr
