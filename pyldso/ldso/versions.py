"""Whether the versions that files need are defined where they need them (dl-version.c)."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pyldso.elf.constants import DT
from pyldso.elf.dynamic import parse_verneed, sysv_hash
from pyldso.events import Topic
from pyldso.ldso.dso import MANY, Dso
from pyldso.ldso.errors import DlError, VersionError, reading
from pyldso.ldso.events import VersionChecked
from pyldso.ldso.namespace import Namespace

RELR_VERSION = b"GLIBC_ABI_DT_RELR"


def check_versions(namespace: Namespace, objects: Iterable[Dso]) -> list[str]:
    """Check the version needs of `objects` and return warnings: libraries without any versions.

    Raises VersionError with a line for every version that is not there.
    """
    missing: list[str] = []
    warnings: list[str] = []
    for dso in objects:
        if DT.VERNEED not in dso.dynamic:
            continue
        with reading(dso.label, "version table"):
            table = bytes(dso.tail(dso.dynamic[DT.VERNEED]))
            needs = parse_verneed(table, MANY, dso.strings)
        _check_relr(namespace, dso, {need.name for need in needs})
        for need in needs:
            target = provider(namespace, need.file.decode(errors="surrogateescape"))
            if target is None:
                continue
            version = need.name.decode(errors="replace")
            if namespace.events.wanted & Topic.VERSIONS:
                namespace.events.emit(
                    VersionChecked(version, target.label, dso.label, dso.owner.id)
                )
            if DT.VERDEF not in target.dynamic:
                text = "no version information available"
                line = f"{namespace.program_name}: {target.label}: {text} (required by {dso.label})"
                if line not in warnings:
                    warnings.append(line)
            elif not defines(target, need.name, need.hash):
                text = f"version `{version}' not found (required by {dso.label})"
                lead = f"{namespace.program_name}: {target.label}: "
                if need.is_weak:
                    warnings.append(f"{lead}weak {text}")
                else:
                    missing.append(lead + text)
    if missing:
        raise VersionError("\n".join(missing))
    return warnings


def _check_relr(namespace: Namespace, dso: Dso, needed: set[bytes]) -> None:
    """Refuse DT_RELR in a file that does not say so to a libc whose ld.so wants to be told."""
    if DT.RELR not in dso.dynamic or RELR_VERSION in needed:
        return
    for tag, name in dso.needed:
        if tag == DT.NEEDED and name.startswith("libc.so."):
            libc = provider(namespace, name)
            if libc is not None and defines(libc, RELR_VERSION, sysv_hash(RELR_VERSION)):
                raise DlError(dso.label, "DT_RELR without GLIBC_ABI_DT_RELR dependency")


def provider(namespace: Namespace, name: str) -> Dso | None:
    """Return the loaded file that a Verneed entry calls `name`."""
    for dso in namespace.objects:
        if dso.answers_to(name) or os.path.basename(dso.path) == name:
            return dso
    return None


def defines(target: Dso, name: bytes, version_hash: int) -> bool:
    """Tell whether `target` defines the version."""
    return any(
        version.hash == version_hash and version.name == name and not version.file
        for version in target.versions.values()
    )
