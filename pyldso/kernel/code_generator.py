"""Lets libunicorn's code generator make faster code, in this process's copy of the library.

Two things that it does for every block of code cost a quarter of the time of a program such as
python3, and no option changes them:

- Every block begins with the call of a helper that looks whether a stop was asked for. Here the
  block looks itself, and where one was it leaves with its own address as the program counter.
- A block goes on to one in another page only through a look-up, because in a whole system that
  address may get other memory. Here an address has the same place in the arena for ever, and what
  is unmapped or no longer executable is taken out of the cache of blocks (memory.py): blocks can
  be chained across pages.

Both are a few instructions in the tested version's build for Linux with glibc. They are replaced
in memory where the bytes are the expected ones; elsewhere nothing changes, and programs are slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyldso.kernel import host
from pyldso.kernel.mmu import PAGE_SIZE
from pyldso.kernel.patches import CALL_RAX, Place, Words, address_word, go, patch

if TYPE_CHECKING:
    from pyldso.kernel.libunicorn import Unicorn

# The code below is entered from translator_loop with the TCGContext in RBP. 0x98f0 is there the
# offset of cpu_env and 0x9970 that of uc; icount_decr, negative where a stop was asked for, lies
# before env and eip in it. A label is kept from a block's begin to its end.
_BEGIN = (
    b"\x53"                                  # push   rbx
    b"\x41\x56"                              # push   r14
    b"\x48\x89\xef"                          # mov    rdi, rbp           the TCGContext
    b"\x48\xb8%(new_label)b\xff\xd0"         # call   new_label
    b"\x48\xa3%(label)b"                     # mov    [label], rax
    b"\x48\x89\xc3"                          # mov    rbx, rax
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\x31\xf6"                              # xor    esi, esi
    b"\x48\xb8%(const_i32)b\xff\xd0"         # call   const_i32
    b"\x4c\x8d\x74\x05\x00"                  # lea    r14, [rbp+rax]
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\xbe\x0d\x00\x00\x00"                  # mov    esi, 0xd           INDEX_op_ld_i32
    b"\x4c\x89\xf2"                          # mov    rdx, r14
    b"\x48\x8b\x8d\xf0\x98\x00\x00"          # mov    rcx, [rbp+0x98f0]  cpu_env
    b"\x48\x01\xe9"                          # add    rcx, rbp
    b"\x49\xc7\xc0\xf0\xff\xff\xff"          # mov    r8, -16            icount_decr
    b"\x48\xb8%(gen_op3)b\xff\xd0"           # call   gen_op3
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\xbe\x02\x00\x00\x00"                  # mov    esi, 0x2           TCG_COND_LT
    b"\x4c\x89\xf2"                          # mov    rdx, r14
    b"\x48\x29\xea"                          # sub    rdx, rbp
    b"\x31\xc9"                              # xor    ecx, ecx
    b"\x49\x89\xd8"                          # mov    r8, rbx
    b"\x48\xb8%(brcondi_i32)b\xff\xd0"       # call   brcondi_i32
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\x4c\x89\xf6"                          # mov    rsi, r14
    b"\x48\xb8%(temp_free)b\xff\xd0"         # call   temp_free
    b"\x41\x5e"                              # pop    r14
    b"\x5b"                                  # pop    rbx
    b"\x48\xb8%(begun)b\xff\xe0"             # jmp    begun
)  # fmt: skip
_FORGET = (
    b"\x31\xc0"                              # xor    eax, eax
    b"\x48\xa3%(label)b"                     # mov    [label], rax
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\x48\x8b\xb5\x70\x99\x00\x00"          # mov    rsi, [rbp+0x9970]
    b"\x48\xb8%(const_i64)b\xff\xe0"         # jmp    const_i64
)  # fmt: skip
_END = (
    b"\x48\xa1%(label)b"                     # mov    rax, [label]
    b"\x48\x85\xc0"                          # test   rax, rax
    b"\x0f\x84\x8f\x00\x00\x00"              # je     none
    b"\x53"                                  # push   rbx
    b"\x41\x54"                              # push   r12
    b"\x80\x08\x01"                          # or     byte [rax], 1      present
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\xbe\x01\x00\x00\x00"                  # mov    esi, 0x1           INDEX_op_set_label
    b"\x48\x89\xc2"                          # mov    rdx, rax
    b"\x48\xb8%(gen_op1)b\xff\xd0"           # call   gen_op1
    b"\x31\xc0"                              # xor    eax, eax
    b"\x48\xa3%(label)b"                     # mov    [label], rax
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\x49\x8b\x36"                          # mov    rsi, [r14]         tb->pc
    b"\x48\xb8%(const_i64)b\xff\xd0"         # call   const_i64
    b"\x48\x8d\x5c\x05\x00"                  # lea    rbx, [rbp+rax]
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\xbe\x4d\x00\x00\x00"                  # mov    esi, 0x4d          INDEX_op_st_i64
    b"\x48\x89\xda"                          # mov    rdx, rbx
    b"\x48\x8b\x8d\xf0\x98\x00\x00"          # mov    rcx, [rbp+0x98f0]  cpu_env
    b"\x48\x01\xe9"                          # add    rcx, rbp
    b"\x41\xb8\x80\x00\x00\x00"              # mov    r8d, 0x80          eip
    b"\x48\xb8%(gen_op3)b\xff\xd0"           # call   gen_op3
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\x48\x89\xde"                          # mov    rsi, rbx
    b"\x48\xb8%(temp_free)b\xff\xd0"         # call   temp_free
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\x31\xf6"                              # xor    esi, esi
    b"\x31\xd2"                              # xor    edx, edx
    b"\x48\xb8%(gen_exit_tb)b\xff\xd0"       # call   gen_exit_tb
    b"\x41\x5c"                              # pop    r12
    b"\x5b"                                  # pop    rbx
                                             # none:
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\x4c\x89\xf6"                          # mov    rsi, r14
    b"\xba\x03\x00\x00\x00"                  # mov    edx, 0x3           as it was
    b"\x48\xb8%(gen_exit_tb)b\xff\xd0"       # call   gen_exit_tb
    b"\x48\xb8%(ended)b\xff\xe0"             # jmp    ended
)  # fmt: skip
_FUNCTIONS = {
    "brcondi_i32": "tcg_gen_brcondi_i32_x86_64",
    "const_i32": "tcg_const_i32_x86_64",
    "const_i64": "tcg_const_i64_x86_64",
    "gen_exit_tb": "tcg_gen_exit_tb_x86_64",
    "gen_op1": "tcg_gen_op1_x86_64",
    "gen_op3": "tcg_gen_op3_x86_64",
    "new_label": "gen_new_label_x86_64",
    "temp_free": "tcg_temp_free_internal_x86_64",
}
# translator_loop, where the call of helper_check_exit_request is generated ...
_CHECK = Place(
    0x225,
    b"\x48\x8b\xb5\x70\x99\x00\x00"          # mov    rsi, [rbp+0x9970]
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\xe8\xac\x2d\xf2\xff"                  # call   tcg_const_i64
)  # fmt: skip
_BEGUN = 0x2C2
"""Behind what generates that call."""
# ... and where it is for a block at which the run ends, which stays as it is
_LAST_CHECK = Place(
    0x6A7,
    b"\x48\x8b\xb5\x70\x99\x00\x00"          # mov    rsi, [rbp+0x9970]
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\xe8\x2a\x29\xf2\xff"                  # call   tcg_const_i64
)  # fmt: skip
# gen_tb_end
_BLOCK_END = Place(
    0x3C6,
    b"\xba\x03\x00\x00\x00"                  # mov    edx, 3
    b"\x4c\x89\xf6"                          # mov    rsi, r14
    b"\x48\x89\xef"                          # mov    rdi, rbp
    b"\xe8\x2a\x6f\xf3\xff"                  # call   tcg_gen_exit_tb
)  # fmt: skip
# gen_jmp_tb, in use_goto_tb: the addresses of both blocks differ in more than the place in a page
_OTHER_PAGE = Place(
    -0x26B9D,
    b"\x48\xf7\xc1\x00\xf0\xff\xff"          # test   rcx, -4096
    b"\x0f\x85\xe0\x00\x00\x00"              # jne    other_page
)  # fmt: skip
# helper_check_exit_request: uc_struct's cpu, and where icount_decr is
_HELPER = Place(
    -0x62AA0,
    b"\x4c\x8b\x87\xb8\x01\x00\x00"          # mov    r8, [rdi+0x1b8]
    b"\x41\x8b\x80\x40\x8a\x00\x00"          # mov    eax, [r8+0x8a40]
    b"\x85\xc0"                              # test   eax, eax
)  # fmt: skip
_PLACES = _CHECK, _LAST_CHECK, _BLOCK_END, _OTHER_PAGE, _HELPER


def improve(unicorn: Unicorn) -> bool:
    """Change the code generator of libunicorn; False where it is not the known build."""
    return patch(unicorn, _PLACES, _make, _FUNCTIONS)


def _make(anchor: int, words: Words) -> Iterator[tuple[Place, bytes]]:
    page = host.place_code(b"", PAGE_SIZE)
    goals = {
        b"label": page + PAGE_SIZE,
        b"begun": anchor + _BEGUN,
        b"ended": anchor + _BLOCK_END.end,
    }
    words = {**words, **{key: address_word(goal) for key, goal in goals.items()}}
    begin, end, forget = (code % words for code in (_BEGIN, _END, _FORGET))
    host.replace_code(page, begin + end + forget)
    yield _CHECK, go(page)
    yield _BLOCK_END, go(page + len(begin))
    yield _LAST_CHECK, go(page + len(begin + end), CALL_RAX)
    yield _OTHER_PAGE, b""
