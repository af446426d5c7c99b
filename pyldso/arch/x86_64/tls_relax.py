"""General TLS models to initial-exec and local-exec, in an executable (psABI 11.1.2).

The thread-local block of the executable and of what is loaded with it lies at a fixed distance
from TP: what a library must ask `__tls_get_addr` for, an executable adds to %fs:0. A sequence that
is not one of the psABI's is left as it is, which is slower and as right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyldso.arch.x86_64.relocations import R_X86_64
from pyldso.elf.rela import R_TYPE, Row

TLSGD, TLSLD = int(R_X86_64.TLSGD), int(R_X86_64.TLSLD)
GOTTPOFF, TPOFF32 = int(R_X86_64.GOTTPOFF), int(R_X86_64.TPOFF32)
DTPOFF32 = int(R_X86_64.DTPOFF32)
GOTPC32_TLSDESC = int(R_X86_64.GOTPC32_TLSDESC)
TLSDESC_CALL = int(R_X86_64.TLSDESC_CALL)
NONE = int(R_X86_64.NONE)


class CodeSequence(NamedTuple):
    """A code sequence around the field at r_offset: bytes before it and bytes after it."""

    before: bytes
    after: bytes


GENERAL_DYNAMIC = (
    # data16 lea x@tlsgd(%rip),%rdi;  data16 data16 rex.W call __tls_get_addr@PLT
    CodeSequence(b"\x66\x48\x8d\x3d", b"\x66\x66\x48\xe8"),
    # the same;  data16 rex.W call *__tls_get_addr@GOTPCREL(%rip)
    CodeSequence(b"\x66\x48\x8d\x3d", b"\x66\x48\xff\x15"),
)
LOCAL_DYNAMIC = (
    # lea x@tlsld(%rip),%rdi;  call __tls_get_addr@PLT
    CodeSequence(b"\x48\x8d\x3d", b"\xe8"),
    # the same;  call *__tls_get_addr@GOTPCREL(%rip)
    CodeSequence(b"\x48\x8d\x3d", b"\xff\x15"),
)

MOV_TP_RAX = b"\x64\x48\x8b\x04\x25\0\0\0\0"  # mov %fs:0,%rax
LEA_TPOFF_RAX = b"\x48\x8d\x80"  # lea x@tpoff(%rax),%rax
ADD_GOTTPOFF_RAX = b"\x48\x03\x05"  # add x@gottpoff(%rip),%rax
MOV_TPOFF_RAX = b"\x48\xc7\xc0"  # mov $x@tpoff,%rax
MOV_GOTTPOFF_RAX = b"\x48\x8b\x05"  # mov x@gottpoff(%rip),%rax
LEA_TLSDESC_RAX = b"\x48\x8d\x05"  # lea x@tlsdesc(%rip),%rax
CALL_TLSDESC = b"\xff\x10"  # call *x@tlscall(%rax)
NOP2 = b"\x66\x90"  # xchg %ax,%ax
PREFIX = b"\x66"  # data16, which does nothing here

MOV, ADD = 0x8B, 0x03
REX_W, REX_W_R, REX_W_B = 0x48, 0x4C, 0x49


def relax_tls(content: bytearray, rows: list[Row], is_local: Sequence[bool]) -> list[Row]:
    """Rewrite the TLS sequences of a section in place; return its relocations.

    `is_local` tells for each symbol whether the output defines it.
    """
    relaxed: list[Row] = []
    drops_local_dynamic = all(
        matches(content, row, LOCAL_DYNAMIC) and is_call_at(rows, index, row[0] + 5, row[0] + 6)
        for index, row in enumerate(rows)
        if row[1] & R_TYPE == TLSLD
    )
    skip = False
    for index, row in enumerate(rows):
        if skip:  # the call of __tls_get_addr, which is gone
            skip = False
            continue
        r_offset, r_info, r_addend = row
        r_type = r_info & R_TYPE
        local = is_local[r_info >> 32]
        if r_type == TLSGD and matches(content, row, GENERAL_DYNAMIC):
            if is_call_at(rows, index, r_offset + 8, r_offset + 8):
                row = without_general_dynamic(content, row, local=local)
                skip = True
        elif r_type == TLSLD and drops_local_dynamic:
            row = without_local_dynamic(content, row)
            skip = True
        elif r_type == DTPOFF32 and drops_local_dynamic:
            row = (r_offset, r_info & ~R_TYPE | TPOFF32, r_addend)
        elif r_type == GOTTPOFF and local:
            row = without_initial_exec(content, row)
        elif r_type in (GOTPC32_TLSDESC, TLSDESC_CALL):
            row = without_descriptor(content, row, local=local)
        relaxed.append(row)
    return relaxed


def matches(content: bytearray, row: Row, sequences: tuple[CodeSequence, ...]) -> bool:
    """Tell whether the code around the field is one of the sequences."""
    at = row[0]
    return any(
        at >= len(sequence.before)
        and content[at - len(sequence.before) : at] == sequence.before
        and content[at + 4 : at + 4 + len(sequence.after)] == sequence.after
        and at + 8 + len(sequence.after) <= len(content)
        for sequence in sequences
    )


def is_call_at(rows: list[Row], index: int, *offsets: int) -> bool:
    """Tell whether the relocation after `index` is that of the call in the sequence."""
    return index + 1 < len(rows) and rows[index + 1][0] in offsets


def without_general_dynamic(content: bytearray, row: Row, *, local: bool) -> Row:
    """Make 16 bytes of general-dynamic local-exec, or initial-exec for another file's variable."""
    r_offset, r_info, r_addend = row
    field = r_offset + 8
    content[r_offset - 4 : field] = MOV_TP_RAX + (LEA_TPOFF_RAX if local else ADD_GOTTPOFF_RAX)
    if local:
        return field, r_info & ~R_TYPE | TPOFF32, r_addend + 4
    return field, r_info & ~R_TYPE | GOTTPOFF, r_addend


def without_local_dynamic(content: bytearray, row: Row) -> Row:
    """Make the call for the module's block a load of TP; its variables then count from there."""
    r_offset = row[0]
    start = r_offset - 3
    end = r_offset + (9 if content[r_offset + 4] == 0xE8 else 10)
    content[start:end] = MOV_TP_RAX.rjust(end - start, PREFIX)
    return r_offset, NONE, 0


def without_initial_exec(content: bytearray, row: Row) -> Row:
    """Make a load of the offset from the GOT an immediate operand."""
    r_offset, r_info, r_addend = row
    if r_offset < 3 or r_offset + 4 > len(content):
        return row
    rex, opcode, modrm = content[r_offset - 3 : r_offset]
    if rex not in (REX_W, REX_W_R) or opcode not in (MOV, ADD) or modrm & 0xC7 != 0x05:
        return row
    register = modrm >> 3 & 7
    content[r_offset - 3] = REX_W_B if rex == REX_W_R else REX_W
    content[r_offset - 2] = 0xC7 if opcode == MOV else 0x81  # mov or add $imm32,%reg
    content[r_offset - 1] = 0xC0 | register
    return r_offset, r_info & ~R_TYPE | TPOFF32, r_addend + 4


def without_descriptor(content: bytearray, row: Row, *, local: bool) -> Row:
    """Make one half of a TLS descriptor sequence initial-exec or local-exec."""
    r_offset, r_info, r_addend = row
    if r_info & R_TYPE == TLSDESC_CALL:
        if content[r_offset : r_offset + 2] == CALL_TLSDESC:
            content[r_offset : r_offset + 2] = NOP2
        return r_offset, NONE, 0
    if content[r_offset - 3 : r_offset] != LEA_TLSDESC_RAX:
        return row
    if local:
        content[r_offset - 3 : r_offset] = MOV_TPOFF_RAX
        return r_offset, r_info & ~R_TYPE | TPOFF32, r_addend + 4
    content[r_offset - 3 : r_offset] = MOV_GOTTPOFF_RAX
    return r_offset, r_info & ~R_TYPE | GOTTPOFF, r_addend
