"""Sources that were spoiled on purpose, and a process that assembles them within bounds.

    python -m tests.asm.mutants SOURCES FIRST COUNT

SOURCES is a folder of assembly. Seed by seed a source of it is mutated and assembled; the seed is
printed before, so that whoever reads the output knows which one ended the process: a crash, more
than the memory or the time allowed. What is no error of pyldso's own family is printed after it.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pyldso.asm.assembler import assemble_with_warnings
from pyldso.asm.assembly import AsmOptions
from pyldso.asm.encoder import Encoder
from pyldso.asm.line_table import DebugOptions
from pyldso.elf.object_writer import write_object
from pyldso.errors import PyldsoError

MOST_MEMORY = 1 << 30
MOST_SECONDS = 20
_ENCODER_LIFE = 200
"""Inputs after which the encoder, which remembers instructions, is a new one."""

_TOKENS = r"""
0x7fffffffffffffffffffffff|-1|99999999999|0x80000000|-0x8000000000000001|1e999|0f1.5|089|0b2
%rax|%st(1)|%xmm31|%zmm3{%k1}{z}|(|)|[|]|"|'|'a|\|\@|\()|\n|;|#|/*|*/|@|@PLT|@GOTPCREL|@TLSGD|$
1b|1f|99f|.|=|==|{|}|{evex}|*|+|-|~|!|<<|>>|%|&&|,|:|::|<|>|.rept 999|.rept 1000000000|.rept -1
.endr|.irp x,1,2,3|.irpc c,abc|.if 1|.if 0|.else|.elseif 1|.endif|.ifdef x|.ifc a,b|.macro m
.macro m a:req, b=1, c:vararg|.endm|.exitm|.purgem m|.altmacro|m|m 1,2,3|LOCAL x|.org 0xffffffff
.org .-1|.fill 0x7fffffff,8|.fill -1|.skip 1<<40|.skip .-x|.zero -5|.uleb128 .|.sleb128 .-.Lx
.align 0x40000000|.p2align 30|.p2align 63|.balign 3|.cfi_startproc|.cfi_endproc|.cfi_escape 1,2
.cfi_offset 99,99|.cfi_remember_state|.cfi_restore_state|.loc 1 1|.loc 99 1|.loc 1 1 1 view .LV
.file 1 "a"|.file 99999 "x"|.file 0 "d" "f" md5 0x1|.section .a,"axG",@progbits,g,comdat
.section .b,"aMS",@progbits,1|.section|.pushsection .c|.popsection|.previous|.subsection 5
.text 3|.data|.bss|.comm x,8,8|.lcomm y,1<<50|.set x, x+1|.set x, y|.equ y, x|.symver a,b@c
.weak x|.hidden x|.type x,@function|.size x,.-x|.intel_syntax noprefix|.att_syntax
.include "self.s"|.include "cycle.s"|.incbin "data.bin"|.incbin "data.bin",1,99
.string "\777\xfff\q"|.octa 1|.quad x-y|.byte x|.float nan|.reloc 0, R_X86_64_NONE|.end|.err
.error "e"|.print "p"|.abort|lock|rep|rex.W|data16|jmp x|call x@PLT|movabs $x,%rax
lea x(%rip),%rax|nop|ret|vaddps (%rax),%ymm1,%ymm2|mov eax, dword ptr [rax+rbx*4+x]|[rax
offset x|st(0)
"""
TOKENS = [token.replace(r"\n", "\n") for row in _TOKENS.split("\n") for token in row.split("|")]
TOKENS += ["\x00", "\x7f", "\xff", "\u2028", "\xed\xa0\x80"]

Lines = list[str]
Random = random.Random


def _at(choose: Random, lines: Lines) -> int:
    return choose.randrange(len(lines))


def _insert_token(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    place = choose.randrange(len(lines[index]) + 1)
    lines[index] = lines[index][:place] + choose.choice(TOKENS) + lines[index][place:]


def _replace_word(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    words = lines[index].split(" ")
    words[choose.randrange(len(words))] = choose.choice(TOKENS)
    lines[index] = " ".join(words)


def _add_line(choose: Random, lines: Lines) -> None:
    lines.insert(_at(choose, lines), "\t" + choose.choice(TOKENS))


def _change_byte(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    place = choose.randrange(len(lines[index]) + 1)
    lines[index] = lines[index][:place] + chr(choose.randrange(256)) + lines[index][place + 1 :]


def _cut_line(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    lines[index] = lines[index][: choose.randrange(len(lines[index]) + 1)]


def _swap_lines(choose: Random, lines: Lines) -> None:
    one, other = _at(choose, lines), _at(choose, lines)
    lines[one], lines[other] = lines[other], lines[one]


def _swap_tokens(choose: Random, lines: Lines) -> None:
    one, other = _at(choose, lines), _at(choose, lines)
    left, right = lines[one].partition(",")[::2], lines[other].partition(",")[::2]
    lines[one], lines[other] = ",".join((left[0], right[1])), ",".join((right[0], left[1]))


def _repeat_lines(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    part = lines[index : index + choose.randrange(1, 8)]
    lines[index:index] = part * choose.choice((2, 2, 5, 40))


def _drop_lines(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    del lines[index : index + choose.randrange(1, 8)]
    if not lines:
        lines.append("")


def _join_lines(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    lines[index : index + 2] = [choose.choice((";", " ", ",", "\\")).join(lines[index : index + 2])]


def _lengthen_line(choose: Random, lines: Lines) -> None:
    index = _at(choose, lines)
    lines[index] += choose.choice("(-~\\\"'[{,+ax0") * choose.choice((10, 200, 20_000))


def _nest_macros(choose: Random, lines: Lines) -> None:
    depth = choose.choice((3, 8, 30, 300))
    # Two calls each grow beyond any machine, which takes seconds to find: one source in hundreds.
    width = 2 if depth < 30 or choose.random() < 0.01 else 1
    nest = []
    for level in range(depth):
        nest += [f"\t.macro n{level} a", *[f"\tn{level + 1} \\a+1"] * width, "\t.endm"]
    index = _at(choose, lines)
    lines[index:index] = [*nest, f"\t.macro n{depth} a", "\t.byte \\a", "\t.endm", "\tn0 1"]


def _nest_blocks(choose: Random, lines: Lines) -> None:
    index, depth = _at(choose, lines), choose.choice((3, 3, 8, 300))
    opener, closer = choose.choice((("\t.rept 2", "\t.endr"), ("\t.if 1", "\t.endif")))
    lines[index:index] = [opener] * depth + ["\tnop"] + [closer] * choose.choice((depth, depth - 1))


MUTATIONS: tuple[Callable[[Random, Lines], None], ...] = (
    _insert_token, _insert_token, _replace_word, _replace_word, _add_line, _add_line, _change_byte,
    _change_byte, _cut_line, _swap_lines, _swap_tokens, _repeat_lines, _drop_lines, _join_lines,
    _lengthen_line, _nest_macros, _nest_blocks,
)  # fmt: skip


def mutant(sources: list[str], seed: int) -> str:
    """Return a part of a source after some mutations, the same for each seed."""
    choose = Random(seed)
    lines = choose.choice(sources).split("\n")
    start = choose.randrange(len(lines))
    lines = lines[start : start + choose.choice((5, 30, 30, 30, 100, 100, 400))]
    if choose.random() < 0.3:
        lines.insert(0, choose.choice(("\t.intel_syntax noprefix", "\t.altmacro", "\t.data", "x:")))
    for _ in range(choose.randrange(1, 8)):
        choose.choice(MUTATIONS)(choose, lines)
    return "\n".join(lines)


def read_sources(folder: Path) -> list[str]:
    """Return the texts of a folder's sources, in the order of their names."""
    return [path.read_text("utf-8", "replace") for path in sorted(folder.glob("*.s"))]


def main(folder: str, first: int, count: int) -> None:
    """Assemble `count` mutants in a folder where each can include itself."""
    sources = read_sources(Path(folder))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # it ends the process, native code too
    encoder = Encoder()
    for seed in range(first, first + count):
        sys.stdout.write(f"{seed}\n")
        sys.stdout.flush()
        text = mutant(sources, seed)
        Path("self.s").write_text(text, "utf-8", "surrogateescape")
        if seed % _ENCODER_LIFE == 0:
            encoder = Encoder()
        listings: list[str] = []
        options = AsmOptions(
            (),
            (("given", 1),),
            listings.append if seed % 8 == 0 else None,
            debug=DebugOptions(seed % 4 == 1, 2 + seed // 4 % 4),
            listing_kinds="ls",
        )
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        try:
            write_object(assemble_with_warnings(text, "self.s", options, encoder)[0])
        except PyldsoError as error:
            if ": error: " not in error.render():
                print(f"seed {seed}: no error in: {error.render()[:200]}")
        except BaseException:
            print(f"seed {seed}: {traceback.format_exc()}")
        signal.setitimer(signal.ITIMER_PROF, 0)


def write_included(folder: Path) -> None:
    """Put into a folder what mutants include: each other, and data."""
    (folder / "cycle.s").write_text('\t.include "self.s"\n')
    (folder / "data.bin").write_bytes(bytes(64))


if __name__ == "__main__":
    root, start, number = sys.argv[1:]
    write_included(Path(os.curdir))
    main(root, int(start), int(number))
