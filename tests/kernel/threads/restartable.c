// rseq(2): what glibc has registered, the call's errors, and sequences that are left before their end.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile struct rseq *area(void) { return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset); }
static int call(volatile void *where, unsigned length, int flags, unsigned signature) {
    return syscall(SYS_rseq, where, length, flags, signature) ? errno : 0;
}
// Spin within a sequence; what leaves it makes it end at its abort address.
static int spin(volatile int *entered) {
    int aborted;
    __asm__ volatile(
        ".pushsection __rseq_cs, \"aw\"\n .balign 32\n 1: .long 0, 0\n .quad 3f, 5f - 3f, 4f\n .popsection\n"
        "leaq 1b(%%rip), %%rax\n movq %%rax, 8(%[area])\n"
        "3: movl $1, (%[entered])\n 2: pause\n jmp 2b\n"
        "5: movl $0, %[aborted]\n jmp 6f\n"
        ".byte 0x0f, 0xb9, 0x3d\n .long %c[signature]\n"
        "4: movl $1, %[aborted]\n 6:\n"
        : [aborted] "=&r"(aborted)
        : [area] "r"(area()), [entered] "r"(entered), [signature] "i"(RSEQ_SIG)
        : "rax", "memory", "cc");
    return aborted;
}
// Add one to *counter by a load and a store that have a long time between them; 0 where it was left.
static int add(volatile long *counter) {
    int done;
    __asm__ volatile(
        ".pushsection __rseq_cs, \"aw\"\n .balign 32\n 1: .long 0, 0\n .quad 3f, 5f - 3f, 4f\n .popsection\n"
        "leaq 1b(%%rip), %%rax\n movq %%rax, 8(%[area])\n"
        "3: movl 4(%[area]), %%eax\n leaq (%[counter], %%rax, 8), %%rdx\n movq (%%rdx), %%rcx\n incq %%rcx\n"
        "movl $3000, %%eax\n 2: decl %%eax\n jnz 2b\n"
        "movq %%rcx, (%%rdx)\n"
        "5: movl $1, %[done]\n jmp 6f\n"
        ".byte 0x0f, 0xb9, 0x3d\n .long %c[signature]\n"
        "4: movl $0, %[done]\n 6:\n"
        : [done] "=&r"(done)
        : [area] "r"(area()), [counter] "r"(counter), [signature] "i"(RSEQ_SIG)
        : "rax", "rcx", "rdx", "memory", "cc");
    return done;
}
static volatile long counters[4096];
static void *work(void *unused) {
    for (int i = 0; i < 3000;) i += add(counters);
    return unused;
}
static volatile int entered, handled;
static void handler(int number) { handled = number; }
int main(void) {
    printf("%d %d %d\n", __rseq_flags, (int)area()->cpu_id >= 0, area()->cpu_id == area()->cpu_id_start);
    printf("%d %d\n", sched_getcpu() >= 0, area()->rseq_cs == 0);
    printf("again %d, ", call(area(), 32, 0, RSEQ_SIG) == EBUSY);
    printf("%d ", call(area(), 32, 0, 1) == EPERM);
    printf("%d ", call((char *)area() + 32, 32, 0, RSEQ_SIG) == EINVAL);
    printf("%d ", call(area(), 64, 0, RSEQ_SIG) == EINVAL);
    printf("%d ", call(area(), 32, 4, RSEQ_SIG) == EINVAL);
    printf("%d ", call(area(), 32, 1, 7) == EPERM);
    printf("%d\n", call(area(), 16, 1, RSEQ_SIG) == EINVAL);
    printf("unregister %d", call(area(), 32, 1, RSEQ_SIG));
    printf(" %d %d,", (int)area()->cpu_id, area()->cpu_id_start);
    printf(" %d %d", sched_getcpu() >= 0, call(area(), 32, 1, RSEQ_SIG) == EINVAL);
    printf(" %d %d", call((char *)area() + 4, 32, 0, RSEQ_SIG) == EINVAL, call(area(), 16, 0, RSEQ_SIG) == EINVAL);
    printf(" %d\n", call(area(), 32, 0, RSEQ_SIG));

    signal(SIGALRM, handler);
    for (int i = 0; i < 3; i++) {
        struct itimerval soon = {{0, 0}, {0, 20000}};
        entered = handled = 0;
        setitimer(ITIMER_REAL, &soon, NULL);
        int aborted = spin(&entered);
        printf("left %d, entered %d, cleared %d\n", aborted, entered, area()->rseq_cs == 0);
        while (!handled) pause();
    }
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    long sum = 0;
    for (int i = 0; i < 4096; i++) sum += counters[i];
    printf("sum %ld\n", sum);
    fflush(stdout);

    int status;
    if (!fork()) {
        printf("child %d\n", call(area(), 32, 0, RSEQ_SIG) == EBUSY);
        fflush(stdout);
        static struct rseq_cs damaged __attribute__((aligned(32)));
        damaged.start_ip = 16, damaged.post_commit_offset = 8, damaged.abort_ip = (uintptr_t)main;
        area()->rseq_cs = (uintptr_t)&damaged;
        raise(SIGALRM);
        _exit(0);
    }
    wait(&status);
    printf("signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return 0;
}
