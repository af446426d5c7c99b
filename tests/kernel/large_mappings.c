/* Mappings of terabytes, as sanitizers and garbage collectors reserve them, and in the lowest 2 GiB. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TiB (1L << 40)
#define FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define SHOW(call) (errno = 0, printf("%s = %ld", #call, (long)(call)), printf(" %d\n", errno))

static void map_low(unsigned long hint, long length) {
    printf("%p\n", mmap((void *)hint, length, PROT_READ, FLAGS | MAP_32BIT, -1, 0));
}

int main(void) {
    setbuf(stdout, 0);
    map_low(0, 0x1000);
    map_low(0, 0x3000);
    map_low(0x50000000, 0x1000);
    map_low(0x50000000, 0x1000);
    map_low(0x7ffff000, 0x2000);
    map_low(0x10000000, 0x1000);
    map_low(0, 0x40000000);
    char *start = (char *)(0x10 * TiB - 0x5000);
    SHOW(mmap(start, 5 * TiB, PROT_READ | PROT_WRITE, FLAGS | MAP_FIXED, -1, 0));
    char *border = (char *)(0x12 * TiB);
    memcpy(border - 4, "overhang", 8);
    start[5 * TiB - 1] = 'z';
    int ends[2];
    char back[9] = "";
    SHOW(pipe(ends));
    SHOW(write(ends[1], border - 4, 8));
    SHOW(read(ends[0], back, 8));
    puts(back);
    SHOW(write(ends[1], "12345678", 8));
    SHOW(mprotect(border - 0x1000, 0x2000, PROT_READ));
    SHOW(read(ends[0], border - 4, 8));
    SHOW(mprotect(start, 3 * TiB, PROT_NONE));
    SHOW(write(ends[1], border - 4, 8));
    SHOW(mprotect(start, 3 * TiB, PROT_READ | PROT_WRITE));
    SHOW(memcmp(border - 4, "overhang", 8));
    SHOW(madvise(border - 0x1000, 0x1000, MADV_DONTNEED));
    SHOW(border[-4] == 0 && !memcmp(border, "hang", 4));
    if (!fork()) _exit(start[5 * TiB - 1]);
    int status;
    wait(&status);
    SHOW(WEXITSTATUS(status));
    SHOW(munmap(border, TiB));
    SHOW(write(ends[1], border, 8));
    SHOW(start[5 * TiB - 1]);
    char *anywhere = mmap(0, 2 * TiB, PROT_NONE, FLAGS, -1, 0);
    SHOW(anywhere != MAP_FAILED);
    SHOW(mprotect(anywhere + TiB, 0x1000, PROT_READ | PROT_WRITE));
    anywhere[TiB] = 1;
    SHOW(munmap(anywhere, 2 * TiB));
    SHOW(munmap(start, 5 * TiB));
    start[0] = 1;
}
