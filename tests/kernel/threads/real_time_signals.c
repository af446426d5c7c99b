/* Real-time signals are queued: sent to a thread that does not run, that blocks them, or that waits
   for them, each arrives, in its order and with its value; of standard ones sent twice, one does. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int seen[200], values[200], count, go, ended;

static void handler(int number, siginfo_t *info, void *context)
{
    seen[count] = number;
    values[count] = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
    count++;
}

static void show(const char *title)
{
    printf("%s:", title);
    for (int i = 0; i < count; i++)
        if (seen[i] >= 34)
            printf(" +%d=%d", seen[i] - SIGRTMIN, values[i]);
        else
            printf(" %s=%d", strsignal(seen[i]), values[i]);
    puts("");
    count = 0;
}

static void queue_some(pthread_t to)
{
    for (int i = 0; i < 3; i++) {
        pthread_sigqueue(to, SIGRTMIN + 5, (union sigval){.sival_int = i});
        pthread_sigqueue(to, SIGRTMIN + 2, (union sigval){.sival_int = 10 + i});
    }
    pthread_kill(to, SIGRTMIN + 5);
    pthread_kill(to, SIGUSR1), pthread_kill(to, SIGUSR1);
    pthread_sigqueue(to, SIGUSR2, (union sigval){.sival_int = 7});
    pthread_sigqueue(to, SIGUSR2, (union sigval){.sival_int = 8});
}

static void *spins(void *unused)
{
    while (!go)
        ;
    return 0;
}

static void *blocks(void *set)
{
    pthread_sigmask(SIG_BLOCK, set, 0);
    go = 1;
    while (!ended)
        usleep(1000);
    sigset_t pending;
    sigpending(&pending);
    printf("pending %d %d %d\n", sigismember(&pending, SIGRTMIN + 5), sigismember(&pending, SIGRTMIN + 2), sigismember(&pending, SIGRTMIN + 1));
    pthread_sigmask(SIG_UNBLOCK, set, 0);
    return 0;
}

static void *awaits(void *set)
{
    pthread_sigmask(SIG_BLOCK, set, 0);
    siginfo_t info;
    struct timespec soon = {0, 300000000};
    go = 1;
    for (int n; (n = sigtimedwait(set, &info, &soon)) > 0;)
        handler(n, &info, 0);
    printf("%s\n", strerrorname_np(errno));
    return 0;
}

int main(void)
{
    pthread_t t;
    sigset_t set;
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&set);
    int numbers[] = {SIGRTMIN + 5, SIGRTMIN + 2, SIGUSR1, SIGUSR2};
    for (int i = 0; i < 4; i++)
        sigaction(numbers[i], &act, 0), sigaddset(&set, numbers[i]);

    pthread_create(&t, 0, blocks, &set);
    while (!go)
        usleep(1000);
    queue_some(t);
    ended = 1;
    pthread_join(t, 0);
    show("blocked");

    go = 0;
    pthread_create(&t, 0, awaits, &set);
    while (!go)
        usleep(1000);
    usleep(50000);
    for (int i = 0; i < 5; i++)
        pthread_sigqueue(t, SIGRTMIN + 2, (union sigval){.sival_int = 20 + i});
    pthread_join(t, 0);
    show("awaited");

    pthread_sigmask(SIG_BLOCK, &set, 0);
    queue_some(pthread_self());
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = 30 + i});
    pthread_sigmask(SIG_UNBLOCK, &set, 0);
    show("itself");

    for (int i = 0; i < 20; i++) {
        go = 0;
        pthread_create(&t, 0, spins, 0);
        usleep(2000);
        for (int k = 0; k < 4; k++)
            pthread_sigqueue(t, SIGRTMIN + 2, (union sigval){.sival_int = k});
        go = 1;
        pthread_join(t, 0);
        if (count != 4 || values[0] != 0 || values[1] != 1 || values[2] != 2 || values[3] != 3)
            show("lost");
        count = 0;
    }

    struct rlimit few = {100, 100};
    setrlimit(RLIMIT_SIGPENDING, &few);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    int sent = 0, error = 0;
    while (sent < 200 && !(error = pthread_sigqueue(pthread_self(), SIGRTMIN + 2, (union sigval){0})))
        sent++;
    printf("%d %s\n", sent > 50 && sent <= 100, strerrorname_np(error));
    pthread_sigmask(SIG_UNBLOCK, &set, 0);
    printf("%d\n", count == sent);
    return 0;
}
