/* Two processes that hand a mutex and a condition to and fro 2000 times each. */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int value, turns;
};

int main(void) {
    struct shared *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t of_mutex;
    pthread_condattr_t of_condition;
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &of_mutex);
    pthread_condattr_init(&of_condition);
    pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->changed, &of_condition);
    pid_t child = fork();
    int me = child ? 0 : 1;
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&shared->mutex);
        while (shared->turns % 2 != me) pthread_cond_wait(&shared->changed, &shared->mutex);
        shared->turns++;
        shared->value += me ? 1 : 2;
        pthread_cond_signal(&shared->changed);
        pthread_mutex_unlock(&shared->mutex);
    }
    if (!child) _exit(0);
    waitpid(child, 0, 0);
    printf("turns %d, value %d\n", shared->turns, shared->value);
    return 0;
}
