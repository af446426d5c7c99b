"""x86-64 as the linker sees it: one record."""

from __future__ import annotations

from pyldso.arch.machine import DynamicTypes, Machine, PltFormat
from pyldso.arch.x86_64 import plt
from pyldso.arch.x86_64.relax import RELAXABLE, relax
from pyldso.arch.x86_64.relocations import R_X86_64, RELOCATIONS
from pyldso.arch.x86_64.start import builtin_objects, static_start_object
from pyldso.elf.constants import EM


def thread_pointer(start: int, size: int, alignment: int) -> int:
    """Return where TP points: behind the module's block (Drepper's TLS paper, variant II)."""
    return start + -(-size // alignment) * alignment


MACHINE = Machine(
    number=EM.X86_64,
    word_size=8,
    relocations=RELOCATIONS,
    types=DynamicTypes(
        relative=int(R_X86_64.RELATIVE),
        symbolic=int(R_X86_64.ABS64),
        global_data=int(R_X86_64.GLOB_DAT),
        jump_slot=int(R_X86_64.JUMP_SLOT),
        copy=int(R_X86_64.COPY),
        irelative=int(R_X86_64.IRELATIVE),
        tls_module=int(R_X86_64.DTPMOD64),
        tls_offset=int(R_X86_64.DTPOFF64),
        tls_thread_offset=int(R_X86_64.TPOFF64),
        tls_descriptor=int(R_X86_64.TLSDESC),
    ),
    plt=PltFormat(
        header_size=plt.PLT_HEADER_SIZE,
        entry_size=plt.PLT_ENTRY_SIZE,
        got_entry_size=plt.PLT_GOT_ENTRY_SIZE,
        header=plt.plt_header,
        entry=plt.plt_entry,
        got_entry=plt.plt_got_entry,
        entry_lazy_offset=plt.PLT_ENTRY_LAZY_OFFSET,
    ),
    guarded_plt=PltFormat(
        header_size=plt.PLT_HEADER_SIZE,
        entry_size=plt.PLT_ENTRY_SIZE,
        got_entry_size=plt.IBT_GOT_ENTRY_SIZE,
        header=plt.plt_header,
        entry=plt.ibt_plt_entry,
        got_entry=plt.ibt_got_entry,
        entry_lazy_offset=0,
        has_second=True,
    ),
    relaxable=RELAXABLE,
    relax=relax,
    static_start=static_start_object,
    builtin_objects=builtin_objects,
    thread_pointer=thread_pointer,
)
