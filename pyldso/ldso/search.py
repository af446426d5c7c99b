"""From a library's name to a file: the search of ld.so(8), and the cache of ldconfig(8)."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from pyldso.elf.constants import DF1, DT, PF
from pyldso.errors import os_error
from pyldso.events import EventStream, Topic
from pyldso.kernel import host
from pyldso.ldso.events import CacheSearched, PathTried, SearchBegun, SearchEnded, SearchPath

if TYPE_CHECKING:
    from pyldso.kernel.process import Process
    from pyldso.ldso.dso import Dso

CACHE_PATH = "/etc/ld.so.cache"
CACHE_MAGIC = b"glibc-ld.so.cache1.1"
OLD_CACHE_MAGIC = b"ld.so-1.7.0\0"
FLAG_X8664_LIB64 = 0x0303
HWCAP_EXTENSION = 1 << 62
EXTENSION_MAGIC = 0xEAA42174
HWCAPS_SECTION = 1

SYSTEM_DIRECTORIES = (
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)
"""The default folders where the interpreter does not tell its own."""
LIB_TOKEN = "lib/x86_64-linux-gnu"
PLATFORM_TOKEN = "x86_64"
HWCAPS = ("x86-64-v2",)
"""The glibc-hwcaps folders that the emulated CPU may use, best first; it has no AVX."""


class OpenedFile(NamedTuple):
    """A library file that was found and verified: `header` holds its first bytes."""

    path: str
    fd: int
    header: bytes


class Source(IntEnum):
    """Where a path that is tried comes from: LA_SER_* of link.h, for auditors."""

    NAME = 0
    ORIGINAL = 0x01
    LIBRARY_PATH = 0x02
    RUNPATH = 0x04
    CACHE = 0x08
    DEFAULT = 0x40


Opener = Callable[[str, Source], OpenedFile]
"""Opens and verifies a path; OSError where the search goes on."""


class LibraryCache:
    """The file that ldconfig(8) writes: from soname to path."""

    def __init__(self, data: bytes) -> None:
        start = 0
        if data.startswith(OLD_CACHE_MAGIC):
            (count,) = struct.unpack_from("<I", data, 12)
            start = -(-(16 + 12 * count) // 8) * 8
        self._data = data = data[start:]
        if not data.startswith(CACHE_MAGIC):
            raise ValueError("not a library cache")
        count, _, _, extension = struct.unpack_from("<IIB3xI", data, 20)
        words = memoryview(data)[48 : 48 + 24 * count].cast("I")
        self._flags, self._keys = words[0::6].tolist(), words[1::6].tolist()
        self._values = words[2::6].tolist()
        self._hwcap_low, self._hwcap_high = words[4::6].tolist(), words[5::6].tolist()
        self._hwcap_names = self._read_extension(extension) if extension else []

    def _string(self, offset: int) -> str:
        end = self._data.index(b"\0", offset)
        return os.fsdecode(self._data[offset:end])

    def _read_extension(self, offset: int) -> list[str]:
        magic, count = struct.unpack_from("<II", self._data, offset)
        if magic != EXTENSION_MAGIC:
            return []
        for index in range(count):
            tag, _, at, size = struct.unpack_from("<IIII", self._data, offset + 8 + 16 * index)
            if tag == HWCAPS_SECTION:
                offsets = struct.unpack_from(f"<{size // 4}I", self._data, at)
                return [self._string(name) for name in offsets]
        return []

    def find(self, name: str) -> list[str]:
        """Return the paths for the soname `name`, the best for this CPU first."""
        wanted = os.fsencode(name) + b"\0"
        plain: list[str] = []
        special: dict[str, str] = {}
        at = self._data.find(wanted)
        while at >= 0:
            for index in self._entries(at):
                path = self._string(self._values[index])
                if self._hwcap_high[index] & HWCAP_EXTENSION >> 32:
                    special.setdefault(self._hwcap_names[self._hwcap_low[index]], path)
                elif not self._hwcap_high[index] | self._hwcap_low[index]:
                    plain.append(path)
            at = self._data.find(wanted, at + 1)
        return [special[name] for name in HWCAPS if name in special] + plain

    def _entries(self, key: int) -> list[int]:
        """Return the entries of this CPU whose key is the string at offset `key`."""
        if self._keys.count(key) == 0:
            return []
        return [
            index
            for index, candidate in enumerate(self._keys)
            if candidate == key and self._flags[index] == FLAG_X8664_LIB64
        ]


class LibrarySearch:
    """The search configuration of a process: environment and options, and the cache once read."""

    def __init__(
        self,
        process: Process,
        library_path: str,
        *,
        inhibit_cache: bool = False,
        inhibit_rpath: str | None = None,
    ) -> None:
        self._process = process
        self._events: EventStream = process.events
        self._library_path = library_path
        self._inhibit_cache = inhibit_cache
        self._inhibit_rpath = [] if inhibit_rpath is None else inhibit_rpath.split(":")
        self._cache: LibraryCache | None = None
        self._cache_was_read = False
        self._mapped_cache: tuple[int, int] | None = None
        """Address and length of ld.so.cache, while it is mapped."""
        self._exists: dict[str, bool] = {}
        self.find_system_directories: Callable[[], Sequence[str]] = tuple
        """Asks the interpreter for its default folders."""
        self._system_directories: Sequence[str] = ()

    def expand(self, text: str, origin: Dso | None) -> str:
        """Replace the dynamic string tokens $ORIGIN, $LIB and $PLATFORM (ld.so(8))."""
        if "$" not in text:
            return text
        folder = origin.origin if origin else ""
        for token, value in (("ORIGIN", folder), ("LIB", LIB_TOKEN), ("PLATFORM", PLATFORM_TOKEN)):
            text = text.replace("${" + token + "}", value).replace("$" + token, value)
        return text

    def find(
        self, name: str, loader: Dso | None, chain: Sequence[Dso], opener: Opener, namespace: int
    ) -> OpenedFile:
        """Return the file for `name` as wanted by `loader`; FileNotFoundError where there is none.

        `chain` is the loader, who loaded it, and so on up to the program: their RPATHs count.
        `namespace` is the number of the one that it is for.
        """
        watched = bool(self._events.wanted & Topic.LIBS)
        if watched:
            self._events.emit(SearchBegun(name, namespace))
        found = self._find(name, loader, chain, opener)
        if watched:
            self._events.emit(SearchEnded(name, found.path if found else ""))
        if found is None:
            raise os_error(errno.ENOENT, name)
        return found

    def _find(
        self, name: str, loader: Dso | None, chain: Sequence[Dso], opener: Opener
    ) -> OpenedFile | None:
        has_runpath = loader is not None and DT.RUNPATH in loader.dynamic
        if not has_runpath:
            for dso in chain:
                if found := self._in_dso_path(name, dso, DT.RPATH, opener):
                    return found
        directories: Sequence[str] = self._environment_directories()
        kind = Source.LIBRARY_PATH
        if found := self._in_directories(name, directories, "LD_LIBRARY_PATH", kind, opener):
            return found
        if loader is not None and (found := self._in_dso_path(name, loader, DT.RUNPATH, opener)):
            return found
        if not self._inhibit_cache and (found := self._in_cache(name, opener)):
            return found
        if loader is not None and loader.flags_1 & DF1.NODEFLIB:
            return None
        directories, kind = self.system_directories, Source.DEFAULT
        return self._in_directories(name, directories, "system search path", kind, opener)

    @property
    def system_directories(self) -> Sequence[str]:
        """The default folders: those that the interpreter was built with."""
        if not self._system_directories:
            self._system_directories = self.find_system_directories() or SYSTEM_DIRECTORIES
        return self._system_directories

    def listed(self, loader: Dso, chain: Sequence[Dso]) -> list[str]:
        """Return the folders that a search for what `loader` needs goes through.

        A list none of whose folders is there is left out, as is the cache (RTLD_DI_SERINFO).
        """
        groups: list[Sequence[str]] = []
        if DT.RUNPATH not in loader.dynamic:
            groups += [self._dso_directories(dso, DT.RPATH) for dso in chain]
        groups.append(self._environment_directories())
        groups.append(self._dso_directories(loader, DT.RUNPATH))
        if not loader.flags_1 & DF1.NODEFLIB:
            groups.append(self.system_directories)
        return [
            folder.rstrip("/") or "/"
            for folders in groups
            if any(self._exists.get(folder, True) for folder in folders)
            for folder in folders
        ]

    def _environment_directories(self) -> list[str]:
        return [self.expand(item, None) or "." for item in split(self._library_path)]

    def _dso_directories(self, dso: Dso, tag: DT) -> list[str]:
        """Return the folders of a file's RPATH or RUNPATH; the former gives way to the latter."""
        if tag not in dso.dynamic or (tag == DT.RPATH and DT.RUNPATH in dso.dynamic):
            return []
        if dso.name in self._inhibit_rpath:
            return []
        return [self.expand(item, dso) or "." for item in split(dso.text(tag))]

    def _in_dso_path(self, name: str, dso: Dso, tag: DT, opener: Opener) -> OpenedFile | None:
        directories = self._dso_directories(dso, tag)
        source = f"{tag.name} from file {dso.label}"
        return self._in_directories(name, directories, source, Source.RUNPATH, opener)

    def _in_directories(
        self, name: str, directories: Sequence[str], source: str, kind: Source, opener: Opener
    ) -> OpenedFile | None:
        folders = [folder for base in directories for folder in self._with_hwcaps(base)]
        if folders and self._events.wanted & Topic.LIBS:
            self._events.emit(SearchPath(tuple(folders), source))
        for folder in folders:
            if found := self._try(f"{folder.rstrip('/')}/{name}", kind, opener):
                return found
        return None

    def _with_hwcaps(self, base: str) -> list[str]:
        """Return the folders to try for `base`; those known to be missing are left out."""
        folders = [f"{base.rstrip('/')}/glibc-hwcaps/{level}" for level in HWCAPS]
        folders.append(base)
        for folder in folders:
            if folder not in self._exists:
                self._exists[folder] = is_directory(self._process, folder)
        return [folder for folder in folders if self._exists[folder]]

    def _in_cache(self, name: str, opener: Opener) -> OpenedFile | None:
        if self._events.wanted & Topic.LIBS:
            self._events.emit(CacheSearched(CACHE_PATH))
        if self._mapped_cache is None:
            self._map_cache()
        for path in self._cache.find(name) if self._cache else ():
            if found := self._try(path, Source.CACHE, opener):
                return found
        return None

    def _map_cache(self) -> None:
        """Map the cache, and read it once; if it is missing or damaged, the folders are searched.

        It is mapped until the loading is over, as ld.so has it: what is loaded lies below it.
        """
        process = self._process
        try:
            fd = process.open(CACHE_PATH, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._mapped_cache = 0, 0
            return
        try:
            size = process.fstat(fd).st_size
            address = process.mmap(0, size, host.PROT_READ, host.MAP_PRIVATE, fd, 0)
        except OSError:
            self._mapped_cache = 0, 0
            return
        finally:
            process.close(fd)
        self._mapped_cache = address, size
        if not self._cache_was_read:
            self._cache_was_read = True
            with suppress(OSError, ValueError, IndexError, struct.error):
                self._cache = LibraryCache(process.memory.read(address, size))

    def release_cache(self) -> None:
        """Unmap the cache: the loading is over."""
        if self._mapped_cache is not None:
            address, size = self._mapped_cache
            self._mapped_cache = None
            if size:
                self._process.munmap(address, size)

    def _try(self, path: str, kind: Source, opener: Opener) -> OpenedFile | None:
        if self._events.wanted & Topic.LIBS:
            self._events.emit(PathTried(path))
        try:
            return opener(path, kind)
        except OSError:
            return None


def built_in_directories(dso: Dso) -> list[str]:
    """Return the default folders that a glibc's ld.so holds as one string after the other."""
    import re  # start-up: only where a search comes so far

    pattern = re.compile(rb"(?:/[\w./+-]*lib[\w./+-]*/\0){2,}")
    for phdr in dso.loads:
        if not phdr.p_flags & (PF.W | PF.X):
            found = pattern.search(bytes(dso.tail(phdr.p_vaddr)))
            if found:
                return [os.fsdecode(item).rstrip("/") for item in found[0].split(b"\0")[:-1]]
    return []


def is_directory(process: Process, path: str) -> bool:
    """Tell whether the process sees a folder at `path`."""
    try:
        process.close(process.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def split(text: str) -> list[str]:
    """Return the items of a search path; colons and semicolons separate, as in LD_LIBRARY_PATH."""
    return text.replace(";", ":").split(":") if text else []
