/* Accesses that the memory's protection refuses, in all sizes and by all who access memory. */
#define _GNU_SOURCE
#include <emmintrin.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 8, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC };

static char *memory;
static sigjmp_buf before;
static int faults, code, grants;
static uintptr_t place;

static void grant(int number, siginfo_t *info, void *context) {
    char *page = (char *)((uintptr_t)info->si_addr & -PAGE);
    faults++;
    if (page < memory || page >= memory + PAGES * PAGE) _exit(99);
    mprotect(page, PAGE, RW);
}

static void jump(int number, siginfo_t *info, void *context) {
    code = info->si_code;
    place = (uintptr_t)info->si_addr;
    siglongjmp(before, number);
}

static void handle(void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
}

static char *map(int prot) {
    return mmap(0, PAGES * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

#define EACH_SIZE(DO) DO(uint8_t) DO(uint16_t) DO(uint32_t) DO(uint64_t) DO(__m128i)

/* A collector's write barrier: every first store to a page is seen, and goes on. */
static void barrier(void) {
    handle(grant);
    memory = map(RW);
#define STORES(T) for (int at = 0; at < PAGES * PAGE - 32; at += 1021) { \
        mprotect(memory, PAGES * PAGE, PROT_READ); faults = 0; \
        struct __attribute__((packed)) { T value; } *p = (void *)(memory + at); \
        T value; memset(&value, at, sizeof value); \
        p->value = value; total += faults; \
        sum += memcmp(memory + at, &value, sizeof value) != 0; }
    int total = 0, sum = 0;
    EACH_SIZE(STORES)
    printf("barrier: %d faults, %d wrong\n", total, sum);
    mprotect(memory, PAGES * PAGE, PROT_NONE);
    faults = 0;
    for (int i = 0; i < 1000; i++) sum += memory[i * 31 % (PAGES * PAGE)];
    printf("loads: %d faults, %d\n", faults, sum);
    mprotect(memory, PAGES * PAGE, PROT_READ);
    faults = 0;
    for (int i = 0; i < 1000; i++) __atomic_fetch_add((int *)(memory + i * 32), i, __ATOMIC_SEQ_CST);
    printf("atomic: %d faults\n", faults);
    mprotect(memory, PAGES * PAGE, PROT_READ);
    faults = 0;
    memset(memory, 7, PAGES * PAGE);
    printf("string: %d faults, %d\n", faults, memory[PAGES * PAGE - 1]);
    munmap(memory, PAGES * PAGE);
}

static void tell(const char *what, volatile char *base) {
    printf("%s: code %d at %#lx\n", what, code, (long)(place - (uintptr_t)base));
}

/* What reaches from one page into the next, which allows less. */
static void edges(void) {
    handle(jump);
    static const int protections[] = {PROT_NONE, PROT_READ, RW, RX};
    for (int first = 0; first < 4; first++)
        for (int second = 0; second < 4; second++) {
            memory = map(RW);
            mprotect(memory, PAGE, protections[first]);
            mprotect(memory + PAGE, PAGE, protections[second]);
            volatile long result = 0;
#define EDGE(T) for (int at = PAGE - 17; at <= PAGE; at++) { \
            struct __attribute__((packed)) { T value; } volatile *p = (void *)(memory + at); \
            T value; memset(&value, 0, sizeof value); \
            place = 0; if (!sigsetjmp(before, 1)) value = p->value; \
            else result = result * 31 + (place - (uintptr_t)memory) + code; \
            if (!sigsetjmp(before, 1)) p->value = value; \
            else result = result * 37 + (place - (uintptr_t)memory) + code; }
            EACH_SIZE(EDGE)
            printf("edge %d %d: %ld\n", first, second, result);
            munmap(memory, PAGES * PAGE);
        }
}

static void wild(void) {
    handle(jump);
    static const uint64_t places[] = {
        0, 8, 0xfff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x123456789a, 0x10000000000,
        0x20000000ffc, 0x4fffffffffff, 0x500000000000, 0x6123456789ab, 0x7ffffffff000,
        0x800000000000, 0x800000000abc, 0x1000000000000, 0x3fffffffffffffff,
        0x4000000000000000, 0x4000550000000000, 0x7fffffffffffffff, 0x8000000000000000,
        0xbfff800000000000, 0xc000000000000000, 0xffff7fffffffffff, 0xffff800000000000,
        0xffffffff80000000, 0xffffffffff700000, 0xffffffffffffffff,
    };
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        volatile uint32_t *p = (void *)places[i];
        if (!sigsetjmp(before, 1)) (void)*p; else tell("wild load", 0);
        if (!sigsetjmp(before, 1)) *p = 1; else tell("wild store", 0);
    }
}

/* The kernel's accesses. */
static void calls(void) {
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_WRITE, RW, RX, RX | PROT_WRITE};
    int ends[2], zero = open("/dev/zero", O_RDONLY);
    pipe(ends);
    for (int i = 0; i < 6; i++) {
        memory = map(RW);
        mprotect(memory, PAGES * PAGE, protections[i]);
        int in = read(zero, memory + 100, 2 * PAGE), no = in < 0 ? errno : 0;
        int out = write(ends[1], memory + 100, 100), no2 = out < 0 ? errno : 0;
        struct iovec both[] = {{&in, 0}, {memory, 50}};
        int many = readv(zero, both, 2), no3 = many < 0 ? errno : 0;
        printf("calls %d: %d %d, %d %d, %d %d\n", i, in, no, out, no2, many, no3);
        munmap(memory, PAGES * PAGE);
    }
}

static void put(char *where, int number) {
    char code[] = {0xb8, number, number >> 8, 0, 0, 0xc3};    /* mov eax, number; ret */
    memcpy(where, code, sizeof code);
}

static int run(char *where) { return ((int (*)(void))where)(); }

/* Code that is written, in turn with being executed and at once. */
static void generated(void) {
    handle(jump);
    memory = map(RW);
    int sum = 0;
    for (int i = 0; i < 200; i++) {
        mprotect(memory, PAGE, RW);
        put(memory + i % 7 * 512, i);
        mprotect(memory, PAGE, RX);
        sum += run(memory + i % 7 * 512);
        if (!sigsetjmp(before, 1)) memory[i] = 1; else sum += code;
    }
    printf("in turn: %d\n", sum);
    mprotect(memory, PAGES * PAGE, RX | PROT_WRITE);
    for (int i = 0; i < 200; i++) {
        put(memory + i % 7 * 512, i * 3);
        sum += run(memory + i % 7 * 512);
        ((int *)memory)[1000] += sum;
    }
    printf("at once: %d %d\n", sum, ((int *)memory)[1000]);
    munmap(memory, PAGES * PAGE);
}

static void moved(void) {
    handle(jump);
    memory = map(RW);
    memset(memory, 1, PAGES * PAGE);
    mprotect(memory + 2 * PAGE, 2 * PAGE, PROT_READ);
    char *target = map(PROT_NONE);
    char *new = mremap(memory + 2 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    printf("moved: %d\n", new == target);
    for (int page = 0; page < PAGES; page++) {
        volatile char *old = memory + page * PAGE, *now = target + page * PAGE;
        int value = -1;
        if (!sigsetjmp(before, 1)) value = *old, *old = 2; else value += 100 * code;
        printf("%d ", value);
        value = -1;
        if (!sigsetjmp(before, 1)) value = *now, *now = 2; else value += 100 * code;
        printf("%d\n", value);
    }
    munmap(memory, PAGES * PAGE);
    munmap(target, PAGES * PAGE);
}

static void forked(void) {
    handle(jump);
    memory = map(RW);
    memory[0] = 1;
    fflush(stdout);
    if (!fork()) {
        memory[0] = 2;
        mprotect(memory, PAGE, PROT_NONE);
        if (!sigsetjmp(before, 1)) memory[0] = 3; else printf("child: code %d\n", code);
        mprotect(memory, PAGE, PROT_READ);
        printf("child: %d\n", memory[0]);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    memory[1] = 4;
    printf("parent: %d %d\n", memory[0], memory[1]);
    munmap(memory, PAGES * PAGE);
}

static volatile int sent;
static void count(int number, siginfo_t *info, void *context) { sent += info->si_code <= 0; }

/* The signal of a fault that is sent, by anyone. */
static void signals(void) {
    handle(count);
    for (int i = 0; i < 5; i++) {
        kill(getpid(), SIGSEGV);
        raise(SIGBUS);
        sigqueue(getpid(), SIGSEGV, (union sigval){.sival_int = i});
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, 0);
    kill(getpid(), SIGSEGV);
    printf("sent: %d\n", sent);
    sigprocmask(SIG_UNBLOCK, &set, 0);
    printf("sent: %d\n", sent);
}

int main(void) {
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    barrier();
    edges();
    wild();
    calls();
    moved();
    forked();
    signals();
    generated();
    barrier();
    edges();
    fflush(stdout);
    signal(SIGSEGV, SIG_DFL);
    kill(getpid(), SIGSEGV);
}
