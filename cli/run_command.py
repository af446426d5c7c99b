"""`pyldso run`: be the kernel's program loader and ld.so for one program."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyldso.kernel.limits import Limits
    from pyldso.kernel.policy import Policy

from .arguments import Arguments, Command, Option, UsageError
from .exit_status import ExitStatus

WATCH = "Watching"
LOAD = "Finding and loading libraries"
ENVIRONMENT = "The program's environment"
POLICY = "What the program may do"
LIMITS = "What the program may use"
MACHINE = "The machine"

OPTIONS = (
    Option(
        ("--debug",), "debug", "Show what the dynamic linker does: libs, files, symbols, bindings,"
        " reloc, versions, scopes, statistics, all; `help` lists the words, as LD_DEBUG=help does.",
        WATCH, "WORDS",
    ),
    Option(
        ("--debug-output",), "debug_output",
        "Write what --debug shows to FILE.PID instead of standard error.", WATCH, "FILE",
    ),
    Option(("--list",), "list_only", "Print what ldd prints, and run nothing.", WATCH),
    Option(("--verify",), "verify_only", "Only tell by the status whether it can run.", WATCH),
    Option(("--strace",), "strace", "Print the system calls with their arguments.", WATCH),
    Option(
        ("--warn",), "warn", "Print a line for all that the program asked for and did not get:"
        " files that it may not write, system calls that are not there.", WATCH,
    ),
    Option(("--syscalls",), "syscalls", "List the system calls that programs may make.", WATCH),
    Option(
        ("--library-path",), "library_path", "Search these folders instead of LD_LIBRARY_PATH.",
        LOAD, "DIR:DIR",
    ),
    Option(
        ("--preload",), "preload", "Load these libraries in front of all others.", LOAD, "FILE:FILE"
    ),
    Option(("--inhibit-cache",), "inhibit_cache", "Do not use /etc/ld.so.cache.", LOAD),
    Option(
        ("--inhibit-rpath",), "inhibit_rpath", "Ignore the RPATH and RUNPATH of these objects.",
        LOAD, "NAME:NAME",
    ),
    Option(
        ("--bind-now",), "bind_now", "Bind every function at once, as LD_BIND_NOW=1 does.", LOAD
    ),
    Option(
        ("--interp",), "interp", "Start the file that PT_INTERP names (the machine's own ld.so)"
        " in the emulated machine, instead of being the dynamic linker.", LOAD,
    ),
    Option(
        ("-E",), "set_variable", "Set a variable for the program alone.", ENVIRONMENT, "VAR=VALUE"
    ),
    Option(("-U",), "unset_variable", "Unset a variable for it.", ENVIRONMENT, "VAR"),
    Option(("--argv0",), "argv0", "Let its argv[0] be this.", ENVIRONMENT, "STRING"),
    Option(
        ("--allow-write",), "allow_write", "Let it write beneath DIR, too (may be repeated).",
        POLICY, "DIR",
    ),
    Option(
        ("--read-only",), "read_only", "Let it write no files, but for what --allow-write names.",
        POLICY,
    ),
    Option(("--allow-net",), "allow_net", "Let it use the network.", POLICY),
    Option(
        ("--root",), "root", "Let DIR be its `/`: a sysroot, which the program, its ld.so.cache and"
        " all libraries come from too. It sees nothing else but /dev/null and its like and its own"
        " /proc/self.", POLICY, "DIR",
    ),
    Option(
        ("--timeout",), "timeout", "Stop it after so many seconds, with status 124.", LIMITS,
        "SECONDS",
    ),
    Option(
        ("--max-memory",), "max_memory", "Stop it when one of its processes needs more memory than"
        " SIZE bytes (512M, 2G), with status 123.", LIMITS, "SIZE",
    ),
    Option(
        ("--max-output",), "max_output", "Stop it when it writes more than SIZE bytes, to files or"
        " elsewhere, with status 122.", LIMITS, "SIZE",
    ),
    Option(
        ("--max-insns",), "max_insns", "Stop it after N instructions (counted in blocks), with"
        " status 121.", LIMITS, "N",
    ),
    Option(
        ("--aslr",), "aslr", "Put everything at random addresses, the same for the same SEED;"
        " without it addresses are the same at every run.", MACHINE, "SEED", is_optional=True,
    ),
)  # fmt: skip

DESCRIPTION = """\
Run PROGRAM as the Linux kernel and its dynamic linker would, in an emulated CPU.

Options stand before PROGRAM; all that follows it belongs to the program. The exit status is the
program's own, 128+N where signal N ended it, 127 where it could not be loaded, and 121 to 124 where
it has reached a limit. Limits hold for all processes of the program together.

The program reads what you may read, but writes only beneath the current and the temporary folders;
it has no network and reaches no other processes. What it may not do fails with EACCES or EPERM.

LD_LIBRARY_PATH and LD_BIND_NOW are taken from the environment. LD_PRELOAD, LD_DEBUG and LD_AUDIT
there would act on the machine's own ld.so and on Python itself, so the program's are given with -E
or by an option.
"""

EXAMPLES = """\
pyldso run ./prog2l
pyldso run --debug=bindings ./prog2l
pyldso run --list /bin/ls
pyldso run -E LD_PRELOAD=./mymalloc.so ./intr
pyldso run --strace --interp /bin/true
"""

HOST_VARIABLES = (b"LD_PRELOAD", b"LD_DEBUG", b"LD_AUDIT")
"""What the machine's own ld.so has already acted upon, in Python's process."""


def execute(arguments: Arguments) -> int:
    """Run the program and return its exit status."""
    if arguments.flag("syscalls"):
        return list_syscalls()

    from pyldso.run import RunOptions, run

    operands = arguments.operands()
    if not operands:
        if "help" not in (arguments.last("debug") or ""):
            raise UsageError("which PROGRAM is to be run?")
        operands = [""]  # --debug=help runs none
    check_interp(arguments)
    return run(
        RunOptions(
            program=operands[0],
            arguments=operands[1:],
            environment=guest_environment(arguments),
            debug=arguments.last("debug") or "",
            debug_output=arguments.last("debug_output"),
            list_only=arguments.flag("list_only"),
            verify_only=arguments.flag("verify_only"),
            strace=arguments.flag("strace"),
            use_interp=arguments.flag("interp"),
            aslr_seed=aslr_seed(arguments.last("aslr")),
            library_path=arguments.last("library_path"),
            preload=arguments.all("preload"),
            inhibit_cache=arguments.flag("inhibit_cache"),
            inhibit_rpath=arguments.last("inhibit_rpath"),
            argv0=arguments.last("argv0"),
            bind_now=arguments.flag("bind_now"),
            warn=arguments.flag("warn"),
            policy=policy(arguments),
            limits=limits(arguments),
        )
    )


def list_syscalls() -> int:
    """Print the table of system calls with mark, parameters, handler and note, and count them.

    `+` is there, `x` is for the privileged and fails with EPERM, `-` fails with ENOSYS.
    """
    from pyldso.arch.x86_64.syscalls import NOT_PERMITTED, NUMBERS, syscall_row

    lines = []
    counts = {"+": 0, "x": 0, "-": 0}
    for number in sorted(NUMBERS.values()):
        row = syscall_row(number)
        if row is not None:
            mark = "-" if not row.handler else "x" if row.handler == NOT_PERMITTED else "+"
            counts[mark] += 1
            call = row.name if mark == "-" else f"{row.name}({row.parameters}) [{row.handler}]"
            lines.append(f"{number:>3} {mark} {call}{row.note and f': {row.note}'}")
    there, refused, missing = counts.values()
    lines.append(f"{there} are there, {refused} fail with EPERM, {missing} with ENOSYS")
    sys.stdout.write("\n".join(lines) + "\n")
    return ExitStatus.OK


def policy(arguments: Arguments) -> Policy:
    """Return what the program may do to the world outside itself."""
    from pyldso.kernel.policy import Policy

    root = arguments.last("root")
    try:
        chosen = Policy.chosen(
            root,
            arguments.all("allow_write"),
            read_only=arguments.flag("read_only"),
            has_network=arguments.flag("allow_net"),
        )
        if chosen.root and not chosen.is_inside_root():
            os.chdir(chosen.root)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    return chosen


def limits(arguments: Arguments) -> Limits | None:
    """Return what the program may use, or None where nothing is limited."""
    texts = [arguments.last(f"max_{name}") for name in ("memory", "insns", "output")]
    seconds = arguments.last("timeout")
    if seconds is None and texts == [None, None, None]:
        return None
    from pyldso.kernel.limits import Limits

    memory, instructions, output = (
        None if text is None else amount(f"--max-{name}", text)
        for name, text in zip(("memory", "insns", "output"), texts, strict=True)
    )
    try:
        time = None if seconds is None else float(seconds)
    except ValueError:
        time = -1.0
    if time is not None and not 0 < time < 1 << 31:
        raise UsageError(f"option '--timeout' takes seconds, not '{seconds}'")
    return Limits(time, memory, instructions, output)


UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def amount(option: str, text: str) -> int:
    """Return the number that a text stands for, whose last letter may be a unit (K, M, G, T)."""
    unit = UNITS.get(text[-1:].upper(), 1)
    digits = text if unit == 1 else text[:-1]
    if not digits.isdecimal() or int(digits) * unit >= 1 << 62:
        raise UsageError(f"option '{option}' takes a number, such as 100 or 512M, not '{text}'")
    return int(digits) * unit


def aslr_seed(text: str | None) -> int | None:
    """Return the number that addresses are drawn by, or None where they are to stay in place."""
    if text is None:
        return None
    if text == "":
        return int.from_bytes(os.urandom(4))
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"option '--aslr' takes a number, not '{text}'") from None


def guest_environment(arguments: Arguments) -> dict[bytes, bytes]:
    """Return our own environment, less what was meant for Python, with -U and -E carried out."""
    environment = dict(os.environb)
    for name in HOST_VARIABLES:
        if environment.pop(name, None) is not None:
            shown = name.decode()
            sys.stderr.write(
                f"pyldso: warning: {shown} in the environment acts on Python, not on the program;"
                f" use -E {shown}=... for the program\n"
            )
    for dest, value in arguments.items:
        if dest == "unset_variable":
            environment.pop(os.fsencode(str(value)), None)
        elif dest == "set_variable":
            name, equals, text = os.fsencode(str(value)).partition(b"=")
            if not name or not equals:
                raise UsageError(f"option '-E' takes VAR=VALUE, not '{value}'")
            environment[name] = text
    return environment


OURS_ALONE = {
    "verify_only": "--verify",
    "inhibit_cache": "--inhibit-cache",
    "inhibit_rpath": "--inhibit-rpath",
}


def check_interp(arguments: Arguments) -> None:
    """Refuse options under --interp that the machine's own ld.so has no variable for."""
    if arguments.flag("interp"):
        for dest, name in OURS_ALONE.items():
            if arguments.last(dest) is not None:
                raise UsageError(f"option '{name}' does not go with '--interp'")


RUN = Command(
    name="run",
    synopsis="[OPTIONS] PROGRAM [ARGS]...",
    summary="Run a program as the kernel and ld.so do.",
    description=DESCRIPTION,
    examples=EXAMPLES,
    options=OPTIONS,
    execute=execute,
    ends_options_at_operand=True,
)
