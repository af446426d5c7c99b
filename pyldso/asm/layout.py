"""Places for all labels, and the sections that are made of places: line table and call frames."""

from __future__ import annotations

from collections.abc import Iterable

from pyldso.asm.assembly import Assembly
from pyldso.asm.eh_frame import FrameWriter
from pyldso.asm.errors import StatementError
from pyldso.asm.fragments import Laid, LayoutError, chop, measures
from pyldso.asm.line_table import LineTable
from pyldso.asm.relaxation import relax
from pyldso.asm.symbols import AsmSection
from pyldso.elf.constants import SHF, SHT

# More than this in one object is a slip in an alignment or a fill.
_LARGEST_CONTENTS = 256 << 20


class Layout:
    """The sections of an assembly that are laid out, in the order in which they were."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._size = 0
        """Bytes of the sections that are laid out and have contents."""

    def lay_out(self, sections: Iterable[AsmSection]) -> dict[AsmSection, Laid] | None:
        """Give every label its place; None after an error."""
        sections = list(sections)
        table = self._assembly.line_table
        try:
            # Code mostly depends on itself alone; what measures it can wait until it stands still.
            steady = {section: chop(section) for section in sections if not measures(section)}
            relax(list(steady.values()))
            for section in steady:
                section.is_settled = True
            if table is not None and all(section.is_settled for section in table.rows):
                table.set_views()
            laid = {section: steady.get(section) or chop(section) for section in sections}
            measuring = [part for section, part in laid.items() if section not in steady]
            relax(measuring)
            # Numbers of views show in LEB128 data, so that sizes may change once more.
            if table is not None and measuring and table.set_views():
                relax(measuring)
        except LayoutError as error:
            self._assembly.error(error.error, error.place)
            return None
        except StatementError as error:
            self._assembly.error(error)
            return None
        for part in laid.values():
            # The file has padding before a section up to its alignment, before .bss as well.
            self._size += part.section.alignment
            self._size += part.size if part.section.has_contents else 0
            if self._size > _LARGEST_CONTENTS:
                size = f"{part.size >> 20} MiB (aligned to {part.section.alignment:#x})"
                self._assembly.report(
                    f"section {part.section.name} of {size} is too large: with it the object has "
                    f"more than {_LARGEST_CONTENTS >> 20} MiB"
                )
                return None
        return laid

    def write_debug_sections(self, laid: dict[AsmSection, Laid]) -> dict[AsmSection, Laid] | None:
        """Write the line table, and a compile unit where the source has none; lay them out."""
        assembly = self._assembly
        table = assembly.line_table

        def is_empty(name: str) -> bool:
            section = assembly.sections.get((name, None))
            return section is None or not laid[section].size

        wants_unit, wants_lines = is_empty(".debug_info"), is_empty(".debug_line")
        if not (table is not None and table.rows if wants_unit else wants_lines):
            return None
        # gas writes an empty table beside a .debug_info that has none.
        table = table or LineTable(assembly.options.debug)
        if not (wants_lines or table.generates):
            assembly.report("`.loc' makes a .debug_line, and the source has one already")
            return None
        changed = []
        if wants_lines:
            table.number_files()
            lines = self._debug_section(".debug_line")
            changed = [lines]
            strings = None
            if table.version >= 5 and table.files:
                strings = self._debug_section(".debug_line_str", SHF.MERGE | SHF.STRINGS, 1)
                changed.append(strings)
            for item in table.items(lines, strings or lines, laid):
                lines.stream().add(item, assembly.place)
        if wants_unit:
            from pyldso.asm.debug_unit import write_unit  # few sources want it

            changed += write_unit(table, assembly.ordered_symbols, laid, self._debug_section)
            for name in (".debug_info", ".debug_abbrev", ".debug_line"):
                assembly.lookup(name)
        return self.lay_out(changed)

    def _debug_section(
        self, name: str, flags: int = 0, entry_size: int = 0, alignment: int = 1
    ) -> AsmSection:
        """Return a section for debug information, new if need be."""
        assembly = self._assembly
        section = assembly.sections.get((name, None))
        if section is None:
            section = assembly.create_section(name, None, SHT.PROGBITS, flags, entry_size)
            if assembly.ordered_symbols[-1] is section.symbol:
                # In gas its symbol is made when something refers to it.
                assembly.ordered_symbols.pop().is_listed = False
        section.alignment = max(section.alignment, alignment)
        return section

    def write_frames(self) -> dict[AsmSection, Laid] | None:
        """Write .eh_frame and .debug_frame, and lay them out."""
        assembly = self._assembly
        cfi = assembly.cfi
        written = []
        for name, is_wanted, flags in (
            (".eh_frame", cfi.in_eh_frame, SHF.ALLOC),
            (".debug_frame", cfi.in_debug_frame, SHF(0)),
        ):
            if not is_wanted or not cfi.frames:
                continue
            section = assembly.sections.get((name, None))
            if section is None:
                section = assembly.create_section(name, None, SHT.PROGBITS, flags)
            section.alignment = max(section.alignment, 8)
            try:
                FrameWriter(section, name == ".eh_frame").write(cfi.frames)
            except StatementError as error:
                assembly.error(error)
                return None
            written.append(section)
        return self.lay_out(written)
