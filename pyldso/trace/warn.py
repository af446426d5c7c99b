"""What the guest asked for and does not get, as lines for a person (`--warn`)."""

from __future__ import annotations

from collections.abc import Callable

from pyldso.events import Event
from pyldso.kernel.events import Refused


class WarningPrinter:
    """Writes a line for each refusal."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def __call__(self, event: Event) -> None:
        """Write the line of an event of Topic.UNSUPPORTED."""
        if isinstance(event, Refused):
            self._write(f"pyldso: warning: {event.what}: {event.reason}\n")
