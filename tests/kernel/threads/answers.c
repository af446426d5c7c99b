/* Two threads that wait for another process, while a third only computes: no answer may get lost. */
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int there[2][2], back[2][2];
static volatile int counts[2], is_over;

static void *answer(void *argument) {
    long me = (long)argument;
    char byte;
    while (read(there[me][0], &byte, 1) == 1) {
        counts[me]++;
        write(back[me][1], &byte, 1);
    }
    return 0;
}
static void *compute(void *argument) {
    while (!is_over) ;
    return 0;
}

int main(void) {
    int rounds = 1000;
    pthread_t threads[2], computing;
    for (int i = 0; i < 2; i++) {
        pipe(there[i]);
        pipe(back[i]);
    }
    pid_t child = fork();
    if (!child) {
        for (int round = 0; round < rounds; round++) {
            char byte = 1;
            for (int i = 0; i < 2; i++) write(there[i][1], &byte, 1);
            for (int i = 0; i < 2; i++) read(back[i][0], &byte, 1);
        }
        _exit(0);
    }
    for (int i = 0; i < 2; i++) close(there[i][1]);
    pthread_create(&computing, 0, compute, 0);
    for (long i = 0; i < 2; i++) pthread_create(&threads[i], 0, answer, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], 0);
    is_over = 1;
    pthread_join(computing, 0);
    waitpid(child, 0, 0);
    printf("%d %d\n", counts[0], counts[1]);
    return 0;
}
