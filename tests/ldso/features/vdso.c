//// BUILD gcc -O1 -Wl,-z,lazy -o main main.c -ldl
//// RUN ./main
//// RUN LD_BIND_NOW=1 ./main
//// FILE main.c
// The vDSO is listed, found by its name, and its functions are those that libc calls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static sigjmp_buf back;
static void *fault_at;
static void on_fault(int number, siginfo_t *info, void *context) {
    fault_at = (void *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(back, info->si_addr == (void *)8);
}
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) printf("[%s] %d\n", info->dlpi_name, info->dlpi_phdr[i].p_flags);
    return 0;
}
static int ordered(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec <= b->tv_nsec);
}
int main(void) {
    Dl_info info;
    dl_iterate_phdr(visit, NULL);
    void *handle = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD), *base = (void *)getauxval(AT_SYSINFO_EHDR);
    for (const char *name = "clock_gettime\0gettimeofday\0time\0getcpu\0clock_getres\0"; *name; name += strlen(name) + 1) {
        char longer[32] = "__vdso_";
        void *function = dlsym(handle, strcat(longer, name));
        printf("%s %d", longer, function != NULL && function == dlsym(handle, name) && function == dlvsym(handle, name, "LINUX_2.6"));
        printf(" %d", dladdr(function, &info));
        printf(" %s %d", info.dli_fname, info.dli_fbase == base);
        printf(" %d %d\n", strstr(longer, info.dli_sname) != NULL, info.dli_saddr == function);
    }
    printf("%d %d\n", dlsym(handle, "time") == (void *)time, dlsym(handle, "gettimeofday") == (void *)gettimeofday);
    printf("%s: %d\n", dlvsym(handle, "time", "LINUX_2.7") ? "?" : "no such version", dlclose(handle));

    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI,
                                       CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct timespec before, time, after;
        syscall(SYS_clock_gettime, clocks[i], &before);
        int result = clock_gettime(clocks[i], &time);
        syscall(SYS_clock_gettime, clocks[i], &after);
        printf("clock %d: %d %d %d\n", clocks[i], result, ordered(&before, &time), ordered(&time, &after));
    }
    struct timespec coarse, fine;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
    clock_gettime(CLOCK_MONOTONIC, &fine);
    printf("coarse %d, ", ordered(&coarse, &fine));
    printf("unknown %d ", clock_gettime(99, &fine));
    printf("%d\n", errno == EINVAL);
    struct timeval day;
    struct timezone zone = {1, 1};
    time_t stored;
    clock_gettime(CLOCK_REALTIME, &fine);
    printf("%d ", gettimeofday(&day, &zone));
    printf("%d ", zone.tz_minuteswest);
    printf("%d %d ", day.tv_sec - fine.tv_sec <= 1, day.tv_usec < 1000000);
    printf("%d ", gettimeofday(&day, NULL));
    printf("%d ", day.tv_sec - fine.tv_sec <= 1 && day.tv_usec < 1000000);
    time_t returned = time(&stored);
    printf("%d\n", returned == stored && stored - fine.tv_sec <= 1);
    unsigned cpu = -1;
    printf("%d %d %d\n", clock_getres(CLOCK_MONOTONIC, &fine), getcpu(&cpu, NULL), sched_getcpu() < 4096);

    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    int caught = sigsetjmp(back, 1);
    if (!caught) clock_gettime(CLOCK_MONOTONIC, (void *)8);
    printf("fault %d in %s\n", caught, dladdr(fault_at, &info) ? info.dli_fname : "?");

    return 0;
}
