/* What threads wait for each other with: every kind, with counts that a lost update would spoil. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
#include <errno.h>

#define THREADS 6
#define ROUNDS 2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spinlock;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static long plain, read_sum, spun, once_count, serial;
static atomic_long counted;
static int queue[8], head, length;
static long consumed;

static void first(void) { once_count++; }

static void *count(void *argument) {
    long number = (long)argument;
    pthread_once(&once, first);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        plain++;
        pthread_mutex_unlock(&mutex);
        atomic_fetch_add(&counted, 1);
        pthread_spin_lock(&spinlock);
        spun++;
        pthread_spin_unlock(&spinlock);
        if (i % 100 == number) sched_yield();
        if (i % 10 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            read_sum++;
            pthread_rwlock_unlock(&rwlock);
        } else {
            pthread_rwlock_rdlock(&rwlock);
            pthread_rwlock_unlock(&rwlock);
        }
    }
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) atomic_fetch_add(&counted, 1000000);
    sem_post(&semaphore);
    return (void *)(number * number);
}

static void *produce(void *argument) {
    for (int i = 1; i <= ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (length == 8) pthread_cond_wait(&not_full, &mutex);
        queue[(head + length++) % 8] = i;
        pthread_cond_signal(&not_empty);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static void *consume(void *argument) {
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (!length) pthread_cond_wait(&not_empty, &mutex);
        int value = queue[head];
        if (value >= 0) {
            head = (head + 1) % 8;
            length--;
            consumed += value;
        }
        pthread_cond_broadcast(&not_full);
        pthread_mutex_unlock(&mutex);
        if (value < 0) return 0;
    }
}

static volatile int flag;
static void *spin(void *argument) {
    while (!flag) ;
    return "seen";
}
static void *spin_with_pause(void *argument) {
    while (!flag) __builtin_ia32_pause();
    return "seen";
}

static int c11(void *argument) {
    return *(int *)argument + 1;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

int main(void) {
    pthread_t threads[THREADS];
    void *result;
    pthread_barrier_init(&barrier, 0, THREADS);
    pthread_spin_init(&spinlock, 0);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], 0, count, (void *)i);
    for (int i = 0; i < THREADS; i++) sem_wait(&semaphore);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        printf("%ld ", (long)result);
    }
    printf("\nmutex %ld, atomic %ld, spinlock %ld, rwlock %ld, once %ld\n", plain, counted, spun, read_sum, once_count);

    pthread_create(&threads[0], 0, produce, 0);
    pthread_create(&threads[1], 0, produce, 0);
    for (int i = 2; i < 5; i++) pthread_create(&threads[i], 0, consume, 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    pthread_mutex_lock(&mutex);
    while (length) pthread_cond_wait(&not_full, &mutex);
    queue[head] = -1;
    length = 1;
    pthread_cond_broadcast(&not_empty);
    pthread_mutex_unlock(&mutex);
    for (int i = 2; i < 5; i++) pthread_join(threads[i], 0);
    printf("consumed %ld\n", consumed);

    pthread_create(&threads[0], 0, spin, 0);
    pthread_create(&threads[1], 0, spin_with_pause, 0);
    for (volatile long i = 0; i < 3000000; i++) ;
    flag = 1;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &result);
        puts(result);
    }

    struct timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_nsec += 30000000;
    if (when.tv_nsec >= 1000000000) when.tv_sec++, when.tv_nsec -= 1000000000;
    double before = seconds();
    pthread_mutex_lock(&mutex);
    int waited = pthread_cond_timedwait(&not_full, &mutex, &when);
    pthread_mutex_unlock(&mutex);
    printf("timed out %d %d\n", waited == ETIMEDOUT, seconds() - before >= 0.025);
    printf("sem_trywait %d %d\n", sem_trywait(&semaphore), errno == EAGAIN);

    thrd_t thread;
    int number = 41, answer;
    thrd_create(&thread, c11, &number);
    thrd_join(thread, &answer);
    printf("c11 %d\n", answer);
    return 0;
}
