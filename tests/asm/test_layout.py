"""Branches and alignments of large sources are laid out as GNU as lays them out."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.asm.compare import differences, gnu_object, our_object


@pytest.mark.parametrize("seed", range(6))
def test_branches_that_pass_alignments_get_the_sizes_of_gnu_as(
    seed: int, tmp_path: Path, gnu_as: str
) -> None:
    choose = random.Random(seed)
    lines = [".text", ".globl g", "g:"]
    count = 600
    for number in range(count):
        lines.append(f".L{number}:")
        kind = choose.randrange(8)
        if kind < 5:
            reach = choose.choice((6, 20, 28, 32, 36, 60))
            target = min(max(number + choose.randint(-reach, reach), 0), count - 1)
            lines.append(f"\t{choose.choice(('jmp', 'je', 'jle'))} .L{target}")
        elif kind == 5:
            lines.append(f"\t.p2align {choose.randint(1, 5)}{choose.choice(('', ',,7', ',,10'))}")
        else:
            lines.append("\tmovq $1, 0x100(%rax)\n" * choose.randint(1, 3) + "\tnop")
    source = tmp_path / "branches.s"
    source.write_text("\n".join(lines) + "\n")
    assert differences(our_object(source), gnu_object(source, gnu_as)) == []


def test_a_chain_of_branches_where_each_makes_the_one_before_it_grow_settles(
    tmp_path: Path, gnu_as: str
) -> None:
    # Each branch reaches just over the next one, so that they grow one pass after the other.
    count = 200
    lines = [".text"]
    for number in range(count):
        lines += [f"\tjmp .L{number}", "\t.skip 124", f"\tjmp .L{number + 1}", f".L{number}:"]
    lines += ["\t.skip 130", f".L{count}:", "\tret"]
    source = tmp_path / "chain.s"
    source.write_text("\n".join(lines) + "\n")
    assert differences(our_object(source), gnu_object(source, gnu_as)) == []
