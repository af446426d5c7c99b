/* Which waits for a futex a handler with SA_RESTART ends: those with a time. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static int own;
static int *shared;
static volatile int begun, handled;
struct wait { int *place, operation; struct timespec *until; };
static void on_signal(int number) { handled++; }
static void *wait_here(void *argument) {
    struct wait *wait = argument;
    begun = 1;
    long result = syscall(SYS_futex, wait->place, wait->operation, 0, wait->until, 0, -1);
    printf("%ld %d\n", result, result ? errno : 0);
    return 0;
}
int main(void) {
    shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct timespec time = {2, 0}, until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 5;
    struct wait waits[] = {
        {&own, FUTEX_WAIT_PRIVATE, 0},
        {&own, FUTEX_WAIT_PRIVATE, &time},
        {&own, FUTEX_WAIT_BITSET_PRIVATE, &until},
        {shared, FUTEX_WAIT, 0},
        {shared, FUTEX_WAIT, &time},
        {shared, FUTEX_WAIT_BITSET, &until},
    };
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, 0);
    for (int i = 0; i < 6; i++) {
        pthread_t thread;
        begun = 0;
        pthread_create(&thread, 0, wait_here, &waits[i]);
        while (!begun) ;
        usleep(30000);
        pthread_kill(thread, SIGUSR1);
        usleep(30000);
        syscall(SYS_futex, waits[i].place, FUTEX_WAKE | (waits[i].operation & FUTEX_PRIVATE_FLAG), 1, 0, 0, 0);
        pthread_join(thread, 0);
        fflush(stdout);
    }
    printf("handled %d\n", handled);
    return 0;
}
