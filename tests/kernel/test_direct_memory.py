"""Memory that the guest accesses past the emulated MMU: it is in effect, and refuses the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from processes import Completed, run_command

from pyldso.arch.x86_64 import registers
from pyldso.kernel.cpu import Cpu, Fault
from pyldso.kernel.memory import AddressSpace
from pyldso.kernel.mmu import EXECUTE, READ, WRITE, Arena

Run = Callable[..., tuple[int, bytes, bytes]]
SOURCE = Path(__file__).with_name("direct_memory.c")
_ADDRESS = 0x400000
_CODE = (
    b"\x48\x89\x07"  # mov  [rdi], rax
    b"\x90\x90\x90"
)


@pytest.fixture
def arena() -> Arena:
    return Arena()


@pytest.fixture
def cpu(arena: Arena) -> Iterator[Cpu]:
    with closing(Cpu(arena)) as cpu:
        yield cpu


def _has_movbe() -> bool:
    return " movbe " in Path("/proc/cpuinfo").read_text()


def _run(cpu: Cpu, arena: Arena, prot: int) -> Fault | None:
    """Run code of a page that is mapped with `prot`."""
    memory = AddressSpace(arena, cpu)
    memory.map(_ADDRESS, 0x1000, prot, fixed=True)
    memory.write(_ADDRESS, _CODE)
    cpu.set(registers.RDI, _ADDRESS + 0x800)
    pc = _ADDRESS
    while (fault := cpu.start(pc, _ADDRESS + len(_CODE) - 1)) is None:
        pc = cpu.pc
        if pc == _ADDRESS + len(_CODE) - 1:
            break
    return fault


@pytest.mark.skipif(not _has_movbe(), reason="the processor has no movbe")
def test_it_is_on_as_long_as_no_code_can_be_written(cpu: Cpu, arena: Arena) -> None:
    assert cpu.has_direct_memory
    fault = _run(cpu, arena, READ | EXECUTE)
    assert fault is not None
    assert (fault.address, fault.access) == (_ADDRESS + 0x800, WRITE)
    assert cpu.has_direct_memory


def test_it_ends_where_code_can_be_written(cpu: Cpu, arena: Arena) -> None:
    assert _run(cpu, arena, READ | WRITE | EXECUTE) is None
    assert not cpu.has_direct_memory


@pytest.mark.parametrize("options", [(), ("--interp",)], ids=["own", "interp"])
def test_all_accesses_are_refused_as_natively(
    options: tuple[str, ...],
    compile_c: Callable[..., str],
    run_native: Run,
    pyldso: Callable[..., Completed],
) -> None:
    program = compile_c(SOURCE.read_text(), "-O1")
    own = pyldso("run", *options, program)
    assert own.stdout == run_native(program)[1].decode()
    assert own.returncode == 139


def test_a_process_with_little_address_space_does_without(
    compile_c: Callable[..., str], run_native: Run
) -> None:
    program = compile_c(SOURCE.read_text(), "-O1")
    command = f"ulimit -v {1 << 30}; exec {sys.executable} -m cli run {program}"
    own = run_command("sh", "-c", command, cwd=Path(__file__).parents[2])
    assert own.stdout == run_native(program)[1].decode()
