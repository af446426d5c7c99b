"""A signal as strace(1) shows it: --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, ...} ---."""

from __future__ import annotations

from struct import unpack_from

from pyldso.kernel.signals import signal_name
from pyldso.trace import strace_names as names
from pyldso.trace import strace_values as values
from pyldso.trace.strace_names import show_choice

_SI_QUEUE, _SI_TIMER = -1, -2
_FAULTS = frozenset(("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"))
_CLD_EXITED = 1


def signal_line(siginfo: bytes) -> str:
    """Return the line of a signal, by its siginfo_t (sigaction(2))."""
    number, _, code = unpack_from("<3i", siginfo)
    name = signal_name(number)
    return f"--- {name} {{{', '.join(_fields(name, code, siginfo))}}} ---\n"


def _fields(name: str, code: int, siginfo: bytes) -> list[str]:
    codes = names.SIGNAL_CODES.get(name, {}) | names.COMMON_SIGNAL_CODES
    fields = [f"si_signo={name}", f"si_code={show_choice(code, codes, '{}')}"]
    first, second = unpack_from("<ii", siginfo, 16)
    if name in _FAULTS and code > 0:
        (address,) = unpack_from("<Q", siginfo, 16)
        return [*fields, f"si_addr={values.pointer(address)}"]
    if code == _SI_TIMER:
        return [*fields, f"si_timerid={first:#x}", f"si_overrun={second}", *_value(siginfo)]
    if name == "SIGCHLD" and code > 0:
        (status,) = unpack_from("<i", siginfo, 24)
        times = unpack_from("<qq", siginfo, 32)
        shown = str(status) if code == _CLD_EXITED else signal_name(status)
        fields += [f"si_pid={first}", f"si_uid={second}", f"si_status={shown}"]
        return [*fields, f"si_utime={times[0]}", f"si_stime={times[1]}"]
    if code <= 0:
        fields += [f"si_pid={first}", f"si_uid={second}"]
        return [*fields, *(_value(siginfo) if code == _SI_QUEUE else ())]
    return fields


def _value(siginfo: bytes) -> tuple[str, str]:
    number, pointer = unpack_from("<i", siginfo, 24)[0], unpack_from("<Q", siginfo, 24)[0]
    return f"si_int={number}", f"si_ptr={values.pointer(pointer)}"
