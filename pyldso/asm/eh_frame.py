"""Frames to the items of .eh_frame and .debug_frame, as gas writes them (gas/dw2gencfi.c)."""

from __future__ import annotations

from pyldso.asm.cfi import encoding_size
from pyldso.asm.cfi_records import DW_EH_PE_OMIT, CfiInstruction, Frame
from pyldso.asm.errors import StatementError
from pyldso.asm.expression import Expression, Operation, absolute
from pyldso.asm.fragments import Align, Data, leb128
from pyldso.asm.symbols import AsmSection, AsmSymbol, Spot

_DATA_ALIGNMENT = -8
_CODE_ALIGNMENT = 1
_PCREL_SDATA4 = 0x1B
_PCREL = 0x10
_INDIRECT = 0x80

# A CIE ends where one of these stands in the first frame that uses it.
_NOT_IN_CIE = frozenset(("remember_state", "escape", "val_encoded_addr", "label"))

_DW_CFA = {
    "def_cfa": 0x0C,
    "def_cfa_register": 0x0D,
    "def_cfa_offset": 0x0E,
    "undefined": 0x07,
    "same_value": 0x08,
    "register": 0x09,
    "remember_state": 0x0A,
    "restore_state": 0x0B,
    "window_save": 0x2D,
}
_SHORT_REGISTERS = 0x40


class _Cie:
    """A CIE that has been written, with what frames must share to use it."""

    __slots__ = ("count", "frame", "label")

    def __init__(self, frame: Frame, count: int, label: AsmSymbol) -> None:
        self.frame = frame
        self.count = count
        self.label = label


class FrameWriter:
    """Writes CIEs and FDEs into one section; labels of code must have their final places."""

    def __init__(self, section: AsmSection, is_eh_frame: bool) -> None:
        self.section = section
        self.is_eh = is_eh_frame
        self._stream = section.stream()
        self._cies: list[_Cie] = []
        self._place = 0
        self._reached: Spot = AsmSymbol("")
        """Where the code has come to in the frame that is being written."""
        self._out = bytearray()

    def write(self, frames: list[Frame]) -> None:
        """Append all frames; the last one pads the section to 8 bytes.

        Raises StatementError for a number that has no value.
        """
        self._flush()
        for index, frame in enumerate(frames):
            self._place = frame.place
            is_last = index == len(frames) - 1
            cie, rest = self._select_cie(frame)
            alignment = 8 if is_last or not self.is_eh else 4
            self._write_fde(frame, cie, rest, alignment)

    def _select_cie(self, frame: Frame) -> tuple[_Cie, list[CfiInstruction | Spot]]:
        for cie in reversed(self._cies):
            if _shares(cie, frame, self.is_eh):
                return cie, frame.instructions[cie.count :]
        count = 0
        for instruction in frame.instructions:
            if isinstance(instruction, Spot) or instruction.word in _NOT_IN_CIE:
                break
            count += 1
        cie = _Cie(frame, count, AsmSymbol(".L\x01"))
        self._cies.append(cie)
        self._write_cie(cie)
        return cie, frame.instructions[count:]

    def _write_cie(self, cie: _Cie) -> None:
        frame = cie.frame
        end, after_length = AsmSymbol(".L\x01"), AsmSymbol(".L\x01")
        self._label(cie.label)
        self._item(Data(4, Operation("-", end, after_length)))
        self._label(after_length)
        self._out += b"\0\0\0\0" if self.is_eh else b"\xff\xff\xff\xff"
        self._out.append(1)
        self._out += self._augmentation(frame)
        self._out += leb128(_CODE_ALIGNMENT, False) + leb128(_DATA_ALIGNMENT, True)
        self._out.append(frame.return_column)
        if self.is_eh:
            self._write_augmentation_data(frame)
        for instruction in frame.instructions[: cie.count]:
            self._write_instruction(instruction)
        self._pad(4 if self.is_eh else 8)
        self._label(end)

    def _augmentation(self, frame: Frame) -> bytes:
        letters = b""
        if self.is_eh:
            letters = b"z"
            if frame.personality_encoding != DW_EH_PE_OMIT:
                letters += b"P"
            if frame.lsda_encoding != DW_EH_PE_OMIT:
                letters += b"L"
            letters += b"R"
        return letters + (b"S\0" if frame.is_signal_frame else b"\0")

    def _write_augmentation_data(self, frame: Frame) -> None:
        size = 1
        if frame.personality_encoding != DW_EH_PE_OMIT:
            size += 1 + encoding_size(frame.personality_encoding)
        if frame.lsda_encoding != DW_EH_PE_OMIT:
            size += 1
        self._out += leb128(size, False)
        if frame.personality_encoding != DW_EH_PE_OMIT and frame.personality is not None:
            self._out.append(frame.personality_encoding)
            self._pointer(frame.personality, frame.personality_encoding)
        if frame.lsda_encoding != DW_EH_PE_OMIT:
            self._out.append(frame.lsda_encoding)
        self._out.append(_PCREL_SDATA4)

    def _write_fde(
        self, frame: Frame, cie: _Cie, rest: list[CfiInstruction | Spot], alignment: int
    ) -> None:
        if frame.end is None:
            raise StatementError("function without `.cfi_endproc'", ".cfi_startproc")
        end, after_length = AsmSymbol(".L\x01"), AsmSymbol(".L\x01")
        self._item(Data(4, Operation("-", end, after_length)))
        self._label(after_length)
        span = Operation("-", frame.end, frame.start)
        if self.is_eh:
            self._item(Data(4, Operation("-", after_length, cie.label)))
            self._item(Data(4, frame.start, is_pcrel=True))
            self._item(Data(4, span))
            size = 0
            if frame.lsda_encoding != DW_EH_PE_OMIT:
                size = encoding_size(frame.lsda_encoding)
            self._out += leb128(size, False)
            if size and frame.lsda is not None:
                self._pointer(frame.lsda, frame.lsda_encoding)
        else:
            self._item(Data(4, cie.label))
            self._item(Data(8, frame.start))
            self._item(Data(8, span))
        self._reached = frame.start
        for instruction in rest:
            self._write_instruction(instruction)
        self._pad(alignment)
        self._label(end)

    def _pointer(self, tree: Expression, encoding: int) -> None:
        size = encoding_size(encoding)
        self._item(Data(size, tree, is_pcrel=encoding & 0x70 == _PCREL))

    def _write_instruction(self, instruction: CfiInstruction | Spot) -> None:
        if isinstance(instruction, Spot):
            self._advance(instruction)
            return
        word, first, second = instruction.word, instruction.first, instruction.second
        if word == "offset":
            self._write_offset(first, second)
        elif word == "val_offset":
            factored = second // _DATA_ALIGNMENT
            opcode = 0x15 if factored < 0 else 0x14  # DW_CFA_val_offset_sf, DW_CFA_val_offset
            self._out.append(opcode)
            self._out += leb128(first, False) + leb128(factored, factored < 0)
        elif word == "def_cfa" and second < 0:
            self._out.append(0x12)  # DW_CFA_def_cfa_sf
            self._out += leb128(first, False) + leb128(second // _DATA_ALIGNMENT, True)
        elif word == "def_cfa_offset" and first < 0:
            self._out.append(0x13)  # DW_CFA_def_cfa_offset_sf
            self._out += leb128(first // _DATA_ALIGNMENT, True)
        elif word == "restore":
            if first < _SHORT_REGISTERS:
                self._out.append(0xC0 | first)
            else:
                self._out += b"\x06" + leb128(first, False)  # DW_CFA_restore_extended
        elif word == "escape":
            for tree in instruction.data:
                self._item_or_byte(tree)
        elif word == "val_encoded_addr":
            self._write_encoded(instruction)
        elif word == "label" and instruction.label is not None:
            self._label(instruction.label)
        else:
            self._out.append(_DW_CFA[word])
            if word in ("def_cfa", "register"):
                self._out += leb128(first, False) + leb128(second, False)
            elif word in ("def_cfa_register", "def_cfa_offset", "undefined", "same_value"):
                self._out += leb128(first, False)

    def _write_offset(self, register: int, offset: int) -> None:
        factored = offset // _DATA_ALIGNMENT
        if offset % _DATA_ALIGNMENT:
            raise StatementError(f"register saved at {offset}, which is not a multiple of 8")
        if factored < 0:
            self._out.append(0x11)  # DW_CFA_offset_extended_sf
            self._out += leb128(register, False) + leb128(factored, True)
        elif register < _SHORT_REGISTERS:
            self._out.append(0x80 | register)
            self._out += leb128(factored, False)
        else:
            self._out += b"\x05" + leb128(register, False) + leb128(factored, False)

    def _write_encoded(self, instruction: CfiInstruction) -> None:
        """Write DW_CFA_val_expression with the address that .cfi_val_encoded_addr has given.

        It is a DW_OP_addr, or DW_OP_GNU_encoded_addr where it is not simply 8 bytes.
        """
        encoding = instruction.second
        operator = b"\x03" if encoding == 0 else bytes([0xF1, encoding])
        length = len(operator) + encoding_size(encoding)
        self._out += b"\x16" + leb128(instruction.first, False) + leb128(length, False) + operator
        self._pointer(instruction.data[0], instruction.second)

    def _advance(self, end: Spot) -> None:
        start, self._reached = self._reached, end
        section = end.section
        if section is None or start.section is not section:
            raise StatementError("call frame information goes on in another section")
        delta = section.starts[end.fragment] + end.offset
        delta -= section.starts[start.fragment] + start.offset
        if delta == 0:
            return
        if delta < 0x40:
            self._out.append(0x40 | delta)
        elif delta < 0x100:
            self._out += b"\x02" + delta.to_bytes(1, "little")
        elif delta < 0x10000:
            self._out += b"\x03" + delta.to_bytes(2, "little")
        else:
            self._out += b"\x04" + delta.to_bytes(4, "little")

    def _item_or_byte(self, tree: Expression) -> None:
        if isinstance(tree, int):
            self._out.append(tree & 0xFF)
        else:
            self._out.append(absolute(tree) & 0xFF)

    def _flush(self) -> None:
        if self._out:
            self._stream.add(bytes(self._out), self._place)
            self._out.clear()

    def _item(self, item: Data) -> None:
        self._flush()
        self._stream.add(item, self._place)

    def _label(self, symbol: AsmSymbol) -> None:
        self._flush()
        symbol.section = self.section
        self._stream.add(symbol, self._place)

    def _pad(self, alignment: int) -> None:
        self._flush()
        # DW_CFA_nop is 0.
        self._stream.add(Align(alignment, b"\0", 0), self._place)


def _shares(cie: _Cie, frame: Frame, is_eh: bool) -> bool:
    """Tell whether a frame may use a CIE: the same header, and the same first instructions.

    .debug_frame has no room for what .eh_frame says of exceptions.
    """
    model = cie.frame
    if model.return_column != frame.return_column or model.is_signal_frame != frame.is_signal_frame:
        return False
    if is_eh and (
        model.personality_encoding != frame.personality_encoding
        or model.lsda_encoding != frame.lsda_encoding
        or not _same_tree(model.personality, frame.personality)
    ):
        return False
    return frame.instructions[: cie.count] == model.instructions[: cie.count]


def _same_tree(left: Expression | None, right: Expression | None) -> bool:
    if isinstance(left, Operation) and isinstance(right, Operation):
        return (
            left.operator == right.operator
            and _same_tree(left.left, right.left)
            and _same_tree(left.right, right.right)
        )
    return left is right or (isinstance(left, int) and left == right)
