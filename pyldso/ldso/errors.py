"""The exception of the dynamic linker: fatal at start-up, dlerror(3)'s text in dlopen."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from pyldso.elf.dynamic import RecordVersionError
from pyldso.errors import LoadError

LOADING = "error while loading shared libraries"
SYMBOL_LOOKUP = "symbol lookup error"
DAMAGED = (IndexError, ValueError, struct.error, OSError)
"""What reading or following a damaged table raises; OSError is a fault in the guest's memory."""


class DlError(LoadError):
    """What glibc's struct dl_exception carries: object, message, errno, and the occasion."""

    def __init__(
        self, object_name: str, message: str, errno: int = 0, occasion: str = LOADING
    ) -> None:
        super().__init__(message)
        self.object_name = object_name
        self.message = message
        self.errno = errno
        self.occasion = occasion

    @property
    def text(self) -> str:
        """The text that dlerror(3) returns."""
        where = f"{self.object_name}: " if self.object_name else ""
        reason = f": {os.strerror(self.errno)}" if self.errno else ""
        return f"{where}{self.message}{reason}"

    def at_start(self, program: str) -> LoadError:
        """Return the error that ends the program before its start."""
        return LoadError(f"{program}: {self.occasion}: {self.text}")


class InconsistencyError(LoadError):
    """A file that contradicts itself: ld.so ends the process, whoever asked, with its own words."""

    def __init__(self, place: str, function: str, assertion: str) -> None:
        text = f"{place}: {function}: Assertion `{assertion}' failed!"
        super().__init__(f"Inconsistency detected by ld.so: {text}")


class VersionError(LoadError):
    """Versions that are not there: every one on a line of its own, status 1 as ld.so's."""

    exit_status = 1


def _reason(error: Exception) -> str:
    """Return a text for what a damaged table raises, whose own words may be of Python's inside."""
    if isinstance(error, struct.error):
        return "it is cut off"
    if isinstance(error, OSError) or "address" in str(error) or "offset" in str(error):
        return str(error)
    return "it leads out of bounds"


@contextmanager
def reading(object_name: str, table: str) -> Iterator[None]:
    """Turn what a damaged `table` of a file raises into a DlError that names both."""
    try:
        yield
    except RecordVersionError as error:
        raise DlError(object_name, str(error)) from None
    except DAMAGED as error:
        raise DlError(object_name, f"damaged {table} ({_reason(error)})") from None
