"""Relocations of a mapped file, in bulk and in glibc's order (psABI 4.4.1; glibc's dl-reloc.c).

RELR and R_X86_64_RELATIVE rows need no symbol and go first; then the others in their order, each
symbol looked up once; IRELATIVE rows last, because a resolver may use what the others made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import or_

from pyldso.arch.x86_64.relocations import R_X86_64, RELOCATIONS, relocation_name
from pyldso.elf.constants import DT, PF, PT
from pyldso.elf.records import Sym
from pyldso.events import Topic
from pyldso.kernel.host import PROT_READ, PROT_WRITE
from pyldso.kernel.mmu import page_down, page_up
from pyldso.ldso import tls
from pyldso.ldso.dso import ADDRESS_MASK, Dso
from pyldso.ldso.errors import DlError, InconsistencyError, reading
from pyldso.ldso.events import RelocationBegun
from pyldso.ldso.lazy import prepare_lazy_binding
from pyldso.ldso.lookup import Definition, call_resolver, definition_address, resolve
from pyldso.ldso.namespace import Namespace
from pyldso.ldso.segments import protection

LA_SYMB_NO_CALLS = 3
"""What auditors are told of a function that is bound at once: its calls cannot be seen."""


class Rows:
    """Relocation rows as columns: what a memoryview gives in bulk, without an object a row."""

    __slots__ = ("addends", "infos", "offsets")

    def __init__(self, dso: Dso, vaddr: int, size: int) -> None:
        words = _words(dso, vaddr, size - size % 24)
        self.offsets: list[int] = words[0::3].tolist()
        self.infos: list[int] = words[1::3].tolist()
        self.addends: list[int] = words[2::3].tolist()


def _words(dso: Dso, vaddr: int, size: int) -> memoryview:
    """Return a table's 8-byte words; IndexError where it leads out of its segment."""
    table = dso.tail(vaddr)[:size]
    if len(table) < size:
        raise IndexError(f"it leads out of its segment from address {vaddr:#x} on")
    return table.cast("Q")


class WordWriter:
    """Writes 8-byte words of a file's data: one memoryview a segment, the last one kept at hand."""

    def __init__(self, namespace: Namespace, dso: Dso) -> None:
        self._memory = namespace.memory
        self._dso = dso
        self._views: list[tuple[int, int, memoryview]] = []
        for phdr in dso.loads:
            if phdr.p_flags & PF.W or dso.has_text_relocations:
                start = phdr.p_vaddr & ~7
                size = phdr.p_vaddr + phdr.p_memsz - start & ~7
                view = self._memory.view(dso.base + start, size).cast("Q")
                self._views.append((start, start + size, view))

    def view_for(self, offsets: Sequence[int]) -> tuple[int, memoryview] | None:
        """Return (start, words) of the segment that holds all of `offsets` aligned, or None."""
        low, high = min(offsets), max(offsets)
        for start, end, view in self._views:
            if start <= low and high + 8 <= end:
                # One OR over all offsets shows whether any of them is not a multiple of 8.
                return None if reduce(or_, offsets) & 7 else (start, view)
        return None

    def write(self, offset: int, value: int, size: int = 8) -> None:
        """Store the low `size` bytes of `value` at `offset`; DlError outside writable segments."""
        for start, end, view in self._views:
            if start <= offset and offset + size <= end:
                if size == 8 and not offset & 7:
                    view[offset - start >> 3] = value & ADDRESS_MASK
                else:
                    data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
                    self._memory.write(self._dso.base + offset, data)
                return
        if self._dso.segment(self._dso.base + offset) is not None:
            text = f"relocation at {offset:#x} in a read-only segment: recompile with -fPIC"
            raise DlError(self._dso.label, text)
        raise DlError(self._dso.label, f"relocation at {offset:#x} is outside of all segments")

    def read(self, offset: int) -> int:
        """Return the word at `offset`."""
        return self._memory.read_u64(self._dso.base + offset)


def relocate_interpreter(namespace: Namespace, dso: Dso) -> None:
    """Relocate ld.so's file against itself alone, as its own start code would.

    Its one IRELATIVE row runs `init_cpu_features`, whose results libc's IFUNC resolvers read.
    """
    dso.scopes = [[dso]]
    if namespace.tunables:
        from pyldso.ldso import tunables  # start-up: seldom wanted

        tunables.apply(namespace)  # which init_cpu_features reads
    events = namespace.events
    wanted, events.wanted = events.wanted, 0  # ld.so relocates itself in silence
    try:
        with reading(dso.label, "relocation table"):
            _relocate(namespace, dso, False)
    finally:
        events.wanted = wanted


def rebind_interpreter(namespace: Namespace, dso: Dso) -> None:
    """Bind ld.so's references again, now in the global scope: malloc may be another's."""
    if namespace.events.wanted & Topic.RELOC:
        namespace.events.emit(RelocationBegun(dso.label, False))
    binder = Binder(namespace, dso, WordWriter(namespace, dso), [])
    for tag, size_tag in ((DT.RELA, DT.RELASZ), (DT.JMPREL, DT.PLTRELSZ)):
        size = dso.dynamic.get(size_tag, 0)
        if tag in dso.dynamic and size:
            rows = Rows(dso, dso.dynamic[tag], size)
            for index, info in enumerate(rows.infos):
                if info >> 32:
                    binder.apply_one(rows, index)


def symbol_references(dso: Dso, *, is_lazy: bool) -> Iterator[tuple[int, bool]]:
    """Yield (symbol index, whether a PLT's) for the references of `dso`, each once, in order.

    Those that lazy binding leaves for later are left out. Raises DlError for a damaged table.
    """
    seen: set[tuple[int, bool]] = set()
    tables = [(DT.RELA, DT.RELASZ), (DT.JMPREL, DT.PLTRELSZ)]
    for tag, size_tag in tables:
        size = dso.dynamic.get(size_tag, 0)
        if tag not in dso.dynamic or not size:
            continue
        with reading(dso.label, "relocation table"):
            rows = Rows(dso, dso.dynamic[tag], size)
        for info in rows.infos:
            is_plt = info & 0xFFFFFFFF == R_X86_64.JUMP_SLOT
            key = (info >> 32, is_plt)
            if key[0] and key not in seen and not (is_plt and is_lazy):
                seen.add(key)
                yield key


def relocate(namespace: Namespace, dso: Dso, *, is_lazy: bool) -> None:
    """Apply all relocations of `dso`, those of its PLT only as far as lazy binding needs.

    Raises DlError for an undefined symbol, a damaged table, or a type that the dynamic linker may
    not meet.
    """
    if dso.is_relocated:
        return
    dso.is_relocated = True
    lazy = is_lazy and not dso.bind_now
    if namespace.events.wanted & Topic.RELOC:
        namespace.events.emit(RelocationBegun(dso.label, lazy))
    with reading(dso.label, "relocation table"):
        _open_text(namespace, dso, writable=True)
        _relocate(namespace, dso, lazy)
        _open_text(namespace, dso, writable=False)


def _open_text(namespace: Namespace, dso: Dso, *, writable: bool) -> None:
    """Make text writable while DT_TEXTREL relocations are applied, and executable again."""
    if not dso.has_text_relocations:
        return
    for phdr in dso.loads:
        if not phdr.p_flags & PF.W:
            start = page_down(dso.base + phdr.p_vaddr)
            end = page_up(dso.base + phdr.p_vaddr + phdr.p_memsz)
            prot = protection(phdr.p_flags) | (PROT_WRITE if writable else 0)
            namespace.process.mprotect(start, end - start, prot)


def _relocate(namespace: Namespace, dso: Dso, lazy: bool) -> None:
    dynamic = dso.dynamic
    writer = WordWriter(namespace, dso)
    if DT.RELR in dynamic:
        _apply_relr(namespace, dso, writer)
    irelative: list[tuple[int, int]] = []
    binder = Binder(namespace, dso, writer, irelative)
    plt_start, plt_size = dynamic.get(DT.JMPREL, 0), dynamic.get(DT.PLTRELSZ, 0)
    if DT.RELA in dynamic:
        start, size = dynamic[DT.RELA], dynamic.get(DT.RELASZ, 0)
        if start <= plt_start < start + size and plt_start + plt_size == start + size:
            size -= plt_size  # DT_RELASZ may count the PLT's rows, which follow
        rows = Rows(dso, start, size)
        count = _relative_count(rows, dynamic.get(DT.RELACOUNT, 0))
        _apply_relative(namespace, dso, writer, rows, count)
        binder.apply(rows, count)
    if DT.JMPREL in dynamic and plt_size:
        rows = Rows(dso, plt_start, plt_size)
        if lazy:
            _apply_lazy(namespace, dso, writer, rows, binder)
        else:
            binder.apply(rows, 0)
    for offset, resolver in irelative:
        writer.write(offset, call_resolver(namespace, resolver & ADDRESS_MASK))


def _relative_count(rows: Rows, stated: int) -> int:
    """Return how many leading rows are R_X86_64_RELATIVE: what DT_RELACOUNT says."""
    count = min(stated, len(rows.infos))
    if rows.infos[:count].count(R_X86_64.RELATIVE) != count:
        place, function = "../sysdeps/x86_64/dl-machine.h: 487", "elf_machine_rela_relative"
        assertion = "ELFW(R_TYPE) (reloc->r_info) == R_X86_64_RELATIVE"
        raise InconsistencyError(place, function, assertion)
    return count


def _apply_relative(
    namespace: Namespace, dso: Dso, writer: WordWriter, rows: Rows, count: int
) -> None:
    """Store B + A at the first `count` rows' places."""
    if not count:
        return
    namespace.statistics.relative += count
    offsets, base = rows.offsets[:count], dso.base
    place = writer.view_for(offsets)
    if place is None:
        for offset, addend in zip(offsets, rows.addends, strict=False):
            writer.write(offset, base + addend)
        return
    start, words = place
    for offset, addend in zip(offsets, rows.addends, strict=False):
        words[offset - start >> 3] = base + addend & ADDRESS_MASK


def _apply_relr(namespace: Namespace, dso: Dso, writer: WordWriter) -> None:
    """Add the base at the places that DT_RELR's addresses and bitmaps name (gABI, RELR)."""
    size = dso.dynamic.get(DT.RELRSZ, 0)
    offsets: list[int] = []
    where = 0
    for entry in _words(dso, dso.dynamic[DT.RELR], size - size % 8).tolist():
        if not entry & 1:
            offsets.append(entry)
            where = entry + 8
        else:
            offsets += [where + 8 * bit for bit in range(63) if entry >> bit + 1 & 1]
            where += 63 * 8
    namespace.statistics.relative += len(offsets)
    base = dso.base
    place = writer.view_for(offsets) if offsets else None
    if place is None:
        for offset in offsets:
            writer.write(offset, base + writer.read(offset))
        return
    start, words = place
    for offset in offsets:
        index = offset - start >> 3
        words[index] = words[index] + base & ADDRESS_MASK


def _apply_lazy(
    namespace: Namespace, dso: Dso, writer: WordWriter, rows: Rows, binder: Binder
) -> None:
    """Leave each JUMP_SLOT pointing to its PLT entry, moved by the base; bind all other types."""
    base = dso.base
    others = [i for i, info in enumerate(rows.infos) if info & 0xFFFFFFFF != R_X86_64.JUMP_SLOT]
    for index, (offset, info) in enumerate(zip(rows.offsets, rows.infos, strict=True)):
        if info & 0xFFFFFFFF == R_X86_64.JUMP_SLOT:
            writer.write(offset, writer.read(offset) + base)
        else:
            binder.apply_one(rows, index)
    namespace.statistics.relocations += len(rows.infos) - len(others)
    prepare_lazy_binding(namespace, dso)


class Binder:
    """Applies rows that need a symbol; `_RECIPES` gives what each expression of the table does."""

    def __init__(
        self,
        namespace: Namespace,
        dso: Dso,
        writer: WordWriter,
        irelative: list[tuple[int, int]],
    ) -> None:
        self.namespace = namespace
        self.dso = dso
        self.writer = writer
        self.irelative = irelative
        self.values: dict[tuple[int, bool], int] = {}
        self._definitions: dict[tuple[int, bool], Definition | None] = {}

    def apply(self, rows: Rows, start: int) -> None:
        """Apply the rows from `start` on; those of R_X86_64_64, the most by far, without a call."""
        offsets = rows.offsets[start:] if start else rows.offsets
        place = self.writer.view_for(offsets) if offsets else None
        if place is None:
            for index in range(start, len(rows.infos)):
                self.apply_one(rows, index)
            return
        begin, words = place
        known: dict[int, int] = {}
        infos, addends = rows.infos[start:], rows.addends[start:]
        for index, (offset, info, addend) in enumerate(zip(offsets, infos, addends, strict=True)):
            if info not in known:
                if info & 0xFFFFFFFF != R_X86_64.ABS64:
                    self.apply_one(rows, start + index)
                    continue
                known[info] = self.value(info >> 32)
            words[offset - begin >> 3] = known[info] + addend & ADDRESS_MASK

    def apply_one(self, rows: Rows, index: int) -> None:
        """Apply one row."""
        info = rows.infos[index]
        r_type = info & 0xFFFFFFFF
        recipe = _RECIPES.get(r_type)
        if recipe is None:
            raise DlError(self.dso.label, f"unexpected reloc type {r_type:#04x}")
        addend = rows.addends[index]
        recipe(self, rows.offsets[index], info >> 32, addend, r_type)

    def definition(self, index: int, *, is_plt: bool) -> Definition | None:
        """Return what the symbol at `index` is bound to, looked up once."""
        key = (index, is_plt)
        if key in self._definitions:
            self.namespace.statistics.cached += 1
        else:
            self.namespace.statistics.relocations += 1
            found = resolve(self.namespace, self.dso, index, is_plt=is_plt)
            self._definitions[key] = found
        return self._definitions[key]

    def value(self, index: int, *, is_plt: bool = False) -> int:
        """Return S: the address of the symbol at `index`; an IFUNC's is what its resolver says."""
        if not index:
            return 0
        key = (index, is_plt)
        value = self.values.get(key)
        if value is None:
            value = self.values[key] = self._value(index, is_plt)
        return value

    def _value(self, index: int, is_plt: bool) -> int:
        definition = self.definition(index, is_plt=is_plt)
        return 0 if definition is None else definition_address(self.namespace, definition)


def _symbol(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    is_plt = r_type == R_X86_64.JUMP_SLOT
    value = binder.value(index, is_plt=is_plt)
    audit = binder.namespace.audit
    if is_plt and audit is not None:
        definition = binder.definition(index, is_plt=True)
        if definition is not None:
            value, _ = audit.bound(binder.dso, definition, value, LA_SYMB_NO_CALLS)
    binder.writer.write(offset, value)


def _symbol_plus_addend(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    value = binder.value(index) + addend & ADDRESS_MASK
    size = RELOCATIONS[r_type].size
    if value >> 8 * size:
        _warn_of_overflow(binder, index, r_type)
    binder.writer.write(offset, value, size)


def _pc_relative(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    size = RELOCATIONS[r_type].size
    value = binder.value(index) + addend - (binder.dso.base + offset)
    value = (value + (1 << 63) & ADDRESS_MASK) - (1 << 63)
    if not -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
        _warn_of_overflow(binder, index, r_type)
    binder.writer.write(offset, value, size)


def _warn_of_overflow(binder: Binder, index: int, r_type: int) -> None:
    """Say that a value does not fit its field; the low bits are stored, as by ld.so."""
    _warn(binder, index, f"causes overflow in {relocation_name(r_type)} relocation")


def _warn(binder: Binder, index: int, text: str) -> None:
    name = binder.dso.string(binder.dso.symbol(index).st_name)
    binder.namespace.warn(f"{binder.namespace.program_name}: Symbol `{name}' {text}")


def _size(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    definition = binder.definition(index, is_plt=False)
    size = definition.symbol.st_size if definition else 0
    binder.writer.write(offset, size + addend, RELOCATIONS[r_type].size)


def _base_plus_addend(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    binder.writer.write(offset, binder.dso.base + addend)


def _indirect(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    binder.irelative.append((offset, binder.dso.base + addend))


def _nothing(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    return


def _copy(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    """Copy a library's variable into the program; done in place, since libraries come before."""
    dso, namespace = binder.dso, binder.namespace
    wanted = dso.symbol(index)
    definition = resolve(namespace, dso, index, skip=dso)
    if definition is None:
        return
    size = min(wanted.st_size, definition.symbol.st_size)
    if definition.symbol.st_size > wanted.st_size or (size < wanted.st_size and namespace.verbose):
        _warn(binder, index, "has different size in shared object, consider re-linking")
    data = namespace.memory.read(definition.dso.symbol_address(definition.symbol), size)
    namespace.memory.write(dso.base + offset, data)


def _tls_definition(binder: Binder, index: int) -> tuple[Dso, Sym | None] | None:
    if not index:
        return binder.dso, None
    definition = binder.definition(index, is_plt=True)
    return None if definition is None else (definition.dso, definition.symbol)


def _tls_module(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    found = _tls_definition(binder, index)
    module = found[0].tls.module if found and found[0].tls else 0
    binder.writer.write(offset, module)


def _tls_module_offset(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    found = _tls_definition(binder, index)
    value = found[1].st_value if found and found[1] else 0
    binder.writer.write(offset, value + addend)


def _tls_static_offset(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    binder.writer.write(offset, _static_offset(binder, index, addend))


def _static_offset(binder: Binder, index: int, addend: int) -> int:
    """Return S + A - TP: negative, the static blocks lie below the thread pointer (variant II)."""
    found = _tls_definition(binder, index)
    if found is None:
        return 0
    dso, symbol = found
    value = symbol.st_value if symbol else 0
    return value + addend - tls.static_offset(binder.namespace, dso)


def _tls_descriptor(binder: Binder, offset: int, index: int, addend: int, r_type: int) -> None:
    """Fill a TLS descriptor: a function and its argument (Oliva's TLSDESC paper)."""
    dso, symbol = _tls_definition(binder, index) or (None, None)
    value = (symbol.st_value if symbol else 0) + addend
    function, argument = tls.descriptor(binder.namespace, dso, value)
    binder.writer.write(offset, function)
    binder.writer.write(offset + 8, argument)


Recipe = Callable[[Binder, int, int, int, int], None]
_BY_EXPRESSION: dict[str, Recipe] = {
    "": _nothing,
    "S": _symbol,
    "S + A": _symbol_plus_addend,
    "S + A - P": _pc_relative,
    "B + A": _base_plus_addend,
    "Z + A": _size,
    "copy": _copy,
    "indirect(B + A)": _indirect,
    "module": _tls_module,
    "S + A - DTP": _tls_module_offset,
    "S + A - TP": _tls_static_offset,
    "descriptor": _tls_descriptor,
}
_RECIPES: dict[int, Recipe] = {
    row.number: _BY_EXPRESSION[row.expression] for row in RELOCATIONS.values() if row.is_dynamic
}


def protect_relro(namespace: Namespace, dso: Dso) -> None:
    """Make the PT_GNU_RELRO part of `dso` read-only, whole pages only (dl-reloc.c)."""
    for phdr in dso.phdrs:
        if phdr.p_type == PT.GNU_RELRO and phdr.p_memsz:
            start = page_down(dso.base + phdr.p_vaddr)
            end = page_down(dso.base + phdr.p_vaddr + phdr.p_memsz)
            if end > start:
                with reading(dso.label, "PT_GNU_RELRO header"):
                    namespace.process.mprotect(start, end - start, PROT_READ)
