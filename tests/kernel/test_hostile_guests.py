"""A guest that means harm gets an error, a signal or its end: no traceback, no wait without end."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Completed

Run = Callable[..., tuple[int, bytes, bytes]]

# Enters pyldso's own pages with numbers that no stub uses.
_NO_STUB = r"""
#include <stdio.h>
#include <string.h>
int main(void) {
    char line[500];
    unsigned long start = 0, end = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, 500, maps))
        if (strstr(line, "[pyldso]")) sscanf(line, "%lx-%lx", &start, &end);
    unsigned char *place = (void *)start;
    while (place[0] != 0x0f || place[1] != 5) place++;        /* syscall */
    for (long number = 0x70000400; number < 0x100000000; number += 0x7fffffff) {
        long result;
        __asm__ volatile("call *%1" : "=a"(result) : "r"(place), "a"(number)
                         : "rcx", "r11", "memory");
        printf("%ld\n", result);
    }
}
"""
_UNMAPPED_SET = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static unsigned long *set;
static void *wait_for_it(void *argument) {
    return (void *)syscall(SYS_rt_sigtimedwait, set, 0, 0, 8);
}
int main(void) {
    sigset_t blocked;
    pthread_t thread;
    void *number;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, 0);
    set = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *set = 1UL << (SIGUSR1 - 1);
    pthread_create(&thread, 0, wait_for_it, 0);
    usleep(100000);
    munmap(set, 4096);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, &number);
    printf("%ld\n", (long)number);
}
"""
_LONG_ARGUMENTS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void try(const char *name, int count, int length) {
    char *string = malloc(length + 1), **strings = calloc(count + 1, sizeof *strings);
    memset(string, 'a', length);
    string[length] = 0;
    for (int i = 0; i < count; i++) strings[i] = string;
    fflush(stdout);
    char *none[] = {0};
    execve("/bin/true", strings, none);
    perror(name);
}
int main(void) {
    dup2(1, 2);
    try("one long string", 1, 131072);
    try("60,000 strings of 130,000 bytes", 60000, 130000);
    try("as many as there is no room for", 17, 130000);
    try("many short ones", 200000, 2);
}
"""
_NO_SIGNALS = r"""
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
static void handle(int number) { write(1, "handled\n", 8); }
int main(void) {
    struct rlimit none = {0, 0};
    signal(SIGUSR2, handle);
    printf("%d\n", setrlimit(RLIMIT_SIGPENDING, &none));
    signal(SIGUSR1, handle);
    fflush(stdout);
    if (!fork()) { raise(SIGUSR1); _exit(0); }
    int status;
    wait(&status);
    raise(SIGUSR2);
    getrlimit(RLIMIT_SIGPENDING, &none);
    printf("%d, %ld\n", status, (long)none.rlim_max);
}
"""
_STOPPED = r"""
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **words) {
    if (count > 1 && fork()) { wait(0); return 0; }
    kill(getpid(), SIGSTOP);
    for (;;) ;
}
"""

# A function whose resolver asks for itself: ld.so runs out of stack, pyldso would of the host's.
_ENDLESS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
static void *resolve(void) { return dlsym(RTLD_DEFAULT, "endless"); }
void endless(void) __attribute__((ifunc("resolve")));
int main(void) {
    setbuf(stdout, 0);
    puts("begun");
    dlsym(RTLD_DEFAULT, "endless");
    puts("ended");
}
"""
# Signals the group that it leads, when its input ends.
_TO_THE_GROUP = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    char end;
    read(0, &end, 1);
    signal(SIGUSR1, SIG_IGN);
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    long sent = syscall(SYS_pidfd_send_signal, self, SIGUSR1, 0, 4);   /* PROCESS_GROUP */
    printf("%ld %s\n", sent, strerrorname_np(errno));
}
"""


def test_a_number_that_no_stub_has_is_an_unknown_system_call(
    compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    done = pyldso("run", compile_c(_NO_STUB))
    assert (done.returncode, done.stdout, done.stderr) == (0, "-38\n-38\n", "")  # ENOSYS


@pytest.mark.parametrize(
    "source",
    [_UNMAPPED_SET, _LONG_ARGUMENTS, _NO_SIGNALS],
    ids=["unmapped set", "long arguments", "no signals"],
)
def test_what_pyldso_keeps_for_itself_does_not_suffer(
    source: str, compile_c: Callable[..., str], run_native: Run, pyldso: Callable[..., Completed]
) -> None:
    program = compile_c(source, "-pthread", "-w")
    status, output, _ = run_native(program)
    done = pyldso("run", program)
    assert (done.returncode, done.stdout, done.stderr) == (status, output.decode(), "")


@pytest.mark.parametrize("words", [(), ("child",)], ids=["itself", "child"])
def test_a_stopped_process_ends_at_the_timeout(
    words: tuple[str, ...], compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    done = pyldso("run", "--timeout=1", compile_c(_STOPPED), *words)
    assert done.returncode == 124
    assert done.stderr.endswith("it has run for 1.0 seconds (--timeout)\n")


def test_calls_of_the_dynamic_linker_that_nest_without_end_are_a_fault(
    compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    done = pyldso("run", "--bind-now", compile_c(_ENDLESS, "-rdynamic"))
    assert done.returncode == 139
    assert "calls from within the dynamic linker nest too deep" in done.stderr
    assert "internal error" not in done.stderr


def test_a_group_with_others_in_it_is_out_of_reach(
    compile_c: Callable[..., str], pyldso_script: Path
) -> None:
    pipe = subprocess.PIPE
    guest = subprocess.Popen(
        [pyldso_script, "run", compile_c(_TO_THE_GROUP)], stdin=pipe, stdout=pipe, process_group=0
    )
    listens = ["sh", "-c", "trap 'echo heard; exit' USR1; echo ready; read line"]
    other = subprocess.Popen(listens, stdin=pipe, stdout=pipe, process_group=guest.pid)
    assert other.stdout is not None
    assert other.stdout.readline() == b"ready\n"
    assert guest.communicate(timeout=60)[0] == b"-1 EPERM\n"
    assert other.communicate(timeout=60)[0] == b""


def test_refusals_are_told_once_but_not_remembered_without_end(
    compile_c: Callable[..., str], pyldso: Callable[..., Completed]
) -> None:
    source = "#include <unistd.h>\nint main(void) { for (int i = 0; i < 2400; i++)"
    source += " { syscall(5000 + i / 2 % 1100); } }"
    lines = pyldso("run", "--warn", compile_c(source)).stderr.splitlines()
    assert len(lines) == 1200
    assert lines.count(lines[0]) == 2  # again, after a thousand others
