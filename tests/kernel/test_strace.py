"""--strace prints what strace(1) prints."""

import os
import re
import shutil
import subprocess

import pytest

from pyldso.trace.strace_values import quote

SOURCE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
char buffer[8192];
int main() {
    int fd = open("data", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    write(fd, "tab\there \"quoted\" \\ \1\0012\377 and longer than is shown", 50);
    struct iovec parts[2] = {{"one", 3}, {buffer, 2}};
    writev(fd, parts, 2);
    lseek(fd, -2, SEEK_END);
    read(fd, buffer, 10);
    pread(fd, buffer, 4, 1);
    parts[0].iov_base = buffer + 100;
    lseek(fd, 0, SEEK_SET);
    readv(fd, parts, 2);
    struct stat status;
    fstat(fd, &status);
    stat("/dev/null", &status);
    stat("absent", &status);
    fcntl(fd, F_GETFL);
    fcntl(fd, F_GETFD);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_DUPFD, 20);
    ftruncate(fd, 5);
    access("data", R_OK | W_OK);
    faccessat(AT_FDCWD, "absent", F_OK, 0);
    mkdir("folder", 0755);
    rename("folder", "moved");
    symlink("data", "link");
    readlink("link", buffer, 100);
    chmod("data", 0600);
    unlink("link");
    rmdir("moved");
    umask(022);
    int ends[2];
    pipe2(ends, O_NONBLOCK);
    struct pollfd wait[1] = {{ends[0], POLLIN}};
    poll(wait, 1, 0);
    write(ends[1], "x", 1);
    poll(wait, 1, 0);
    ioctl(ends[0], FIONREAD, buffer);
    void *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page, 4096, PROT_NONE);
    page = mremap(page, 8192, 4096, 0);
    madvise(page, 4096, MADV_DONTNEED);
    munmap(page, 4096);
    mmap((void *)4096, 0, 7, MAP_SHARED, 99, 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_CORE, &limit);
    struct utsname name;
    uname(&name);
    signal(SIGUSR1, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, 0);
    sigfillset(&set);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, 0, 8);
    struct timespec short_time = {0, 5};
    nanosleep(&short_time, 0);
    getcwd(buffer, 4096);
    read(99, buffer, 10);
    write(1, (void *)16, 5);
    openat(AT_FDCWD, (void *)8, O_RDONLY);
    getuid();
    syscall(SYS_statx, AT_FDCWD, "data", AT_SYMLINK_NOFOLLOW, STATX_SIZE | STATX_MODE, buffer);
    utimensat(AT_FDCWD, "data", 0, 0);
    kill(getpid(), 0);
    return 3;
}
"""
STARTS = re.compile(r'openat\(AT_FDCWD, "data", O_RDWR')


def lines_from_the_program(text):
    """Return the lines from the program's first own call on, what differs at every run unified."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if STARTS.match(line))
    unified = []
    for line in lines[first:]:
        line = re.sub(r"0x(5{3}|7f)[0-9a-f]{9}", "ADDRESS", line)
        line = re.sub(r"kill\(\d+|(getpid\(\) += )\d+", r"\1PID", line)
        unified.append(re.sub(r" +=", " =", line))
    return unified


@pytest.mark.parametrize("mode", [(), ("--interp",)], ids=["own linker", "real linker"])
def test_calls_look_as_strace_shows_them(mode, compile_c, tmp_path, pyldso):
    program = compile_c(SOURCE, "-O1")
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    traced = subprocess.run(
        ["setarch", "-R", strace, "-o", "native", program], cwd=tmp_path, capture_output=True
    )
    native = tmp_path / "native"
    if not native.exists() or traced.returncode != 3:
        pytest.skip("ptrace(2) is not allowed here")
    (tmp_path / "data").unlink()
    ended = pyldso("run", "--strace", *mode, program)
    assert ended.returncode == 3
    assert lines_from_the_program(ended.stderr) == lines_from_the_program(native.read_text())


def test_first_line_is_execve_and_last_the_end(pyldso):
    lines = pyldso("run", "--strace", "/bin/sh", "-c", "exit 4").stderr.splitlines()
    assert re.match(
        r'execve\("/bin/sh", \["/bin/sh", "-c", "exit 4"\], \[/\* \d+ vars \*/\]\) = 0', lines[0]
    )
    assert lines[-2:] == ["exit_group(4)                           = ?", "+++ exited with 4 +++"]


def test_fatal_signal_is_shown_with_its_details(compile_c, pyldso):
    program = compile_c("int main() { return *(volatile int *)16; }")
    lines = pyldso("run", "--strace", program).stderr.splitlines()
    assert lines[-3:-1] == [
        "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---",
        "+++ killed by SIGSEGV +++",
    ]


def test_signals_are_shown_as_strace_shows_them(compile_c, pyldso):
    program = compile_c("""
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void handle(int n) {}
int main(void) {
    sigset_t set;
    union sigval seven = {.sival_int = 7};
    signal(SIGUSR1, handle); signal(SIGCHLD, handle);
    raise(SIGUSR1); kill(getpid(), SIGUSR1); sigqueue(getpid(), SIGUSR1, seven);
    sigemptyset(&set); sigaddset(&set, SIGCHLD); sigprocmask(SIG_BLOCK, &set, 0);
    if (!fork()) { signal(SIGCHLD, SIG_DFL); _exit(3); }
    sigemptyset(&set); sigsuspend(&set);
    kill(getpid(), SIGTERM);
}""")
    text = pyldso("run", "--strace", program).stderr
    pid = re.search(r"tgkill\((\d+)", text)[1]
    sender = f"si_pid={pid}, si_uid={os.getuid()}"
    shown = [line for line in text.splitlines() if line.startswith(("---", "+++"))]
    assert shown.pop(3) == "+++ exited with 3 +++"
    assert re.sub("si_.time=[0-9]+", "T", re.sub("si_pid=[0-9]+", "P", shown.pop(3))) == (
        f"--- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED, P, si_uid={os.getuid()},"
        " si_status=3, T, T} ---"
    )
    assert shown == [
        f"--- SIGUSR1 {{si_signo=SIGUSR1, si_code=SI_TKILL, {sender}}} ---",
        f"--- SIGUSR1 {{si_signo=SIGUSR1, si_code=SI_USER, {sender}}} ---",
        f"--- SIGUSR1 {{si_signo=SIGUSR1, si_code=SI_QUEUE, {sender}, si_int=7, si_ptr=0x7}} ---",
        f"--- SIGTERM {{si_signo=SIGTERM, si_code=SI_USER, {sender}}} ---",
        "+++ killed by SIGTERM +++",
    ]


def test_trace_goes_on_when_the_program_closes_standard_error(compile_c, pyldso):
    program = compile_c("#include <unistd.h>\nint main() { close(2); return 0; }")
    assert "+++ exited with 0 +++" in pyldso("run", "--strace", program).stderr


def test_calls_of_threads_are_told_apart(compile_c, pyldso):
    source = r"""
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    static void *work(void *p) { dprintf(1, "%d\n", gettid()); return 0; }
    int main(void) {
        pthread_t thread;
        pthread_create(&thread, 0, work, 0);
        pthread_join(thread, 0);
        write(1, "last\n", 5);
    }
    """
    completed = pyldso("run", "--strace", compile_c(source, "-D_GNU_SOURCE", "-pthread"))
    thread = int(completed.stdout.split()[0])
    lines = completed.stderr.splitlines()
    assert f'[pid {thread:5}] write(1, "{thread}\\n", {len(str(thread)) + 1})' in completed.stderr
    assert lines[-3].startswith('write(1, "last\\n", 5)')


def test_calls_that_are_not_known_or_not_supported_are_shown(compile_c, pyldso):
    source = "#include <unistd.h>\nint main() { syscall(5555, 1, 2); syscall(134); fork(); }"
    text = pyldso("run", "--strace", compile_c(source)).stderr
    assert re.search(r"^syscall_0x15b3\(0x1, 0x2, .*\) = -1 ENOSYS \(Function not", text, re.M)
    assert re.search(r"^uselib\(\.\.\.\) += -1 ENOSYS", text, re.M)


def test_keys_of_ipc_objects_are_shown_as_strace_shows_them(compile_c, pyldso):
    source = r"""
    #include <sys/msg.h>
    #include <sys/shm.h>
    int main(void) {
        int id = shmget(IPC_PRIVATE, 4096, 0600);
        shmctl(id, IPC_RMID, 0);
        shmget(-1, 4096, 0);
        msgget(0x1234, 0);
    }
    """
    text = pyldso("run", "--strace", compile_c(source)).stderr
    assert re.search(r"^shmget\(IPC_PRIVATE, 4096, .*\) += \d+", text, re.M)
    assert re.search(r"^shmget\(0xffffffff, 4096, .*\) += -1 ENOENT", text, re.M)
    assert re.search(r"^msgget\(0x1234, .*\) += -1 ENOENT", text, re.M)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", '"plain"'),
        (b"\x7fELF\2\1\1", '"\\177ELF\\2\\1\\1"'),
        (b'\0001\n\t"\\', '"\\0001\\n\\t\\"\\\\"'),
        (b"x" * 40, '"' + "x" * 32 + '"...'),
    ],
)
def test_strings_are_quoted_as_strace_does(data, text):
    assert quote(data) == text
