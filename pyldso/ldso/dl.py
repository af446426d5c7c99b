"""The dl* functions of a running program: dlopen(3), dlsym(3), dladdr(3), dl_iterate_phdr(3)."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyldso.arch.x86_64.registers import CALL_ARGUMENTS, FS_BASE
from pyldso.elf.constants import PT, STT
from pyldso.events import Topic
from pyldso.kernel.mmu import WRITE
from pyldso.ldso import tls
from pyldso.ldso.dl_info import dlinfo
from pyldso.ldso.dso import Version
from pyldso.ldso.errors import DAMAGED, DlError
from pyldso.ldso.lookup import (
    SymbolReference,
    announce_binding,
    announced,
    definition_address,
    find_symbol,
    note_dependency,
    undefined_symbol,
)
from pyldso.ldso.open import RTLD_GLOBAL, close_object, open_object

if TYPE_CHECKING:
    from pyldso.kernel.guest_calls import Calls
    from pyldso.ldso.dso import Dso
    from pyldso.ldso.namespace import Namespace

RTLD_LAZY, RTLD_NOW, RTLD_BINDING_MASK = 1, 2, 3
RTLD_DEFAULT, RTLD_NEXT = 0, 0xFFFFFFFFFFFFFFFF
RTLD_DL_LINKMAP, RTLD_DL_SYMENT = 2, 1
KNOWN_MODES = 0x4000110F
"""All bits that dlopen's mode may have (dlopen.c)."""
LM_ID_BASE, LM_ID_NEWLM, NAMESPACE_LIMIT = 0, -1, 16
LA_SYMB_DLSYM = 8
MINUS_ONE = 0xFFFFFFFFFFFFFFFF
PATH_LIMIT = 4096
ERROR_ROOM = 4096
PHDR_INFO = struct.Struct("<QQQH6xQQQQ")

FAILURES = (DlError, *DAMAGED)

Handler = Callable[..., int]


class DlFunctions:
    """The functions as the guest calls them; the text of the last error waits for dlerror."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._memory = namespace.memory
        self._errors: dict[int, str] = {}
        """The text that waits for each thread's dlerror, by thread pointer."""
        self._error_texts: dict[int, int] = {}

    # ---- from registers to arguments ----

    def trap(self, handler: Handler, count: int, on_error: int = 0) -> int:
        """Return the address of a guest function of `count` arguments that `handler` performs.

        A DlError becomes dlerror's text and the result `on_error`.
        """
        cpu = self._namespace.process.cpu

        def run() -> int:
            arguments = [cpu.get(register) for register in CALL_ARGUMENTS[:count]]
            try:
                return handler(*arguments)
            except FAILURES as error:
                self._note(error)
            return on_error

        return self._namespace.process.stubs.add_trap(run)

    def calling_trap(self, handler: Callable[..., Calls], count: int, on_error: int = 0) -> int:
        """Return what `trap` does for a handler that calls functions of the guest."""
        cpu = self._namespace.process.cpu

        def run() -> Calls:
            arguments = [cpu.get(register) for register in CALL_ARGUMENTS[:count]]
            try:
                return (yield from handler(*arguments))
            except FAILURES as error:
                self._note(error)
            return on_error

        return self._namespace.process.stubs.add_trap(run)

    def _note(self, error: Exception) -> None:
        """Keep an error's text for the thread's dlerror."""
        if isinstance(error, DlError):
            text = error.text
        else:  # a pointer out of the guest's memory, a damaged table
            text = (isinstance(error, OSError) and error.strerror) or str(error)
        self._errors[self._namespace.process.cpu.get(FS_BASE)] = text

    def _text(self, address: int) -> str:
        return self._memory.read_cstring(address, PATH_LIMIT).decode(errors="surrogateescape")

    def _caller(self, address: int) -> Dso:
        return self._namespace.containing(address) or self._namespace.program

    def _by_handle(self, handle: int) -> Dso:
        dso = self._namespace.by_link_map(handle)
        if dso is None:
            raise DlError("", "invalid handle")
        return dso

    # ---- the functions ----

    def dlopen(self, file: int, mode: int, caller: int) -> Calls:
        """Load a file and return its handle: the address of its link map."""
        return self._open(self._caller(caller).owner, file, mode, caller)

    def dlmopen(self, namespace_id: int, file: int, mode: int, caller: int) -> Calls:
        """Load a file into a namespace, or into a new one (LM_ID_NEWLM), with all that it needs."""
        number = (namespace_id ^ 1 << 63) - (1 << 63)
        _check_mode(mode)
        if number == LM_ID_BASE:
            return (yield from self._open(self._namespace, file, mode, caller, is_explicit=True))
        if not file:
            raise DlError("", "invalid namespace", errno.EINVAL)
        if mode & RTLD_GLOBAL:
            raise DlError("", "invalid mode", errno.EINVAL)
        family = self._namespace.family
        if number != LM_ID_NEWLM:
            chosen = next((other for other in family if other.id == number), None)
            if chosen is None:
                name = self._text(file)
                raise DlError(name, "invalid target namespace in dlmopen()", errno.EINVAL)
            return (yield from self._open(chosen, file, mode, caller, is_explicit=True))
        if len(family) >= NAMESPACE_LIMIT:
            message = "no more namespaces available for dlmopen()"
            raise DlError(self._text(file), message, errno.EINVAL)
        fresh = self._namespace.sibling()
        try:
            return (yield from self._open(fresh, file, mode, caller, is_explicit=True))
        finally:
            if not fresh.objects:
                family.remove(fresh)

    def _open(
        self, namespace: Namespace, file: int, mode: int, caller: int, *, is_explicit: bool = False
    ) -> Calls:
        _check_mode(mode)
        name = self._text(file) if file else ""
        asker: Dso | None = self._caller(caller)
        if is_explicit and "/" in name and "$" not in name:
            asker = None  # the name says all
        if mode & RTLD_BINDING_MASK == 0:
            raise DlError(name, "invalid mode for dlopen()", errno.EINVAL)
        with namespace.lock:
            self._await_walks()
            return (yield from open_object(namespace, name, mode & 0xFFFFFFFF, asker))

    def dlclose(self, handle: int) -> Calls:
        """Give a handle back; the file is unloaded when nothing uses it any more."""
        with self._namespace.lock:
            self._await_walks()
            return (yield from self._close(handle))

    def _await_walks(self) -> None:
        """Wait until no other thread is in dl_iterate_phdr: the list of files may change."""
        with self._namespace.walk_lock:
            pass

    def keep_open(self, handle: int) -> int:
        """Do what dlclose does in a library that unloads nothing: look at the handle."""
        self._by_handle(handle)
        return 0

    def _close(self, handle: int) -> Calls:
        dso = self._namespace.by_link_map(handle)
        if dso is not None and dso.is_nodelete:
            return 0
        if dso is None or (dso.direct_opencount == 0 and not dso.is_initial):
            label = dso.name if dso else ""
            raise DlError(label, "shared object not open")
        if dso.direct_opencount == 0:
            raise DlError(dso.name, "shared object not open")
        return (yield from close_object(dso.owner, dso))

    def dlsym(self, handle: int, name: int, caller: int) -> int:
        """Return the address of a symbol."""
        with self._namespace.lock:
            return self._symbol(handle, name, None, self._caller(caller))

    def dlvsym(self, handle: int, name: int, version: int, caller: int) -> int:
        """Return the address of a symbol of a given version."""
        from pyldso.elf.dynamic import sysv_hash

        text = self._memory.read_cstring(version, PATH_LIMIT)
        wanted = Version(text, sysv_hash(text), b"", True)
        with self._namespace.lock:
            return self._symbol(handle, name, wanted, self._caller(caller))

    def _symbol(self, handle: int, name_address: int, version: Version | None, by: Dso) -> int:
        namespace = self._namespace
        name = self._memory.read_cstring(name_address, PATH_LIMIT)
        scopes, label = self._scopes_of(handle, by)
        reference = SymbolReference(name, version, is_plt=True, newest=True)
        definition = find_symbol(namespace, reference, scopes)
        if definition is None:
            raise announced(namespace, undefined_symbol(label, name, version))
        if handle == RTLD_DEFAULT:  # a handle keeps its file loaded by itself
            note_dependency(namespace, by, definition.dso)
        if namespace.events.wanted & Topic.BINDINGS:
            asker = namespace.by_link_map(handle) or by
            announce_binding(namespace, asker, definition.dso, name, version)
        if definition.symbol.type == STT.TLS:
            return tls.block_address(namespace, definition.dso) + definition.symbol.st_value
        address = definition_address(namespace, definition)
        if by.owner.audit is not None:
            address, _ = by.owner.audit.bound(by, definition, address, LA_SYMB_DLSYM)
        return address

    def _scopes_of(self, handle: int, by: Dso) -> tuple[Sequence[Sequence[Dso]], str]:
        """Return where dlsym looks for a handle, and the name that an error puts first."""
        if handle == RTLD_DEFAULT:
            return by.scopes, by.label
        if handle == RTLD_NEXT:
            first = by
            while first.loader is not None:
                first = first.loader
            scope = first.searchlist
            after = scope[scope.index(by) + 1 :] if by in scope else []
            return [after], by.label
        dso = self._by_handle(handle)
        return [dso.searchlist], dso.label

    def dlerror(self) -> int:
        """Return the text of the thread's last error and forget it; 0 where there was none."""
        thread = self._namespace.process.cpu.get(FS_BASE)
        text = self._errors.pop(thread, "")
        if not text:
            return 0
        if thread not in self._error_texts:
            self._error_texts[thread] = self._namespace.heap.allocate(ERROR_ROOM)
        data = text.encode(errors="surrogateescape")[: ERROR_ROOM - 1]
        self._memory.write(self._error_texts[thread], data + b"\0")
        return self._error_texts[thread]

    def dladdr(self, address: int, info: int) -> int:
        """Fill a Dl_info: the file and the nearest symbol at or below an address."""
        return self.dladdr1(address, info, 0, 0)

    def dladdr1(self, address: int, info: int, extra: int, flags: int) -> int:
        """Fill a Dl_info and, by `flags`, a pointer to the symbol or to the link map."""
        with self._namespace.lock:
            return self._address(address, info, extra, flags)

    def _address(self, address: int, info: int, extra: int, flags: int) -> int:
        dso = self._namespace.containing(address)
        if dso is None:
            return 0
        index, name, value = _nearest_symbol(dso, address)
        file_name = dso.name_address
        if dso is self._namespace.program:
            file_name = self._namespace.argv0_address or file_name
        self._memory.write(info, struct.pack("<QQQQ", file_name, dso.start, name, value))
        if flags & 3 == RTLD_DL_LINKMAP:
            self._memory.write_u64(extra, dso.link_map)
        elif flags & 3 == RTLD_DL_SYMENT:
            entry = dso.base + dso.dynamic[6] + 24 * index if name else 0
            self._memory.write_u64(extra, entry)
        return 1

    def dlinfo(self, handle: int, request: int, argument: int) -> int:
        """Answer one of the RTLD_DI_* requests."""
        return dlinfo(self._by_handle(handle), request & 0xFFFFFFFF, argument)

    # ---- what libc itself calls, for NSS and iconv ----

    def libc_dlopen(self, file: int, mode: int) -> Calls:
        """Load a file as dlopen does, for libc, which has modes of its own (__RTLD_DLOPEN)."""
        return self.dlopen(file, mode & KNOWN_MODES, 0)

    def libc_dlsym(self, handle: int, name: int) -> int:
        """Return a symbol's address, for libc."""
        return self.dlsym(handle, name, 0)

    def libc_dlvsym(self, handle: int, name: int, version: int) -> int:
        """Return a versioned symbol's address, for libc."""
        return self.dlvsym(handle, name, version, 0)

    # ---- what programs and libgcc call by name ----

    def dl_iterate_phdr(self, callback: int, data: int) -> Calls:
        """Call `callback` with a struct dl_phdr_info for each file until it returns non-zero."""
        caller = self._memory.read_u64(self._namespace.process.cpu.sp)
        objects = self._caller(caller).owner.objects
        with self._namespace.walk_lock:
            return (yield from self._walk(objects, callback, data))

    def _walk(self, objects: list[Dso], callback: int, data: int) -> Calls:
        loads = self._namespace.statistics.loads
        present = sum(len(namespace.objects) for namespace in self._namespace.family)
        cpu = self._namespace.process.cpu
        info = cpu.sp - PHDR_INFO.size  # on the stack, as callbacks may walk, too, or never return
        for dso in list(objects):
            block = tls.block_address(self._namespace, dso) if dso.tls else 0
            record = PHDR_INFO.pack(
                dso.base,
                dso.name_address,
                dso.phdr_address,
                len(dso.phdrs),
                loads,
                loads - present,
                dso.tls.module if dso.tls else 0,
                block,
            )
            self._memory.translate(info, PHDR_INFO.size, WRITE)  # the stack grows
            self._memory.write(info, record)
            cpu.sp = info
            result = yield (callback, info, PHDR_INFO.size, data)
            if result & 0xFFFFFFFF:
                return result
        return 0

    def find_object(self, address: int, result: int) -> int:
        """Fill a struct dl_find_object: where the unwinder finds the tables for an address."""
        calls = self._namespace.process.guest_calls
        if calls.unwind_start <= address < calls.unwind_end:
            return self._found(
                result, (calls.unwind_start, calls.unwind_end, 0, calls.eh_frame_header)
            )
        dso = self._namespace.containing(address)
        table = next((p for p in dso.phdrs if p.p_type == PT.GNU_EH_FRAME), None) if dso else None
        if dso is None or table is None:
            return MINUS_ONE
        fields = (dso.start, dso.end, dso.link_map, dso.base + table.p_vaddr)
        return self._found(result, fields)

    def _found(self, result: int, fields: tuple[int, int, int, int]) -> int:
        self._memory.write(result, struct.pack("<5Q", 0, *fields))  # no flags are defined
        return 0

    def allocate_tls(self, thread_pointer: int) -> int:
        """Give a new thread its thread-local storage."""
        return tls.allocate_thread(self._namespace, thread_pointer)

    def deallocate_tls(self, thread_pointer: int) -> int:
        """Take back a thread's thread-local storage."""
        return tls.deallocate_thread(self._namespace, thread_pointer)

    def find_dso_for_object(self, address: int) -> int:
        """Return the link map of the file that holds an address."""
        dso = self._namespace.containing(address)
        return dso.link_map if dso else 0


def _check_mode(mode: int) -> None:
    if mode & 0xFFFFFFFF & ~KNOWN_MODES:
        raise DlError("", "invalid mode parameter")


def _nearest_symbol(dso: Dso, address: int) -> tuple[int, int, int]:
    """Return index, name address and value of the symbol that covers `address`, or zeros."""
    best = (0, 0, 0)
    offset = address - dso.base
    for index, symbol in dso.defined_symbols():
        size = max(symbol.st_size, 1)
        covers = symbol.st_value <= offset < symbol.st_value + size
        if covers and (symbol.st_value > best[2] or not best[0]):
            best = (index, symbol.st_name, symbol.st_value)
    index, name, value = best
    if not index:
        return best
    return index, dso.base + dso.dynamic[5] + name, dso.base + value


def make_dlfcn_hook(namespace: Namespace) -> int:
    """Return the address of glibc's struct dlfcn_hook, filled with traps (include/dlfcn.h)."""
    functions = namespace.dl_functions
    entries = (
        functions.calling_trap(functions.dlopen, 3),
        functions.calling_trap(functions.dlclose, 1, MINUS_ONE),
        functions.trap(functions.dlsym, 3),
        functions.trap(functions.dlvsym, 4),
        functions.trap(functions.dlerror, 0),
        functions.trap(functions.dladdr, 2),
        functions.trap(functions.dladdr1, 4),
        functions.trap(functions.dlinfo, 3, MINUS_ONE),
        functions.calling_trap(functions.dlmopen, 4),
        functions.calling_trap(functions.libc_dlopen, 2),
        functions.trap(functions.libc_dlsym, 2),
        functions.trap(functions.libc_dlvsym, 3),
        functions.calling_trap(functions.dlclose, 1, MINUS_ONE),
    )
    address = namespace.heap.allocate(8 * len(entries))
    namespace.memory.write(address, struct.pack(f"<{len(entries)}Q", *entries))
    return address


def install_glibc_overrides(namespace: Namespace) -> None:
    """Give the dynamic linker's own definitions of what glibc and ld.so define for its tables."""
    functions = namespace.dl_functions
    namespace.overrides[b"dl_iterate_phdr"] = functions.calling_trap(functions.dl_iterate_phdr, 2)
    namespace.overrides[b"_dl_find_object"] = functions.trap(functions.find_object, 2, MINUS_ONE)
    for name in (b"_dl_allocate_tls", b"_dl_allocate_tls_init"):
        namespace.overrides[name] = functions.trap(functions.allocate_tls, 1)
    namespace.overrides[b"_dl_deallocate_tls"] = functions.trap(functions.deallocate_tls, 1)
    namespace.overrides[b"_dl_find_dso_for_object"] = functions.trap(
        functions.find_dso_for_object, 1
    )
