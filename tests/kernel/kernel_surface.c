/* Calls the kernel in many right and wrong ways and prints what comes of it; its argument says what
   about: files, pipes, memory or misc. What it prints natively is what it must print anywhere. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include <limits.h>
#include <sched.h>
#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s = %ld %s\n", #call, r_, r_ == -1 ? strerrorname_np(errno) : ""); } while (0)
#define OK(call) do { errno = 0; long r_ = (long)(call); printf("%s: %s\n", #call, r_ == -1 ? strerrorname_np(errno) : "ok"); } while (0)
static char buf[4096];
static void files(void) {
    int fd = open("f", O_RDWR|O_CREAT|O_TRUNC, 0644);
    SHOW(write(fd, "hello world", 11));
    SHOW(pread(fd, buf, 5, 6));
    SHOW(lseek(fd, -3, SEEK_END));
    SHOW(lseek(fd, -30, SEEK_CUR));
    SHOW(lseek(fd, 0, SEEK_HOLE));
    SHOW(pwrite(fd, "X", 1, 100));
    SHOW(ftruncate(fd, 50));
    SHOW(ftruncate(fd, -1));
    SHOW(fallocate(fd, 0, 0, 8192));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 0));
    SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    SHOW(posix_fadvise(fd, 0, 0, 77));
    struct stat st;
    SHOW(fstat(fd, &st));
    printf("%ld %o\n", (long)st.st_size, st.st_mode);
    struct statx sx;
    SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
    printf("%ld %x\n", (long)sx.stx_size, sx.stx_mask & 0x7ff);
    SHOW(statx(AT_FDCWD, "nope", 0, STATX_SIZE, &sx));
    SHOW(statx(AT_FDCWD, "f", 0x8000000, STATX_SIZE, &sx));
    SHOW(fstatat(AT_FDCWD, "", &st, 0));
    SHOW(fstatat(fd, "", &st, AT_EMPTY_PATH));
    SHOW(fstatat(fd, "x", &st, 0));
    SHOW(flock(fd, LOCK_EX|LOCK_NB));
    int fd2 = open("f", O_RDWR);
    SHOW(flock(fd2, LOCK_SH|LOCK_NB));
    SHOW(flock(fd, LOCK_UN));
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    SHOW(fcntl(fd, F_SETLK, &fl));
    if (!fork()) { struct flock g = {.l_type = F_WRLCK, .l_len = 5}; SHOW(fcntl(fd, F_SETLK, &g)); SHOW(fcntl(fd, F_GETLK, &g)); printf("%d %d\n", g.l_type, g.l_pid == getppid()); fflush(stdout); _exit(0); }
    wait(0);
    struct flock ofd = {.l_type = F_RDLCK, .l_len = 3};
    SHOW(fcntl(fd2, F_OFD_SETLK, &ofd));
    ofd.l_pid = 1;
    SHOW(fcntl(fd2, F_OFD_SETLK, &ofd));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_GETFL) & ~0x8000);
    SHOW(fcntl(fd, F_SETFL, O_APPEND|O_NONBLOCK));
    SHOW(fcntl(fd, F_GETFL)& ~0x8000);
    SHOW(fcntl(fd, F_DUPFD, 20));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 30));
    SHOW(fcntl(99, F_GETFD));
    SHOW(fcntl(fd, 12345));
    SHOW(fcntl(fd, F_GETPIPE_SZ));
    SHOW(dup2(fd, fd));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup2(fd, -1));
    SHOW(dup2(98, 5));
    SHOW(close(20));
    SHOW(close(20));
    SHOW(close(-1));
    SHOW(fsync(fd));
    SHOW(fdatasync(fd));
    SHOW(sync_file_range(fd, 0, 0, 2));
    SHOW(syncfs(fd));
    SHOW(readahead(fd, 0, 100));
    SHOW(link("f", "g"));
    SHOW(link("f", "g"));
    SHOW(rename("g", "h"));
    SHOW(renameat2(AT_FDCWD, "h", AT_FDCWD, "f", RENAME_NOREPLACE));
    SHOW(renameat2(AT_FDCWD, "h", AT_FDCWD, "f", RENAME_EXCHANGE));
    SHOW(unlink("h"));
    SHOW(unlink("h"));
    SHOW(symlink("f", "l"));
    SHOW(readlink("l", buf, 100));
    SHOW(readlink("f", buf, 100));
    SHOW(readlink("l", buf, 0));
    SHOW(open("l", O_RDONLY|O_NOFOLLOW));
    SHOW(lstat("l", &st));
    printf("%o\n", st.st_mode & S_IFMT);
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d/e/", 0755));
    SHOW(rmdir("d"));
    SHOW(rename("d", "d/e/x"));
    SHOW(rename("f", "d"));
    SHOW(unlink("d"));
    SHOW(unlinkat(AT_FDCWD, "d/e", AT_REMOVEDIR));
    SHOW(rmdir("d/"));
    SHOW(rmdir("f"));
    SHOW(rmdir("."));
    SHOW(mkdir("", 0));
    SHOW(mkdir("no/such", 0));
    SHOW(open("f/x", O_RDONLY));
    SHOW(open("", O_RDONLY));
    SHOW(open("nope", O_RDONLY));
    SHOW(open(".", O_WRONLY));
    SHOW(open(".", O_CREAT|O_RDWR, 0600));
    SHOW(open("f", O_DIRECTORY));
    SHOW(open("f", O_CREAT|O_EXCL|O_RDWR, 0600));
    SHOW(open("new/", O_CREAT|O_RDWR, 0600));
    SHOW(open((char*)8, O_RDONLY));
    char longname[5000];
    memset(longname, 'a', 4999);
    longname[4999] = 0;
    SHOW(open(longname, O_RDONLY) );
    longname[300] = 0;
    SHOW(open(longname, O_RDONLY));
    SHOW(symlink("loop", "loop"));
    SHOW(open("loop", O_RDONLY));
    SHOW(open("loop", O_RDWR|O_CREAT, 0600));
    SHOW(symlink("made", "dangling"));
    int made = open("dangling", O_RDWR|O_CREAT, 0600);
    SHOW(made >= 0);
    SHOW(access("made", F_OK));
    SHOW(open("dangling", O_RDWR|O_CREAT|O_EXCL, 0600));
    SHOW(open("dangling", O_PATH|O_NOFOLLOW) >= 0);
    int tmp = open(".", O_TMPFILE|O_RDWR, 0600);
    SHOW(tmp >= 0);
    SHOW(write(tmp, "t", 1));
    sprintf(buf, "/proc/self/fd/%d", tmp);
    SHOW(linkat(AT_FDCWD, buf, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    SHOW(access("linked", R_OK|W_OK));
    SHOW(access("f", X_OK));
    SHOW(access("f", 99));
    SHOW(faccessat(AT_FDCWD, "l", R_OK, AT_SYMLINK_NOFOLLOW));
    SHOW(chmod("f", 0600));
    SHOW(fchmod(fd, 0640));
    SHOW(fchmodat(AT_FDCWD, "f", 0644, 0));
    SHOW(stat("f", &st));
    printf("%o\n", st.st_mode);
    SHOW(chown("f", -1, -1));
    SHOW(lchown("l", -1, -1));
    SHOW(fchownat(fd, "", -1, -1, AT_EMPTY_PATH));
    struct timespec ts[2] = {{100, 5}, {0, UTIME_OMIT}};
    SHOW(utimensat(AT_FDCWD, "f", ts, 0));
    SHOW(futimens(fd, ts));
    SHOW(stat("f", &st));
    printf("%ld %ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec);
    struct utimbuf ub = {5, 6};
    SHOW(utime("f", &ub));
    SHOW(utime("nope", 0));
    SHOW(utimensat(AT_FDCWD, 0, ts, 0));
    SHOW(truncate("f", 10));
    SHOW(truncate("nope", 1));
    SHOW(truncate(".", 1));
    SHOW(mkfifo("fifo", 0600));
    SHOW(mknod("fifo", S_IFIFO|0600, 0));
    SHOW(open("fifo", O_WRONLY|O_NONBLOCK));
    struct statfs sf;
    SHOW(statfs(".", &sf));
    SHOW(statfs("nope", &sf));
    SHOW(fstatfs(fd, &sf));
    SHOW(chdir("nope"));
    SHOW(chdir("f"));
    SHOW(mkdir("cd", 0700));
    SHOW(chdir("cd"));
    SHOW(getcwd(buf, 4096) != 0);
    puts(strrchr(buf, '/'));
    SHOW(getcwd(buf, 2) != 0);
    SHOW(chdir(".."));
    SHOW(fchdir(fd));
    umask(022);
    SHOW(umask(077));
    DIR *dir = opendir(".");
    int n = 0;
    while (readdir(dir)) n++;
    printf("entries %d\n", n);
    SHOW(syscall(SYS_getdents64, fd, buf, 100));
    SHOW(syscall(SYS_getdents64, dirfd(dir), buf, 4));
    closedir(dir);
    SHOW(setxattr("f", "user.a", "val", 3, 0));
    SHOW(getxattr("f", "user.a", buf, 100));
    SHOW(getxattr("f", "user.a", buf, 1));
    SHOW(getxattr("f", "user.a", 0, 0));
    SHOW(setxattr("f", "user.a", "v", 1, XATTR_CREATE));
    SHOW(listxattr("f", buf, 100));
    SHOW(fgetxattr(fd, "user.b", buf, 9));
    SHOW(removexattr("f", "user.a"));
    SHOW(lgetxattr("l", "user.a", buf, 10));
    struct iovec v[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    SHOW(pwritev(fd, v, 3, 0));
    SHOW(writev(fd, v, 0));
    SHOW(writev(fd, v, -1));
    SHOW(writev(fd, v, 1025));
    struct iovec w[2] = {{buf, 2}, {buf + 2, 9}};
    SHOW(preadv(fd, w, 2, 0));
    SHOW(preadv2(fd, w, 2, 0, 0));
    SHOW(preadv(fd, w, 2, -1));
    v[1].iov_base = (void*)8;
    v[1].iov_len = 4;
    SHOW(pwritev(fd, v, 3, 0));
    v[0].iov_len = -1;
    SHOW(pwritev(fd, v, 1, 0));
    SHOW(read(fd, (void *)8, 1));
    SHOW(write(fd, (void *)8, 1));
    SHOW(read(99, buf, 1));
    SHOW(read(fd, buf, 0));
    SHOW(pread(fd, buf, 1, -1));
    SHOW(write(fd, 0, 0));
    SHOW(read(open("/", O_RDONLY), buf, 1));
    SHOW(write(open("f", O_RDONLY), buf, 1));
    SHOW(read(open("f", O_WRONLY), buf, 1));
}
static void pipes(void) {
    int p[2], q[2];
    SHOW(pipe(p));
    SHOW(pipe2(q, O_NONBLOCK|O_CLOEXEC));
    SHOW(pipe2(q, 0x7));
    SHOW(pipe((int *)8));
    pipe2(q, O_NONBLOCK);
    SHOW(read(q[0], buf, 1));
    SHOW(write(p[1], "12345678", 8));
    SHOW(tee(p[0], q[1], 4, 0));
    SHOW(splice(p[0], 0, q[1], 0, 3, 0));
    SHOW(read(q[0], buf, 100));
    int f = open("f2", O_RDWR|O_CREAT|O_TRUNC, 0600);
    long off = 0;
    write(f, "file content", 12);
    SHOW(sendfile(p[1], f, &off, 4));
    printf("off %ld\n", off);
    SHOW(splice(f, &off, p[1], 0, 3, 0));
    int g = open("g2", O_RDWR|O_CREAT|O_TRUNC, 0600);
    off = 0;
    SHOW(copy_file_range(f, &off, g, 0, 5, 0));
    SHOW(sendfile(g, f, (long*)8, 5));
    SHOW(splice(f, 0, g, 0, 5, 0));
    SHOW(fcntl(p[0], F_GETPIPE_SZ));
    SHOW(fcntl(p[0], F_SETPIPE_SZ, 4096));
    int n = 0;
    SHOW(ioctl(p[0], FIONREAD, &n));
    printf("n %d\n", n);
    SHOW(ioctl(p[0], FIONREAD, 8));
    SHOW(ioctl(p[0], TCGETS, buf));
    SHOW(ioctl(99, TCGETS, buf));
    SHOW(ioctl(p[0], 0xdeadbeef, 0));
    n = 1;
    SHOW(ioctl(p[0], FIONBIO, &n));
    SHOW(ioctl(p[0], FIOCLEX));
    SHOW(lseek(p[0], 0, SEEK_SET));
    SHOW(isatty(0));
    struct pollfd fds[3] = {{p[0], POLLIN, 0}, {q[0], POLLIN, 0}, {-1, POLLIN, 0}};
    SHOW(poll(fds, 3, 0));
    printf("%d %d\n", fds[0].revents, fds[1].revents);
    SHOW(poll(0, 0, 1));
    SHOW(poll((void*)8, 1, 0));
    fds[2].fd = 97;
    SHOW(poll(fds, 3, 0));
    printf("%d\n", fds[2].revents);
    struct timespec t = {0, 1000};
    SHOW(ppoll(fds, 1, &t, 0));
    t.tv_nsec = -1;
    SHOW(ppoll(fds, 1, &t, 0));
    fd_set r;
    FD_ZERO(&r);
    FD_SET(p[0], &r);
    FD_SET(q[0], &r);
    struct timeval tv = {0, 0};
    SHOW(select(64, &r, 0, 0, &tv));
    printf("%d %d\n", FD_ISSET(p[0], &r), FD_ISSET(q[0], &r));
    FD_SET(60, &r);
    SHOW(select(64, &r, 0, 0, &tv));
    SHOW(select(-1, 0, 0, 0, &tv));
    struct timespec z = {0, 0};
    FD_ZERO(&r);
    SHOW(pselect(10, &r, 0, 0, &z, 0));
    int e = epoll_create1(EPOLL_CLOEXEC);
    SHOW(e >= 0);
    SHOW(epoll_create(0));
    struct epoll_event ev = {EPOLLIN, {.u64 = 0x123456789abcdef0}}, out[4];
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, e, &ev));
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, f, &ev));
    SHOW(epoll_ctl(e, EPOLL_CTL_DEL, q[0], 0));
    SHOW(epoll_wait(e, out, 4, 0));
    printf("%x %lx\n", out[0].events, out[0].data.u64);
    SHOW(epoll_wait(e, out, 0, 0));
    SHOW(epoll_wait(e, (void*)8, 4, 0));
    SHOW(epoll_wait(e, out, -5, 0));
    SHOW(epoll_pwait(e, out, 4, 0, 0));
    SHOW(epoll_ctl(e, EPOLL_CTL_MOD, p[0], 0));
    int x = eventfd(3, EFD_NONBLOCK|EFD_SEMAPHORE);
    unsigned long val = 7;
    SHOW(read(x, &val, 8));
    printf("%lu\n", val);
    val = 5;
    SHOW(write(x, &val, 8));
    SHOW(read(x, &val, 4));
    SHOW(eventfd(0, 0x12345));
    int tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec its = {{0, 0}, {0, 1000}}, old;
    SHOW(timerfd_settime(tfd, 0, &its, &old));
    usleep(2000);
    SHOW(read(tfd, &val, 8));
    printf("%lu\n", val);
    SHOW(timerfd_gettime(tfd, &its));
    SHOW(timerfd_create(99, 0));
    SHOW(timerfd_settime(tfd, 0, (void*)8, 0));
    int ino = inotify_init1(IN_NONBLOCK);
    SHOW(inotify_add_watch(ino, ".", IN_CREATE|IN_DELETE));
    SHOW(inotify_add_watch(ino, "nope", IN_CREATE));
    close(open("watched", O_CREAT|O_RDWR, 0600));
    unlink("watched");
    SHOW(read(ino, buf, sizeof buf));
    struct inotify_event *ie = (void *)buf;
    printf("%x %s\n", ie->mask, ie->name);
    SHOW(inotify_rm_watch(ino, 77));
    int m = memfd_create("name", MFD_ALLOW_SEALING);
    SHOW(ftruncate(m, 8192));
    SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK));
    SHOW(ftruncate(m, 100));
    SHOW(fcntl(m, F_GET_SEALS));
    SHOW(fchmod(m, 0600));
    SHOW(readlink("/proc/self/fd/0", 0, 10));
    sprintf(buf, "/proc/self/fd/%d", m);
    SHOW(readlink(buf, buf + 100, 100));
    SHOW(memfd_create("x", 0x1000));
    SHOW(open(buf, O_RDWR) >= 0);
    char *map = mmap(0, 8192, 3, MAP_SHARED, m, 0);
    map[4096] = 'Z';
    SHOW(pread(m, buf, 1, 4096));
    printf("%c\n", buf[0]);
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(p[1], "x", 1));
}
static void memory(void) {
    char *p = mmap(0, 16 * 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
    unsigned char vec[16];
    memset(p, 1, 16 * 4096);
    SHOW(mincore(p, 16 * 4096, vec));
    printf("%d\n", vec[0] & 1);
    SHOW(mincore(p + 1, 4096, vec));
    SHOW(mincore(p, 4096, (void *)8));
    SHOW(msync(p, 4096, MS_SYNC));
    SHOW(msync(p + 1, 4096, MS_SYNC));
    SHOW(msync(p, 4096, 77));
    SHOW(msync(p, 4096, MS_SYNC|MS_ASYNC));
    SHOW(mprotect(p + 1, 4096, 1));
    SHOW(mprotect(p, 0, 1));
    SHOW(mprotect(p, 4096, 0x1000));
    char *q = mmap(0, 3 * 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
    munmap(q + 4096, 4096);
    SHOW(mprotect(q, 3 * 4096, 1));
    SHOW(pread(open("f", O_RDONLY), q, 1, 0));
    SHOW(pread(open("f", O_RDONLY), q + 8192, 1, 0));
    SHOW(munmap(q, 3 * 4096));
    SHOW(mprotect((void*)4096, 4096, 1));
    SHOW(munmap(p + 1, 4096));
    SHOW(munmap(p, 0));
    SHOW(munmap((void *)(1ul << 47), 4096));
    SHOW(munmap((void*)65536, 4096));
    SHOW(madvise(p, 4096, MADV_DONTNEED));
    printf("%d %d\n", p[0], p[4096]);
    SHOW(madvise(p, 4096, MADV_WILLNEED));
    SHOW(madvise(p, 4096, 12345));
    SHOW(madvise(p + 1, 4096, MADV_NORMAL));
    SHOW(madvise(p, 0, MADV_NORMAL));
    SHOW(madvise((void*)4096, 4096, MADV_DONTNEED));
    SHOW(madvise((void*)4096, 4096, MADV_NORMAL));
    SHOW(madvise(p, 4096, MADV_FREE));
    SHOW(madvise(p, 4096, MADV_HUGEPAGE) == 0 || errno == EINVAL);
    OK(mremap(p, 4096, 8192, 0));
    OK(mremap(p + 15 * 4096, 4096, 8192, MREMAP_MAYMOVE));
    OK(mremap(p, 4096, 0, MREMAP_MAYMOVE));
    OK(mremap(p + 1, 4096, 8192, MREMAP_MAYMOVE));
    OK(mremap((void*)65536, 4096, 8192, MREMAP_MAYMOVE));
    OK(mremap(p, 4096, 4096, MREMAP_FIXED, p));
    OK(mremap(p, 8192, 8192, MREMAP_FIXED|MREMAP_MAYMOVE, p + 4096));
    OK(mremap(p, 4096, 4096, MREMAP_DONTUNMAP|MREMAP_MAYMOVE));
    OK(mremap(p, 8192, 4096, 0));
    OK(mremap(p, 4096, 4096, 64));
    OK(mremap(p, 0, 4096, MREMAP_MAYMOVE));
    OK(mmap(0, 0, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0));
    OK(mmap(0, 4096, 3, MAP_ANONYMOUS, -1, 0));
    OK(mmap(0, 4096, 3, MAP_PRIVATE, -1, 0));
    OK(mmap(0, 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 1));
    OK(mmap(0, 4096, 3, MAP_PRIVATE, 0, 4095));
    OK(mmap((void *)1, 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0));
    OK(mmap((void *)(1ul << 47), 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0));
    OK(mmap(p + 4096*3, 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0));
    OK(mmap(0, 1ul << 50, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0));
    OK(mmap(0, -1ul, 3, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0));
    OK(mmap(0, 4096, 3, MAP_PRIVATE|MAP_ANONYMOUS|MAP_32BIT, -1, 0));
    OK(mmap(0, 4096, 3, MAP_SHARED|MAP_ANONYMOUS, -1, 0));
    int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), dir = open(".", O_RDONLY), pa = open("f", O_PATH);
    OK(mmap(0, 4096, 3, MAP_SHARED, ro, 0));
    OK(mmap(0, 4096, 1, MAP_PRIVATE, wo, 0));
    OK(mmap(0, 4096, 3, MAP_PRIVATE, ro, 0));
    OK(mmap(0, 4096, 1, MAP_PRIVATE, dir, 0));
    OK(mmap(0, 4096, 1, MAP_PRIVATE, pa, 0));
    char *s = mmap(0, 4096, 1, MAP_SHARED, ro, 0);
    SHOW(mprotect(s, 4096, 3));
    OK(mmap(0, 4096, 1, MAP_SHARED_VALIDATE|0x800000, ro, 0));
    OK(mmap(0, 4096, 2, MAP_SHARED, wo, 0));
    void *top = sbrk(0);
    OK(sbrk(100000));
    OK(sbrk(-100000));
    printf("%d\n", sbrk(0) == top);
    SHOW(brk((void*)1));
    SHOW(brk((void *)(1ul << 46)));
    SHOW(mlock(p, 4096));
    SHOW(munlock(p, 4096));
    SHOW(mlock((void *)4096, 4096));
    SHOW(mlockall(99));
    SHOW(munlockall());
    SHOW(getrandom(buf, 16, 0));
    SHOW(getrandom(buf, 16, 99));
    SHOW(getrandom((void*)8, 16, 0));
    SHOW(getrandom(buf, 5000, GRND_NONBLOCK) > 0);
}
static void misc(void) {
    struct utsname u;
    SHOW(uname(&u));
    puts(u.sysname);
    SHOW(uname((void *)8));
    struct sysinfo si;
    SHOW(sysinfo(&si));
    struct rusage ru;
    SHOW(getrusage(RUSAGE_SELF, &ru));
    SHOW(getrusage(99, &ru));
    struct tms tm;
    SHOW(times(&tm) > 0);
    struct timespec ts;
    SHOW(clock_gettime(CLOCK_REALTIME, &ts));
    SHOW(clock_gettime(99, &ts));
    SHOW(clock_getres(CLOCK_MONOTONIC, &ts));
    printf("%ld\n", ts.tv_nsec);
    ts.tv_sec = 0;
    ts.tv_nsec = 1000;
    SHOW(nanosleep(&ts, 0));
    ts.tv_nsec = -1;
    SHOW(nanosleep(&ts, 0));
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, 0));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 1));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(sched_yield());
    SHOW(sched_get_priority_max(SCHED_FIFO));
    cpu_set_t set;
    SHOW(sched_getaffinity(0, sizeof set, &set));
    SHOW(getpgid(0) == getpgrp());
    SHOW(getpgid(-5));
    SHOW(getsid(0) > 0);
    SHOW(setpgid(1, 0));
    SHOW(setpgid(0, -1));
    SHOW(getppid() > 0);
    unsigned c;
    SHOW(getcpu(&c, 0));
    SHOW(syscall(SYS_gettid) == getpid());
    SHOW(syscall(9999));
    SHOW(syscall(-1));
    SHOW(syscall(SYS_membarrier, 0, 0, 0) > 0);
    SHOW(wait4(-1, 0, WNOHANG, 0));
    if (!fork()) _exit(9);
    int st;
    SHOW(wait4(-1, &st, 0, &ru) > 0);
    printf("%d\n", WEXITSTATUS(st));
    SHOW(waitid(P_ALL, 0, 0, WEXITED));
    SHOW(waitid(99, 0, 0, WEXITED));
    SHOW(waitpid(-1, 0, 0x12345));
    SHOW(kill(getpid(), 0));
    SHOW(kill(99999999, 0));
    SHOW(kill(getpid(), 99));
    SHOW(execve("nope", 0, 0));
    SHOW(execve("f", 0, 0));
    SHOW(execve(".", 0, 0));
    SHOW(execve((char *)8, 0, 0));
    SHOW(execve("/etc/passwd", 0, 0));
    SHOW(getgroups(0, 0) >= 0);
    SHOW(getgroups(-1, 0));
}
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IOLBF, 0);
    umask(022);
    close(open("f", O_CREAT|O_RDWR, 0600));
    truncate("f", 5000);
    if (!strcmp(argv[1], "files"))
        files();
    if (!strcmp(argv[1], "pipes"))
        pipes();
    if (!strcmp(argv[1], "memory"))
        memory();
    if (!strcmp(argv[1], "misc"))
        misc();
}
