/* A priority-inheriting mutex of two processes, both with two threads. */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shared {
    pthread_mutex_t mutex;
    long total, failed;
} *shared;

static void *add(void *unused) {
    for (int i = 0; i < 300; i++) {
        if (pthread_mutex_lock(&shared->mutex)) shared->failed++;
        long seen = shared->total;
        if (i % 50 == 0) usleep(100);
        shared->total = seen + 1;
        if (pthread_mutex_unlock(&shared->mutex)) shared->failed++;
    }
    return 0;
}
int main(void) {
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&shared->mutex, &attributes);
    pid_t child = fork();
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, add, 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    if (!child) _exit(0);
    waitpid(child, 0, 0);
    printf("%ld, failed %ld\n", shared->total, shared->failed);
    return 0;
}
