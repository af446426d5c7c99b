/* Where threads and children may run, and how: affinities, attributes, priorities. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s = %ld %s\n", #call, r_, r_ == -1 ? strerrorname_np(errno) : ""); fflush(stdout); } while (0)
struct attributes { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long runtime, deadline, period; unsigned least, most; };
struct larger { struct attributes known; unsigned long rest; };

static cpu_set_t all, one, last;
static volatile int tid, step;

static long set(struct attributes attributes, int flags) {
    return syscall(SYS_sched_setattr, 0, &attributes, flags);
}
static long set_larger(unsigned size, unsigned long rest) {
    struct larger large = {.known.size = size, .rest = rest};
    long result = syscall(SYS_sched_setattr, 0, &large, 0);
    if (result) printf("size %u\n", large.known.size);
    return result;
}
static void show_set(const char *whose, pid_t id) {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(id, sizeof set, &set);
    printf("%s: %s %s %s\n", whose, CPU_EQUAL(&set, &all) ? "all" : "fewer", CPU_EQUAL(&set, &one) ? "the first" : "",
           CPU_EQUAL(&set, &last) ? "the last" : "");
    fflush(stdout);
}
static void meet(int at) {
    while (__atomic_load_n(&step, 5) < at) sched_yield();
}
static void *live(void *unused) {
    tid = gettid();
    show_set("new thread", 0);
    SHOW(sched_setaffinity(0, sizeof last, &last));
    show_set("it later", 0);
    for (int i = 0; i < 1000; i++)
        if (!CPU_ISSET(sched_getcpu(), &last)) puts("elsewhere");
    step = 1;
    meet(2);
    show_set("it at the end", 0);
    return 0;
}
int main(void) {
    pthread_t thread;
    sched_getaffinity(0, sizeof all, &all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all)) {
            if (!CPU_COUNT(&one)) CPU_SET(cpu, &one);
            CPU_ZERO(&last);
            CPU_SET(cpu, &last);
        }
    show_set("program", 0);
    pthread_create(&thread, 0, live, 0);
    meet(1);
    show_set("main", 0);
    show_set("thread", tid);
    SHOW(sched_setaffinity(getpid(), sizeof one, &one));
    for (int i = 0; i < 1000; i++)
        if (!CPU_ISSET(sched_getcpu(), &one)) puts("elsewhere");
    show_set("main", 0);
    show_set("main by id", getpid());
    show_set("thread", tid);
    if (!fork()) {
        show_set("child", 0);
        system("nproc");
        _exit(0);
    }
    wait(0);
    SHOW(sched_setaffinity(tid, sizeof all, &all));
    show_set("main", 0);
    step = 2;
    pthread_join(thread, 0);
    pid_t child = fork();
    if (!child) for (;;) pause();
    SHOW(sched_setaffinity(child, sizeof last, &last));
    show_set("child", child);
    SHOW(setpriority(PRIO_PROCESS, child, 3));
    SHOW(getpriority(PRIO_PROCESS, child));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(syscall(SYS_ioprio_set, 1, child, 3 << 13));
    SHOW(syscall(SYS_ioprio_get, 1, child));
    kill(child, 9);
    wait(0);
    cpu_set_t none;
    CPU_ZERO(&none);
    SHOW(sched_setaffinity(0, sizeof none, &none));
    SHOW(sched_setaffinity(0, sizeof one, (void *)8));
    SHOW(sched_setaffinity(999999999, sizeof one, &one));
    SHOW(sched_getaffinity(0, 3, &none));
    SHOW(sched_getaffinity(0, sizeof none, (void *)8));
    SHOW(sched_getaffinity(999999999, sizeof none, &none));
    SHOW(sched_setaffinity(0, sizeof all, &all));
    show_set("main", 0);
    struct attributes seen;
    SHOW(set((struct attributes){.size = 48, .policy = SCHED_BATCH, .nice = 4}, 0));
    SHOW(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0));
    printf("%u %u %lu %d %u\n", seen.size, seen.policy, seen.flags, seen.nice, seen.priority);
    SHOW(set((struct attributes){.size = 56, .policy = SCHED_IDLE, .nice = 5}, 0));
    SHOW(sched_getscheduler(0));
    SHOW(set((struct attributes){.size = 0, .policy = SCHED_OTHER, .nice = 5}, 0));
    SHOW(sched_getscheduler(0));
    SHOW(set((struct attributes){.size = 48, .policy = 99}, 0));
    SHOW(set((struct attributes){.size = 48, .priority = 1}, 0));
    SHOW(set((struct attributes){.size = 48, .flags = 1l << 40}, 0));
    SHOW(set((struct attributes){.size = 48}, 1));
    SHOW(set((struct attributes){.size = 47}, 0));
    SHOW(set_larger(64, 0));
    SHOW(set_larger(64, 1));
    SHOW(set_larger(5000, 0));
    SHOW(syscall(SYS_sched_setattr, 0, 0, 0));
    SHOW(syscall(SYS_sched_setattr, 0, 8, 0));
    SHOW(syscall(SYS_sched_setattr, -1, &seen, 0));
    SHOW(syscall(SYS_sched_setattr, 999999999, &seen, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 9));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 7 << 13));
    SHOW(syscall(SYS_ioprio_set, 4, 0, 2 << 13));
    SHOW(syscall(SYS_ioprio_set, 1, 999999999, 2 << 13));
    return 0;
}
