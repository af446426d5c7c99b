"""Calls through the PLT as auditors see them: la_x86_64_gnu_pltenter and la_x86_64_gnu_pltexit.

A watched entry leads to the resolver at every call. Where an auditor wants to see the return, too,
the return address on the stack is one of ours meanwhile.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from pyldso.arch.x86_64.registers import R8, R9, RBP, RDI, RDX, RSI
from pyldso.ldso.audit import Bind, Binding, symbol_index
from pyldso.ldso.lazy import SAVED_BYTES, resolve_plt, store_plt

if TYPE_CHECKING:
    from pyldso.ldso.audit import Audit
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

GENERAL = struct.Struct("<8Q")
"""La_x86_64_regs: rdx, r8, r9, rcx, rsi, rdi, rbp, rsp, then eight XMM and eight wide registers."""
REGISTERS_SIZE = 64 + 8 * 16 + 8 * 64 + 4 * 16
VECTORS, XMM_SIZE = 8, 16
RESULT = struct.Struct("<QQ16s16s")
"""La_x86_64_retval: rax, rdx, xmm0, xmm1; the x87 registers behind them are not told."""
RESULT_SIZE = 16 + 32 + 32 + 128 + 32
RETURN_HEAD = bytes.fromhex(
    "50"  #         push %rax       the result, which auditors may change
    "b8"  #         mov $TRAP,%eax
)
RETURN_TAIL = bytes.fromhex(
    "0f05"  #       syscall         the real return address comes in rax
    "4989c3"  #     mov %rax,%r11
    "58"  #         pop %rax
    "41ffe3"  #     jmp *%r11
)
ANY_SIZE = -1
"""What framesize holds at first: the auditor does not want to see the return."""


class Frame(NamedTuple):
    """A call whose return is awaited."""

    return_address: int
    dso: Dso
    binding: Binding
    registers: int


class PltCalls:
    """Binds PLT entries under the eyes of auditors, and shows them the calls."""

    def __init__(self, namespace: Namespace, audit: Audit) -> None:
        self._audit = audit
        self._process, self._memory = namespace.process, namespace.memory
        self._heap = namespace.heap
        self._frames: dict[int, Frame] = {}
        """Awaited returns by the stack pointer after them."""
        self._words = namespace.heap.allocate(16)
        number = namespace.process.stubs.trap_number(self._leave).to_bytes(4, "little")
        self._return_stub = namespace.process.stubs.place_code(RETURN_HEAD + number + RETURN_TAIL)

    def enter(self, dso: Dso, index: int) -> int:
        """Return where a call through PLT relocation `index` of `dso` goes."""
        cpu = self._process.cpu
        stack = cpu.sp
        registers = self._write_registers(stack)  # what is told of a binding changes them
        saved = cpu.save()
        has_return = False
        try:
            binding = self._audit.bindings.get((dso, index)) or self._bind(dso, index)
            address = binding.address
            if binding.is_watched:
                address, has_return = self._show_call(dso, binding, registers)
        finally:
            cpu.restore(saved)
        self._read_registers(stack, registers)
        if has_return:
            slot = stack + SAVED_BYTES + 16
            frame = Frame(self._memory.read_u64(slot), dso, binding, registers)
            self._frames[slot + 8] = frame
            self._memory.write_u64(slot, self._return_stub)
        else:
            self._heap.free(registers, REGISTERS_SIZE)
        return address

    def _bind(self, dso: Dso, index: int) -> Binding:
        namespace = dso.owner
        place, definition, address = resolve_plt(namespace, dso, index)
        if definition is None:
            return Binding(None, 0, 0, ())
        address, flags = self._audit.bound(dso, definition, address, 0)
        binding = Binding(definition, symbol_index(definition), address, flags)
        if binding.is_watched:
            self._audit.bindings[dso, index] = binding
        else:
            store_plt(namespace, dso, place, address)
        return binding

    def _write_registers(self, stack: int) -> int:
        """Write a La_x86_64_regs of the call that the resolver was entered by."""
        cpu = self._process.cpu
        at = self._heap.allocate(REGISTERS_SIZE)
        rcx = self._memory.read_u64(stack)
        general = [cpu.get(register) for register in (RDX, R8, R9)]
        general += [rcx, *(cpu.get(register) for register in (RSI, RDI, RBP))]
        vectors = [cpu.vector(number) for number in range(VECTORS)]
        wide = b"".join(vector.ljust(64, b"\0") for vector in vectors)
        head = GENERAL.pack(*general, stack + SAVED_BYTES + 16)
        self._memory.write(at, head + b"".join(vectors) + wide)
        return at

    def _read_registers(self, stack: int, registers: int) -> None:
        """Take over what auditors have changed."""
        cpu = self._process.cpu
        data = self._memory.read(registers, GENERAL.size + VECTORS * XMM_SIZE)
        rdx, r8, r9, rcx, rsi, rdi, rbp, _ = GENERAL.unpack_from(data)
        self._memory.write_u64(stack, rcx)
        values = ((RDX, rdx), (R8, r8), (R9, r9), (RSI, rsi), (RDI, rdi), (RBP, rbp))
        for register, value in values:
            cpu.set(register, value)
        for number in range(VECTORS):
            start = GENERAL.size + number * XMM_SIZE
            cpu.set_vector(number, data[start : start + XMM_SIZE])

    def _show_call(self, dso: Dso, binding: Binding, registers: int) -> tuple[int, bool]:
        """Call la_x86_64_gnu_pltenter; return where to go, and whether the return is awaited."""
        memory = self._memory
        flags, size = self._words, self._words + 8
        address, has_return = binding.address, False
        function = "la_x86_64_gnu_pltenter"
        for entry, arguments in self._audit.call_arguments(dso, binding, function, Bind.NOPLTENTER):
            memory.write_u32(flags, 0)
            memory.write(size, struct.pack("<q", ANY_SIZE))
            rest = (registers, flags, binding.name_address, size)
            value = self._process.call(entry, *arguments, *rest)
            if value != binding.address:
                address = value
            (wanted,) = struct.unpack("<q", memory.read(size, 8))
            unwanted = int.from_bytes(memory.read(flags, 4), "little") & Bind.NOPLTEXIT
            has_return |= wanted != ANY_SIZE and not unwanted
        return address, has_return

    def _leave(self) -> int:
        """Show auditors the result of a call, and return where it goes on."""
        cpu, memory = self._process.cpu, self._memory
        slot = cpu.sp
        frame = self._frames.pop(slot + 8)
        result = self._heap.allocate(RESULT_SIZE)
        vectors = (cpu.vector(0), cpu.vector(1))
        memory.write(result, RESULT.pack(memory.read_u64(slot), cpu.get(RDX), *vectors))
        saved = cpu.save()
        try:
            name = "la_x86_64_gnu_pltexit"
            shown = self._audit.call_arguments(frame.dso, frame.binding, name, Bind.NOPLTEXIT)
            for entry, arguments in shown:
                rest = (frame.registers, result, frame.binding.name_address)
                self._process.call(entry, *arguments, *rest)
        finally:
            cpu.restore(saved)
        rax, rdx, *changed = RESULT.unpack(memory.read(result, RESULT.size))
        memory.write_u64(slot, rax)
        cpu.set(RDX, rdx)
        for number, value in enumerate(changed):
            cpu.set_vector(number, value)
        self._heap.free(result, RESULT_SIZE)
        self._heap.free(frame.registers, REGISTERS_SIZE)
        return frame.return_address
