"""What goes wrong inside one statement; the assembler adds file, line and column."""

from __future__ import annotations


class StatementError(Exception):
    """A statement that cannot be assembled; `token` is the part that the caret points at."""

    def __init__(self, message: str, token: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.token = token
        self.hint = hint
