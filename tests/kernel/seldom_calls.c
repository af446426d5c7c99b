/* Seldom made system calls, in right and wrong ways; its argument says what about: files, memory,
   keys or processes. What it prints natively is what it must print anywhere. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s = %ld %s\n", #call, r_, r_ == -1 ? strerrorname_np(errno) : ""); } while (0)
static char buf[8192];
static const int cachestat_ = 451, process_mrelease_ = 448, memfd_secret_ = 447, pidfd_getfd_ = 438,
                 pidfd_open_ = 434;

static void files(void) {
    int p[2], q[2];
    pipe(p), pipe(q);
    struct iovec two[2] = {{"hello ", 6}, {"world", 5}}, into[2] = {{buf, 4}, {buf + 4, 100}};
    SHOW(vmsplice(p[1], two, 2, 0));
    SHOW(vmsplice(p[0], into, 2, SPLICE_F_NONBLOCK));
    printf("%.11s\n", buf);
    SHOW(vmsplice(p[0], into, 2, SPLICE_F_NONBLOCK));
    SHOW(vmsplice(p[1], two, 0, 0));
    SHOW(vmsplice(p[1], two, 2000, 0));
    SHOW(vmsplice(p[1], (void *)8, 2, 0));
    two[1].iov_base = (void *)8;
    SHOW(vmsplice(p[1], two + 1, 1, 0));
    SHOW(vmsplice(p[1], two, 1, 0xff00));
    SHOW(vmsplice(99, two, 1, 0));
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    SHOW(vmsplice(fd, two, 1, 0));
    struct handle { unsigned size; int type; char bytes[128]; } handle = {128}, again = {128};
    int mount = -1, other = -2;
    symlink("f", "l");
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0));
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "l", &again, &other, AT_SYMLINK_FOLLOW));
    printf("%d %d\n", mount == other, !memcmp(&handle, &again, 8 + handle.size));
    again.size = 128;
    SHOW(syscall(SYS_name_to_handle_at, fd, "", &again, &other, AT_EMPTY_PATH));
    printf("%d\n", !memcmp(&handle, &again, 8 + handle.size));
    again.size = 128;
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "l", &again, &other, 0));
    printf("%d\n", !memcmp(&handle, &again, 8 + handle.size));
    again.size = 0;
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &again, &other, 0));
    printf("%d\n", again.size == handle.size);
    again.size = 200;
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &again, &other, 0));
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "no", &handle, &other, 0));
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", 8, &other, 0));
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, 8, 0));
    SHOW(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &other, 0x80000));
    write(fd, buf, sizeof buf);
    struct { unsigned long offset, length; } range = {0, 0}, bad = {-1, 0};
    struct { unsigned long cached, dirty, writeback, evicted, recently; } pages;
    SHOW(syscall(cachestat_, fd, &range, &pages, 0));
    printf("%lu\n", pages.cached);
    range.length = 1;
    SHOW(syscall(cachestat_, fd, &range, &pages, 0));
    printf("%lu\n", pages.cached);
    SHOW(syscall(cachestat_, fd, &range, &pages, 1));
    SHOW(syscall(cachestat_, fd, &range, 8, 0));
    SHOW(syscall(cachestat_, fd, 8, &pages, 0));
    SHOW(syscall(cachestat_, 99, &range, &pages, 0));
    struct stat status;
    char ustat[32];
    stat("/", &status);
    SHOW(syscall(SYS_ustat, 0xffff, ustat));
    SHOW(syscall(SYS_ustat, status.st_dev, 8));
    SHOW(syscall(SYS_sysfs, 3));
    SHOW(syscall(SYS_sysfs, 1, "proc"));
    SHOW(syscall(SYS_sysfs, 1, "nofs"));
    SHOW(syscall(SYS_sysfs, 1, 8));
    SHOW(syscall(SYS_sysfs, 2, syscall(SYS_sysfs, 1, "proc"), buf));
    puts(buf);
    SHOW(syscall(SYS_sysfs, 2, 9999, buf));
    SHOW(syscall(SYS_sysfs, 2, 0, 8));
    SHOW(syscall(SYS_sysfs, 4));
}
static void memory(void) {
    int mode = -1;
    unsigned long nodes[2] = {7, 7};
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *pages = 1;
    SHOW(syscall(SYS_get_mempolicy, &mode, nodes, 128, 0, 0));
    printf("%d %lx %lx\n", mode, nodes[0], nodes[1]);
    SHOW(syscall(SYS_get_mempolicy, 0, nodes, 128, 0, 4));
    printf("%lx\n", nodes[0]);
    SHOW(syscall(SYS_get_mempolicy, &mode, 0, 0, pages, 3));
    printf("%d\n", mode);
    SHOW(syscall(SYS_get_mempolicy, &mode, nodes, 1, 0, 0));
    SHOW(syscall(SYS_get_mempolicy, &mode, 0, 0, pages, 0));
    SHOW(syscall(SYS_get_mempolicy, &mode, 0, 0, 0, 2));
    SHOW(syscall(SYS_get_mempolicy, 8, 0, 0, 0, 0));
    SHOW(syscall(SYS_get_mempolicy, &mode, 0, 0, 0, 64));
    nodes[0] = 1;
    SHOW(syscall(SYS_mbind, pages, 8192, 2, nodes, 64, 0));
    SHOW(syscall(SYS_get_mempolicy, &mode, nodes, 128, pages + 4096, 2));
    printf("%d %lx\n", mode, nodes[0]);
    SHOW(syscall(SYS_mbind, pages, 4096, 0, 0, 0, 0));
    SHOW(syscall(SYS_mbind, pages + 1, 4096, 0, 0, 0, 0));
    SHOW(syscall(SYS_mbind, 65536, 4096, 0, 0, 0, 0));
    SHOW(syscall(SYS_mbind, pages, 4096, 99, nodes, 64, 0));
    SHOW(syscall(SYS_mbind, pages, 4096, 2, 8, 64, 0));
    SHOW(syscall(SYS_mbind, pages, 0, 0, 0, 0, 0));
    SHOW(syscall(SYS_set_mempolicy, 1, nodes, 64));
    SHOW(syscall(SYS_get_mempolicy, &mode, nodes, 64, 0, 0));
    printf("%d %lx\n", mode, nodes[0]);
    fflush(stdout);
    if (!fork()) {
        SHOW(syscall(SYS_get_mempolicy, &mode, 0, 0, 0, 0));
        printf("%d\n", mode);
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    SHOW(syscall(SYS_set_mempolicy, 0, 0, 0));
    SHOW(syscall(SYS_set_mempolicy, 99, nodes, 64));
    SHOW(syscall(SYS_set_mempolicy, 2, 0, 0));
    int secret = syscall(memfd_secret_, 0);
    printf("secret %d\n", secret >= 0);
    if (secret >= 0) {
        SHOW(ftruncate(secret, 4096));
        char *hidden = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, secret, 0);
        SHOW(hidden != MAP_FAILED);
        strcpy(hidden, "written\n");
        fflush(stdout);
        SHOW(write(1, hidden, 8));
        SHOW(read(secret, buf, 1));
    }
    SHOW(syscall(memfd_secret_, 77));
    int self = syscall(pidfd_open_, getpid(), 0);
    pages[0] = 1, pages[4096] = 2;
    struct iovec two[2] = {{pages, 4096}, {pages + 4096, 4096}};
    SHOW(syscall(SYS_process_madvise, self, two, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, two, 2, MADV_COLD, 1));
    SHOW(syscall(SYS_process_madvise, self, two, 2, 99, 0));
    SHOW(syscall(SYS_process_madvise, self, 8, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, two, 0, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, 99, two, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, 1, two, 2, MADV_COLD, 0));
    two[1].iov_base = (void *)65536;
    SHOW(syscall(SYS_process_madvise, self, two, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, two + 1, 1, MADV_COLD, 0));
    SHOW(syscall(process_mrelease_, self, 0));
    SHOW(syscall(process_mrelease_, self, 1));
    SHOW(syscall(process_mrelease_, 99, 0));
}
static void keys(void) {
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(syscall(SYS_pkey_alloc, 0, 0));
    SHOW(syscall(SYS_pkey_alloc, 1, 0));
    SHOW(syscall(SYS_pkey_alloc, 0, 8));
    SHOW(syscall(SYS_pkey_free, 5));
    SHOW(syscall(SYS_pkey_mprotect, pages, 4096, PROT_NONE, -1));
    SHOW(syscall(SYS_pkey_mprotect, pages, 4096, PROT_READ | PROT_WRITE, 0));
    SHOW(syscall(SYS_pkey_mprotect, pages, 4096, PROT_READ, 7));
    SHOW(write(1, pages, 1));
}
static void processes(void) {
    int p[2], gate[2], self = syscall(pidfd_open_, getpid(), 0), status;
    pipe(p), pipe(gate);
    fflush(stdout);
    int child = fork();
    if (!child) {
        int fd = open("mine", O_RDWR | O_CREAT, 0600);
        dup2(fd, 50);
        write(fd, "child's", 7);
        write(gate[1], "x", 1);
        for (;;) pause();
    }
    read(gate[0], buf, 1);
    int its = syscall(pidfd_open_, child, 0);
    int got = syscall(pidfd_getfd_, its, 50, 0);
    SHOW(got >= 0);
    SHOW(pread(got, buf, 100, 0));
    SHOW(fcntl(got, F_GETFD));
    printf("%.7s\n", buf);
    SHOW(syscall(pidfd_getfd_, its, 60, 0));
    SHOW(syscall(pidfd_getfd_, its, -1, 0));
    SHOW(syscall(pidfd_getfd_, its, 50, 1));
    SHOW(syscall(pidfd_getfd_, self, p[0], 0) >= 0);
    SHOW(syscall(pidfd_getfd_, p[0], 1, 0));
    SHOW(syscall(SYS_kcmp, getpid(), child, 0, got, 50));
    SHOW(syscall(SYS_kcmp, getpid(), child, 0, p[0], p[0]));
    SHOW(syscall(SYS_kcmp, getpid(), child, 0, p[0], p[1]) > 0);
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0));
    SHOW(syscall(SYS_kcmp, getpid(), child, 1, 0, 0) > 0);
    SHOW(syscall(SYS_kcmp, getpid(), child, 2, 0, 0) > 0);
    SHOW(syscall(SYS_kcmp, getpid(), child, 0, 77, 0));
    SHOW(syscall(SYS_kcmp, getpid(), child, 9, 0, 0));
    SHOW(syscall(SYS_kcmp, getpid(), 999999999, 0, 0, 0));
    int poll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN};
    struct { unsigned poll, fd, number; } slot = {poll, p[0], 0};
    epoll_ctl(poll, EPOLL_CTL_ADD, p[0], &event);
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 7, p[0], &slot));
    SHOW(syscall(SYS_kcmp, getpid(), getpid(), 7, p[0], 8));
    SHOW(syscall(SYS_process_madvise, its, 0, 0, MADV_COLD, 1));
    SHOW(syscall(process_mrelease_, its, 0));
    kill(child, SIGKILL);
    wait(&status);
    SHOW(syscall(process_mrelease_, its, 0));
    SHOW(syscall(pidfd_getfd_, its, 50, 0));
    struct timex timex = {0};
    SHOW(adjtimex(&timex) >= 0);
    SHOW(timex.tick);
    SHOW(timex.time.tv_sec - time(0) <= 0);
    memset(&timex, 0, sizeof timex);
    timex.modes = ADJ_OFFSET_SS_READ;
    SHOW(adjtimex(&timex) >= 0);
    timex.modes = 0;
    SHOW(syscall(SYS_clock_adjtime, 0, &timex) >= 0);
    SHOW(syscall(SYS_clock_adjtime, 0, 8));
    SHOW(syscall(SYS_clock_adjtime, 77, &timex));
    SHOW(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &timex));
    SHOW(syscall(SYS_restart_syscall));
    SHOW(prctl(PR_GET_SECCOMP));
}
int main(int count, char **argv) {
    if (!strcmp(argv[1], "files")) files();
    if (!strcmp(argv[1], "memory")) memory();
    if (!strcmp(argv[1], "keys")) keys();
    if (!strcmp(argv[1], "processes")) processes();
    fflush(stdout);
    return 0;
}
