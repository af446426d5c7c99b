"""The names that strace shows for numbers of system calls: flags, commands, signals, errors.

A table of flags is a tuple of (name, bits), the first that fits first; a table of choices maps a
number to its name.
"""

from __future__ import annotations

Flags = tuple[tuple[str, int], ...]
Choices = dict[int, str]


def show_flags(value: int, table: Flags, zero: str = "0") -> str:
    """Return the names of the bits of `value` joined by `|`, unknown bits as a number at last."""
    if not value:
        return zero
    names = []
    for name, bits in table:
        if value & bits == bits:
            names.append(name)
            value &= ~bits
    if value:
        names.append(f"{value:#x}")
    return "|".join(names)


def show_choice(value: int, table: Choices, form: str = "{:#x}") -> str:
    """Return the name of a number, or the number."""
    return table.get(value) or form.format(value)


OPEN_MODES: Choices = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR", 3: "O_ACCMODE"}
OPEN_FLAGS: Flags = (
    ("O_CREAT", 0o100),
    ("O_EXCL", 0o200),
    ("O_NOCTTY", 0o400),
    ("O_TRUNC", 0o1000),
    ("O_APPEND", 0o2000),
    ("O_NONBLOCK", 0o4000),
    ("O_SYNC", 0o4010000),
    ("O_DSYNC", 0o10000),
    ("O_ASYNC", 0o20000),
    ("O_DIRECT", 0o40000),
    ("O_LARGEFILE", 0o100000),
    ("O_NOFOLLOW", 0o400000),
    ("O_NOATIME", 0o1000000),
    ("O_CLOEXEC", 0o2000000),
    ("O_PATH", 0o10000000),
    ("O_TMPFILE", 0o20200000),
    ("O_DIRECTORY", 0o200000),
)
PROT: Flags = (("PROT_READ", 1), ("PROT_WRITE", 2), ("PROT_EXEC", 4))
MAP_TYPES: Choices = {1: "MAP_SHARED", 2: "MAP_PRIVATE", 3: "MAP_SHARED_VALIDATE"}
MAP_FLAGS: Flags = (
    ("MAP_FIXED", 0x10),
    ("MAP_ANONYMOUS", 0x20),
    ("MAP_32BIT", 0x40),
    ("MAP_NORESERVE", 0x4000),
    ("MAP_POPULATE", 0x8000),
    ("MAP_NONBLOCK", 0x10000),
    ("MAP_GROWSDOWN", 0x100),
    ("MAP_DENYWRITE", 0x800),
    ("MAP_LOCKED", 0x2000),
    ("MAP_STACK", 0x20000),
    ("MAP_HUGETLB", 0x40000),
    ("MAP_FIXED_NOREPLACE", 0x100000),
)
MREMAP_FLAGS: Flags = (("MREMAP_MAYMOVE", 1), ("MREMAP_FIXED", 2), ("MREMAP_DONTUNMAP", 4))
MSYNC_FLAGS: Flags = (("MS_ASYNC", 1), ("MS_INVALIDATE", 2), ("MS_SYNC", 4))
ACCESS_MODES: Flags = (("R_OK", 4), ("W_OK", 2), ("X_OK", 1))
AT_FLAGS: Flags = (
    ("AT_SYMLINK_NOFOLLOW", 0x100),
    ("AT_SYMLINK_FOLLOW", 0x400),
    ("AT_NO_AUTOMOUNT", 0x800),
    ("AT_EMPTY_PATH", 0x1000),
)
STATX_AT_FLAGS: Flags = (
    ("AT_STATX_FORCE_SYNC", 0x2000),
    ("AT_STATX_DONT_SYNC", 0x4000),
    *AT_FLAGS,
)
UNLINKAT_FLAGS: Flags = (("AT_REMOVEDIR", 0x200),)
FACCESSAT_FLAGS: Flags = (("AT_EACCESS", 0x200), *AT_FLAGS)
STATX_MASK: Flags = (
    ("STATX_ALL", 0xFFF),
    ("STATX_BASIC_STATS", 0x7FF),
    ("STATX_TYPE", 1),
    ("STATX_MODE", 2),
    ("STATX_NLINK", 4),
    ("STATX_UID", 8),
    ("STATX_GID", 0x10),
    ("STATX_ATIME", 0x20),
    ("STATX_MTIME", 0x40),
    ("STATX_CTIME", 0x80),
    ("STATX_INO", 0x100),
    ("STATX_SIZE", 0x200),
    ("STATX_BLOCKS", 0x400),
    ("STATX_BTIME", 0x800),
    ("STATX_MNT_ID", 0x1000),
    ("STATX_DIOALIGN", 0x2000),
)
RENAME_FLAGS: Flags = (("RENAME_NOREPLACE", 1), ("RENAME_EXCHANGE", 2), ("RENAME_WHITEOUT", 4))
GETRANDOM_FLAGS: Flags = (("GRND_NONBLOCK", 1), ("GRND_RANDOM", 2), ("GRND_INSECURE", 4))
FLOCK: Flags = (("LOCK_SH", 1), ("LOCK_EX", 2), ("LOCK_UN", 8), ("LOCK_NB", 4))
SA_FLAGS: Flags = (
    ("SA_RESTORER", 0x4000000),
    ("SA_ONSTACK", 0x8000000),
    ("SA_RESTART", 0x10000000),
    ("SA_NODEFER", 0x40000000),
    ("SA_RESETHAND", 0x80000000),
    ("SA_SIGINFO", 4),
    ("SA_NOCLDSTOP", 1),
    ("SA_NOCLDWAIT", 2),
)
SS_FLAGS: Flags = (("SS_ONSTACK", 1), ("SS_DISABLE", 2), ("SS_AUTODISARM", 0x80000000))
POLL_EVENTS: Flags = (
    ("POLLIN", 1),
    ("POLLPRI", 2),
    ("POLLOUT", 4),
    ("POLLRDNORM", 0x40),
    ("POLLRDBAND", 0x80),
    ("POLLWRNORM", 0x100),
    ("POLLWRBAND", 0x200),
    ("POLLERR", 8),
    ("POLLHUP", 0x10),
    ("POLLNVAL", 0x20),
    ("POLLRDHUP", 0x2000),
)
EPOLL_EVENTS: Flags = (
    *((f"E{name}", bits) for name, bits in POLL_EVENTS),
    ("EPOLLEXCLUSIVE", 1 << 28),
    ("EPOLLWAKEUP", 1 << 29),
    ("EPOLLONESHOT", 1 << 30),
    ("EPOLLET", 1 << 31),
)

FILE_TYPES: Choices = {
    0o010000: "S_IFIFO",
    0o020000: "S_IFCHR",
    0o040000: "S_IFDIR",
    0o060000: "S_IFBLK",
    0o100000: "S_IFREG",
    0o120000: "S_IFLNK",
    0o140000: "S_IFSOCK",
}
WHENCE: Choices = {
    0: "SEEK_SET",
    1: "SEEK_CUR",
    2: "SEEK_END",
    3: "SEEK_DATA",
    4: "SEEK_HOLE",
}
SIGMASK_HOW: Choices = {0: "SIG_BLOCK", 1: "SIG_UNBLOCK", 2: "SIG_SETMASK"}
CLOCKS: Choices = {
    0: "CLOCK_REALTIME",
    1: "CLOCK_MONOTONIC",
    2: "CLOCK_PROCESS_CPUTIME_ID",
    3: "CLOCK_THREAD_CPUTIME_ID",
    4: "CLOCK_MONOTONIC_RAW",
    5: "CLOCK_REALTIME_COARSE",
    6: "CLOCK_MONOTONIC_COARSE",
    7: "CLOCK_BOOTTIME",
    11: "CLOCK_TAI",
}
RLIMITS: Choices = dict(
    enumerate(
        f"RLIMIT_{name}"
        for name in (
            "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS",
            "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
        )
    )
)  # fmt: skip
FADVICE: Choices = dict(
    enumerate(
        f"POSIX_FADV_{name}"
        for name in ("NORMAL", "RANDOM", "SEQUENTIAL", "WILLNEED", "DONTNEED", "NOREUSE")
    )
)
MADVICE: Choices = {
    0: "MADV_NORMAL",
    1: "MADV_RANDOM",
    2: "MADV_SEQUENTIAL",
    3: "MADV_WILLNEED",
    4: "MADV_DONTNEED",
    8: "MADV_FREE",
    9: "MADV_REMOVE",
    10: "MADV_DONTFORK",
    11: "MADV_DOFORK",
    12: "MADV_MERGEABLE",
    13: "MADV_UNMERGEABLE",
    14: "MADV_HUGEPAGE",
    15: "MADV_NOHUGEPAGE",
    16: "MADV_DONTDUMP",
    17: "MADV_DODUMP",
    18: "MADV_WIPEONFORK",
    19: "MADV_KEEPONFORK",
    20: "MADV_COLD",
    21: "MADV_PAGEOUT",
}
ARCH_PRCTL: Choices = {
    0x1001: "ARCH_SET_GS",
    0x1002: "ARCH_SET_FS",
    0x1003: "ARCH_GET_FS",
    0x1004: "ARCH_GET_GS",
    0x3001: "ARCH_CET_STATUS",
}
PRCTL: Choices = {
    1: "PR_SET_PDEATHSIG",
    3: "PR_GET_DUMPABLE",
    4: "PR_SET_DUMPABLE",
    15: "PR_SET_NAME",
    16: "PR_GET_NAME",
    23: "PR_CAPBSET_READ",
    38: "PR_SET_NO_NEW_PRIVS",
    39: "PR_GET_NO_NEW_PRIVS",
    0x53564D41: "PR_SET_VMA",
}
EPOLL_OPS: Choices = {1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"}
FUTEX_OPS: Choices = {
    0: "FUTEX_WAIT",
    1: "FUTEX_WAKE",
    3: "FUTEX_REQUEUE",
    4: "FUTEX_CMP_REQUEUE",
    5: "FUTEX_WAKE_OP",
    6: "FUTEX_LOCK_PI",
    7: "FUTEX_UNLOCK_PI",
    8: "FUTEX_TRYLOCK_PI",
    9: "FUTEX_WAIT_BITSET",
    10: "FUTEX_WAKE_BITSET",
    11: "FUTEX_WAIT_REQUEUE_PI",
    12: "FUTEX_CMP_REQUEUE_PI",
    13: "FUTEX_LOCK_PI2",
}
FUTEX_FLAGS: Flags = (("FUTEX_PRIVATE_FLAG", 0x80), ("FUTEX_CLOCK_REALTIME", 0x100))
FCNTLS: Choices = {
    0: "F_DUPFD",
    1: "F_GETFD",
    2: "F_SETFD",
    3: "F_GETFL",
    4: "F_SETFL",
    5: "F_GETLK",
    6: "F_SETLK",
    7: "F_SETLKW",
    8: "F_SETOWN",
    9: "F_GETOWN",
    36: "F_OFD_GETLK",
    37: "F_OFD_SETLK",
    38: "F_OFD_SETLKW",
    1030: "F_DUPFD_CLOEXEC",
    1031: "F_SETPIPE_SZ",
    1032: "F_GETPIPE_SZ",
    1033: "F_ADD_SEALS",
    1034: "F_GET_SEALS",
}
IOCTLS: Choices = {
    0x5401: "TCGETS",
    0x5402: "TCSETS",
    0x5403: "TCSETSW",
    0x5404: "TCSETSF",
    0x540F: "TIOCGPGRP",
    0x5410: "TIOCSPGRP",
    0x5413: "TIOCGWINSZ",
    0x5414: "TIOCSWINSZ",
    0x5409: "TCSBRK",
    0x540A: "TCXONC",
    0x540B: "TCFLSH",
    0x540C: "TIOCEXCL",
    0x540D: "TIOCNXCL",
    0x540E: "TIOCSCTTY",
    0x5411: "TIOCOUTQ",
    0x5412: "TIOCSTI",
    0x5420: "TIOCPKT",
    0x5422: "TIOCNOTTY",
    0x5424: "TIOCGETD",
    0x5425: "TCSBRKP",
    0x5441: "TIOCGPTPEER",
    0x80045430: "TIOCGPTN",
    0x40045431: "TIOCSPTLCK",
    0x80045438: "TIOCGPKT",
    0x80045439: "TIOCGPTLCK",
    0x80045440: "TIOCGEXCL",
    0x802C542A: "TCGETS2",
    0x402C542B: "TCSETS2",
    0x402C542C: "TCSETSW2",
    0x402C542D: "TCSETSF2",
    0x541B: "FIONREAD",
    0x5421: "FIONBIO",
    0x5429: "TIOCGSID",
    0x5450: "FIONCLEX",
    0x5451: "FIOCLEX",
    0x5452: "FIOASYNC",
    0x80086601: "FS_IOC_GETFLAGS",
    0x8905: "SIOCATMARK",
    0x8910: "SIOCGIFNAME",
    0x8913: "SIOCGIFFLAGS",
    0x8915: "SIOCGIFADDR",
    0x8919: "SIOCGIFBRDADDR",
    0x891B: "SIOCGIFNETMASK",
    0x8921: "SIOCGIFMTU",
    0x8927: "SIOCGIFHWADDR",
    0x8933: "SIOCGIFINDEX",
}
SIGNAL_CODES: dict[str, Choices] = {
    "SIGSEGV": {1: "SEGV_MAPERR", 2: "SEGV_ACCERR"},
    "SIGBUS": {1: "BUS_ADRALN", 2: "BUS_ADRERR"},
    "SIGILL": {1: "ILL_ILLOPC", 2: "ILL_ILLOPN"},
    "SIGFPE": {1: "FPE_INTDIV", 3: "FPE_FLTDIV", 7: "FPE_FLTINV"},
    "SIGTRAP": {1: "TRAP_BRKPT", 2: "TRAP_TRACE"},
    "SIGCHLD": {
        1: "CLD_EXITED", 2: "CLD_KILLED", 3: "CLD_DUMPED", 4: "CLD_TRAPPED",
        5: "CLD_STOPPED", 6: "CLD_CONTINUED",
    },
}  # fmt: skip
"""si_code by signal (sigaction(2))."""
COMMON_SIGNAL_CODES: Choices = {
    0x80: "SI_KERNEL", 0: "SI_USER", -1: "SI_QUEUE", -2: "SI_TIMER",
    -6: "SI_TKILL",
}  # fmt: skip
