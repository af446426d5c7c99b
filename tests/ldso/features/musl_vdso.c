//// BUILD musl-gcc -o main main.c
//// RUN ./main
//// FILE main.c
// musl lists the vDSO last, without a name, and knows it by another.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    printf("[%s] %d\n", info->dlpi_name, info->dlpi_addr == getauxval(AT_SYSINFO_EHDR));
    return 0;
}
int main(void) {
    dl_iterate_phdr(visit, NULL);
    printf("%d ", dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD) != NULL);
    void *handle = dlopen("linux-gate.so.1", RTLD_NOW | RTLD_NOLOAD);
    printf("%d %d\n", handle != NULL, dlsym(handle, "__vdso_clock_gettime") != NULL);
    struct timespec before, time;
    for (int i = 0; i < 3; i++) {
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before);
        printf("%d ", clock_gettime(CLOCK_MONOTONIC, &time));
        printf("%d\n", before.tv_sec < time.tv_sec || (before.tv_sec == time.tv_sec && before.tv_nsec <= time.tv_nsec));
    }
    return 0;
}
