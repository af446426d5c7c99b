"""Guest code calls into Python, and Python into guest code."""

import pytest

from pyldso.arch.x86_64 import registers
from pyldso.kernel.status import Exited, Killed, ProcessEnded

PAGE = 0x1000


@pytest.fixture
def with_stack(process):
    base = process.memory.map(0, 16 * PAGE, 3)
    process.cpu.sp = base + 16 * PAGE
    return process


def test_call_returns_rax_and_preserves_the_stack_pointer(with_stack):
    # lea rax, [rdi + rsi*2]; ret
    add = with_stack.stubs.place_code(bytes.fromhex("488d0477c3"))
    sp = with_stack.cpu.sp
    assert with_stack.call(add, 5, 7) == 19
    assert with_stack.cpu.sp == sp
    assert with_stack.call(add, 2**64 - 1, 0) == 2**64 - 1


def test_trap_handler_sees_registers_and_its_result_is_returned(with_stack):
    seen = []

    def handler():
        seen.append(with_stack.cpu.get(registers.RDI))
        return 42

    trap = with_stack.stubs.add_trap(handler)
    assert with_stack.call(trap, 1234) == 42
    assert seen == [1234]


def test_trap_handler_may_call_guest_code_that_traps(with_stack):
    inner = with_stack.stubs.add_trap(lambda: with_stack.cpu.get(registers.RDI) + 1)
    outer = with_stack.stubs.add_trap(lambda: with_stack.call(inner, 10) * 2)
    assert with_stack.call(outer) == 22


def test_trap_handler_may_redirect(with_stack):
    # mov eax, 77; ret
    target = with_stack.stubs.place_code(bytes.fromhex("b84d000000c3"))

    def handler():
        with_stack.cpu.pc = target

    assert with_stack.call(with_stack.stubs.add_trap(handler)) == 77


def test_saved_registers_survive_a_call(with_stack):
    # mov rbx, 5; pxor xmm0, xmm0; ret
    clobber = with_stack.stubs.place_code(bytes.fromhex("48c7c305000000660fefc0c3"))
    with_stack.cpu.set(registers.RBX, 99)
    saved = with_stack.cpu.save()
    with_stack.call(clobber)
    assert with_stack.cpu.get(registers.RBX) == 5
    with_stack.cpu.restore(saved)
    assert with_stack.cpu.get(registers.RBX) == 99


def test_exception_of_a_handler_reaches_the_caller(with_stack):
    def handler():
        raise ValueError("from the handler")

    with pytest.raises(ValueError, match="from the handler"):
        with_stack.call(with_stack.stubs.add_trap(handler))


def test_trap_number_outside_the_stub_page_is_an_unknown_system_call(with_stack):
    number = with_stack.stubs.trap_number(lambda: 42)
    code = b"\xb8" + number.to_bytes(4, "little") + b"\x0f\x05\xc3"
    page = with_stack.memory.map(0, PAGE, 5)
    with_stack.memory.write(page, code)
    assert with_stack.call(page) == 2**64 - 38


def test_guest_cannot_unmap_or_change_the_stub_page(with_stack):
    stub = with_stack.stubs.add_trap(lambda: 1)
    with pytest.raises(PermissionError):
        with_stack.munmap(stub & -PAGE, PAGE)
    with pytest.raises(PermissionError):
        with_stack.mprotect(stub & -PAGE, PAGE, 7)
    with pytest.raises(PermissionError):
        with_stack.mmap(stub & -PAGE, PAGE, 7, 0x32)
    assert with_stack.call(stub) == 1


def test_exit_in_a_call_ends_the_process(with_stack):
    # mov eax, 231; mov edi, 5; syscall
    leave = with_stack.stubs.place_code(bytes.fromhex("b8e7000000bf050000000f05"))
    with pytest.raises(ProcessEnded) as ended:
        with_stack.call(leave)
    assert ended.value.status == Exited(5)


def test_fault_in_a_call_ends_the_process(with_stack):
    # mov eax, [0x1230]; ret
    crash = with_stack.stubs.place_code(bytes.fromhex("8b042530120000c3"))
    with pytest.raises(ProcessEnded) as ended:
        with_stack.call(crash)
    status = ended.value.status
    assert isinstance(status, Killed)
    assert (status.signal, status.pc) == (11, crash)
