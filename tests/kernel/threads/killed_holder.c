/* A process that holds robust mutexes of several processes is killed: who locks next is told. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct shared {
    pthread_mutex_t robust[3], plain;
} *shared;

static void *lock_in_thread(void *unused) {
    printf("thread %d\n", pthread_mutex_lock(&shared->robust[1]) == EOWNERDEAD);
    return 0;
}
int main(void) {
    int gate[2];
    char byte;
    pthread_mutexattr_t attributes;
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->plain, &attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    for (int i = 0; i < 3; i++) pthread_mutex_init(&shared->robust[i], &attributes);
    pipe(gate);
    pid_t child = fork();
    if (!child) {
        for (int i = 0; i < 2; i++) pthread_mutex_lock(&shared->robust[i]);
        pthread_mutex_lock(&shared->plain);
        write(gate[1], "x", 1);
        for (;;) pause();
    }
    read(gate[0], &byte, 1);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec = (until.tv_nsec + 1000000) % 1000000000, until.tv_sec += until.tv_nsec < 1000000;
    printf("alive %d\n", pthread_mutex_timedlock(&shared->robust[0], &until) == ETIMEDOUT);
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    printf("zombie %d\n", pthread_mutex_lock(&shared->robust[0]) == EOWNERDEAD);
    printf("consistent %d\n", pthread_mutex_consistent(&shared->robust[0]));
    printf("unlock %d\n", pthread_mutex_unlock(&shared->robust[0]));
    printf("again %d\n", pthread_mutex_lock(&shared->robust[0]));
    waitpid(child, 0, 0);
    pthread_t thread;
    pthread_create(&thread, 0, lock_in_thread, 0);
    pthread_join(thread, 0);
    printf("free %d\n", pthread_mutex_lock(&shared->robust[2]));
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    printf("plain %d\n", pthread_mutex_timedlock(&shared->plain, &until) == ETIMEDOUT);
    return 0;
}
