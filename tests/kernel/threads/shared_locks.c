/* Robust, priority-inheriting and process-shared locks; futex operations that libc does not use. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t robust, priority, robust_priority;
static atomic_int begun;
static long total;

static void initialise(pthread_mutex_t *mutex, int is_robust, int protocol, int is_shared) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (is_robust) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    if (is_shared) pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(mutex, &attributes);
}
static void *die_with(void *mutex) {
    pthread_mutex_lock(mutex);
    begun = 1;
    usleep(10000);
    return 0;
}
static void try_dead(const char *name, pthread_mutex_t *mutex) {
    pthread_t thread;
    begun = 0;
    pthread_create(&thread, 0, die_with, mutex);
    while (!begun) ;
    int result = pthread_mutex_lock(mutex);
    printf("%s: %s", name, result == EOWNERDEAD ? "the owner died" : "?");
    printf(", consistent %d", pthread_mutex_consistent(mutex));
    printf(", unlocked %d", pthread_mutex_unlock(mutex));
    printf(", locked again %d", pthread_mutex_lock(mutex));
    printf(" %d\n", pthread_mutex_unlock(mutex));
    pthread_join(thread, 0);
}
static void *add(void *mutex) {
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(mutex);
        long seen = total;
        if (i % 50 == 0) usleep(100);
        total = seen + 1;
        pthread_mutex_unlock(mutex);
    }
    return 0;
}
static int word, other;
static long futex(int *place, int operation, int value, void *timeout, int *second, int third) {
    return syscall(SYS_futex, place, operation | FUTEX_PRIVATE_FLAG, value, timeout, second, third);
}
static atomic_int waiting, woken;
static void *wait_for_bits(void *bits) {
    waiting++;
    futex(&word, FUTEX_WAIT_BITSET, 0, 0, 0, (int)(long)bits);
    woken++;
    return 0;
}
static void settle(int count) {
    while (waiting < count) ;
    usleep(30000);
}

struct shared {
    pthread_mutex_t mutex, robust;
    pthread_cond_t changed;
    pthread_barrier_t barrier;
    sem_t semaphore;
    int value, turns;
};

static void *wait_for_post(void *argument) {
    struct shared *shared = argument;
    sem_wait(&shared->semaphore);
    __atomic_add_fetch(&shared->turns, 1000, __ATOMIC_SEQ_CST);
    return 0;
}
static void *spin(void *flag) {
    while (*(volatile int *)flag) ;
    return 0;
}

int main(void) {
    pthread_t threads[4];
    initialise(&robust, 1, PTHREAD_PRIO_NONE, 0);
    initialise(&priority, 0, PTHREAD_PRIO_INHERIT, 0);
    initialise(&robust_priority, 1, PTHREAD_PRIO_INHERIT, 0);
    try_dead("robust", &robust);
    try_dead("robust and priority", &robust_priority);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, add, &priority);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
    printf("priority %ld\n", total);
    pthread_mutex_lock(&priority);
    printf("again %d\n", pthread_mutex_lock(&priority) == EDEADLK);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    pthread_mutex_unlock(&priority);

    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, wait_for_bits, (void *)(1L << i));
    settle(4);
    printf("bit %ld\n", futex(&word, FUTEX_WAKE_BITSET, 9, 0, 0, 4));
    printf("changed %ld", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 7));
    printf(" %d\n", errno == EAGAIN);
    printf("requeued %ld\n", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 0));
    printf("there %ld", futex(&other, FUTEX_WAKE, 9, 0, 0, 0));
    printf(", here %ld\n", futex(&word, FUTEX_WAKE, 9, 0, 0, 0));
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
    waiting = 0;
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, wait_for_bits, (void *)1L);
    settle(2);
    other = 5;
    int operation = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5);
    printf("operated %ld", futex(&other, FUTEX_WAKE_OP, 1, (void *)9, &word, operation));
    printf(" %d", word);
    printf(" %ld\n", futex(&other, FUTEX_WAKE_OP, 1, (void *)9, &word, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_GT, 2)));
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    printf("woken %d\n", woken);
    struct timespec none = {0, 1000000}, wrong = {0, 2000000000};
    printf("timed out %d\n", futex(&word, FUTEX_WAIT, 0, &none, 0, 0) == -1 && errno == ETIMEDOUT);
    printf("value %d\n", futex(&word, FUTEX_WAIT, 1, &none, 0, 0) == -1 && errno == EAGAIN);
    printf("time %d\n", futex(&word, FUTEX_WAIT, 0, &wrong, 0, 0) == -1 && errno == EINVAL);
    printf("place %d\n", futex((int *)((char *)&word + 1), FUTEX_WAKE, 1, 0, 0, 0) == -1 && errno == EINVAL);
    printf("fault %d\n", futex((int *)16, FUTEX_WAIT, 1, 0, 0, 0) == -1 && errno == EFAULT);

    struct shared *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_condattr_t attributes;
    pthread_barrierattr_t barrier;
    initialise(&shared->mutex, 0, PTHREAD_PRIO_NONE, 1);
    initialise(&shared->robust, 1, PTHREAD_PRIO_NONE, 1);
    pthread_condattr_init(&attributes);
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->changed, &attributes);
    pthread_barrierattr_init(&barrier);
    pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &barrier, 2);
    sem_init(&shared->semaphore, 1, 0);
    fflush(stdout);
    pid_t child = fork();
    int me = child ? 0 : 1;
    pthread_barrier_wait(&shared->barrier);
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&shared->mutex);
        while (shared->turns % 2 != me) pthread_cond_wait(&shared->changed, &shared->mutex);
        shared->turns++;
        shared->value += me ? 1 : 2;
        pthread_cond_signal(&shared->changed);
        pthread_mutex_unlock(&shared->mutex);
    }
    if (!child) {
        pthread_mutex_lock(&shared->robust);
        sem_post(&shared->semaphore);
        usleep(20000);
        _exit(0);
    }
    sem_wait(&shared->semaphore);
    printf("shared robust %d\n", pthread_mutex_lock(&shared->robust) == EOWNERDEAD);
    pthread_mutex_consistent(&shared->robust);
    pthread_mutex_unlock(&shared->robust);
    waitpid(child, 0, 0);
    printf("turns %d, value %d\n", shared->turns, shared->value);
    fflush(stdout);
    int spinning = 1;
    pthread_create(&threads[0], 0, wait_for_post, shared);
    pthread_create(&threads[1], 0, wait_for_post, shared);
    pthread_create(&threads[2], 0, spin, &spinning);
    usleep(10000);
    child = fork();
    if (!child) _exit(sem_post(&shared->semaphore));
    sem_post(&shared->semaphore);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    spinning = 0;
    pthread_join(threads[2], 0);
    waitpid(child, 0, 0);
    printf("posted %d\n", shared->turns);
    return 0;
}
