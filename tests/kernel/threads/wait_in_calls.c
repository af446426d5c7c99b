/* A system call that waits holds up its own thread alone. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int in[2], big[2], pair[2], readable[2], polled[2], child[2];
static int event, epoll;
static atomic_int waiting;

static void *read_pipe(void *argument) {
    char buffer[8];
    waiting++;
    return (void *)(long)read(in[0], buffer, sizeof buffer);
}
static void *write_much(void *argument) {
    char *data = calloc(1, 1 << 20);
    waiting++;
    return (void *)(long)write(big[1], data, 1 << 20);
}
static void *receive(void *argument) {
    char buffer[8];
    waiting++;
    return (void *)(long)recv(pair[0], buffer, sizeof buffer, 0);
}
static void *wait_for_child(void *argument) {
    int status;
    waiting++;
    waitpid(-1, &status, 0);
    return (void *)(long)WEXITSTATUS(status);
}
static void *do_poll(void *argument) {
    struct pollfd fd = {polled[0], POLLIN};
    waiting++;
    return (void *)(long)(poll(&fd, 1, -1) * 100 + fd.revents);
}
static void *do_select(void *argument) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(readable[0], &set);
    waiting++;
    return (void *)(long)select(readable[0] + 1, &set, 0, 0, 0);
}
static void *do_epoll(void *argument) {
    struct epoll_event found;
    waiting++;
    int count = epoll_wait(epoll, &found, 1, -1);
    return (void *)(long)(count * 10 + found.data.u32);
}
static void *sleep_long(void *argument) {
    struct timespec time = {0, 60000000};
    waiting++;
    return (void *)(long)nanosleep(&time, 0);
}
static void *lock_file(void *argument) {
    int fd = open("lock", O_RDWR | O_CREAT, 0600);
    waiting++;
    return (void *)(long)flock(fd, LOCK_EX);
}
static void *read_vectors(void *argument) {
    char first[2], second[6];
    struct iovec parts[2] = {{first, 2}, {second, 6}};
    waiting++;
    return (void *)(long)readv(child[0], parts, 2);
}

int main(void) {
    pthread_t threads[10];
    void *(*functions[])(void *) = {read_pipe, write_much, receive, wait_for_child, do_poll, do_select, do_epoll, sleep_long, lock_file, read_vectors};
    pipe(in), pipe(big), pipe(readable), pipe(polled), pipe(child);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    event = eventfd(0, 0);
    epoll = epoll_create1(0);
    struct epoll_event wanted = {EPOLLIN, {.u32 = 7}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted);
    int locked = open("lock", O_RDWR | O_CREAT, 0600);
    flock(locked, LOCK_EX);
    int go[2];
    pipe(go);
    if (!fork()) {
        char c;
        close(go[1]);
        read(go[0], &c, 1);
        _exit(9);
    }
    for (int i = 0; i < 10; i++) pthread_create(&threads[i], 0, functions[i], 0);
    while (waiting < 10) ;  /* all of them have begun while this one spins */
    struct timespec time = {0, 10000000};
    nanosleep(&time, 0);
    write(in[1], "abc", 3);
    size_t total = 0;
    char *data = malloc(65536);
    while (total < 1 << 20) total += read(big[0], data, 65536);
    send(pair[1], "four", 4, 0);
    write(go[1], "", 1);
    write(polled[1], "x", 1);
    write(readable[1], "x", 1);
    eventfd_write(event, 3);
    flock(locked, LOCK_UN);
    write(child[1], "12345", 5);
    for (int i = 0; i < 10; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("%ld\n", (long)result);
    }
    printf("%zu\n", total);
    return 0;
}
