"""The names of the commands, and how to get one without importing the others."""

from __future__ import annotations

from .arguments import Command

COMMAND_NAMES = ("mkso", "link", "run")


def load_command(name: str) -> Command:
    """Import the module of a command in COMMAND_NAMES; each costs start-up, so one at a time."""
    if name == "mkso":
        from .mkso_command import MKSO

        return MKSO
    if name == "link":
        from .link_command import LINK

        return LINK
    from .run_command import RUN

    return RUN
