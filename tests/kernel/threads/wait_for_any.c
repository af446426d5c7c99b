/* Threads that wait at several futexes at once, and the calls on futexes that came with that. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define SIZE_U32 2
#define PRIVATE 128
struct waiter { unsigned long value, address; unsigned flags, reserved; };

static long call(long number, long a, long b, long c, long d, long e, long f) {
    long result = syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
}
#define waitv(waiters, count, flags, until, clock) \
    call(449, (long)(waiters), count, flags, (long)(until), clock, 0)
#define wake(at, mask, count, flags) call(454, (long)(at), mask, count, flags, 0, 0)
#define wait_(at, value, mask, flags, until, clock) \
    call(455, (long)(at), value, mask, flags, (long)(until), clock)
#define requeue(waiters, flags, wake, move) call(456, (long)(waiters), flags, wake, move, 0, 0)

static unsigned words[128], *shared;
static struct waiter waiters[129];
static const struct timespec soon = {0, 1000000};

static void fill(int count, unsigned *at, int flags) {
    for (int i = 0; i < count; i++) waiters[i] = (struct waiter){0, (long)(at + i), flags, 0};
}
static void *wait_here(void *count) {
    return (void *)waitv(waiters, (long)count, 0, 0, 0);
}
static void wake_it(const char *what, long count, unsigned *at, int flags) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, 0, wait_here, (void *)count);
    long woken;
    while (!(woken = wake(at, 0xffffffff, 5, flags))) nanosleep(&soon, 0);
    pthread_join(thread, &result);
    printf("%s: woke %ld, was %ld, left %ld\n", what, woken, (long)result,
           wake(words, 0xffffffff, 5, flags));
}
static void handle(int number) { write(1, "handler\n", 8); }
static void *wait_plainly(void *mask) { return (void *)wait_(words, 0, (long)mask, SIZE_U32 | PRIVATE, 0, 0); }

static void refused(void) {
    struct timespec past = {1, 0}, bad = {0, 2000000000}, until;
    fill(128, words, SIZE_U32 | PRIVATE);
    printf("none %ld\n", waitv(waiters, 0, 0, 0, 0));
    printf("many %ld\n", waitv(waiters, 129, 0, 0, 0));
    printf("flags %ld\n", waitv(waiters, 1, 1, 0, 0));
    printf("nowhere %ld %ld\n", waitv(0, 1, 0, 0, 0), waitv(8, 1, 0, 0, 0));
    printf("clock %ld\n", waitv(waiters, 1, 0, &past, 7));
    printf("bad time %ld\n", waitv(waiters, 1, 0, &bad, 1));
    printf("past %ld %ld\n", waitv(waiters, 2, 0, &past, 0), waitv(waiters, 2, 0, &past, 1));
    for (int clock = 0; clock < 2; clock++) {
        clock_gettime(clock, &until);
        if ((until.tv_nsec += 20000000) >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
        printf("in time %ld\n", waitv(waiters, 128, 0, &until, clock));
    }
    waiters[1].value = 3;
    printf("other value %ld\n", waitv(waiters, 2, 0, 0, 0));
    waiters[1].value = 0, waiters[1].reserved = 1;
    printf("reserved %ld\n", waitv(waiters, 2, 0, 0, 0));
    waiters[1].reserved = 0, waiters[1].flags = 0x7f;
    printf("unknown flags %ld\n", waitv(waiters, 2, 0, 0, 0));
    waiters[1].flags = 3;
    printf("64 bits %ld\n", waitv(waiters, 2, 0, 0, 0));
    waiters[1].flags = SIZE_U32, waiters[1].address++;
    printf("odd %ld\n", waitv(waiters, 2, 0, 0, 0));
    waiters[1].address = 8;
    printf("unmapped %ld\n", waitv(waiters, 2, 0, 0, 0));
    printf("wake %ld %ld %ld %ld %ld %ld\n", wake(words, 0, 1, 2), wake(words, 1, 1, 0), wake(words, 1, 1, 2),
           wake((long)words + 1, 1, 1, 2), wake(words, 1, 0, 2), wake(words, 1l << 32, 1, 2));
    printf("wait %ld %ld %ld %ld\n", wait_(words, 1, 1, 2, 0, 0), wait_(words, 0, 0, 2, 0, 0), wait_(words, 0, 1, 2, &past, 1), wait_(words, 0, 1, 2, &past, 5));
    fill(2, words, SIZE_U32 | PRIVATE);
    printf("requeue %ld %ld %ld %ld\n", requeue(0, 0, 1, 1), requeue(waiters, 1, 1, 1), requeue(waiters, 0, -1, 1), requeue(waiters, 0, 1, 1));
    waiters[0].value = 9;
    printf("changed %ld\n", requeue(waiters, 0, 1, 1));
}
int main(void) {
    pthread_t threads[3];
    void *result;
    setbuf(stdout, 0);
    if (wake(words, 1, 0, SIZE_U32) == -ENOSYS) return 77; /* Linux before 6.7 */
    refused();
    fill(128, words, SIZE_U32 | PRIVATE);
    wake_it("first", 3, words, SIZE_U32 | PRIVATE);
    wake_it("third", 3, words + 2, SIZE_U32 | PRIVATE);
    wake_it("last", 128, words + 127, SIZE_U32 | PRIVATE);
    /* From another thread than the first, all checks again: they are this process's own. */
    pthread_create(&threads[0], 0, (void *(*)(void *))(void *)refused, 0);
    pthread_join(threads[0], 0);
    /* Signals: with SA_RESTART the wait goes on. */
    for (int restarts = 0; restarts < 2; restarts++) {
        struct sigaction action = {.sa_handler = handle, .sa_flags = restarts ? SA_RESTART : 0};
        sigaction(SIGUSR1, &action, 0);
        fill(3, words, SIZE_U32 | PRIVATE);
        pthread_create(&threads[0], 0, wait_here, (void *)3);
        nanosleep(&(struct timespec){0, 50000000}, 0);
        pthread_kill(threads[0], SIGUSR1);
        if (restarts) {
            nanosleep(&(struct timespec){0, 50000000}, 0);
            while (!wake(words + 1, 0xffffffff, 1, SIZE_U32 | PRIVATE)) nanosleep(&soon, 0);
        }
        pthread_join(threads[0], &result);
        printf("with a signal %ld\n", (long)result);
    }
    /* Masks, and threads that are requeued. */
    pthread_create(&threads[0], 0, wait_plainly, (void *)2);
    pthread_create(&threads[1], 0, wait_plainly, (void *)4);
    while (!wake(words, 4, 1, SIZE_U32 | PRIVATE)) nanosleep(&soon, 0);
    pthread_join(threads[1], &result);
    printf("mask 4: %ld\n", (long)result);
    fill(2, words, SIZE_U32 | PRIVATE);
    while (!requeue(waiters, 0, 0, 1)) nanosleep(&soon, 0);
    printf("moved: %ld %ld", wake(words, 2, 1, SIZE_U32 | PRIVATE), wake(words + 1, 2, 1, SIZE_U32 | PRIVATE));
    pthread_join(threads[0], &result);
    printf(" %ld\n", (long)result);
    /* In memory that processes share. */
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fill(4, shared, SIZE_U32);
    if (!fork()) _exit(waitv(waiters, 4, 0, 0, 0));
    while (!wake(shared + 2, 0xffffffff, 1, SIZE_U32)) nanosleep(&soon, 0);
    int status;
    wait(&status);
    printf("child: %d\n", WEXITSTATUS(status));
    wake_it("shared", 4, shared + 3, SIZE_U32);
    return 0;
}
