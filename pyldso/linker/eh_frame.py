"""Unwind tables: .eh_frame without dropped functions and repeated CIEs, and its search table.

LSB 10.6 (.eh_frame, .eh_frame_hdr). Each object's section is rewritten as a whole, so that its
relocations are applied by the common loop.
"""

from __future__ import annotations

from collections.abc import Hashable
from struct import Struct
from typing import NamedTuple

from pyldso.elf.constants import SHF, SHT
from pyldso.elf.rela import R_TYPE, RelaTable, Row
from pyldso.errors import ElfFormatError
from pyldso.linker.chunk import Chunk
from pyldso.linker.sections import InputSection, OutputSection
from pyldso.linker.symbols import LinkedObject, Resolved

WORD = Struct("<I")
FDE_PC_BEGIN = 8
EXTENDED_LENGTH = 0xFFFFFFFF

DW_EH_PE_UDATA4, DW_EH_PE_SDATA4, DW_EH_PE_PCREL, DW_EH_PE_DATAREL = 0x03, 0x0B, 0x10, 0x30
HDR_FIXED = Struct("<BBBBII")
HDR_ROW = Struct("<II")
MASK = 0xFFFFFFFF


class Record(NamedTuple):
    """A CIE or FDE of an input section: its bytes' range and its relocations' range."""

    start: int
    end: int
    cie: int | None
    """For an FDE the offset of its CIE."""
    rows: list[Row]


class Fde(NamedTuple):
    """A kept FDE: where it stands, and the function that it describes (target + addend)."""

    section: InputSection
    offset: int
    target: Resolved
    addend: int


class EhFrame(OutputSection):
    """.eh_frame, with a terminator, and what the search table needs to know of it."""

    __slots__ = ("fdes",)

    def __init__(self) -> None:
        super().__init__(".eh_frame")
        self.type = int(SHT.PROGBITS)
        self.flags = int(SHF.ALLOC)
        self.alignment = 8
        self.fdes: list[Fde] = []

    def finish(self, sort_by: str = "") -> None:
        """Give the members their offsets; a zero length ends the whole (LSB 10.6.1)."""
        self.size = sum(member.size for member in self.members) + WORD.size


def split_records(member: InputSection) -> list[Record]:
    """Return the CIEs and FDEs of a section; raises ElfFormatError for damaged ones."""
    data, rows = member.section.data, sorted(member.relocations)
    records: list[Record] = []
    at, row = 0, 0
    while at + WORD.size <= len(data):
        (length,) = WORD.unpack_from(data, at)
        if length == 0:
            break  # a terminator: crtend.o brings one
        end = at + WORD.size + length
        if length == EXTENDED_LENGTH or length < WORD.size or end > len(data):
            path = member.owner.name
            raise ElfFormatError(path, f".eh_frame: a record of length {length:#x} at {at:#x}")
        (identifier,) = WORD.unpack_from(data, at + WORD.size)
        first = row
        while row < len(rows) and rows[row][0] < end:
            row += 1
        cie = at + WORD.size - identifier if identifier else None
        records.append(Record(at, end, cie, rows[first:row]))
        at = end
    return records


def build_eh_frame(objects: list[LinkedObject]) -> EhFrame | None:
    """Rewrite the .eh_frame sections of all objects; None where there are none."""
    frame = EhFrame()
    cies: dict[Hashable, int] = {}
    offset = 0
    for linked in objects:
        for member in linked.sections:
            if member.section.name == ".eh_frame" and member.is_live:
                # an empty one, too, has a place: crtbeginT.o marks with it where the table starts
                rewrite(member, frame, cies, offset)
                if member.size:
                    frame.members.append(member)
                    offset += member.size
    frame.finish()
    return frame if frame.members else None


def rewrite(member: InputSection, frame: EhFrame, cies: dict[Hashable, int], offset: int) -> None:
    """Keep the records of live functions and the CIEs that are new, moved to `offset`."""
    targets = member.owner.targets
    data = member.section.data
    content = bytearray()
    rows: list[Row] = []
    places: dict[int, int] = {}
    """By a CIE's place in the section that in the output."""
    for record in split_records(member):
        body = bytes(data[record.start : record.end])
        if record.cie is None:
            key = (body, tuple((r[0] - record.start, r[1] & R_TYPE, targets[r[1] >> 32], r[2])
                               for r in record.rows))  # fmt: skip
            known = cies.get(key)
            if known is not None:
                places[record.start] = known
                continue
            cies[key] = places[record.start] = offset + len(content)
        else:
            begin = [r for r in record.rows if r[0] == record.start + FDE_PC_BEGIN]
            if begin and describes_dropped(member.owner, begin[0][1] >> 32):
                continue
            if record.cie not in places:
                where = f".eh_frame: the FDE at {record.start:#x} has no CIE"
                raise ElfFormatError(member.owner.name, where)
            here = offset + len(content)
            pointer = here + WORD.size - places[record.cie]
            body = body[: WORD.size] + WORD.pack(pointer & 0xFFFFFFFF) + body[2 * WORD.size :]
            if begin:
                target = targets[begin[0][1] >> 32]
                frame.fdes.append(Fde(member, len(content), target, begin[0][2]))
        shift = len(content) - record.start
        rows += [(r_offset + shift, r_info, addend) for r_offset, r_info, addend in record.rows]
        content += body
    member.data, member.relocations = content, RelaTable.of(rows)
    member.size = len(content)
    member.output, member.offset, member.alignment = frame, offset, 1


def describes_dropped(linked: LinkedObject, symbol_index: int) -> bool:
    """Tell whether a symbol of the object lies in a section that is not part of the output."""
    section = linked.object.symbols[symbol_index].section
    return section is not None and not linked.places[section].is_live


class EhFrameHeader(Chunk):
    """.eh_frame_hdr: the FDEs sorted by function address, for a binary search at run time."""

    __slots__ = ("_frame",)

    def __init__(self, frame: EhFrame) -> None:
        super().__init__(".eh_frame_hdr", SHT.PROGBITS, SHF.ALLOC, 4)
        self._frame = frame
        self.size = HDR_FIXED.size + HDR_ROW.size * len(frame.fdes)

    def write(self, buffer: memoryview) -> None:
        """Write the table in the order of the functions' addresses."""
        frame = self._frame
        rows = sorted(
            (fde.target.S + fde.addend - self.address,
             frame.address + fde.section.offset + fde.offset - self.address)
            for fde in frame.fdes
        )  # fmt: skip
        encodings = (
            1,
            DW_EH_PE_PCREL | DW_EH_PE_SDATA4,
            DW_EH_PE_UDATA4,
            DW_EH_PE_DATAREL | DW_EH_PE_SDATA4,
        )
        pointer = frame.address - (self.address + 4)
        HDR_FIXED.pack_into(buffer, 0, *encodings, pointer & MASK, len(rows))
        for index, row in enumerate(rows):
            # a distance beyond 2 GiB does not fit .eh_frame either, whose relocations report it
            function, fde = row[0] & MASK, row[1] & MASK
            HDR_ROW.pack_into(buffer, HDR_FIXED.size + index * HDR_ROW.size, function, fde)
