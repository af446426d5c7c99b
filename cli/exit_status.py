"""The exit statuses of `pyldso`."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """What a command ends with, where it is not the status of the guest program itself."""

    OK = 0
    ERROR = 1
    USAGE = 2
    LOAD_FAILURE = 127
    INTERRUPTED = 130  # 128 + SIGINT, as shells count
    BROKEN_PIPE = 141  # 128 + SIGPIPE
