"""LD_AUDIT: libraries that see what the dynamic linker does, and may change it (rtld-audit(7)).

Each is loaded into a namespace of its own, before the program's libraries, and calls of itself are
never told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

from pyldso.elf.constants import DT
from pyldso.elf.records import SYM
from pyldso.ldso import link_map
from pyldso.ldso.errors import DlError
from pyldso.ldso.initialise import run_finalisers
from pyldso.ldso.lookup import Definition, find_in
from pyldso.ldso.open import close_object, open_object

if TYPE_CHECKING:
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.audit_calls import PltCalls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

LAV_CURRENT = 2
"""The interface's version since glibc 2.35; before it was one less."""
LA_ACT_CONSISTENT, LA_ACT_ADD, LA_ACT_DELETE = 0, 1, 2
RTLD_NOW = 2
NAME_LIMIT = 4096
FUNCTIONS = (
    "la_version",
    "la_activity",
    "la_objsearch",
    "la_objopen",
    "la_preinit",
    "la_symbind64",
    "la_objclose",
    "la_x86_64_gnu_pltenter",
    "la_x86_64_gnu_pltexit",
)


class Bind(IntFlag):
    """LA_FLG_* of la_objopen and LA_SYMB_* of la_symbind64 (link.h)."""

    TO, FROM = 0x01, 0x02
    NOPLTENTER, NOPLTEXIT, STRUCTCALL, DLSYM, ALTVALUE = 0x01, 0x02, 0x04, 0x08, 0x10


NO_CALLS = Bind.NOPLTENTER | Bind.NOPLTEXIT
CALLS = {"la_x86_64_gnu_pltenter": Bind.NOPLTENTER, "la_x86_64_gnu_pltexit": Bind.NOPLTEXIT}


class Auditor(NamedTuple):
    """A loaded audit library: its file, and the addresses of the functions that it has."""

    dso: Dso
    functions: Mapping[str, int]


class State:
    """What one auditor has said of one file: its cookie's address, and LA_FLG_*."""

    __slots__ = ("cookie", "flags")

    def __init__(self, cookie: int) -> None:
        self.cookie = cookie
        self.flags = 0


class Binding(NamedTuple):
    """A PLT entry that auditors know of: where it leads, and who wants to see its calls."""

    definition: Definition | None
    symbol_index: int
    address: int
    flags: tuple[int, ...]

    @property
    def name_address(self) -> int:
        """The address of the symbol's name in its file's string table."""
        if self.definition is None:
            return 0
        dso, symbol = self.definition
        return dso.base + dso.dynamic[DT.STRTAB] + symbol.st_name

    @property
    def is_watched(self) -> bool:
        """Tell whether any auditor wants to see the calls."""
        return any(flags & NO_CALLS != NO_CALLS for flags in self.flags)


class Audit:
    """The auditors of a process and what they are told, each in the order of LD_AUDIT."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._process, self._memory = namespace.process, namespace.memory
        self.auditors: list[Auditor] = []
        self.is_called_by_libc = bool(
            find_in(namespace, namespace.interpreter, b"_dl_audit_preinit")
        )
        """Whether libc tells that the program is about to begin (glibc 2.35)."""
        self._states: dict[Dso, list[State]] = {}
        self.bindings: dict[tuple[Dso, int], Binding] = {}
        self.calls: PltCalls
        self._changing: set[int] = set()
        self._scratch = namespace.heap.allocate(64)

    # ---- the auditors themselves ----

    def load(self, name: str) -> Calls:
        """Load an audit library; one that cannot be used is told of and passed over."""
        namespace = self._namespace.sibling()
        namespace.audit = self if self.auditors else None  # an earlier one sees a later one come
        try:
            handle = yield from open_object(namespace, name, RTLD_NOW, None)
            dso = namespace.by_link_map(handle or 0)
            if dso is None:
                return None
            functions = {}
            for function in FUNCTIONS:
                symbol = find_in(namespace, dso, function.encode())
                if symbol is not None:
                    functions[function] = dso.symbol_address(symbol)
            if "la_version" not in functions:
                yield from close_object(namespace, dso)
                raise DlError("", "undefined symbol: la_version")
        except DlError as error:
            if not namespace.objects and namespace in namespace.family:
                namespace.family.remove(namespace)
            text = f"object '{name}' cannot be loaded as audit interface: {error.message}; ignored."
            self._namespace.warn(f"ERROR: ld.so: {text}")
            return None
        finally:
            namespace.audit = None
        current = LAV_CURRENT if self.is_called_by_libc else LAV_CURRENT - 1
        version = (yield (functions["la_version"], current)) & 0xFFFFFFFF
        if 0 < version <= current:
            self.auditors.append(Auditor(dso, functions))
        else:
            yield from close_object(namespace, dso)
        return None

    # ---- what they are told ----

    def changing(self, namespace: Namespace) -> None:
        """Tell, once until all is whole again, that files are added."""
        if namespace.id not in self._changing:
            self._changing.add(namespace.id)
            self.activity(namespace, LA_ACT_ADD)

    def changed(self, namespace: Namespace) -> None:
        """Tell that all is whole again, where anything has changed."""
        if namespace.id in self._changing:
            self._changing.discard(namespace.id)
            self.activity(namespace, LA_ACT_CONSISTENT)

    def activity(self, namespace: Namespace, action: int) -> None:
        """Tell that files are about to come or go, or that all is whole again."""
        if namespace.objects:
            for auditor, state in self._told(namespace.objects[0]):
                if function := auditor.functions.get("la_activity"):
                    self._process.call(function, state.cookie, action)

    def search(self, name: str, loader: Dso | None, source: int) -> str | None:
        """Return the name to look for in place of `name`; None where it shall not be found."""
        for auditor, state in self._told(loader or self._namespace.program):
            function = auditor.functions.get("la_objsearch")
            if not function:
                continue
            text = self._namespace.heap.string(name)
            answer = self._process.call(function, text, state.cookie, source)
            if not answer:
                return None
            if answer != text:
                name = os.fsdecode(self._memory.read_cstring(answer, NAME_LIMIT))
        return name

    def opened(self, namespace: Namespace, dso: Dso) -> None:
        """Tell of a file that was mapped, and keep which bindings are of interest."""
        if not dso.link_map:
            link_map.add_link_map(namespace, dso)
        cookies = namespace.heap.allocate(16 * len(self.auditors) or 16)
        states = self._states[dso] = [
            State(cookies + 16 * index) for index in range(len(self.auditors))
        ]
        for auditor, state in zip(self.auditors, states, strict=True):
            self._memory.write_u64(state.cookie, dso.link_map)
            if function := auditor.functions.get("la_objopen"):
                arguments = (dso.link_map, namespace.id, state.cookie)
                state.flags = self._process.call(function, *arguments) & 0xFFFFFFFF

    def closed(self, dso: Dso) -> None:
        """Tell of a file that is about to be unmapped."""
        for auditor, state in self._told(dso):
            if function := auditor.functions.get("la_objclose"):
                self._process.call(function, state.cookie)

    def forget(self, dso: Dso) -> None:
        """Drop what is known of a file that was unmapped."""
        self._states.pop(dso, None)
        self.bindings = {key: value for key, value in self.bindings.items() if key[0] is not dso}

    def before_program(self) -> None:
        """Tell that the program is about to begin."""
        for auditor, state in self._told(self._namespace.program):
            if function := auditor.functions.get("la_preinit"):
                self._process.call(function, state.cookie)

    def finalise(self, order: Sequence[Dso]) -> Calls:
        """Run the finalisers of all files, telling of each as of one that is closed."""
        own = {auditor.dso.owner.id for auditor in self.auditors}
        vdso = self._namespace.vdso  # it has none, and nobody is told of its end
        told = [dso for dso in order if dso.owner.id not in own and dso is not vdso]
        numbers = dict.fromkeys(dso.owner.id for dso in told)
        for number in numbers:
            members = [dso for dso in told if dso.owner.id == number]
            self.activity(members[0].owner, LA_ACT_DELETE)
            for dso in members:
                yield from run_finalisers(dso.owner, [dso])
                self.closed(dso)
            self.activity(members[0].owner, LA_ACT_CONSISTENT)
        own_files = [dso for dso in order if dso.owner.id in own]
        return (yield from run_finalisers(self._namespace, own_files))

    def _told(self, dso: Dso) -> Iterator[tuple[Auditor, State]]:
        return zip(self.auditors, self._states.get(dso, ()), strict=False)

    # ---- bindings ----

    def bound(
        self, dso: Dso, definition: Definition, address: int, flags: int
    ) -> tuple[int, tuple[int, ...]]:
        """Tell of a reference of `dso` that is bound; return the address, and each one's flags.

        `flags` are LA_SYMB_* at first: what of calls can be seen, and whether dlsym asks.
        """
        target = definition.dso
        wishes: list[int] = []
        index = symbol_index(definition)
        pairs = zip(
            self.auditors, self._states.get(dso, ()), self._states.get(target, ()), strict=False
        )
        for auditor, by, to in pairs:
            if flags & Bind.DLSYM:
                wanted = bool(by.flags & Bind.FROM or to.flags & Bind.TO)
            else:
                wanted = bool(by.flags & Bind.FROM and to.flags & Bind.TO)
            if not wanted:
                wishes.append(NO_CALLS)
                continue
            cookies = (by.cookie, to.cookie)
            value, flags = self._ask_symbind(auditor, definition, address, index, cookies, flags)
            if value != address:
                flags |= Bind.ALTVALUE
                address = value
            absent = sum(bit for name, bit in CALLS.items() if name not in auditor.functions)
            wishes.append(flags & NO_CALLS | absent)
        return address, tuple(wishes)

    def _ask_symbind(
        self,
        auditor: Auditor,
        definition: Definition,
        address: int,
        index: int,
        cookies: tuple[int, int],
        flags: int,
    ) -> tuple[int, int]:
        """Return the address and the flags that an auditor's la_symbind64 wants, if it has one."""
        function = auditor.functions.get("la_symbind64")
        if not function:
            return address, flags
        dso, symbol = definition
        self._write_symbol(definition, address)
        place = self._scratch + SYM.size
        self._memory.write_u32(place, flags)
        text = dso.base + dso.dynamic[DT.STRTAB] + symbol.st_name
        value = self._process.call(function, self._scratch, index, *cookies, place, text)
        return value, int.from_bytes(self._memory.read(place, 4), "little")

    def _write_symbol(self, definition: Definition, address: int) -> None:
        """Write the Elf64_Sym that auditors get: its value is the address."""
        symbol = definition.symbol._replace(st_value=address)
        self._memory.write(self._scratch, SYM.pack(*symbol))

    def call_arguments(
        self, dso: Dso, binding: Binding, which: str, bit: int
    ) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
        """Yield (function, its first four arguments) for the auditors that want to see a call."""
        if binding.definition is None:
            return
        target = binding.definition.dso
        states = zip(self._states.get(dso, ()), self._states.get(target, ()), strict=False)
        for auditor, (by, to), flags in zip(self.auditors, states, binding.flags, strict=False):
            function = auditor.functions.get(which)
            if function and not flags & bit:
                self._write_symbol(binding.definition, binding.address)
                yield function, (self._scratch, binding.symbol_index, by.cookie, to.cookie)


def symbol_index(definition: Definition) -> int:
    """Return the index of a definition in its file's symbol table."""
    dso, symbol = definition
    name = dso.bytes_at(symbol.st_name)
    for index in dso.hash.find(name, dso.owner.hashes[name]):
        if dso.symbol(index) == symbol:
            return int(index)
    return 0
