"""libunicorn through ctypes: a machine with registers, runs and hooks; cpu.py makes Linux's of it.

Its own Python binding is not used, because the import alone costs 40 ms.

Small calls go through PyDLL, which keeps the interpreter lock (0.3 instead of 1.7 us a call);
`uc_emu_start` goes through CDLL, which releases it, so that a watcher thread can stop the guest.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Callable
from struct import pack, unpack_from
from typing import Any

from pyldso.arch.x86_64 import registers
from pyldso.errors import PyldsoError
from pyldso.kernel.mmu import PAGE_SIZE

# unicorn.h, 2.1.4
_ARCH_X86, _MODE_64 = 4, 1 << 3
ERR_OK = 0
_HOOK_INTR, _HOOK_INSN, _HOOK_BLOCK, _HOOK_INSN_INVALID, _HOOK_TLB_FILL = 1, 2, 8, 1 << 14, 1 << 17
_HOOK_CODE, _HOOK_MEM_READ, _HOOK_EDGE_GENERATED = 1 << 2, 1 << 10, 1 << 15
_HOOK_MEM_READ_UNMAPPED, _HOOK_MEM_WRITE_UNMAPPED, _HOOK_MEM_FETCH_UNMAPPED = 16, 32, 64
_HOOK_MEM_FETCH_PROT = 512
_INSN_SYSCALL, _INSN_IN, _INSN_OUT = 699, 218, 500
_GDTR_ID = 243
_CTL_TB_REMOVE_CACHE, _CTL_TB_FLUSH, _CTL_TLB_FLUSH, _CTL_TLB_TYPE = 9, 10, 11, 12
_CTL_WRITE = 1 << 30
_TLB_VIRTUAL = 1
_PROT_ALL = 7

_UNICORN_IDS = (
    35, 38, 40, 37, 44, 36, 43, 39, 106, 107, 108, 109, 110, 111, 112, 113,
    41, 253, 250, 251, 249,
)  # fmt: skip
"""libunicorn's register numbers, in the order of arch/x86_64/registers.py."""
_XMM0_ID = 122
_FP0_ID, _FPSW_ID, _FPCW_ID, _FPTAG_ID = 82, 31, 246, 247
_X87_COUNT, _X87_SIZE, _EMPTY = 8, 10, 3
_FLUSH_TLB = ctypes.c_int(_CTL_TLB_FLUSH | _CTL_WRITE)

_POINTER, _INT, _U32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32
_PLAIN = ctypes.CFUNCTYPE(None, _POINTER, _POINTER)
_ON_INTERRUPT = ctypes.CFUNCTYPE(None, _POINTER, _U32, _POINTER)
_ON_INVALID = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER)
_ON_IN = ctypes.CFUNCTYPE(_U32, _POINTER, _U32, _INT, _POINTER)
_ON_OUT = ctypes.CFUNCTYPE(None, _POINTER, _U32, _INT, _U32, _POINTER)
_ON_MEMORY = ctypes.CFUNCTYPE(_INT, _POINTER, _INT, ctypes.c_uint64, _INT, ctypes.c_int64, _POINTER)
MemoryCallback = Callable[[Any, int, int, int, int, Any], int]


class MachineError(PyldsoError):
    """libunicorn is missing or refused something that pyldso relies on."""


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _library_path() -> str:
    found = importlib.util.find_spec("unicorn")
    folder = (found.submodule_search_locations or [""])[0] if found else ""
    path = os.path.join(folder, "lib", "libunicorn.so.2")
    if not folder or not os.path.exists(path):
        raise MachineError("the emulator is not installed: pip install unicorn==2.1.4")
    return path


class Unicorn:
    """An x86-64 machine of libunicorn's."""

    def __init__(self) -> None:
        self._contexts: list[ctypes.c_void_p] = []
        self._callbacks: list[object] = []
        """What hooks call, which must live as long as they."""
        self.path = path = _library_path()
        """The library's file."""
        # RTLD_LAZY: binding the library's symbols at once costs 4 ms.
        loader = ctypes.CDLL(None).dlopen
        loader.restype = ctypes.c_void_p
        handle = loader(os.fsencode(path), ctypes.c_int(os.RTLD_LAZY))
        if not handle:
            raise MachineError(f"cannot load {path}")
        self._library = ctypes.CDLL(path, handle=handle)
        self._quick = ctypes.PyDLL(path, handle=handle)
        self._uc = ctypes.c_void_p()
        self._check(self._library.uc_open(_ARCH_X86, _MODE_64, ctypes.byref(self._uc)), "open")
        self._value = ctypes.c_uint64()
        self._value_pointer = ctypes.byref(self._value)
        self._prepare_batch()
        self._control(_CTL_TLB_TYPE, ctypes.c_int(_TLB_VIRTUAL))
        self.engine_address = self._uc.value or 0
        """The host address of libunicorn's uc_engine."""
        self.stop_address = _address(self._library.uc_emu_stop)
        """The host address of the function that stops it."""

    def close(self) -> None:
        """Give back the machine, which must not be running."""
        self._library.uc_close(self._uc)

    def function_address(self, name: str) -> int:
        """Return the host address of any function that the library exports; raises LookupError."""
        try:
            function = self._library[name]
        except AttributeError:
            raise LookupError(f"libunicorn has no {name}") from None
        return _address(function)

    def _map_physical(self, physical: int, address: int, size: int) -> None:
        """Put host memory into the machine's physical memory."""
        self._check(
            self._quick.uc_mem_map_ptr(
                self._uc,
                ctypes.c_uint64(physical),
                ctypes.c_uint64(size),
                _PROT_ALL,
                ctypes.c_void_p(address),
            ),
            "map memory",
        )

    def _check(self, error: int, what: str) -> None:
        if error != ERR_OK:
            raise MachineError(f"the emulator cannot {what} (libunicorn error {error})")

    def _control(self, control: int, *arguments: Any) -> None:
        request = control | len(arguments) << 26 | _CTL_WRITE
        error = self._quick.uc_ctl(self._uc, ctypes.c_int(request), *arguments)
        self._check(error, f"do control request {control}")

    def _skip_exit_requests(self) -> bool:
        """Set uc_struct's `no_exit_request` byte where its place can be verified.

        libunicorn otherwise calls a helper after every memory access. The byte's offset is read
        from the exported helper's code (mov rsi, [rdi+..]; cmp byte [rsi+offset], 0), and the
        byte must be 0 with `init_done`, which is 1, behind it.
        """
        try:
            helper = self.function_address("check_exit_request_x86_64")
        except LookupError:
            return False
        code = ctypes.string_at(helper, 14)
        if code[:3] != b"\x48\x8b\xb7" or code[7:9] != b"\x80\xbe" or code[13] != 0:
            return False
        (offset,) = unpack_from("<I", code, 9)
        if not 0 < offset < PAGE_SIZE:
            return False
        flags = (ctypes.c_ubyte * 2).from_address(self.engine_address + offset)
        if (flags[0], flags[1]) != (0, 1):
            return False
        flags[0] = 1
        return True

    def _machine_words(self) -> list[int]:
        """Return the first page of uc_struct as numbers."""
        return (ctypes.c_uint64 * (PAGE_SIZE // 8)).from_address(self.engine_address)[:]

    # ---- running -----------------------------------------------------------------------------

    def _run(self, pc: int, until: int) -> int:
        """Run from `pc` to `until` or a stop, and return libunicorn's error number."""
        nothing = ctypes.c_uint64(0)
        error: int = self._library.uc_emu_start(
            self._uc, ctypes.c_uint64(pc), ctypes.c_uint64(until), nothing, nothing
        )
        return error

    def stop(self) -> None:
        """End the run in progress after the current block: asked by a hook."""
        self._library.uc_emu_stop(self._uc)

    def flush_tlb(self) -> None:
        """Forget all cached permissions: needed where some were taken away."""
        self._quick.uc_ctl(self._uc, _FLUSH_TLB)

    def flush_code(self, start: int, end: int) -> None:
        """Forget translated code of the pages of [start, end), which must still be executable."""
        self._control(_CTL_TB_REMOVE_CACHE, ctypes.c_uint64(start), ctypes.c_uint64(end))

    def _flush_all_code(self) -> None:
        """Forget all translated code."""
        self._quick.uc_ctl(self._uc, ctypes.c_int(_CTL_TB_FLUSH | _CTL_WRITE))

    # ---- registers -----------------------------------------------------------------------

    def get(self, register: int) -> int:
        """Return a register of arch/x86_64/registers.py."""
        self._quick.uc_reg_read(self._uc, ctypes.c_int(_UNICORN_IDS[register]), self._value_pointer)
        return self._value.value

    def set(self, register: int, value: int) -> None:
        """Set a register; the value is taken modulo 2**64."""
        self._value.value = value
        self._quick.uc_reg_write(
            self._uc, ctypes.c_int(_UNICORN_IDS[register]), self._value_pointer
        )

    def vector(self, index: int) -> bytes:
        """Return the 16 bytes of an XMM register."""
        value = ctypes.create_string_buffer(16)
        self._quick.uc_reg_read(self._uc, ctypes.c_int(_XMM0_ID + index), value)
        return value.raw

    def set_vector(self, index: int, value: bytes) -> None:
        """Set the 16 bytes of an XMM register."""
        self._quick.uc_reg_write(self._uc, ctypes.c_int(_XMM0_ID + index), value)

    def x87(self) -> tuple[bytes, bytes]:
        """Return the x87's control, status and tags, and its stack, as FXSAVE lays them out.

        Those are 24 and 128 bytes (Intel SDM volume 1, 10.5.1); instruction and data pointers are
        not told.
        """
        control, status, tags = map(self._word, (_FPCW_ID, _FPSW_ID, _FPTAG_ID))
        used = sum(1 << i for i in range(_X87_COUNT) if tags >> 2 * i & 3 != _EMPTY)
        top = status >> 11
        stack = b""
        for index in range(_X87_COUNT):
            value = ctypes.create_string_buffer(16)
            register = ctypes.c_int(_FP0_ID + (top + index) % _X87_COUNT)
            self._quick.uc_reg_read(self._uc, register, value)
            stack += value.raw[:_X87_SIZE] + bytes(6)
        return pack("<HHB19x", control, status, used), stack

    def set_x87(self, head: bytes, stack: bytes) -> None:
        """Set what `x87` returns."""
        control, status, used = unpack_from("<HHB", head)
        top = status >> 11 & 7
        tags = sum(_EMPTY << 2 * i for i in range(_X87_COUNT) if not used >> i & 1)
        for number, value in ((_FPCW_ID, control), (_FPSW_ID, status), (_FPTAG_ID, tags)):
            word = ctypes.c_uint16(value)
            self._quick.uc_reg_write(self._uc, ctypes.c_int(number), ctypes.byref(word))
        for index in range(_X87_COUNT):
            register = ctypes.c_int(_FP0_ID + (top + index) % _X87_COUNT)
            value = stack[16 * index : 16 * index + _X87_SIZE]
            self._quick.uc_reg_write(self._uc, register, value)

    def _word(self, number: int) -> int:
        """Return a register of 16 bits by libunicorn's number."""
        word = ctypes.c_uint16()
        self._quick.uc_reg_read(self._uc, ctypes.c_int(number), ctypes.byref(word))
        return word.value

    def _register_access(self, *names: int) -> tuple[int, ...]:
        """Return what machine code needs: where to read and write registers, and their numbers."""
        functions = self._library.uc_reg_read, self._library.uc_reg_write
        return (*map(_address, functions), *(_UNICORN_IDS[name] for name in names))

    @property
    def pc(self) -> int:
        """The program counter."""
        return self.get(registers.RIP)

    @pc.setter
    def pc(self, value: int) -> None:
        self.set(registers.RIP, value)

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self.get(registers.RSP)

    @sp.setter
    def sp(self, value: int) -> None:
        self.set(registers.RSP, value)

    def syscall_registers(self) -> list[int]:
        """Return the number and the six arguments of the system call at hand."""
        self._read_batch(self._uc, self._batch_ids, self._batch_pointers, self._batch_count)
        return self._batch_values[:]

    def _prepare_batch(self) -> None:
        """Make the persistent arrays for reading a system call's registers in one call."""
        wanted = (registers.RAX, *registers.SYSCALL_ARGUMENTS)
        count = len(wanted)
        self._batch_ids = (ctypes.c_int * count)(*(_UNICORN_IDS[number] for number in wanted))
        self._batch_values = (ctypes.c_uint64 * count)()
        first = ctypes.addressof(self._batch_values)
        self._batch_pointers = (ctypes.c_void_p * count)(*(first + 8 * i for i in range(count)))
        self._batch_count = ctypes.c_int(count)
        self._read_batch = self._quick.uc_reg_read_batch

    def save(self) -> ctypes.c_void_p:
        """Return a copy of all registers, vector registers included, for `restore`."""
        if self._contexts:
            context = self._contexts.pop()
        else:
            context = ctypes.c_void_p()
            self._check(
                self._quick.uc_context_alloc(self._uc, ctypes.byref(context)), "save registers"
            )
        self._quick.uc_context_save(self._uc, context)
        return context

    def restore(self, context: ctypes.c_void_p) -> None:
        """Set all registers to what `save` returned, which is used up."""
        self._quick.uc_context_restore(self._uc, context)
        self._contexts.append(context)

    def _set_gdt(self, base: int, size: int) -> None:
        """Load the register of the global descriptor table (LGDT)."""
        # struct uc_x86_mmr: u16 selector, u64 base, u32 limit, u32 flags
        gdtr = pack("<HxxxxxxQII", 0, base, size - 1, 0)
        self._quick.uc_reg_write(self._uc, ctypes.c_int(_GDTR_ID), gdtr)

    # ---- hooks -----------------------------------------------------------------------------
    #
    # A hook is a function of Python's or, by its address, machine code. What it is given first is
    # the uc_engine, last what `user` says; the docstrings tell what lies between.

    def _hook_syscalls(self, callback: Callable[[Any, Any], None]) -> None:
        self._hook(_HOOK_INSN, _PLAIN(callback), instruction=_INSN_SYSCALL)

    def _hook_exceptions(self, callback: Callable[[Any, int, Any], None]) -> None:
        """Hook exceptions and software interrupts: uint32_t vector."""
        self._hook(_HOOK_INTR, _ON_INTERRUPT(callback))

    def _hook_invalid_instructions(self, callback: Callable[[Any, Any], int]) -> None:
        self._hook(_HOOK_INSN_INVALID, _ON_INVALID(callback))

    def _hook_ports(self, callback: Callable[..., int]) -> None:
        """Hook IN and OUT: uint32_t port, int size, and of OUT uint32_t value."""
        self._hook(_HOOK_INSN, _ON_IN(callback), instruction=_INSN_IN)
        self._hook(_HOOK_INSN, _ON_OUT(callback), instruction=_INSN_OUT)

    def _hook_unmapped(self, callback: MemoryCallback, first: int, last: int) -> None:
        """Hook accesses to physical memory that is not there: kind, address, size, value."""
        kinds = _HOOK_MEM_READ_UNMAPPED | _HOOK_MEM_WRITE_UNMAPPED | _HOOK_MEM_FETCH_UNMAPPED
        self._hook(kinds, _ON_MEMORY(callback), first, last)

    def _hook_reads(self, callback: MemoryCallback, first: int, last: int) -> int:
        """Hook reads of physical memory, as `_hook_unmapped` does; return what `_unhook` takes."""
        return self._hook(_HOOK_MEM_READ, _ON_MEMORY(callback), first, last)

    def _skip_translation_scans(self, last: int) -> None:
        """Spare translation a scan of the TLB, which it makes for blocks that no such hook covers.

        The hook itself never fires.
        """
        self._hook(_HOOK_MEM_FETCH_PROT, _ON_MEMORY(lambda *_: 0), 0, last)

    def _hook_tlb_fill(self, function: int, user: int | None) -> None:
        """Hook misses of the TLB with machine code (see TlbFill)."""
        self._hook(_HOOK_TLB_FILL, ctypes.c_void_p(function), user=user)

    def _hook_new_edges(self, function: int, user: int) -> None:
        """Hook with machine code each block that was translated and is about to run."""
        self._hook(_HOOK_EDGE_GENERATED, ctypes.c_void_p(function), user=user)

    def _hook_blocks(self, function: int, user: int | None = None) -> None:
        """Hook with machine code every run of a block that is translated from now on."""
        self._hook(_HOOK_BLOCK, ctypes.c_void_p(function), user=user)

    def _hook_instruction(self, function: int, address: int) -> None:
        """Hook with machine code the instruction at an address: uint64_t address, uint32_t size."""
        self._hook(_HOOK_CODE, ctypes.c_void_p(function), address, address)

    def _unhook(self, handle: int) -> None:
        self._quick.uc_hook_del(self._uc, ctypes.c_size_t(handle))

    def _hook(
        self,
        kind: int,
        callback: Any,
        low: int = 1,
        high: int = 0,
        instruction: int | None = None,
        user: int | None = None,
    ) -> int:
        """Add a hook and return libunicorn's handle of it."""
        self._callbacks.append(callback)
        handle = ctypes.c_size_t()
        extra = () if instruction is None else (ctypes.c_int(instruction),)
        self._check(
            self._quick.uc_hook_add(
                self._uc,
                ctypes.byref(handle),
                ctypes.c_int(kind),
                callback,
                ctypes.c_void_p(user),
                ctypes.c_uint64(low),
                ctypes.c_uint64(high),
                *extra,
            ),
            f"add hook {kind:#x}",
        )
        return handle.value
