/* vfork: the parent waits for the child, which leaves values in the parent's local variables. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *const words[] = {"sh", "-c", "sleep 0.05; exit 4", 0};
static char *const environment[] = {"PATH=/usr/bin:/bin", 0};

static int wait_status(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}
static int spawn(const char *path) {
    pid_t child = -1;
    int error = posix_spawn(&child, path, 0, 0, words, environment);
    return error ? -error : wait_status(child);
}
static void leave_a_value(const char *path) {
    volatile int error = 0, reached = 0;
    int order[2], fd;
    char text[3] = "";
    pipe(order);
    pid_t child = vfork();
    if (!child) {
        reached = 1;
        usleep(20000);
        write(order[1], "c", 1);
        execve(path, words, environment);
        error = errno;
        _exit(9);
    }
    write(order[1], "p", 1);
    int status = wait_status(child);
    read(order[0], text, 2);
    printf("%s: %d, errno %d, status %d, order %s\n", path, reached, error, status, text);
}
static atomic_int counted, stop;
static void *count(void *argument) {
    while (!stop) counted++;
    return 0;
}
int main(void) {
    pthread_t thread;
    setvbuf(stdout, 0, _IONBF, 0);
    for (int i = 0; i < 2; i++) {
        printf("spawned %d\n", spawn("/bin/sh"));
        printf("not there %d\n", spawn("/nowhere/sh") == -ENOENT);
        printf("no program %d\n", spawn("/etc/passwd") == -EACCES);
        leave_a_value("/bin/sh");
        leave_a_value("/nowhere/sh");
        if (!i) pthread_create(&thread, 0, count, 0);
    }
    int before = counted;
    pid_t child = vfork();
    if (!child) {
        usleep(30000);
        _exit(3);
    }
    printf("others went on %d, status %d\n", counted > before, wait_status(child));
    stop = 1;
    pthread_join(thread, 0);
    return 0;
}
