/* execve in a thread: the others are gone, and the process keeps its id. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *wait_for_ever(void *argument) {
    char c;
    int fd[2];
    if (argument) read(0, &c, 1);
    else pipe(fd), read(fd[0], &c, 1);
    return 0;
}
static void *spin(void *argument) {
    for (;;) ;
}
static void *execute(void *argument) {
    char pid[20];
    sprintf(pid, "%d", getpid());
    usleep(10000);
    execl("/proc/self/exe", "again", pid, (char *)0);
    return 0;
}
int main(int argc, char **argv) {
    pthread_t thread;
    if (argc == 2) {
        char line[256];
        FILE *file = fopen("/proc/self/status", "r");
        printf("same pid %d\n", atoi(argv[1]) == getpid());
        while (fgets(line, sizeof line, file))
            if (!strncmp(line, "Threads:", 8)) fputs(line, stdout);
        pthread_create(&thread, 0, wait_for_ever, 0);
        return 5;
    }
    pthread_create(&thread, 0, wait_for_ever, 0);
    pthread_create(&thread, 0, spin, 0);
    pthread_create(&thread, 0, execute, 0);
    pthread_join(thread, 0);
    return 1;
}
