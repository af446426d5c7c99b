/* Threads that wait at one futex and are requeued to a lock with priority inheritance. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static unsigned condition, lock, other, owned, order;
static int tids[4], ended;

static int futex(unsigned *at, int operation, unsigned value, long timeout, unsigned *second,
                 unsigned third) {
    return syscall(SYS_futex, at, operation | FUTEX_PRIVATE_FLAG, value, timeout, second, third)
               < 0 ? -errno : 0;
}
static long requeue(int wake, int move, unsigned *target, unsigned expected) {
    long result = syscall(SYS_futex, &condition, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, wake,
                          (long)move, target, expected);
    return result < 0 ? -errno : result;
}
static void unlock(void) {
    unsigned self = gettid();
    if (!__atomic_compare_exchange_n(&lock, &self, 0, 0, 5, 5)) {
        int result = futex(&lock, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
        if (result) printf("unlock %d\n", result);
    }
}
static void *wait_and_own(void *number) {
    tids[(long)number] = gettid();
    int result = futex(&condition, FUTEX_WAIT_REQUEUE_PI, condition, 0, &lock, 0);
    if (result || (lock & FUTEX_TID_MASK) != gettid()) printf("not mine: %d %x\n", result, lock);
    owned++;
    unlock();
    __atomic_add_fetch(&ended, 1, 5);
    return 0;
}
static void *wait_a_while(void *flags) {
    struct timespec until;
    clock_gettime(flags ? CLOCK_REALTIME : CLOCK_MONOTONIC, &until);
    until.tv_nsec += 30000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    int operation = FUTEX_WAIT_REQUEUE_PI | (flags ? FUTEX_CLOCK_REALTIME : 0);
    int result = futex(&condition, operation, condition, (long)&until, &lock, 0);
    printf("in time: %d\n", result);
    return 0;
}
static void show(const char *when) {
    printf("%s: waiters %d, owner is %s\n", when, !!(lock & FUTEX_WAITERS),
           !(lock & FUTEX_TID_MASK) ? "nobody" : (lock & FUTEX_TID_MASK) == gettid() ? "main" : "other");
}
static void handle(int number) { write(1, "handler\n", 8); }

int main(void) {
    pthread_t threads[4];
    struct timespec soon = {0, 1000000}, bad = {0, 2000000000};
    setbuf(stdout, 0);
    printf("same %d %ld\n", futex(&lock, FUTEX_WAIT_REQUEUE_PI, 0, 0, &lock, 0), requeue(1, 1, &condition, 0));
    printf("two %ld\n", requeue(2, 1, &lock, 0));
    printf("fewer %ld\n", requeue(1, -1, &lock, 0));
    printf("changed %d %ld\n", futex(&condition, FUTEX_WAIT_REQUEUE_PI, 1, 0, &lock, 0), requeue(1, 1, &lock, 1));
    printf("no one %ld\n", requeue(1, 1, &lock, 0));
    printf("bad time %d\n", futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, (long)&bad, &lock, 0));
    printf("clock %d\n", futex(&condition, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, 0, 0, 0));
    for (int realtime = 0; realtime < 2; realtime++) {
        pthread_create(&threads[0], 0, wait_a_while, (void *)(long)realtime);
        pthread_join(threads[0], 0);
    }
    /* The lock is held: all have to wait for it. */
    lock = gettid();
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, wait_and_own, (void *)i);
    for (long sum = 0; sum < 4; nanosleep(&soon, 0)) {
        if (!sum) {
            long first = requeue(1, 0, &lock, 0);
            if (first < 0) printf("first %ld\n", first);
            sum += first;
        } else
            sum += requeue(1, 9, &lock, 0);
    }
    show("all requeued");
    printf("wake there %d\n", futex(&lock, FUTEX_WAKE, 1, 0, 0, 0));
    unlock();
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
    show("all over");
    printf("owned %u, ended %d\n", owned, ended);
    /* The lock is free: the first has it at once. */
    pthread_create(&threads[0], 0, wait_and_own, 0);
    long result;
    while (!(result = requeue(1, 0, &lock, 0))) nanosleep(&soon, 0);
    pthread_join(threads[0], 0);
    printf("free %ld, owned %u\n", result, owned);
    show("over");
    /* Neither another lock nor a plain wake is for those. */
    pthread_create(&threads[0], 0, wait_and_own, 0);
    while (!(result = requeue(1, 1, &other, 0))) nanosleep(&soon, 0);
    printf("another lock %ld %x\n", result, other);
    printf("plain wake %d\n", futex(&condition, FUTEX_WAKE, 1, 0, 0, 0));
    printf("plain requeue %d\n", futex(&condition, FUTEX_REQUEUE, 0, 1, &other, 0));
    /* A handler runs while it waits. */
    signal(SIGUSR1, handle);
    pthread_kill(threads[0], SIGUSR1);
    nanosleep(&(struct timespec){0, 30000000}, 0);
    while (!(result = requeue(1, 1, &lock, 0))) nanosleep(&soon, 0);
    pthread_join(threads[0], 0);
    printf("after the handler %ld, owned %u\n", result, owned);
    return 0;
}
