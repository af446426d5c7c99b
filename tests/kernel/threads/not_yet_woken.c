/* A process that ends after it has unlocked a robust futex and before it has woken who waits. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
struct robust_list_node { struct robust_list_node *next; };
static struct { void *next; long offset; void *pending; } head;
int main(void) {
    int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (!child) {
        head.next = &head;
        head.pending = shared;
        syscall(SYS_set_robust_list, &head, sizeof head);
        usleep(200000);
        _exit(0);
    }
    printf("woken %ld\n", syscall(SYS_futex, shared, FUTEX_WAIT, 0, 0, 0, 0));
    waitpid(child, 0, 0);
    return 0;
}
