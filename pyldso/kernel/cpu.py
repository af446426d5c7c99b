"""The emulated processor: libunicorn's machine with the arena as its memory, in user mode.

Its soft TLB runs in UC_TLB_VIRTUAL mode with a fill hook, so that the permission bytes of the
arena (mmu.py) are the page table: exact permissions, and stores on the fast path.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from struct import pack
from typing import TYPE_CHECKING, Any, NamedTuple

from pyldso.arch.x86_64 import registers, vdso, vex
from pyldso.errors import ElfFormatError
from pyldso.kernel import (
    code_generator,
    float_environment,
    host,
    string_comparison,
    x87_functions,
)
from pyldso.kernel.alignment import is_odd
from pyldso.kernel.clock_gate import ClockGate
from pyldso.kernel.direct_memory import DirectMemory
from pyldso.kernel.libunicorn import ERR_OK, MachineError, Unicorn
from pyldso.kernel.memory_guard import MemoryGuard
from pyldso.kernel.mmu import (
    ADDRESS_BITS,
    EXECUTE,
    MAPPED,
    PAGE_MASK,
    PAGE_SIZE,
    READ,
    Arena,
)
from pyldso.kernel.signal_intake import SignalIntake
from pyldso.kernel.tlb_fill import ARENA_PHYSICAL, TlbFill
from pyldso.kernel.vex_guard import VexGuard

if TYPE_CHECKING:
    from pyldso.kernel.block_counter import BlockCounter
    from pyldso.kernel.block_stop import BlockStop
    from pyldso.kernel.shared_atomics import SharedAtomics

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


_NOT_ALIGNED = "the address of an SSE operand is no multiple of 16"
_NO_AVX = "an AVX instruction, which the emulated processor (x86-64-v2) does not have"


class Fault(NamedTuple):
    """A processor exception that ended a run: its vector, and of a page fault the access."""

    vector: int
    address: int | None = None
    access: int = 0
    """READ, WRITE or EXECUTE."""
    reason: str = ""


class Cpu(Unicorn):
    """One x86-64 processor over an arena.

    `on_syscall` is called at every `syscall` instruction, with RIP on the instruction.
    `resolve_page_fault(address, access)` is asked before a refused access becomes a fault: it
    returns true when it has made the page accessible (a stack that grows, a file that has grown).
    """

    def __init__(self, arena: Arena, *, force_portable: bool = False) -> None:
        super().__init__()
        self._arena = arena
        self.on_syscall: Callable[[], None] = lambda: None
        self.resolve_page_fault: Callable[[int, int], bool] = lambda address, access: False
        self._fault: Fault | None = None
        self._hook_error: BaseException | None = None
        self._refused: tuple[int, int] | None = None
        self._address_field: int | None = None
        self._unsupported: int | None = None
        self._block_stop: BlockStop | None = None
        self._block_counter: BlockCounter | None = None
        self._clock_gate: ClockGate | None = None
        self._atomics: SharedAtomics | None = None
        self._guard = VexGuard(arena, self._on_unsupported)
        self._map_physical(ARENA_PHYSICAL, arena.base, arena.size)
        self.has_quick_exits = not force_portable and self._skip_exit_requests()
        self._direct: DirectMemory | None = None
        self._writes_code = False
        if not force_portable:
            float_environment.mend(self)
            x87_functions.mend(self)
        if self.has_quick_exits and code_generator.improve(self):
            with suppress(LookupError):
                self._direct = DirectMemory(self, arena)
                string_comparison.mend(self)
        self._fill = TlbFill(
            arena,
            self._retry_fault,
            self._refuse,
            self._postpone,
            self.flush_tlb,
            force_portable=force_portable,
        )
        self._add_hooks()
        self._memory_guard = MemoryGuard(arena, self.engine_address, self.stop_address)
        handler = self._memory_guard.handler
        self.signal_intake = SignalIntake(self.engine_address, self.stop_address, handler)
        self._enter_user_mode()

    # ---- running -------------------------------------------------------------------------

    def start(self, pc: int, until: int, *, is_exact: bool = True) -> Fault | None:
        """Run from `pc` until `stop`, a fault (returned), or `until` is reached.

        `until` must be executable and not begin its page: libunicorn makes an empty block for it
        that reaches back one byte, and a fault of that would hide the guest's own. Raises what
        `on_syscall` raised. Unless `is_exact`, a page fault's address may be that of its page.
        """
        self._fault = self._refused = None
        self._unsupported = self._guard.place_at_entry(pc)
        error = ERR_OK
        if self._unsupported is None:
            error = self._emulate(pc, until)
            pc = self.pc
        if self._unsupported is not None and self._hook_error is None:
            error = self._run_before_unsupported(pc, self._unsupported)
        if self._hook_error is not None:
            raised, self._hook_error = self._hook_error, None
            raise raised
        gone = self._memory_guard.take()
        if gone is not None and self._fault is None:
            self.flush_tlb()
            return Fault(PAGE_FAULT, gone, READ)
        if self._fault is None and self._refused is not None and error != ERR_OK:
            # In the quick way a refused access ends here; its page is known from the fill hook.
            page, access = self._refused
            address = self._exact_address(page) if is_exact else page
            if is_odd(address):
                return Fault(GENERAL_PROTECTION, reason=_NOT_ALIGNED)
            return Fault(PAGE_FAULT, address, access)
        if self._fault is None and error != ERR_OK:
            raise MachineError(f"the emulator stopped at {self.pc:#x} (libunicorn error {error})")
        return self._fault

    def _emulate(self, pc: int, until: int) -> int:
        if self._block_stop is not None:
            self._block_stop.forget()
        self._memory_guard.close_pages()
        self._heed_written_code()
        error = self._run(pc, until)
        if self._heed_written_code() and self._fault is None and self._refused is None:
            error = ERR_OK  # as if it had been stopped
        if self._atomics is not None and self._atomics.take_given_up():
            error = self._run_one_alone(self._atomics, self.pc)
        return error

    def _run_one_alone(self, atomics: SharedAtomics, pc: int) -> int:
        """Run one instruction that is atomic only for this process."""
        end = pc + vex.measure(self._arena.code(pc, vex.LONGEST_INSTRUCTION), 0)[0]
        atomics.end()
        self.flush_code(pc, end)
        error = self._emulate(pc, end)
        self.flush_code(pc, end)
        atomics.begin()
        return error

    def _run_before_unsupported(self, pc: int, place: int) -> int:
        """Run from `pc` straight to an unsupported instruction, which is the fault then."""
        error = ERR_OK
        if pc == place:
            self.pc = pc
        else:
            error = self._emulate(pc, place)
        if error == ERR_OK and self._fault is None and self.pc == place:
            self._fault = Fault(INVALID_OPCODE, reason=_NO_AVX)
        return error

    def _on_unsupported(self, block: int, end: int, place: int) -> None:
        """Give up a block that was translated wrongly and has not run yet."""
        self._unsupported = place
        self.flush_code(block, end)
        self.stop()

    def note_written_code(self) -> None:
        """Know that code which was run can be written: the machine is to notice when it is."""
        if self._direct is not None:
            self._writes_code = True
            self.stop()

    @property
    def has_direct_memory(self) -> bool:
        """Tell whether code that is translated now accesses memory without the TLB."""
        return self._direct is not None and self._direct.is_on

    def _postpone(self) -> bool:
        """Tell whether memory that can be written, too, is not to be executed in this run."""
        self._writes_code = self._direct is not None
        return self._writes_code

    def _heed_written_code(self) -> bool:
        """Let all code be translated so that it is noticed when it is written, if it can be."""
        if not self._writes_code:
            return False
        self._writes_code = False
        if self._direct is not None:
            self._direct.end()
            self._direct = None
            self._flush_all_code()
        return True

    def interrupt(self) -> None:
        """End the run in progress between two instructions; callable from any thread.

        Nothing happens where none is in progress. Exact after `make_interrupts_exact`.
        """
        if self._block_stop is not None:
            self._block_stop.ask()
        else:
            self.stop()

    def make_interrupts_exact(self) -> None:
        """Let the run go on after `interrupt` as if nothing had been; the machine must stand."""
        if self.has_quick_exits or self._block_stop is not None:
            return  # libunicorn's own way is exact
        from pyldso.kernel.block_stop import BlockStop  # start-up: seldom needed

        self._block_stop = BlockStop(self.stop_address)
        self._hook_blocks(self._block_stop.function)
        self._flush_all_code()

    def tell_time_at(self, address: int) -> None:
        """Put the time into registers whenever the instruction at `address` runs (arch's vDSO)."""
        names = vdso.GATE_CLOCK, vdso.GATE_SECONDS, vdso.GATE_NANOSECONDS
        self._clock_gate = ClockGate(*self._register_access(*names))
        self._hook_instruction(self._clock_gate.function, address)

    @property
    def has_shared_atomics(self) -> bool:
        """Tell whether atomic instructions hold for other processes, too."""
        return self._atomics is not None

    def share_atomics(self) -> bool:
        """Let atomic instructions hold for other processes, too; the machine must stand.

        Tells whether this libunicorn can do it.
        """
        from pyldso.kernel.shared_atomics import SharedAtomics  # start-up: seldom needed

        if self._atomics is None:
            try:
                atomics = SharedAtomics(self)
                atomics.begin()
            except (LookupError, ElfFormatError, OSError):
                return False
            self._atomics = atomics
            self._flush_all_code()
        return True

    def count_instructions(self, counter_address: int) -> None:
        """Take what runs from the 64-bit number at a host address, and stop when it is negative.

        Holds for code that is translated from now on.
        """
        # start-up: only where there is a limit
        from pyldso.kernel.block_counter import BlockCounter

        counter = BlockCounter(self._arena, counter_address, self.stop, self.stop_address)
        self._hook_blocks(counter.function, counter.table)
        self._block_counter = counter

    def close(self) -> None:
        """Give back the machine, which must not be running, and what is with it."""
        super().close()
        if self._block_stop is not None:
            self._block_stop.close()
        if self._clock_gate is not None:
            self._clock_gate.close()
        if self._atomics is not None:
            self._atomics.close()
        if self._direct is not None:
            self._direct.end()
        self._fill.close()
        self._guard.close()
        self._memory_guard.close()
        self.signal_intake.close()

    def watch_reads(self, start: int, length: int, on_read: Callable[[int], None]) -> int:
        """Call `on_read(address)` for every read within a range and return a handle to `unwatch`.

        Code translated while a watch is on stays on the slow path: for short probes only.
        """
        physical = ARENA_PHYSICAL + self._arena.offset(start)

        def hook(_uc: Any, _kind: int, address: int, _size: int, _value: int, _user: Any) -> int:
            on_read(start + address - physical)
            return 1

        if self._direct is not None:
            self._flush_all_code()  # what was translated does not ask
        return self._hook_reads(hook, physical, physical + length - 1)

    def unwatch(self, handle: int) -> None:
        """End a watch."""
        self._unhook(handle)

    def _add_hooks(self) -> None:
        self._hook_tlb_fill(self._fill.function, self._fill.user)
        self._hook_syscalls(self._syscall_hook)
        self._hook_exceptions(self._interrupt_hook)
        self._hook_invalid_instructions(self._invalid_hook)
        self._hook_ports(self._port_hook)
        self._hook_new_edges(self._guard.filter, self._guard.windows)
        # Memory hooks must not cover memory that exists: every store would take the slow path.
        self._hook_unmapped(self._bad_memory_hook, _BAD_PHYSICAL, _BAD_PHYSICAL + _BAD_SIZE)
        self._skip_translation_scans((1 << ADDRESS_BITS) - 1)

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

    def _find_address_field(self) -> int | None:
        saved = self.save()
        # mov al, [_ODD_ADDRESS]
        with self._scratch_page(b"\xa0" + _ODD_ADDRESS.to_bytes(8, "little")) as page:
            self._run(page, page + PAGE_SIZE // 2)
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
        arena.set_permissions(page, page + PAGE_SIZE, MAPPED | READ | EXECUTE)
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
            self._set_gdt(page, len(table))
            self.sp = page + frame_offset
            self.set(registers.RAX, page + mxcsr_offset)
            fault = self.start(page + code_offset, target)
        if fault is not None or self.pc != target:
            raise MachineError("the emulator does not reach user mode")
        self.set(registers.RAX, 0)
        self.sp = 0
