/* Code in a file that is mapped twice, once to write and once to execute it (or both twice). */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 0x4000 };

static void put(uint8_t *place, int32_t value) {
    place[0] = 0xb8; /* mov $value, %eax; ret */
    memcpy(place + 1, &value, 4);
    place[5] = 0xc3;
}

static int call(uint8_t *place) { return ((int (*)(void))place)(); }

static int rewrite(uint8_t *written, uint8_t *run) {
    int sum = 0;
    for (int i = 1; i <= 50; i++)
        for (int k = 0; k < SIZE; k += 0x7f0) {
            put(written + k, i * k);
            sum += call(run + k);
        }
    return sum;
}

int main(void) {
    int both = PROT_READ | PROT_WRITE | PROT_EXEC;
    int fd = memfd_create("code", 0);
    ftruncate(fd, SIZE);
    uint8_t *writable = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint8_t *executable = mmap(0, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    uint8_t *second = mmap(0, 0x2000, both, MAP_SHARED, fd, 0x2000);
    printf("%d\n", rewrite(writable, executable));
    int sum = 0;
    for (int i = 0; i < 20; i++) {
        put(second + 16, i);
        sum += call(executable + 0x2010) * call(second + 16);
        put(writable + 0x2010, i + 1);
        sum += call(second + 16);
    }
    printf("%d\n", sum);
    int pipe_ends[2];
    uint8_t code[6];
    put(code, 77);
    pipe(pipe_ends);
    write(pipe_ends[1], code, 6);
    printf("%d", call(executable));
    read(pipe_ends[0], writable, 6);
    printf(" %d\n", call(executable));
    mprotect(writable, SIZE, PROT_READ);
    mprotect(writable, SIZE, PROT_READ | PROT_WRITE);
    printf("%d\n", rewrite(writable, executable));
    mprotect(executable, SIZE, both);
    printf("%d\n", rewrite(executable, executable));
    printf("%d\n", call(executable + 0x7f0));
    writable[0x7f1] ^= 1;
    printf("%d\n", call(executable + 0x7f0));
    fflush(stdout);
    munmap(executable, SIZE);
    call(writable);
}
