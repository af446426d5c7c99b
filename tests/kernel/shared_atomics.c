/* Atomic instructions of two processes on memory that they share: no update may get lost. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 150000 };

struct shared {
    volatile uint32_t ready;
    uint8_t bytes[4] __attribute__((aligned(64)));
    uint16_t halves[4] __attribute__((aligned(64)));
    uint32_t words[12] __attribute__((aligned(64)));
    uint64_t longs[8] __attribute__((aligned(64)));
    __int128 wide __attribute__((aligned(64)));
    struct { uint8_t b; uint16_t w; uint32_t l; uint64_t q; } locks __attribute__((aligned(64)));
    uint32_t guarded[5];
    volatile uint32_t wants[2], turn, exclusive;
    char odd[64] __attribute__((aligned(64)));
};

#define UPDATE(text, place, ...) __asm__ volatile("lock " text : "+m"(place) : __VA_ARGS__ : "cc", "memory")
#define COMPARE(text, place, old, new) ({ \
    __typeof__(old) seen = (old); \
    __asm__ volatile("lock cmpxchg" text " %2, %1" : "+a"(seen), "+m"(place) : "r"(new) : "cc", "memory"); \
    seen == (old); })
#define EXCHANGE(text, place, value) ({ \
    __typeof__(place) taken = (value); \
    __asm__ volatile("xchg" text " %0, %1" : "+r"(taken), "+m"(place) : : "memory"); \
    taken; })
#define SPIN(text, lock, index) do { \
    while (EXCHANGE(text, lock, 1)) __builtin_ia32_pause(); \
    shared->guarded[index]++; \
    EXCHANGE(text, lock, 0); } while (0)

static int compare_wide(__int128 *place, __int128 old, __int128 new) {
    uint64_t low = old, high = old >> 64;
    unsigned char same;
    __asm__ volatile("lock cmpxchg16b %1; sete %0"
                     : "=q"(same), "+m"(*place), "+a"(low), "+d"(high)
                     : "b"((uint64_t)new), "c"((uint64_t)(new >> 64)) : "cc", "memory");
    return same;
}
static int compare_pair(uint64_t *place, uint64_t old, uint64_t new) {
    uint32_t low = old, high = old >> 32;
    unsigned char same;
    __asm__ volatile("lock cmpxchg8b %1; sete %0"
                     : "=q"(same), "+m"(*place), "+a"(low), "+d"(high)
                     : "b"((uint32_t)new), "c"((uint32_t)(new >> 32)) : "cc", "memory");
    return same;
}

static void update(struct shared *shared, int me) {
    for (int i = 0; i < COUNT; i++) {
        UPDATE("addb $3, %0", shared->bytes[0], "i"(0));
        UPDATE("incw %0", shared->halves[0], "i"(0));
        UPDATE("addl %1, %0", shared->words[0], "r"(5));
        UPDATE("decl %0", shared->words[1], "i"(0));
        UPDATE("subq %1, %0", shared->longs[0], "r"(7L));
        uint32_t one = 1;
        __asm__ volatile("lock xaddl %0, %1" : "+r"(one), "+m"(shared->words[2]) : : "cc", "memory");
        UPDATE("adcl $1, %0", shared->words[3], "i"(0));
        UPDATE("xorl %1, %0", shared->words[4], "r"(1 << (i % 2 + 2 * me)));
        UPDATE("notl %0", shared->words[5], "i"(0));
        UPDATE("negl %0", shared->words[6], "i"(0));
        /* bits of their own in one word: each sees what it has set and cleared itself */
        unsigned bit = me ? 17 : 3;
        UPDATE("btsl %1, %0", shared->words[7], "r"(bit));
        if (!(shared->words[7] >> bit & 1)) shared->words[8] = 1;
        UPDATE("andl %1, %0", shared->words[7], "r"(~(1u << bit)));
        if (shared->words[7] >> bit & 1) shared->words[8] = 1;
        UPDATE("orl %1, %0", shared->words[7], "r"(1u << bit));
        UPDATE("btrl %1, %0", shared->words[7], "r"(bit));
        UPDATE("btcl %1, %0", shared->words[9], "r"(bit));

        for (uint8_t old; old = shared->bytes[1], !COMPARE("b", shared->bytes[1], old, (uint8_t)(old + 1));) ;
        for (uint16_t old; old = shared->halves[1], !COMPARE("w", shared->halves[1], old, (uint16_t)(old + 1));) ;
        for (uint32_t old; old = shared->words[10], !COMPARE("l", shared->words[10], old, old + 1);) ;
        for (uint64_t old; old = shared->longs[1], !COMPARE("q", shared->longs[1], old, old + 1);) ;
        for (uint64_t old; old = shared->longs[2], !compare_pair(&shared->longs[2], old, old + 0x100000001);) ;
        for (__int128 old; old = *(volatile __int128 *)&shared->wide,
             !compare_wide(&shared->wide, old, old + ((__int128)1 << 64) + 1);) ;
    }
    for (int i = 0; i < COUNT / 4; i++) {
        SPIN("b", shared->locks.b, 0);
        SPIN("w", shared->locks.w, 1);
        SPIN("l", shared->locks.l, 2);
        SPIN("q", shared->locks.q, 3);
        /* Peterson's lock, which holds only if the store is seen before the load is made */
        shared->wants[me] = 1;
        shared->turn = !me;
        __asm__ volatile("mfence" : : : "memory");
        while (shared->wants[!me] && shared->turn == !me) __builtin_ia32_pause();
        shared->exclusive++;
        shared->wants[me] = 0;
    }
}

static void show(struct shared *shared) {
    printf("%u %u;", shared->bytes[0], shared->bytes[1]);
    printf(" %u %u;", shared->halves[0], shared->halves[1]);
    for (int i = 0; i < 11; i++) printf(" %u", shared->words[i]);
    for (int i = 0; i < 3; i++) printf(" %#lx", shared->longs[i]);
    printf("; %lu %lu;", (long)(shared->wide >> 64), (long)shared->wide);
    for (int i = 0; i < 4; i++) printf(" %u", shared->guarded[i]);
    printf("; %u\n", shared->exclusive);
}

static void on_fault(int number, siginfo_t *info, void *context) {
    printf("signal %d at %p\n", number, info->si_addr);
    fflush(stdout);
    _exit(0);
}
/* What cannot be done in one access, and what cannot be done at all. */
static void odd_places(struct shared *shared) {
    uint32_t *within = (uint32_t *)(shared->odd + 1), *across = (uint32_t *)(shared->odd + 62);
    for (int i = 0; i < 100; i++) {
        UPDATE("incl %0", *within, "i"(0));
        UPDATE("addl %1, %0", *across, "r"(2));
        EXCHANGE("w", *(uint16_t *)(shared->odd + 9), i);
    }
    uint64_t old = *(uint64_t *)(shared->odd + 17);
    int same = COMPARE("q", *(uint64_t *)(shared->odd + 17), old, 77UL);
    printf("odd %u %u %u %d %lu\n", *within, *across, *(uint16_t *)(shared->odd + 9), same,
           *(uint64_t *)(shared->odd + 17));
    fflush(stdout);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    const char *text = "read-only";
    char *places[] = {(char *)8, (char *)9, (char *)text, (char *)0x1234567890, (char *)(1UL << 60)};
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (!child) {
            UPDATE("incl %0", *(uint32_t *)places[i], "i"(0));
            _exit(1);
        }
        waitpid(child, 0, 0);
    }
}

int main(int argc, char **argv) {
    uint32_t before = 0;
    for (int i = 0; i < 1000; i++) UPDATE("incl %0", before, "i"(0)); /* translated before memory is shared */
    int fd = -1, flags = MAP_SHARED | MAP_ANONYMOUS;
    if (!strcmp(argv[1], "file")) {
        fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (ftruncate(fd, 4096)) return 1;
        flags = MAP_SHARED;
    }
    struct shared *shared;
    if (!strcmp(argv[1], "late")) { /* can be written only later */
        shared = mmap(0, 4096, PROT_READ, flags, fd, 0);
        mprotect(shared, 4096, PROT_READ | PROT_WRITE);
    } else if (strcmp(argv[1], "segment")) {
        shared = mmap(0, 4096, PROT_READ | PROT_WRITE, flags, fd, 0);
    } else {
        int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
        shared = shmat(segment, 0, 0);
        shmctl(segment, IPC_RMID, 0);
    }
    pid_t child = fork();
    UPDATE("incl %0", shared->ready, "i"(0));
    while (shared->ready < 2) __builtin_ia32_pause();
    update(shared, child == 0);
    if (!child) _exit(0);
    waitpid(child, 0, 0);
    show(shared);
    odd_places(shared);
    printf("%u\n", before);
    return 0;
}
