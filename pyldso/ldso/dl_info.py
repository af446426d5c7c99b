"""dlinfo(3): what a program may ask of a loaded file."""

from __future__ import annotations

import errno
import os
import struct
from enum import IntEnum
from typing import TYPE_CHECKING

from pyldso.ldso import tls
from pyldso.ldso.errors import DlError
from pyldso.ldso.load import search_chain

if TYPE_CHECKING:
    from pyldso.ldso.dso import Dso

SERINFO = struct.Struct("<QI4x")
SERPATH = struct.Struct("<QI4x")


class Request(IntEnum):
    """RTLD_DI_* (dlfcn.h)."""

    LMID = 1
    LINKMAP = 2
    SERINFO = 4
    SERINFOSIZE = 5
    ORIGIN = 6
    TLS_MODID = 9
    TLS_DATA = 10
    PHDR = 11


def dlinfo(dso: Dso, request: int, argument: int) -> int:
    """Write the answer to a request at `argument`; return 0, or the count of program headers."""
    memory, namespace = dso.memory, dso.owner
    if request == Request.LMID:
        memory.write_u64(argument, namespace.id)
    elif request == Request.LINKMAP:
        memory.write_u64(argument, dso.link_map)
    elif request in (Request.SERINFO, Request.SERINFOSIZE):
        _search_paths(dso, argument, only_size=request == Request.SERINFOSIZE)
    elif request == Request.ORIGIN:
        memory.write(argument, dso.origin.encode(errors="surrogateescape") + b"\0")
    elif request == Request.TLS_MODID:
        memory.write_u64(argument, dso.tls.module if dso.tls else 0)
    elif request == Request.TLS_DATA:
        memory.write_u64(argument, tls.block_address(namespace, dso) if dso.tls else 0)
    elif request == Request.PHDR:
        memory.write_u64(argument, dso.phdr_address)
        return len(dso.phdrs)
    else:
        raise DlError("", "unsupported dlinfo request")
    return 0


def _search_paths(dso: Dso, argument: int, *, only_size: bool) -> None:
    """Fill a Dl_serinfo: the folders that are searched for what `dso` needs."""
    memory, namespace = dso.memory, dso.owner
    listed = namespace.search.listed(dso, search_chain(namespace, dso))
    names = [os.fsencode(folder) + b"\0" for folder in listed]
    at = SERINFO.size + SERPATH.size * len(names)
    size = at + sum(map(len, names))
    if only_size:
        memory.write(argument, SERINFO.pack(size, len(names)))
        return
    given, count = SERINFO.unpack(memory.read(argument, SERINFO.size))
    if (given, count) != (size, len(names)):
        message = "dlinfo: RTLD_DI_SERINFOSIZE and RTLD_DI_SERINFO do not agree"
        raise DlError(dso.name, message, errno.EINVAL)
    records = []
    for name in names:
        records.append(SERPATH.pack(argument + at, 0))  # flags that glibc has not defined yet
        at += len(name)
    memory.write(argument + SERINFO.size, b"".join([*records, *names]))
