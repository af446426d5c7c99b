/* Which instructions of SSE want their operand in memory aligned: all of them are tried. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { SLOT = 32, MAPS = 6 };

static sigjmp_buf before;
static int code;
static uintptr_t place;
static uint8_t data[64] __attribute__((aligned(64)));

static void jump(int number, siginfo_t *info, void *context) {
    code = info->si_code;
    place = (uintptr_t)info->si_addr;
    siglongjmp(before, number);
}

static int is_candidate(int map, int op) {
    if (map >= 4) return 1;
    return (op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2f) || (op >= 0x50 && op <= 0x7f) ||
           op == 0xc2 || (op >= 0xc4 && op <= 0xc6) || op >= 0xd0;
}

static void put(uint8_t *at, int map, int op) {
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2, 0x66, 0x66};
    *at++ = 0xf3, *at++ = 0x0f, *at++ = 0x1e, *at++ = 0xfa;    /* endbr64 */
    if (prefixes[map]) *at++ = prefixes[map];
    *at++ = 0x0f;
    if (map == 4) *at++ = 0x38;
    if (map == 5) *at++ = 0x3a;
    *at++ = op;
    *at++ = 0x07;                                               /* xmm0 and [rdi] */
    if (map == 5 || (map < 4 && (op == 0xc2 || op == 0xc4 || op == 0xc5 || op == 0xc6 || op == 0x70)))
        *at++ = 0;
    *at++ = 0x0f, *at++ = 0x77;                                 /* emms */
    *at++ = 0xc3;
}

static int run(uint8_t *at, int shift) {
    int number = sigsetjmp(before, 1);
    if (number) return number == SIGSEGV ? 'A' + (code == 128 && !place) : number == SIGILL ? 'i' : '?';
    ((void (*)(void *))at)(data + shift);
    return '.';
}

int main(void) {
    struct sigaction action = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, 0), sigaction(SIGILL, &action, 0), sigaction(SIGFPE, &action, 0);
    size_t size = MAPS * 256 * SLOT;
    uint8_t *page = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < MAPS * 256; i++) put(page + i * SLOT, i >> 8, i & 255);
    mprotect(page, size, PROT_READ | PROT_EXEC);
    for (int map = 0; map < MAPS; map++)
        for (int op = 0; op < 256; op++) {
            if (!is_candidate(map, op)) continue;
            printf("%d %02x ", map, op);
            static const int shifts[] = {0, 1, 2, 4, 8, 15};
            for (int i = 0; i < 6; i++) putchar(run(page + (map * 256 + op) * SLOT, shifts[i]));
            putchar('\n');
        }
}
