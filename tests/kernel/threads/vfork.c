/* vfork: the parent waits for the child, which leaves values in the parent's local variables. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
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
static int question[2], answer[2];
static void *reply(void *argument) {
    char c;
    read(question[0], &c, 1);
    write(answer[1], "a", 1);
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
        if (!i) {
            pipe(question);
            pipe(answer);
            pthread_create(&thread, 0, reply, 0);
        }
    }
    char c = 0;
    pid_t child = vfork();
    if (!child) {  /* the other thread goes on meanwhile, or this would wait for ever */
        write(question[1], "q", 1);
        read(answer[0], &c, 1);
        _exit(3);
    }
    int status = wait_status(child);
    printf("answered %c, status %d\n", c, status);
    pthread_join(thread, 0);
    return 0;
}
