"""What a process sees of itself is the guest's, not the emulator's: /proc/self, limits, prctl."""

import marshal
import os
import sys
from pathlib import Path

import pytest
from processes import run_command

ROOT = Path(__file__).parents[2]


def shown(outcome):
    return outcome[1].decode().splitlines()


@pytest.mark.parametrize("name", ["comm", "limits", "mounts", "cmdline", "task/self/../../comm"])
def test_file_of_proc_is_as_natively(name, run_native, run_guest):
    command = ("/bin/cat", f"/proc/self/{name}")
    assert run_guest(*command) == run_native(*command)


@pytest.mark.parametrize("folder", ["fd", "fdinfo"])
def test_folder_of_proc_shows_no_descriptor_of_pyldso(folder, run_native, run_guest):
    command = ("/bin/ls", f"/proc/self/{folder}")
    assert run_guest(*command) == run_native(*command)


def test_process_of_one_thread_shows_one(run_guest):
    assert len(shown(run_guest("/bin/ls", "/proc/self/task"))) == 1


def test_status_and_stat_tell_of_the_guest(run_native, run_guest):
    script = ("/bin/cat", "/proc/self/status", "/proc/self/stat", "/proc/self/statm")
    native, guest = shown(run_native(*script)), shown(run_guest(*script))
    assert len(guest) == len(native)
    assert [line.partition("\t")[0] for line in guest[:-2]] == [
        line.partition("\t")[0] for line in native[:-2]
    ]
    assert guest[0] == native[0] == "Name:\tcat"
    assert guest[-2].split()[1] == "(cat)"
    # Sizes are those of the guest's mappings, give or take what libc maps by the kernel's help.
    for line in (-1, -2):
        field = 22 if line == -2 else 0
        sizes = [int(lines[line].split()[field]) for lines in (guest, native)]
        assert 0.5 < sizes[0] / sizes[1] < 2


LIMITS = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int main() {
    int kinds[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_STACK};
    for (int i = 0; i < 5; i++) {
        struct rlimit limit = {500, 2000}, wrong = {2001, 2000}, now;
        int set = setrlimit(kinds[i], &limit);
        getrlimit(kinds[i], &now);
        printf("%d %d %ld %ld\\n", i, set, (long)now.rlim_cur, (long)now.rlim_max);
        printf("%d %d\\n", setrlimit(kinds[i], &wrong), errno);
    }
    fflush(stdout);
    int value = 7;
    printf("%d", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    printf(" %d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    printf(" %d", prctl(PR_GET_PDEATHSIG, &value));
    printf(" %d", value);
    printf(" %d", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    printf(" %d", prctl(PR_GET_CHILD_SUBREAPER, &value));
    printf(" %d", value);
    printf(" %d %d\\n", prctl(PR_GET_PDEATHSIG, 8L), errno);
    printf("%d", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    printf(" %d", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    printf(" %d %d\\n", prctl(PR_SET_DUMPABLE, 9, 0, 0, 0), errno);
    gid_t own = getgid();
    printf("%d %d\\n", setgroups(1, &own), setgroups(0, 0));
    printf("%d %d\\n", setpgid(0, 0), getpgrp() == getpid());
    printf("%d", prlimit(-1, RLIMIT_CORE, 0, 0));
    printf(" %d\\n", errno);
    struct sched_param none = {0}, high = {5};
    printf("%d", sched_setscheduler(0, SCHED_OTHER, &none));
    printf(" %d %d", sched_setscheduler(0, SCHED_BATCH, &none), sched_getscheduler(0));
    printf(" %d", sched_setscheduler(getpid(), SCHED_OTHER | SCHED_RESET_ON_FORK, &none));
    printf(" %d", sched_getscheduler(0));
    printf(" %d %d", sched_setscheduler(0, SCHED_OTHER, &high), errno);
    printf(" %d %d", sched_setparam(0, &none), sched_setparam(0, &high));
    printf(" %d %d\\n", sched_setscheduler(0, 99, &none), errno);
    fflush(stdout);
    char folder[32];
    sprintf(folder, "/proc/%d", getpid());
    int process = open(folder, O_RDONLY | O_DIRECTORY), proc = open("/proc", O_RDONLY);
    printf("%ld", syscall(SYS_pidfd_send_signal, process, 0, 0, 0));
    printf(" %ld %d\\n", syscall(SYS_pidfd_send_signal, proc, 0, 0, 0), errno);
}
"""


def test_limits_and_flags_of_a_process_are_as_natively(compile_c, run_native, run_guest):
    program = compile_c(LIMITS)
    native = run_native(program)
    assert run_guest(program) == native
    assert native[0] == 0


SMALL_FILES = """
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int main() {
    struct rlimit limit = {300, 300};
    setrlimit(RLIMIT_FSIZE, &limit);
    syscall(SYS_openat2, AT_FDCWD, "/", 0, 0);  // and what else is there only when it is asked for
    return fork() ? 0 : 1;
}
"""


def test_limit_of_files_leaves_the_cache_of_python_whole(compile_c, tmp_path):
    program = compile_c(SMALL_FILES)
    for _ in range(2):
        done = run_command(
            sys.executable, "-m", "cli", "run", program, cwd=ROOT,
            env={"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    modules = [path.read_bytes() for path in tmp_path.rglob("*.pyc")]
    assert modules
    for module in modules:
        marshal.loads(module[16:])


JOIN = """
#include <errno.h>
#include <grp.h>
int main() {
    gid_t other = 54321;
    return setgroups(1, &other) == -1 && errno == EPERM;
}
"""


def test_process_joins_no_group(compile_c, run_guest):
    assert run_guest(compile_c(JOIN))[0] == 1


def test_arithmetic_leaves_its_exceptions_as_natively(compile_c, run_native, pyldso):
    source = Path(__file__).with_name("float_exceptions.c").read_text()
    program = compile_c(source, "-O1", "-lm")
    assert pyldso("run", program).stdout == run_native(program)[1].decode()


def test_the_x87_computes_what_it_computes_natively(compile_c, run_native, pyldso):
    source = Path(__file__).with_name("x87_functions.c").read_text()
    program = compile_c(source, "-O1", "-lm")
    assert pyldso("run", program).stdout == run_native(program)[1].decode()


def test_strings_are_compared_as_natively(compile_c, run_native, pyldso):
    source = Path(__file__).with_name("string_comparison.c").read_text()
    program = compile_c(source, "-O2", "-msse4.2")
    assert pyldso("run", program).stdout == run_native(program)[1].decode()


def test_floating_point_begins_as_natively(compile_c, run_native, run_guest):
    source = Path(__file__).with_name("float_environment.c").read_text()
    program = compile_c(source, "-O1", "-lm")
    assert run_guest(program) == run_native(program)


SCHEDULING = """
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void show(int pid) {
    cpu_set_t set;
    int asked = sched_getaffinity(pid, sizeof set, &set);
    printf("%d: %d of %d,", asked, CPU_COUNT(&set), (int)sysconf(_SC_NPROCESSORS_ONLN));
    printf(" nice %d, policy %d,", getpriority(PRIO_PROCESS, pid), sched_getscheduler(pid));
    printf(" io %ld\\n", syscall(SYS_ioprio_get, 1, pid));
}
static void *other(void *first) {
    cpu_set_t last, of_first;
    sched_getaffinity(0, sizeof last, &last);
    for (int cpu = 0; CPU_COUNT(&last) > 1; cpu++) CPU_CLR(cpu, &last);
    printf("%d ", pthread_setaffinity_np(pthread_self(), sizeof last, &last));
    printf("%d ", pthread_getaffinity_np(*(pthread_t *)first, sizeof of_first, &of_first));
    printf("%d\\n", CPU_EQUAL(&last, &of_first));
    show(gettid());
    return 0;
}
int main() {
    cpu_set_t all, one, none;
    CPU_ZERO(&none);
    sched_getaffinity(0, sizeof all, &all);
    one = all;
    for (int cpu = 0; CPU_COUNT(&one) > 1; cpu++) CPU_CLR(cpu, &one);
    int gate[2];
    char byte;
    struct sched_param param = {0}, one_more = {1};
    if (pipe(gate)) return 1;
    int child = fork();
    if (!child) {
        if (read(gate[0], &byte, 1) == 1) show(0);
        return 0;
    }
    printf("%d", sched_setaffinity(child, sizeof one, &one));
    printf(" %d", setpriority(PRIO_PROCESS, child, 7));
    printf(" %d", sched_setscheduler(child, SCHED_BATCH, &param));
    printf(" %ld\\n", syscall(SYS_ioprio_set, 1, child, 3 << 13));
    show(child);
    fflush(stdout);
    if (write(gate[1], "x", 1) != 1) return 1;
    wait(0);
    show(0);
    printf("%d %d\\n", sched_setaffinity(0, sizeof none, &none), errno);
    printf("%d %d\\n", sched_setaffinity(99999999, sizeof one, &one), errno);
    printf("%d %d\\n", sched_setparam(0, &one_more), errno);
    pthread_t self = pthread_self(), thread;
    pthread_create(&thread, 0, other, &self);
    pthread_join(thread, 0);
    show(0);
    printf("%d\\n", sched_setaffinity(0, sizeof one, &one));
    show(0);
}
"""


def test_processors_and_priorities_of_threads_and_children_are_set(
    compile_c, run_native, run_guest
):
    program = compile_c(SCHEDULING, "-pthread")
    native = run_native(program)
    assert native[0] == 0
    assert b"0: 1 of" in native[1]
    assert run_guest(program) == native


def test_processors_and_priorities_of_other_processes_are_out_of_reach(pyldso):
    script = "taskset -pc 0 $1; renice 1 $1; ionice -c 3 -p $1; chrt -b -p 0 $1"
    lines = pyldso("run", "/bin/sh", "-c", script, "sh", str(os.getpid())).stderr.splitlines()
    assert len(lines) == 4
    assert all(line.endswith("Operation not permitted") for line in lines)


MEMORY_LIMITS = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#define M (1L << 20)
static void try(const char *what, void *p) {
    printf("%s %s\\n", what, p == MAP_FAILED ? strerror(errno) : "ok");
}
static void *get(void *at, long size, int prot, int flags) {
    return mmap(at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}
int main() {
    setvbuf(stdout, 0, _IONBF, 0);
    struct rlimit space = {64 * M, 128 * M};
    char *a = get(0, 32 * M, 3, 0);
    printf("%d\\n", setrlimit(RLIMIT_AS, &space));
    try("16", get(0, 16 * M, 3, 0));
    try("16 more", get(0, 16 * M, 0, 0));
    try("16 in place", get(a, 16 * M, 1, MAP_FIXED));
    try("grown", mremap(a + 16 * M, 16 * M, 32 * M, MREMAP_MAYMOVE));
    try("brk", sbrk(20 * M));
    printf("malloc %d\\n", malloc(40 * M) != 0);
    if (!fork()) { try("child", get(0, 20 * M, 3, 0)); _exit(0); }
    wait(0);
    space.rlim_cur = 128 * M;
    printf("%d\\n", setrlimit(RLIMIT_AS, &space));
    try("16 again", get(0, 16 * M, 3, 0));
    struct rlimit data = {40 * M, 40 * M};
    printf("%d\\n", setrlimit(RLIMIT_DATA, &data));
    try("data", get(0, 16 * M, 3, 0));
    try("text", get(0, 16 * M, 1, 0));
    try("brk", sbrk(20 * M));
    return 0;
}
"""


def test_limits_of_the_address_space_and_of_data_are_those_of_the_guests_memory(
    compile_c, run_native, run_guest
):
    program = compile_c(MEMORY_LIMITS)
    native = run_native(program)
    assert native[1].count(b"Cannot allocate memory") == 6
    assert run_guest(program) == native


def test_limit_of_the_address_space_holds_for_programs_started_under_it(run_native, pyldso):
    script = "ulimit -v 300000; exec /usr/bin/perl -e 'my $x = q(a) x 1e9; print length $x'"
    native, own = run_native("/bin/sh", "-c", script), pyldso("run", "/bin/sh", "-c", script)
    assert native[2].startswith(b"Out of memory")
    assert (own.returncode, own.stdout, own.stderr) == (native[0], "", native[2].decode())


RELATIVES = """
mkfifo gate
sleep 60 > gate 2>&1 & child=$!
read -r nothing < gate &
while ! readlink /proc/$child/exe | grep -q sleep; do :; done
for pid in $child $$; do
    for file in comm cmdline; do tr '\\0' ' ' < /proc/$pid/$file; echo; done
    grep Name: /proc/$pid/status
    cut -d ' ' -f 2 < /proc/$pid/stat
    tr '\\0' '\\n' < /proc/$pid/environ | grep MARK
    readlink /proc/$pid/exe
    cmp /proc/$pid/exe $(readlink /proc/$pid/exe) && echo same
    (cd /proc/$pid; ls fd fdinfo)
    ls /proc/$pid/task | wc -l
done
(MARK=3 exec sh -c 'tr "\\0" "\\n" < /proc/$$/environ | grep MARK; cat /proc/$$/comm')
kill $child
"""


def test_processes_of_a_program_see_each_other_as_natively(run_native, pyldso, tmp_path):
    for name in ("native", "own"):
        (tmp_path / name).mkdir()
    words = ("/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "MARK=2", "/bin/sh", "-c", RELATIVES)
    status, native, _ = run_native(*words, cwd=tmp_path / "native")
    own = pyldso("run", *words, cwd=tmp_path / "own")
    assert own.stdout.splitlines() == native.decode().splitlines()
    assert own.returncode == status == 0
    assert native.count(b"sleep") > 3


def test_memory_of_another_process_is_not_shown(pyldso):
    ended = pyldso("run", "--warn", "/bin/sh", "-c", "cat /proc/$$/maps; read x < /proc/$$/maps")
    assert "Permission denied" in ended.stderr
    assert "/maps: only a process itself knows its memory" in ended.stderr
    assert ended.returncode == 0


OTHERS = """
/bin/cat fifo & cat=$!
cp /bin/sleep a_sleep_with_a_long_name; ./a_sleep_with_a_long_name 60 & named=$!
(exec -a 'other name' /bin/sleep 61) & other=$!
while [ "$(cat /proc/$other/cmdline | tr '\\0' ,)" != 'other name,61,' ]; do sleep 0.05; done
while [ "$(cat /proc/$named/comm)" != a_sleep_with_a_ ]; do sleep 0.05; done
until grep -q ^cat /proc/$cat/comm; do sleep 0.05; done
for pid in $cat $named $other; do cat -A /proc/$pid/cmdline /proc/$pid/comm; done
ps -o comm=,args= -p $cat,$named,$other
pkill -P $$ -f '^other n' && wait $other; echo $?
pkill -P $$ -x cat && wait $cat; echo $?
kill $named
"""


def test_children_are_shown_to_others_by_their_own_name_and_command_line(tmp_path, pyldso, tool):
    os.mkfifo(tmp_path / "fifo")
    native = tool("/bin/bash", "-c", OTHERS, cwd=tmp_path)
    assert "other name^@61^@" in native.stdout
    own = pyldso("run", "/bin/bash", "-c", OTHERS)
    assert own.stdout == native.stdout
