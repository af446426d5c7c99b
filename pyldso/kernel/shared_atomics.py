"""Makes the machine's atomic instructions atomic for other processes, too.

libunicorn has one processor: it computes an instruction with `lock` by a load, a change and a
store, loses what another process stores in between, and makes nothing of fences. Its code generator
knows better where it works for parallel processors (QEMU's CF_PARALLEL), but nobody asks it to.
Here slots of libunicorn's GOT do: code in front of one of its functions sets the flag for every
block, and two helpers take the place of their siblings. Four other helpers, those of `xchg`, are
no more than a load and a store in libunicorn, and are mended in place. Of a parallel access to an
odd address, for which QEMU has all other processors stand, libunicorn makes an endless loop: here
it ends the run, and the instruction is computed in the old way.
"""

from __future__ import annotations

import ctypes

from pyldso.kernel import host
from pyldso.kernel.interposition import Interposition
from pyldso.kernel.libunicorn import Unicorn
from pyldso.kernel.mmu import PAGE_SIZE

_FUNC_START, _EXIT_ATOMIC = "tcg_func_start_x86_64", "cpu_loop_exit_atomic_x86_64"
_HELPERS = {
    "helper_cmpxchg8b_unlocked_x86_64": "helper_cmpxchg8b_x86_64",
    "helper_cmpxchg16b_unlocked_x86_64": "helper_cmpxchg16b_x86_64",
}
"""What is chosen by a flag that must not be set, because blocks are looked up by it."""
_GEN_MB = "tcg_gen_mb_x86_64"
"""Makes a fence where the flag is set: its code tells where the flag stands."""

# void tcg_func_start(TCGContext *context): begins every block, after its flags were set.
_FUNC_START_CODE = (
    b"\x80\x4f%(place)b%(flag)b"      # or    byte [rdi+place], flag
    b"\x48\xb8%(func_start)b"         # mov   rax, tcg_func_start
    b"\xff\xe0"                       # jmp   rax
)  # fmt: skip
# void cpu_loop_exit_atomic(CPUState *cpu, uintptr_t place): leaves a block, with exact registers.
_EXIT_ATOMIC_CODE = (
    b"\x57"                           # push  rdi
    b"\x56"                           # push  rsi
    b"\x50"                           # push  rax                   aligns the stack
    b"\xc6\x05\xd6\x0f\x00\x00\x01"   # mov   byte [rip+0xfd6], 1   the first behind the page
    b"\x48\xbf%(machine)b"            # mov   rdi, machine
    b"\x48\xb8%(stop)b"               # mov   rax, uc_emu_stop
    b"\xff\xd0"                       # call  rax
    b"\x58"                           # pop   rax
    b"\x5e"                           # pop   rsi
    b"\x5f"                           # pop   rdi
    b"\x48\xb8%(exit_atomic)b"        # mov   rax, cpu_loop_exit_atomic
    b"\xff\xe0"                       # jmp   rax
)  # fmt: skip
_EXIT_ATOMIC_OFFSET = 0x20

_EXCHANGES = {
    "helper_atomic_xchgb_x86_64": (
        b"\x0f\xb6\x10"              # movzx edx, byte [rax]
        b"\x88\x18"                  # mov   [rax], bl
        b"\x5b"                      # pop   rbx
        b"\x0f\xb6\xc2"              # movzx eax, dl
        b"\xc3",                     # ret
        b"\x86\x18"                  # xchg  [rax], bl
        b"\x0f\xb6\xc3"              # movzx eax, bl
        b"\x5b"                      # pop   rbx
        b"\xc3",                     # ret
    ),
    "helper_atomic_xchgw_le_x86_64": (
        b"\x0f\xb7\x10"              # movzx edx, word [rax]
        b"\x66\x89\x18"              # mov   [rax], bx
        b"\x5b"                      # pop   rbx
        b"\x0f\xb7\xc2"              # movzx eax, dx
        b"\xc3",                     # ret
        b"\x66\x87\x18"              # xchg  [rax], bx
        b"\x0f\xb7\xc3"              # movzx eax, bx
        b"\x5b"                      # pop   rbx
        b"\xc3",                     # ret
    ),
    "helper_atomic_xchgl_le_x86_64": (
        b"\x44\x8b\x00"              # mov   r8d, [rax]
        b"\x89\x18"                  # mov   [rax], ebx
        b"\x5b"                      # pop   rbx
        b"\x44\x89\xc0"              # mov   eax, r8d
        b"\xc3",                     # ret
        b"\x87\x18"                  # xchg  [rax], ebx
        b"\x89\xd8"                  # mov   eax, ebx
        b"\x5b"                      # pop   rbx
        b"\xc3",                     # ret
    ),
    "helper_atomic_xchgq_le_x86_64": (
        b"\x4c\x8b\x00"              # mov   r8, [rax]
        b"\x48\x89\x18"              # mov   [rax], rbx
        b"\x5b"                      # pop   rbx
        b"\x4c\x89\xc0"              # mov   rax, r8
        b"\xc3",                     # ret
        b"\x48\x87\x18"              # xchg  [rax], rbx
        b"\x48\x89\xd8"              # mov   rax, rbx
        b"\x5b"                      # pop   rbx
        b"\xc3",                     # ret
    ),
}  # fmt: skip
"""How these functions end, and how they should."""
_EXCHANGE_SIZE = 32


class SharedAtomics:
    """Atomic instructions that hold for all processes, in what is translated from `begin` on.

    Raises LookupError where libunicorn is not the one that this knows, OSError and ElfFormatError.
    """

    def __init__(self, unicorn: Unicorn) -> None:
        address = unicorn.function_address
        slots = {name: address(name) for name in (_FUNC_START, _EXIT_ATOMIC, *_HELPERS)}
        place, flag = _parallel_flag(address(_GEN_MB))
        for name, (wrong, right) in _EXCHANGES.items():
            _mend(address(name), wrong, right)
        self._interposition = Interposition(unicorn.path, slots)
        code = _FUNC_START_CODE % {
            b"place": place,
            b"flag": flag,
            b"func_start": slots[_FUNC_START].to_bytes(8, "little"),
        }
        code = code.ljust(_EXIT_ATOMIC_OFFSET, b"\0") + _EXIT_ATOMIC_CODE % {
            b"machine": unicorn.engine_address.to_bytes(8, "little"),
            b"stop": unicorn.stop_address.to_bytes(8, "little"),
            b"exit_atomic": slots[_EXIT_ATOMIC].to_bytes(8, "little"),
        }
        self._page = host.place_code(code, PAGE_SIZE)
        self._has_given_up = ctypes.c_ubyte.from_address(self._page + PAGE_SIZE)
        self._substitutes = {name: address(other) for name, other in _HELPERS.items()}
        self._substitutes[_FUNC_START] = self._page
        self._substitutes[_EXIT_ATOMIC] = self._page + _EXIT_ATOMIC_OFFSET

    def begin(self) -> None:
        """Let blocks be translated so; raises OSError."""
        self._interposition.begin(self._substitutes)

    def end(self) -> None:
        """Let blocks be translated as before."""
        self._interposition.end()

    def take_given_up(self) -> bool:
        """Tell whether the run has ended before an instruction that cannot be computed so."""
        given_up = bool(self._has_given_up.value)
        self._has_given_up.value = 0
        return given_up

    def close(self) -> None:
        """Give back the code's page, and leave libunicorn as it was."""
        self.end()
        host.unmap_memory(self._page, 2 * PAGE_SIZE)


def _parallel_flag(gen_mb: int) -> tuple[bytes, bytes]:
    """Return the offset in TCGContext of the byte with CF_PARALLEL, and its bit.

    They stand in the first instruction of a function, test byte [rdi+offset], bit.
    """
    code = ctypes.string_at(gen_mb, 4)
    if code[:2] != b"\xf6\x47" or code[3].bit_count() != 1:
        raise LookupError("libunicorn has another tcg_gen_mb")
    return code[2:3], code[3:4]


def _mend(function: int, wrong: bytes, right: bytes) -> None:
    """Change code of a function for good; raises OSError, and LookupError where it is not there."""
    code = ctypes.string_at(function, _EXCHANGE_SIZE)
    if right in code:
        return
    at = code.find(wrong)
    if at < 0:
        raise LookupError("libunicorn has another xchg")
    host.replace_code(function + at, right)
