/* Waits under a mask of signals (pselect, ppoll, epoll_pwait) hold up their own thread alone, and
   let in the signals that the mask does not block. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

static int ends[3][2];
static volatile sig_atomic_t handled;
static sigset_t none;

static void handle(int number) { handled++; }

static int wait_in(int way, struct timespec *timeout) {
    int fd = ends[way][0];
    if (way == 0) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        return pselect(fd + 1, &set, 0, 0, timeout, &none);
    }
    if (way == 1) {
        struct pollfd one = {fd, POLLIN};
        return ppoll(&one, 1, timeout, &none);
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN}, found;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return epoll_pwait(epoll, &found, 1, timeout ? 1 : -1, &none);
}

static void *wait_for_byte(void *way) { return (void *)(long)wait_in((long)way, 0); }

int main(void) {
    sigset_t usr1;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, 0);
    signal(SIGUSR1, handle);
    pthread_t threads[3];
    for (long way = 0; way < 3; way++) {
        pipe(ends[way]);
        pthread_create(&threads[way], 0, wait_for_byte, (void *)way);
    }
    usleep(20000);
    for (long way = 0; way < 3; way++) {
        void *result;
        write(ends[way][1], "x", 1);
        pthread_join(threads[way], &result);
        printf("%ld\n", (long)result);
    }
    pthread_create(&threads[0], 0, (void *(*)(void *))pause, 0);
    for (int way = 0; way < 3; way++) {
        char byte;
        read(ends[way][0], &byte, 1);
        struct timespec moment = {0, 1000000};
        printf("%d", wait_in(way, &moment));
        pthread_kill(pthread_self(), SIGUSR1);
        int result = wait_in(way, 0);
        printf(" %d %d %d\n", result, errno == EINTR, handled);
    }
}
