"""Sources that cannot be assembled: every error with its place, a caret and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyldso.asm.assembler import assemble
from pyldso.errors import AsmError, PyldsoError
from pyldso.sources import SourceOptions, read_source


def messages(source: str) -> str:
    with pytest.raises(AsmError) as caught:
        assemble(source, "x.s")
    return caught.value.render()


@pytest.mark.parametrize(
    ("source", "place", "message", "hint"),
    [
        ("\tmovk $1, %eax", "1:2", "unknown instruction `movk'", "did you mean `mov'?"),
        ("\taddq %raxx, %rbx", "1:7", "bad register name `%raxx'", "did you mean `%rax'?"),
        ('\t.string "abc', "1:10", "unterminated string", ""),
        ("\tjmp .Lnone", "1:6", "undefined local label `.Lnone'", ""),
        (".Lloop: jmp .Lloops", "1:13", "undefined local label `.Lloops'", "`.Lloop'?"),
        ("\tjmp 1f", "1:6", "no label `1:' follows `1f'", ""),
        ("\tjmp 1b", "1:6", "no label `1:' stands before `1b'", ""),
        ("a:\n\na:", "3:1", "symbol `a' is already defined", "x.s:1: note: it is defined here"),
        ("\taddl $0x1ffffffff, %eax", "1:7", "does not fit in 32 bits", ""),
        ("\tmovb $300, %al", "1:7", "does not fit in 8 bits", ""),
        ("\tmovl 0x100000000(%rax), %eax", "1:7", "does not fit in 32 bits", ""),
        ("\tmovq (%rax,%rbx,3), %rcx", "1:18", "scale factor `3' is not 1, 2, 4 or 8", ""),
        ("\t.globbl x", "1:2", "unknown directive `.globbl'", "did you mean `.globl'?"),
        ("\tmovl (%rax), (%rbx)", "1:2", "invalid operands for `movl'", "at most one"),
        ("\tmov $1, (%rax)", "1:2", "invalid operands for `mov'", "write `movl'"),
        ("\tmov rax, rbx", "1:2", "invalid operands for `mov'", "%rax"),
        ("\tmov %eax, %rbx", "1:12", "invalid operands for `mov'", "`%eax' has 32 bits, `%rbx' 64"),
        ("\tmovl %eax, %bx", "1:13", "invalid operands for `movl'", "`%bx' has 16 bits, but"),
        ("\taddl $1, $2", "1:2", "invalid operands for `addl'", "cannot be the destination"),
        ("\tpush %eax", "1:7", "invalid operands for `push'", "64 bits"),
        ("\tshl %bl, %eax", "1:6", "invalid operands for `shl'", "a number or %cl"),
        ("\tvaddps %xmm0, %xmm1", "1:2", "invalid operands for `vaddps'", ""),
        ("\tfadd %st(1), %st(2)", "1:2", "invalid operands for `fadd'", ""),
        ("\tmov (%rax,%rsp,2), %ecx", "1:12", "`%rsp' cannot be an index", ""),
        ("\tlock mov %eax, (%rbx)", "1:7", "`mov' cannot follow `lock'", "changes memory"),
        ("\u00b3:\tnop", "1:1", "bad label name `\u00b3'", ""),
        ("\trep mov %eax, %ebx", "1:6", "`mov' cannot follow `rep'", ""),
        ("\trepne call *%rax", "1:8", "`call' cannot follow `repne'", ""),
        ("\t{evex} vaddps %xmm0, %xmm1, %xmm2", "1:2", "`{evex}' is not supported", ""),
        ("\t.globl 5", "1:9", "`5' is no name of a symbol", ""),
        ("\tjmp %rax", "1:6", "must be a label", "write `*%rax'"),
        ("\t.long 1+", "1:8", "expression expected", ""),
        ("\t.long 1/0", "1:2", "division by zero", ""),
        ("\t.long 089", "1:8", "not an octal number", ""),
        ("\t.byte a-b\na:.data\nb:", "1:10", "cannot represent `a - b'", ""),
        ("\t.cfi_startproc", "1:2", "`.cfi_startproc' without `.cfi_endproc'", ""),
        ("\t.cfi_def_cfa_offset 8", "1:2", "without `.cfi_startproc'", ""),
        ("\t.if 1", "1:2", "`.if' without `.endif'", ""),
        ("\t.macro m\n", "1:2", "`.macro' without `.endm'", ""),
        ("\t.rept 1000000000\nnop\n.endr", "3:", "too large", ""),
        ("\t.align 3", "1:9", "not a power of two", ""),
        ("\t.popsection", "1:2", "without `.pushsection'", ""),
        ("\t.bss\n\t.long 5", "", "takes no file space", ""),
        ("\t.set a, a+1\n\t.quad a", "", "symbol definition loop", ""),
        ("/* never closed\n", "1:1", "`/*' without `*/'", ""),
        ("\t.include \"no-such-file\"", "1:12", "no such file", "-I"),
        ("\t.quad foo@nonsense", "1:11", "unknown relocation word `@NONSENSE'", ""),
        ("\tvpaddd %zmm50, %zmm1, %zmm2", "1:9", "bad register name", ""),
        ("\t.section a,\"q\"", "1:14", "unknown section flag `q'", ""),
    ],
)  # fmt: skip
def test_an_error_names_its_place_and_the_way_out(
    source: str, place: str, message: str, hint: str
) -> None:
    text = messages(source)
    assert f"x.s:{place}" in text
    assert message in text
    assert hint in text


def test_all_errors_of_a_file_come_in_order_with_carets() -> None:
    text = messages("\tmovk %eax\nmain:\n\tnop\n\t.long (\nmain:\n")
    lines = text.splitlines()
    assert lines[0] == "x.s:1:2: error: unknown instruction `movk'"
    assert lines[1:3] == ["\tmovk %eax", "\t^"]
    places = [line.split(":")[1] for line in lines if ": error: " in line]
    assert places == ["1", "4", "5"]


def test_macros_that_call_themselves_end_in_an_error() -> None:
    text = messages(".macro m\nm\n.endm\nm\n")
    assert "nested too deeply" in text
    assert "note: in expansion of macro `m'" in text


def test_an_object_called_dot_s_is_named_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.s"
    path.write_bytes(b"\x7fELF\2\1\1" + bytes(9) + b"\1\0\x3e\0")
    with pytest.raises(PyldsoError, match="relocatable object, not source text"):
        read_source(str(path))


def test_a_source_that_is_missing_or_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PyldsoError, match="No such file"):
        read_source(str(tmp_path / "none.s"))
    with pytest.raises(PyldsoError, match="does not tell what the file is"):
        read_source(str(tmp_path / "x.txt"))


def test_c_without_a_compiler_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.c"
    path.write_text("int x;")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(PyldsoError) as caught:
        read_source(str(path), SourceOptions(pic=True))
    assert "no C compiler was found" in caught.value.render()
    assert "set CC" in caught.value.render()
