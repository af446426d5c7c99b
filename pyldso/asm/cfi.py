"""The `.cfi_*` directives (gas manual, 7.10)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pyldso.asm.assembly import Assembly
from pyldso.asm.att import bad_register, split_operands
from pyldso.asm.cfi_records import DW_EH_PE_OMIT, CfiInstruction, Frame
from pyldso.asm.errors import StatementError

# DWARF register numbers (psABI, figure 3.36).
DWARF_REGISTERS: dict[str, int] = {
    **{f"r{name}": n for n, name in enumerate(["ax", "dx", "cx", "bx", "si", "di", "bp", "sp"])},
    **{f"r{number}": number for number in range(8, 16)},
    "rip": 16,
    **{f"xmm{number}": 17 + number for number in range(16)},
    **{f"st({number})": 33 + number for number in range(8)},
    "st": 33,
    **{f"mm{number}": 41 + number for number in range(8)},
    "rflags": 49,
    "es": 50, "cs": 51, "ss": 52, "ds": 53, "fs": 54, "gs": 55,
    "fs.base": 58, "gs.base": 59, "tr": 62, "ldtr": 63, "mxcsr": 64, "fcw": 65, "fsw": 66,
    **{f"xmm{number}": 51 + number for number in range(16, 32)},
    **{f"k{number}": 118 + number for number in range(8)},
}  # fmt: skip

_RSP, _RIP = 7, 16
_ENCODING_SIZES = {0: 8, 2: 2, 3: 4, 4: 8, 0xA: 2, 0xB: 4, 0xC: 8}


def encoding_size(encoding: int) -> int:
    """Return the bytes of a pointer in a DW_EH_PE_* encoding (LSB, exception frames).

    Raises StatementError for one that gas does not know either.
    """
    size = _ENCODING_SIZES.get(encoding & 0xF)
    if size is None:
        raise StatementError(f"unsupported pointer encoding {encoding:#x}", f"{encoding:#x}")
    return size


def _register(assembly: Assembly, text: str) -> int:
    text = text.strip()
    name = text.lower().lstrip("%")
    if text.startswith("%") or name in DWARF_REGISTERS:
        if name not in DWARF_REGISTERS:
            raise bad_register(text)
        return DWARF_REGISTERS[name]
    number = assembly.absolute(text)
    if number < 0:
        raise StatementError(f"negative register number {number}", text)
    return number


def _frame(assembly: Assembly, name: str) -> Frame:
    frame = assembly.cfi.open
    if frame is None:
        raise StatementError(f"`{name}' without `.cfi_startproc' before it", name)
    return frame


def _append(assembly: Assembly, frame: Frame, instruction: CfiInstruction) -> None:
    """Add an instruction, and before it the advance to the present place if code came between."""
    here = assembly.spot()
    if here is not frame.last:
        frame.instructions.append(here)
        frame.last = here
    frame.instructions.append(assembly.cfi.shared.setdefault(instruction, instruction))


def start(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_startproc [simple]`."""
    if assembly.cfi.open is not None:
        where = assembly.source_map.locate(assembly.cfi.open.place)
        raise StatementError(
            "the function before has no `.cfi_endproc'", name, f"{where}: note: it starts here"
        )
    frame = Frame(assembly.here(), assembly.place)
    assembly.cfi.open = frame
    assembly.cfi.frames.append(frame)
    if operands == "simple":
        return
    if operands:
        raise StatementError(f"junk `{operands}' after `{name}'", operands)
    # tc_x86_frame_initial_instructions: what holds at the entry of every function.
    frame.cfa_offset = 8
    frame.instructions.append(CfiInstruction("def_cfa", _RSP, 8))
    frame.instructions.append(CfiInstruction("offset", _RIP, -8))


def end(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_endproc`."""
    frame = _frame(assembly, name)
    frame.end = assembly.here()
    assembly.cfi.open = None


def sections(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_sections`."""
    names = [part.strip() for part in operands.split(",")]
    for wanted in names:
        if wanted not in (".eh_frame", ".debug_frame", ""):
            raise StatementError(f"`{wanted}' is no place for call frame information", wanted)
    assembly.cfi.in_eh_frame = ".eh_frame" in names
    assembly.cfi.in_debug_frame = ".debug_frame" in names


def register_and_offset(word: str, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_def_cfa`, `.cfi_offset`, `.cfi_rel_offset`, `.cfi_val_offset`."""
    frame = _frame(assembly, name)
    parts = _exactly(name, operands, 2)
    register, offset = _register(assembly, parts[0]), assembly.absolute(parts[1])
    if word == "def_cfa":
        frame.cfa_offset = offset
    elif word == "rel_offset":
        word, offset = "offset", offset - frame.cfa_offset
    _append(assembly, frame, CfiInstruction(word, register, offset))


def cfa_offset(is_relative: bool, assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_def_cfa_offset` and `.cfi_adjust_cfa_offset`."""
    frame = _frame(assembly, name)
    offset = assembly.absolute(_exactly(name, operands, 1)[0])
    frame.cfa_offset = frame.cfa_offset + offset if is_relative else offset
    _append(assembly, frame, CfiInstruction("def_cfa_offset", frame.cfa_offset))


def registers(word: str, assembly: Assembly, name: str, operands: str) -> None:
    """Obey directives whose operands are registers, each for itself."""
    frame = _frame(assembly, name)
    for part in split_operands(operands):
        _append(assembly, frame, CfiInstruction(word, _register(assembly, part)))


def two_registers(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_register`."""
    frame = _frame(assembly, name)
    first, second = (_register(assembly, part) for part in _exactly(name, operands, 2))
    _append(assembly, frame, CfiInstruction("register", first, second))


def remember(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_remember_state`."""
    frame = _frame(assembly, name)
    frame.remembered.append(frame.cfa_offset)
    _append(assembly, frame, CfiInstruction("remember_state"))


def restore_state(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_restore_state`."""
    frame = _frame(assembly, name)
    if not frame.remembered:
        raise StatementError("`.cfi_restore_state' without `.cfi_remember_state'", name)
    frame.cfa_offset = frame.remembered.pop()
    _append(assembly, frame, CfiInstruction("restore_state"))


def plain(word: str, assembly: Assembly, name: str, operands: str) -> None:
    """Obey a directive without operands."""
    _append(assembly, _frame(assembly, name), CfiInstruction(word))


def escape(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_escape`: bytes as they are."""
    data = tuple(assembly.expression(part) for part in split_operands(operands))
    _append(assembly, _frame(assembly, name), CfiInstruction("escape", data=data))


def args_size(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_gnu_args_size`, which gas writes as an escape."""
    from pyldso.asm.fragments import leb128

    size = assembly.absolute(operands)
    data = (0x2E, *leb128(size, False))
    _append(assembly, _frame(assembly, name), CfiInstruction("escape", data=data))


def signal_frame(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_signal_frame`."""
    _frame(assembly, name).is_signal_frame = True


def return_column(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_return_column`."""
    _frame(assembly, name).return_column = _register(assembly, operands)


def personality(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_personality encoding, routine`."""
    frame = _frame(assembly, name)
    encoding, _, routine = operands.partition(",")
    frame.personality_encoding = assembly.absolute(encoding)
    if frame.personality_encoding != DW_EH_PE_OMIT:
        encoding_size(frame.personality_encoding)
        frame.personality = assembly.expression(routine)


def lsda(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_lsda encoding, table`."""
    frame = _frame(assembly, name)
    encoding, _, table = operands.partition(",")
    frame.lsda_encoding = assembly.absolute(encoding)
    if frame.lsda_encoding != DW_EH_PE_OMIT:
        encoding_size(frame.lsda_encoding)
        frame.lsda = assembly.expression(table)


def val_encoded(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_val_encoded_addr register, encoding, address`."""
    parts = _exactly(name, operands, 3)
    instruction = CfiInstruction(
        "val_encoded_addr",
        _register(assembly, parts[0]),
        assembly.absolute(parts[1]),
        data=(assembly.expression(parts[2]),),
    )
    encoding_size(instruction.second)
    _append(assembly, _frame(assembly, name), instruction)


def label(assembly: Assembly, name: str, operands: str) -> None:
    """Obey `.cfi_label`: a label in the call frame information itself."""
    wanted = operands.strip()
    symbol = assembly.lookup(wanted)
    if not wanted or symbol.is_defined:
        raise StatementError(f"`{wanted}' is no name for a new label", wanted)
    # It is defined when the frames are written; until then it only has a name.
    symbol.is_frame_label = True
    _append(assembly, _frame(assembly, name), CfiInstruction("label", label=symbol))


def _exactly(name: str, operands: str, count: int) -> list[str]:
    parts = split_operands(operands)
    if len(parts) != count or not all(parts):
        raise StatementError(f"`{name}' takes {count} operand{'s'[: count > 1]}", operands)
    return parts


DIRECTIVES: dict[str, Callable[[Assembly, str, str], None]] = {
    ".cfi_startproc": start,
    ".cfi_endproc": end,
    ".cfi_sections": sections,
    ".cfi_def_cfa": partial(register_and_offset, "def_cfa"),
    ".cfi_def_cfa_register": partial(registers, "def_cfa_register"),
    ".cfi_def_cfa_offset": partial(cfa_offset, False),
    ".cfi_adjust_cfa_offset": partial(cfa_offset, True),
    ".cfi_offset": partial(register_and_offset, "offset"),
    ".cfi_rel_offset": partial(register_and_offset, "rel_offset"),
    ".cfi_val_offset": partial(register_and_offset, "val_offset"),
    ".cfi_register": two_registers,
    ".cfi_restore": partial(registers, "restore"),
    ".cfi_undefined": partial(registers, "undefined"),
    ".cfi_same_value": partial(registers, "same_value"),
    ".cfi_remember_state": remember,
    ".cfi_restore_state": restore_state,
    ".cfi_window_save": partial(plain, "window_save"),
    ".cfi_gnu_args_size": args_size,
    ".cfi_escape": escape,
    ".cfi_signal_frame": signal_frame,
    ".cfi_return_column": return_column,
    ".cfi_personality": personality,
    ".cfi_lsda": lsda,
    ".cfi_val_encoded_addr": val_encoded,
    ".cfi_label": label,
}
