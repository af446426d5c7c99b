"""The emulated processor: the only file that knows libunicorn.

libunicorn is called through ctypes rather than through its Python binding, whose import alone
costs 40 ms. Its soft TLB runs in UC_TLB_VIRTUAL mode with a fill hook, so that the permission
bytes of the arena (mmu.py) are the page table: exact permissions, and stores on the fast path.

Small calls go through PyDLL, which keeps the interpreter lock (0.3 instead of 1.7 us a call);
`uc_emu_start` goes through CDLL, which releases it, so that a watcher thread can stop the guest.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import pack, unpack_from
from typing import TYPE_CHECKING, Any, NamedTuple

from pyldso.arch.x86_64 import registers
from pyldso.errors import PyldsoError
from pyldso.kernel import host
from pyldso.kernel.bus_guard import BusGuard
from pyldso.kernel.mmu import (
    ADDRESS_BITS,
    EXECUTE,
    MAPPED,
    PAGE_MASK,
    PAGE_SIZE,
    READ,
    WRITE,
    Arena,
)
from pyldso.kernel.signal_intake import SignalIntake
from pyldso.kernel.tlb_fill import ARENA_PHYSICAL, TlbFill
from pyldso.kernel.vex_guard import VexGuard

if TYPE_CHECKING:
    from pyldso.kernel.block_stop import BlockStop

# unicorn.h, 2.1.4
_ARCH_X86, _MODE_64 = 4, 1 << 3
_ERR_OK = 0
_HOOK_INTR, _HOOK_INSN, _HOOK_BLOCK, _HOOK_INSN_INVALID, _HOOK_TLB_FILL = 1, 2, 8, 1 << 14, 1 << 17
_HOOK_MEM_READ, _HOOK_EDGE_GENERATED = 1 << 10, 1 << 15
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

_BAD_PHYSICAL = 1 << 50
"""Physical memory that does not exist: a refused access is sent here (the portable way)."""
_BAD_SIZE = 1 << 40

# As in Linux's arch/x86/include/asm/segment.h
_DESCRIPTORS = (
    0,
    0,
    0x00AF9B000000FFFF,  # kernel code
    0x00CF93000000FFFF,  # kernel data
    0,
    0x00CFF3000000FFFF,  # user data
    0x00AFFB000000FFFF,  # user code, 64 bits
)
_USER_CS, _USER_DS = 0x33, 0x2B
_USER_RFLAGS = 0x202
_FNINIT, _LDMXCSR_RAX, _IRETQ = b"\xdb\xe3", b"\x0f\xae\x10", b"\x48\xcf"
_TO_USER_MODE = _FNINIT + _LDMXCSR_RAX + _IRETQ
_SCRATCH_PAGE = 0x7FFFFFFFF000
"""The last page below the hole in the address space: Linux maps nothing there (TASK_SIZE)."""
_ODD_ADDRESS = 0x5B1D_7E57_0DD5_0BAD
"""Not canonical, so never mapped; an address like no other."""

DIVIDE_ERROR, DEBUG, BREAKPOINT, INVALID_OPCODE, GENERAL_PROTECTION = 0, 1, 3, 6, 13
STACK_FAULT, PAGE_FAULT, X87_ERROR, ALIGNMENT_CHECK, SIMD_ERROR = 12, 14, 16, 17, 19
"""Exception vectors (Intel SDM volume 3, table 6-1)."""


_NO_AVX = "an AVX instruction, which the emulated processor (x86-64-v2) does not have"


class Fault(NamedTuple):
    """A processor exception that ended a run: its vector, and of a page fault the access."""

    vector: int
    address: int | None = None
    access: int = 0
    """READ, WRITE or EXECUTE."""
    reason: str = ""


class MachineError(PyldsoError):
    """libunicorn is missing or refused something that pyldso relies on."""


def _library_path() -> str:
    found = importlib.util.find_spec("unicorn")
    folder = (found.submodule_search_locations or [""])[0] if found else ""
    path = os.path.join(folder, "lib", "libunicorn.so.2")
    if not folder or not os.path.exists(path):
        raise MachineError("the emulator is not installed: pip install unicorn==2.1.4")
    return path


class Cpu:
    """One x86-64 processor over an arena.

    `on_syscall` is called at every `syscall` instruction, with RIP on the instruction.
    `resolve_page_fault(address, access)` is asked before a refused access becomes a fault: it
    returns true when it has made the page accessible (a stack that grows, a file that has grown).
    """

    def __init__(self, arena: Arena, *, force_portable: bool = False) -> None:
        self._arena = arena
        self.on_syscall: Callable[[], None] = lambda: None
        self.resolve_page_fault: Callable[[int, int], bool] = lambda address, access: False
        self._fault: Fault | None = None
        self._hook_error: BaseException | None = None
        self._refused: tuple[int, int] | None = None
        self._address_field: int | None = None
        self._unsupported: int | None = None
        self._block_stop: BlockStop | None = None
        self._guard = VexGuard(arena, self._on_unsupported)
        self._contexts: list[ctypes.c_void_p] = []
        self._callbacks: list[object] = []

        path = _library_path()
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
        self._check(
            self._quick.uc_mem_map_ptr(
                self._uc,
                ctypes.c_uint64(ARENA_PHYSICAL),
                ctypes.c_uint64(arena.size),
                _PROT_ALL,
                ctypes.c_void_p(arena.base),
            ),
            "map the arena",
        )
        self.has_quick_exits = not force_portable and self._skip_exit_requests()
        self._fill = TlbFill(
            arena, self._retry_fault, self._refuse, self.flush_tlb, force_portable=force_portable
        )
        self._add_hooks()
        machine, stop_address = self._uc.value or 0, self._stop_address()
        self._bus_guard = BusGuard(arena, machine, stop_address)
        self.signal_intake = SignalIntake(machine, stop_address, self._bus_guard.handler)
        self._enter_user_mode()

    # ---- running -------------------------------------------------------------------------

    def start(self, pc: int, until: int) -> Fault | None:
        """Run from `pc` until `stop`, a fault (returned), or `until` is reached.

        `until` must be executable and not begin its page: libunicorn makes an empty block for it
        that reaches back one byte, and a fault of that would hide the guest's own. Raises what
        `on_syscall` raised.
        """
        self._fault = self._refused = None
        self._unsupported = self._guard.place_at_entry(pc)
        error = _ERR_OK
        if self._unsupported is None:
            error = self._emulate(pc, until)
            pc = self.pc
        if self._unsupported is not None and self._hook_error is None:
            error = self._run_before_unsupported(pc, self._unsupported)
        if self._hook_error is not None:
            raised, self._hook_error = self._hook_error, None
            raise raised
        gone = self._bus_guard.take()
        if gone is not None and self._fault is None:
            self.flush_tlb()
            return Fault(PAGE_FAULT, gone, READ)
        if self._fault is None and self._refused is not None and error != _ERR_OK:
            # In the quick way a refused access ends here; its page is known from the fill hook.
            page, access = self._refused
            return Fault(PAGE_FAULT, self._exact_address(page), access)
        if self._fault is None and error != _ERR_OK:
            raise MachineError(f"the emulator stopped at {self.pc:#x} (libunicorn error {error})")
        return self._fault

    def _emulate(self, pc: int, until: int) -> int:
        """Run libunicorn and return its error number."""
        if self._block_stop is not None:
            self._block_stop.forget()
        nothing = ctypes.c_uint64(0)
        error: int = self._library.uc_emu_start(
            self._uc, ctypes.c_uint64(pc), ctypes.c_uint64(until), nothing, nothing
        )
        return error

    def _run_before_unsupported(self, pc: int, place: int) -> int:
        """Run from `pc` straight to an unsupported instruction, which is the fault then."""
        error = _ERR_OK
        if pc == place:
            self.pc = pc
        else:
            error = self._emulate(pc, place)
        if error == _ERR_OK and self._fault is None and self.pc == place:
            self._fault = Fault(INVALID_OPCODE, reason=_NO_AVX)
        return error

    def _on_unsupported(self, block: int, end: int, place: int) -> None:
        """Give up a block that was translated wrongly and has not run yet."""
        self._unsupported = place
        self.flush_code(block, end)
        self.stop()

    def stop(self) -> None:
        """End the run in progress after the current block: asked by a hook."""
        self._library.uc_emu_stop(self._uc)

    def interrupt(self) -> None:
        """End the run in progress between two instructions; callable from any thread.

        Nothing happens where none is in progress. Exact after `make_interrupts_exact`.
        """
        if self._block_stop is not None:
            self._block_stop.ask()
        else:
            self._library.uc_emu_stop(self._uc)

    def make_interrupts_exact(self) -> None:
        """Let the run go on after `interrupt` as if nothing had been; the machine must stand."""
        if self.has_quick_exits or self._block_stop is not None:
            return  # libunicorn's own way is exact
        from pyldso.kernel.block_stop import BlockStop  # start-up: seldom needed

        self._block_stop = BlockStop(self._stop_address())
        self._hook(_HOOK_BLOCK, ctypes.c_void_p(self._block_stop.function))
        self._quick.uc_ctl(self._uc, ctypes.c_int(_CTL_TB_FLUSH | _CTL_WRITE))

    def count_instructions(self, counter_address: int) -> None:
        """Take what runs from the 64-bit number at a host address, and stop when it is negative.

        Holds for code that is translated from now on.
        """
        from pyldso.kernel.block_counter import (
            BlockCounter,
        )  # start-up: only where there is a limit

        counter = BlockCounter(self._arena, counter_address, self.stop, self._stop_address())
        self._callbacks.append(counter)
        self._hook(_HOOK_BLOCK, ctypes.c_void_p(counter.function), user=counter.table)

    def _stop_address(self) -> int:
        return ctypes.cast(self._library.uc_emu_stop, ctypes.c_void_p).value or 0

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

    def close(self) -> None:
        """Give back libunicorn's machine, which must not be running."""
        self._library.uc_close(self._uc)
        if self._block_stop is not None:
            self._block_stop.close()
        self._fill.close()
        self._guard.close()
        self._bus_guard.close()
        self.signal_intake.close()

    # ---- memory --------------------------------------------------------------------------

    def flush_tlb(self) -> None:
        """Forget all cached permissions: needed where some were taken away."""
        self._quick.uc_ctl(self._uc, _FLUSH_TLB)

    def flush_code(self, start: int, end: int) -> None:
        """Forget translated code of the pages of [start, end), which must still be executable."""
        self._control(_CTL_TB_REMOVE_CACHE, ctypes.c_uint64(start), ctypes.c_uint64(end))

    def watch_reads(self, start: int, length: int, on_read: Callable[[int], None]) -> int:
        """Call `on_read(address)` for every read within a range and return a handle to `unwatch`.

        Code translated while a watch is on stays on the slow path: for short probes only.
        """
        physical = ARENA_PHYSICAL + self._arena.offset(start)

        def hook(_uc: Any, _kind: int, address: int, _size: int, _value: int, _user: Any) -> int:
            on_read(start + address - physical)
            return 1

        kind = ctypes.CFUNCTYPE(
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_uint64,
            ctypes.c_int,
            ctypes.c_int64,
            ctypes.c_void_p,
        )
        return self._hook(_HOOK_MEM_READ, kind(hook), physical, physical + length - 1)

    def unwatch(self, handle: int) -> None:
        """End a watch."""
        self._quick.uc_hook_del(self._uc, ctypes.c_size_t(handle))

    # ---- setting up ----------------------------------------------------------------------

    def _check(self, error: int, what: str) -> None:
        if error != _ERR_OK:
            raise MachineError(f"the emulator cannot {what} (libunicorn error {error})")

    def _control(self, control: int, *arguments: Any) -> None:
        request = control | len(arguments) << 26 | _CTL_WRITE
        error = self._quick.uc_ctl(self._uc, ctypes.c_int(request), *arguments)
        self._check(error, f"do control request {control}")

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

    def _skip_exit_requests(self) -> bool:
        """Set uc_struct's `no_exit_request` byte where its place can be verified.

        libunicorn otherwise calls a helper after every memory access. The byte's offset is read
        from the exported helper's code (mov rsi, [rdi+..]; cmp byte [rsi+offset], 0), and the
        byte must be 0 with `init_done`, which is 1, behind it.
        """
        try:
            helper = self._library.check_exit_request_x86_64
        except AttributeError:
            return False
        code = ctypes.string_at(ctypes.cast(helper, ctypes.c_void_p).value or 0, 14)
        if code[:3] != b"\x48\x8b\xb7" or code[7:9] != b"\x80\xbe" or code[13] != 0:
            return False
        (offset,) = unpack_from("<I", code, 9)
        if not 0 < offset < PAGE_SIZE:
            return False
        flags = (ctypes.c_ubyte * 2).from_address((self._uc.value or 0) + offset)
        if (flags[0], flags[1]) != (0, 1):
            return False
        flags[0] = 1
        return True

    def _add_hooks(self) -> None:
        address, pointer, void = ctypes.c_uint64, ctypes.c_void_p, None
        number = ctypes.c_int
        plain_type = ctypes.CFUNCTYPE(void, pointer, pointer)
        memory_type = ctypes.CFUNCTYPE(
            number, pointer, number, address, number, ctypes.c_int64, pointer
        )
        in_type = ctypes.CFUNCTYPE(ctypes.c_uint32, pointer, ctypes.c_uint32, number, pointer)
        out_type = ctypes.CFUNCTYPE(
            void, pointer, ctypes.c_uint32, number, ctypes.c_uint32, pointer
        )
        interrupt_type = ctypes.CFUNCTYPE(void, pointer, ctypes.c_uint32, pointer)
        invalid_type = ctypes.CFUNCTYPE(number, pointer, pointer)
        self._hook(_HOOK_TLB_FILL, ctypes.c_void_p(self._fill.function), user=self._fill.user)
        self._hook(_HOOK_INSN, plain_type(self._syscall_hook), instruction=_INSN_SYSCALL)
        self._hook(_HOOK_INTR, interrupt_type(self._interrupt_hook))
        self._hook(_HOOK_INSN_INVALID, invalid_type(self._invalid_hook))
        self._hook(_HOOK_INSN, in_type(self._port_hook), instruction=_INSN_IN)
        self._hook(_HOOK_INSN, out_type(self._port_hook), instruction=_INSN_OUT)
        filter_function = ctypes.c_void_p(self._guard.filter)
        self._hook(_HOOK_EDGE_GENERATED, filter_function, user=self._guard.windows)
        # Memory hooks must not cover memory that exists: every store would take the slow path.
        self._hook(
            _HOOK_MEM_READ_UNMAPPED | _HOOK_MEM_WRITE_UNMAPPED | _HOOK_MEM_FETCH_UNMAPPED,
            memory_type(self._bad_memory_hook),
            _BAD_PHYSICAL,
            _BAD_PHYSICAL + _BAD_SIZE,
        )
        # Never fires, but where it covers a block's address, translation skips a TLB scan.
        self._hook(_HOOK_MEM_FETCH_PROT, memory_type(lambda *_: 0), 0, (1 << ADDRESS_BITS) - 1)

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

    # ---- hooks: called by libunicorn while the guest runs ----------------------------------

    def _retry_fault(self, address: int, access: int) -> bool:
        try:
            return self.resolve_page_fault(address, access)
        except BaseException as error:  # raised again in start(): ctypes would swallow it
            self._hook_error = error
            return False

    def _refuse(self, address: int, access: int, entry_address: int) -> int:
        self._refused = (address, access)
        if self.has_quick_exits:
            return 0
        # Without the quick way a refusal by the fill hook does not leave RIP exact: the access
        # is sent to memory that does not exist, whose hook does.
        entry = (ctypes.c_uint64 * 2).from_address(entry_address)
        entry[0] = _BAD_PHYSICAL + (address & 0xFFFFF000)
        entry[1] = access
        return 1

    def _bad_memory_hook(
        self, _uc: Any, _kind: int, address: int, _size: int, _value: int, _user: Any
    ) -> int:
        if self._refused is not None:
            page, access = self._refused
            self._fault = Fault(PAGE_FAULT, page | (address & PAGE_MASK), access)
        return 0

    def _syscall_hook(self, _uc: Any, _user: Any) -> None:
        try:
            self.on_syscall()
        except BaseException as error:  # raised again in start(): ctypes would swallow it
            self._hook_error = error
            self.stop()

    def _interrupt_hook(self, _uc: Any, vector: int, _user: Any) -> None:
        self._fault = Fault(vector)
        self.stop()

    def _invalid_hook(self, _uc: Any, _user: Any) -> int:
        self._fault = Fault(INVALID_OPCODE)
        return 0

    def _port_hook(self, *_arguments: int) -> int:
        # RIP is only as exact as the block here.
        self._fault = Fault(GENERAL_PROTECTION)
        self.stop()
        return 0

    def _exact_address(self, page: int) -> int:
        """Return the address of the refused access, which lies in `page`.

        A field of uc_struct holds it. Which one is found once, by a fault at an address that is
        like no other.
        """
        words = self._machine_words()
        if self._address_field is None:
            self._address_field = self._find_address_field()
        if self._address_field is None or words[self._address_field] & ~PAGE_MASK != page:
            return page
        return words[self._address_field]

    def _machine_words(self) -> list[int]:
        """Return the first page of uc_struct as numbers."""
        return (ctypes.c_uint64 * (PAGE_SIZE // 8)).from_address(self._uc.value or 0)[:]

    def _find_address_field(self) -> int | None:
        saved = self.save()
        # mov al, [_ODD_ADDRESS]
        with self._scratch_page(b"\xa0" + _ODD_ADDRESS.to_bytes(8, "little")) as page:
            self._library.uc_emu_start(
                self._uc,
                ctypes.c_uint64(page),
                ctypes.c_uint64(page + PAGE_SIZE // 2),
                ctypes.c_uint64(0),
                ctypes.c_uint64(0),
            )
        self.restore(saved)
        self._fault = self._refused = None
        words = self._machine_words()
        return words.index(_ODD_ADDRESS) if _ODD_ADDRESS in words else None

    # ---- the way into user mode ------------------------------------------------------------

    @contextmanager
    def _scratch_page(self, content: bytes) -> Iterator[int]:
        """Lend the machine a page of its own, outside the mappings of the process."""
        arena, page = self._arena, _SCRATCH_PAGE
        if not arena.open_windows(page, PAGE_SIZE) or arena.permission(page):
            raise MachineError("the emulator's own page is in use")
        flags = host.MAP_PRIVATE | host.MAP_ANONYMOUS
        arena.map_host(page, PAGE_SIZE, host.PROT_READ | host.PROT_WRITE, flags, -1, 0)
        offset = arena.offset(page)
        arena.view[offset : offset + len(content)] = content
        arena.set_permissions(page, page + PAGE_SIZE, MAPPED | READ | WRITE | EXECUTE)
        try:
            yield page
        finally:
            self.flush_code(page, page + PAGE_SIZE)
            arena.set_permissions(page, page + PAGE_SIZE, 0)
            arena.unmap_host(page, PAGE_SIZE)
            self.flush_tlb()

    def _enter_user_mode(self) -> None:
        """Leave ring 0, in which libunicorn starts, for ring 3 as Linux runs programs.

        Privileged instructions then fault by themselves. The way is the processor's own: a
        descriptor table and one `iretq` (Intel SDM volume 3, 3.4.5 and 6.14). Before it, x87
        and SSE get the control words of a new Linux process; libunicorn's are zero, which means
        single precision to x87.
        """
        page = _SCRATCH_PAGE
        table = b"".join(descriptor.to_bytes(8, "little") for descriptor in _DESCRIPTORS)
        frame_offset, code_offset = len(table), 0x100
        target, stack = page + code_offset + len(_TO_USER_MODE), page + PAGE_SIZE
        frame = (target, _USER_CS, _USER_RFLAGS, stack, _USER_DS)
        content = table + b"".join(word.to_bytes(8, "little") for word in frame)
        mxcsr_offset = len(content)
        content = (
            (content + pack("<I", registers.MXCSR_DEFAULT)).ljust(code_offset, b"\0")
            + _TO_USER_MODE
            + b"\x90" * 16
        )
        with self._scratch_page(content):
            # struct uc_x86_mmr: u16 selector, u64 base, u32 limit, u32 flags
            gdtr = pack("<HxxxxxxQII", 0, page, len(table) - 1, 0)
            self._quick.uc_reg_write(self._uc, ctypes.c_int(_GDTR_ID), gdtr)
            self.sp = page + frame_offset
            self.set(registers.RAX, page + mxcsr_offset)
            fault = self.start(page + code_offset, target)
        if fault is not None or self.pc != target:
            raise MachineError("the emulator does not reach user mode")
        self.set(registers.RAX, 0)
        self.sp = 0


_FLUSH_TLB = ctypes.c_int(_CTL_TLB_FLUSH | _CTL_WRITE)
