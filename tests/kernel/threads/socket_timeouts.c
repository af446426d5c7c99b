/* A handler with SA_RESTART ends the calls of a socket that has a timeout, and no others. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
static int pair[2];
static volatile int begun;
static char data[300000];
static void on_signal(int number) {}
static ssize_t by_read(void) { return read(pair[0], data, 1); }
static ssize_t by_recv(void) { return recv(pair[0], data, 1, 0); }
static ssize_t by_recvmsg(void) {
    struct iovec part = {data, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return recvmsg(pair[0], &message, 0);
}
static ssize_t by_send(void) { return send(pair[0], data, sizeof data, 0); }
static ssize_t (*const calls[])(void) = {by_read, by_recv, by_recvmsg, by_send};
static void *wait_here(void *number) {
    begun = 1;
    ssize_t result = calls[*(int *)number]();
    printf("%zd %d\n", result, result < 0 ? errno : 0);
    return 0;
}
int main(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, 0);
    for (int i = 0; i < 8; i++) {
        int number = i / 2, is_send = number == 3, is_timed = i % 2;
        struct timeval limit = {3, 0};
        pthread_t thread;
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
        if (is_timed)
            setsockopt(pair[0], SOL_SOCKET, is_send ? SO_SNDTIMEO : SO_RCVTIMEO, &limit, sizeof limit);
        if (is_send)
            while (send(pair[0], data, 4096, MSG_DONTWAIT) > 0) ;
        begun = 0;
        pthread_create(&thread, 0, wait_here, &number);
        while (!begun) ;
        usleep(30000);
        pthread_kill(thread, SIGUSR1);
        usleep(30000);
        if (is_send && is_timed) {
            pthread_join(thread, 0);
        } else if (is_send) {
            close(pair[1]);
            signal(SIGPIPE, SIG_IGN);
            pthread_join(thread, 0);
        } else {
            write(pair[1], "x", 1);
            pthread_join(thread, 0);
        }
        fflush(stdout);
        close(pair[0]);
        if (!(is_send && !is_timed)) close(pair[1]);
    }
    return 0;
}
