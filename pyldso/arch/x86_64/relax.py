"""Shorter ways that a linker may take when it knows the target.

GOT loads of local symbols become direct (psABI B.2), and in an executable the general TLS models
become initial-exec or local-exec (psABI 11.1, Drepper's TLS paper, 5.5).
"""

from __future__ import annotations

from collections.abc import Sequence

from pyldso.arch.machine import OutputKind
from pyldso.arch.x86_64.relocations import R_X86_64
from pyldso.elf.records import Buffer
from pyldso.elf.rela import R_TYPE, RelaTable, Row

LOCAL = 1
"""Column.LOCAL of the linker: bound inside the output, at a distance that is known."""

MOV, LEA = 0x8B, 0x8D
GROUP_5 = 0xFF
CALL_MODRM, JMP_MODRM = 0x15, 0x25

PC32 = int(R_X86_64.PC32)
GOT_LOADS = frozenset((int(R_X86_64.GOTPCRELX), int(R_X86_64.REX_GOTPCRELX)))

TLS_RELAXABLE = frozenset(
    int(number)
    for number in (
        R_X86_64.TLSGD,
        R_X86_64.TLSLD,
        R_X86_64.GOTTPOFF,
        R_X86_64.DTPOFF32,
        R_X86_64.GOTPC32_TLSDESC,
        R_X86_64.TLSDESC_CALL,
    )
)
RELAXABLE = TLS_RELAXABLE | GOT_LOADS


def relax(
    data: Buffer, table: RelaTable, columns: Sequence[int], output: OutputKind
) -> tuple[Buffer, RelaTable]:
    """Return a section's content and relocations with the shorter ways taken.

    `columns` tells for each symbol of the object what it is (the linker's Column).
    """
    content = bytearray(data)
    if not output.is_shared and not TLS_RELAXABLE.isdisjoint(table.types):
        # most objects have no thread-local variables
        from pyldso.arch.x86_64.tls_relax import relax_tls

        rows = relax_tls(content, list(table), [column == LOCAL for column in columns])
        table = RelaTable.of(rows)
    if not output.avoids_got:
        return content, table
    direct: dict[int, Row] = {}
    for index, row in enumerate(table):
        if row[1] & R_TYPE in GOT_LOADS and columns[row[1] >> 32] == LOCAL:
            direct[index] = without_got(content, row)
    return content, table.replaced(direct)


def without_got(content: bytearray, row: Row) -> Row:
    """Rewrite one instruction where its form allows; return the relocation that it has then."""
    r_offset, r_info, r_addend = row
    if not 2 <= r_offset <= len(content) - 4 or r_addend != -4:
        return row
    opcode, modrm = content[r_offset - 2], content[r_offset - 1]
    direct = r_info & ~R_TYPE | PC32
    if opcode == MOV:
        # mov foo@GOTPCREL(%rip),%reg  ->  lea foo(%rip),%reg
        content[r_offset - 2] = LEA
        return r_offset, direct, r_addend
    if opcode == GROUP_5 and modrm == CALL_MODRM:
        # call *foo@GOTPCREL(%rip)  ->  addr32 call foo
        content[r_offset - 2 : r_offset] = b"\x67\xe8"
        return r_offset, direct, r_addend
    if opcode == GROUP_5 and modrm == JMP_MODRM:
        # jmp *foo@GOTPCREL(%rip)  ->  jmp foo; nop
        content[r_offset - 2] = 0xE9
        content[r_offset + 3] = 0x90
        return r_offset - 1, direct, r_addend
    return row
