"""The one table of x86-64 Linux system calls: number, name, typed parameters, handler, note.

The table gives the decoder of arguments (kernel/binding.py), strace's form (trace/strace.py) and
what `run --syscalls` prints. A handler `topic.function` stands in kernel/syscalls_topic.py; `host`
means that the host's kernel answers, with every pointer checked and replaced; none means ENOSYS.

A parameter is `type name`. Types of pointers say what stands behind them:

    path                a file name, which the policy of kernel/files.py sees
    string              any other NUL-terminated string
    in(X)  out(X)       memory that the call reads or writes; inout(X) both
    iov_in(N) iov_out(N)   N buffers described by struct iovec
    address             a number that stays a guest address

X is a structure of STRUCTURE_SIZES or the parameter that holds the size in bytes; `in?` may be
NULL. All other types are numbers, and their names choose how strace shows them.
"""

from __future__ import annotations

from typing import NamedTuple

STRUCTURE_SIZES = {
    "int": 4,
    "long": 8,
    "int2": 8,
    "fd_set": 128,
    "itimerval": 32,
    "pollfd": 8,
    "rlimit": 16,
    "rusage": 144,
    "sigaction": 32,
    "sigset": 8,
    "stack_t": 24,
    "stat": 144,
    "statfs": 120,
    "statx": 256,
    "sysinfo": 112,
    "timespec": 16,
    "timespec2": 32,
    "timeval": 16,
    "timeval2": 32,
    "timezone": 8,
    "tms": 32,
    "utimbuf": 16,
    "utsname": 390,
}


class SyscallRow(NamedTuple):
    """One system call; `handler` is empty where it is not supported."""

    number: int
    name: str
    parameters: str
    handler: str
    note: str


_ROWS: dict[int, tuple[str, ...]] = {
    0: ("read", "fd fd, out(count) buf, size count", "host"),
    1: ("write", "fd fd, in(count) buf, size count", "host"),
    2: ("open", "path pathname, open_flags flags, mode mode", "files.open"),
    3: ("close", "fd fd", "host"),
    4: ("stat", "path pathname, out(stat) statbuf", "files.stat"),
    5: ("fstat", "fd fd, out(stat) statbuf", "host"),
    6: ("lstat", "path pathname, out(stat) statbuf", "files.lstat"),
    8: ("lseek", "fd fd, offset offset, whence whence", "host"),
    9: (
        "mmap",
        "address addr, size length, prot prot, map_flags flags, mapfd fd, hex offset",
        "memory.mmap",
    ),
    10: ("mprotect", "address addr, size len, prot prot", "memory.mprotect"),
    11: ("munmap", "address addr, size length", "memory.munmap"),
    12: ("brk", "address addr", "memory.brk"),
    13: (
        "rt_sigaction",
        "signal signum, in?(sigaction) act, out?(sigaction) oldact, size sigsetsize",
        "signals.rt_sigaction",
    ),
    14: (
        "rt_sigprocmask",
        "sigmask_how how, in?(sigset) set, out?(sigset) oldset, size sigsetsize",
        "signals.rt_sigprocmask",
    ),
    16: ("ioctl", "fd fd, ioctl request, address argp", "files.ioctl"),
    17: ("pread64", "fd fd, out(count) buf, size count, offset offset", "host"),
    18: ("pwrite64", "fd fd, in(count) buf, size count, offset offset", "host"),
    19: ("readv", "fd fd, iov_out(iovcnt) iov, int iovcnt", "host"),
    20: ("writev", "fd fd, iov_in(iovcnt) iov, int iovcnt", "host"),
    21: ("access", "path pathname, access_mode mode", "files.access"),
    25: (
        "mremap",
        "address old_address, size old_size, size new_size, mremap_flags flags, "
        "address new_address",
        "memory.mremap",
    ),
    28: ("madvise", "address addr, size length, madvise advice", "memory.madvise"),
    39: ("getpid", "", "host"),
    60: ("exit", "int status", "process.exit"),
    63: ("uname", "out(utsname) buf", "host"),
    79: ("getcwd", "out(size) buf, size size", "host"),
    89: ("readlink", "path pathname, out(bufsiz) buf, size bufsiz", "files.readlink"),
    96: ("gettimeofday", "out?(timeval) tv, out?(timezone) tz", "host"),
    97: ("getrlimit", "rlimit resource, out(rlimit) rlim", "process.getrlimit"),
    102: ("getuid", "", "host"),
    104: ("getgid", "", "host"),
    107: ("geteuid", "", "host"),
    108: ("getegid", "", "host"),
    110: ("getppid", "", "host"),
    158: ("arch_prctl", "arch_prctl code, address addr", "process.arch_prctl"),
    186: ("gettid", "", "host"),
    202: (
        "futex",
        "address uaddr, futex_op op, uint val, address timeout, address uaddr2, uint val3",
        "process.futex",
    ),
    217: ("getdents64", "fd fd, out(count) dirp, size count", "host"),
    218: ("set_tid_address", "address tidptr", "process.set_tid_address"),
    228: ("clock_gettime", "clock clockid, out(timespec) tp", "host"),
    231: ("exit_group", "int status", "process.exit_group"),
    234: ("tgkill", "pid tgid, pid tid, signal sig", "signals.tgkill"),
    257: ("openat", "dirfd dirfd, path pathname, open_flags flags, mode mode", "files.openat"),
    262: (
        "newfstatat",
        "dirfd dirfd, path pathname, out(stat) statbuf, at_flags flags",
        "files.newfstatat",
    ),
    267: (
        "readlinkat",
        "dirfd dirfd, path pathname, out(bufsiz) buf, size bufsiz",
        "files.readlinkat",
    ),
    273: ("set_robust_list", "address head, size len", "process.set_robust_list"),
    302: (
        "prlimit64",
        "pid pid, rlimit resource, in?(rlimit) new_limit, out?(rlimit) old_limit",
        "process.prlimit64",
    ),
    318: ("getrandom", "out(buflen) buf, size buflen, getrandom_flags flags", "host"),
    334: ("rseq", "address rseq, uint rseq_len, int flags, hex sig", ""),
    435: ("clone3", "address cl_args, size size", ""),
}


def syscall_row(number: int) -> SyscallRow | None:
    """Return the row of a system call, or None for a number that Linux does not know."""
    row = _ROWS.get(number)
    if row is None:
        return None
    name, parameters, handler, *note = row
    return SyscallRow(number, name, parameters, handler, note[0] if note else "")


def syscall_numbers() -> dict[str, int]:
    """Return the number of each system call by its name."""
    return {row[0]: number for number, row in _ROWS.items()}
