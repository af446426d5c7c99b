/* Signals from outside, timers and waiting: what it prints natively is what it must print anywhere. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s = %ld %s\n", #call, r_, r_ == -1 ? strerrorname_np(errno) : ""); } while (0)
static volatile int count, last, code, value, from_child;
static void note(int n, siginfo_t *i, void *c) {
    count++; last = n; code = i->si_code; value = i->si_value.sival_int;
    from_child = i->si_pid != getpid() && i->si_pid != getppid();
}
static void handle(int n, int flags) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = note; a.sa_flags = SA_SIGINFO | flags;
    sigaction(n, &a, 0);
}
static void spoil(int n) {
    volatile long double a = 3;
    unsigned short control = 0x27f;
    __asm__ volatile("fldcw %0; fldpi; fldpi; fldpi; fldpi; fldpi" : : "m"(control));
    a = a / 7;
    count++;
}
static sigset_t set_of(int a, int b) {
    sigset_t s;
    sigemptyset(&s);
    if (a) sigaddset(&s, a);
    if (b) sigaddset(&s, b);
    return s;
}
/* A child that sends `n` to its parent after a while, and again until it is killed. */
static pid_t sender(int n) {
    pid_t pid = fork();
    if (pid == 0) {
        for (pid_t parent = getppid(); getppid() == parent;) { usleep(30000); kill(parent, n); }
        _exit(0);
    }
    return pid;
}
static void end(pid_t pid) {
    kill(pid, SIGKILL);
    while (waitpid(pid, 0, 0) < 0 && errno == EINTR) {}
}
static const char *told(int status) {
    static char text[64];
    if (WIFEXITED(status)) sprintf(text, "exited %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) sprintf(text, "killed %d", WTERMSIG(status));
    else if (WIFSTOPPED(status)) sprintf(text, "stopped %d", WSTOPSIG(status));
    else if (WIFCONTINUED(status)) sprintf(text, "continued");
    return text;
}
static char buf[100];

/* Each call that waits ends with EINTR, and is made again with SA_RESTART where Linux does so. */
static void interrupted(void) {
    int p[2], pair[2], status;
    handle(SIGUSR1, 0);
    pipe(p);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    pid_t pid = sender(SIGUSR1);
    SHOW(read(p[0], buf, 1));
    SHOW(recv(pair[0], buf, 1, 0));
    struct pollfd fd = {p[0], POLLIN, 0};
    SHOW(poll(&fd, 1, -1));
    SHOW(poll(&fd, 1, 5000));
    fd_set set;
    FD_ZERO(&set); FD_SET(p[0], &set);
    SHOW(select(p[0] + 1, &set, 0, 0, 0));
    sigset_t none = set_of(0, 0);
    SHOW(ppoll(&fd, 1, 0, &none));
    SHOW(pselect(0, 0, 0, 0, 0, &none));
    int e = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {0}};
    epoll_ctl(e, EPOLL_CTL_ADD, p[0], &event);
    SHOW(epoll_wait(e, &event, 1, -1));
    SHOW(epoll_pwait(e, &event, 1, -1, &none));
    struct timespec ten = {10, 0}, left;
    SHOW(nanosleep(&ten, &left));
    printf("%d\n", left.tv_sec == 9);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &ten, &left));
    SHOW(pause());
    SHOW(sigsuspend(&none));
    sigset_t other = set_of(SIGUSR2, 0);
    sigprocmask(SIG_BLOCK, &other, 0);
    SHOW(sigwaitinfo(&other, 0));
    int asleep = fork();
    if (!asleep) { signal(SIGUSR1, SIG_DFL); pause(); _exit(0); }
    SHOW(waitpid(asleep, &status, 0));
    siginfo_t info;
    SHOW(waitid(P_PID, asleep, &info, WEXITED));
    kill(asleep, SIGTERM);
    do errno = 0; while (waitpid(asleep, &status, 0) < 0);
    printf("%s\n", told(status));
    mkfifo("fifo", 0600);
    SHOW(open("fifo", O_RDONLY));
    SHOW(open("fifo", O_WRONLY));
    unlink("fifo");
    end(pid);
}
static void restarted(void) {
    int p[2], status;
    handle(SIGUSR1, SA_RESTART);
    pipe(p);
    fcntl(p[0], F_SETFD, 0);
    pid_t pid = sender(SIGUSR1), writer = fork();
    if (!writer) { signal(SIGUSR1, SIG_IGN); usleep(120000); write(p[1], "x", 1); usleep(120000); _exit(5); }
    SHOW(read(p[0], buf, 1));
    SHOW(waitpid(writer, &status, 0) == writer);
    printf("%s %d\n", told(status), count >= 4);
    struct pollfd fd = {p[0], POLLIN, 0};
    SHOW(poll(&fd, 1, -1));
    SHOW(usleep(3000000));
    SHOW(pause());
    end(pid);
}
/* Masks for the time of a wait, what is pending, values, real-time signals in order. */
static void queued(void) {
    sigset_t both = set_of(SIGUSR1, SIGUSR2), usr1 = set_of(SIGUSR1, 0), none = set_of(0, 0), now;
    handle(SIGUSR1, 0); handle(SIGUSR2, 0);
    sigprocmask(SIG_BLOCK, &both, 0);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR2);
    sigpending(&now);
    printf("%d %d %d\n", sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2), count);
    SHOW(sigsuspend(&none));
    printf("%d\n", count);
    sigprocmask(SIG_BLOCK, 0, &now);
    printf("blocked %d %d\n", sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2));
    union sigval v = {.sival_int = 42};
    SHOW(sigqueue(getpid(), SIGUSR1, v));
    siginfo_t info;
    SHOW(sigwaitinfo(&usr1, &info));
    printf("%d %d %d\n", info.si_code == SI_QUEUE, info.si_value.sival_int, info.si_pid == getpid());
    struct timespec little = {0, 1000000}, zero = {0, 0};
    SHOW(sigtimedwait(&usr1, &info, &little));
    SHOW(sigtimedwait(&usr1, &info, &zero));
    sigset_t rt = set_of(SIGRTMIN + 1, SIGRTMIN + 2);
    sigprocmask(SIG_BLOCK, &rt, 0);
    for (int i = 0; i < 3; i++) {
        v.sival_int = i; sigqueue(getpid(), SIGRTMIN + 2, v);
        v.sival_int = 10 + i; sigqueue(getpid(), SIGRTMIN + 1, v);
    }
    for (int i = 0; i < 6; i++) {
        int n = sigwaitinfo(&rt, &info);
        printf("%d:%d ", n - SIGRTMIN, info.si_value.sival_int);
    }
    printf("\n");
    handle(SIGRTMIN + 1, 0);
    count = 0;
    for (int i = 0; i < 4; i++) { v.sival_int = i; sigqueue(getpid(), SIGRTMIN + 1, v); }
    sigprocmask(SIG_UNBLOCK, &rt, 0);
    printf("%d times, last value %d\n", count, value);
    int fd = signalfd(-1, &usr1, 0);
    struct signalfd_siginfo read_info;
    v.sival_int = 7;
    sigqueue(getpid(), SIGUSR1, v);
    SHOW(read(fd, &read_info, sizeof read_info));
    printf("%d %d\n", read_info.ssi_signo, read_info.ssi_int);
    SHOW(kill(getpid(), 65));
    SHOW(kill(getpid(), 0));
    SHOW(sigqueue(getpid(), 0, v));
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, 0);
    pid_t pid = fork();
    if (!pid) { sigprocmask(SIG_BLOCK, 0, &now); _exit(sigismember(&now, SIGTERM) + 2 * sigismember(&now, SIGKILL)); }
    int status;
    waitpid(pid, &status, 0);
    printf("%s\n", told(status));
}
/* Children: SIGCHLD and its flags, stopping and going on, and how they end. */
static void children(void) {
    int status;
    struct rusage usage;
    siginfo_t info;
    handle(SIGCHLD, 0);
    sigset_t chld = set_of(SIGCHLD, 0), none = set_of(0, 0);
    sigprocmask(SIG_BLOCK, &chld, 0);
    pid_t pid = fork();
    if (!pid) { for (;;) pause(); }
    SHOW(kill(pid, SIGSTOP));
    SHOW(sigwaitinfo(&chld, &info) == SIGCHLD && info.si_pid == pid);
    printf("%d %d\n", info.si_code == CLD_STOPPED, info.si_status);
    SHOW(waitpid(pid, &status, WNOHANG));
    SHOW(waitpid(pid, &status, WNOHANG | WUNTRACED) == pid);
    printf("%s\n", told(status));
    kill(pid, SIGCONT);
    SHOW(sigwaitinfo(&chld, &info) == SIGCHLD);
    printf("%d\n", info.si_code == CLD_CONTINUED);
    SHOW(waitid(P_PID, pid, &info, WCONTINUED | WNOWAIT));
    SHOW(waitpid(pid, &status, WCONTINUED) == pid);
    printf("%s\n", told(status));
    kill(pid, SIGTERM);
    SHOW(sigsuspend(&none));
    printf("%d %d %d\n", last == SIGCHLD, code == CLD_KILLED, from_child);
    SHOW(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    printf("%d %d\n", info.si_code == CLD_KILLED, info.si_status);
    SHOW(wait4(pid, &status, 0, &usage) == pid);
    printf("%s\n", told(status));
    for (int n = 1; n < 32; n++) {
        if (n == SIGSTOP || n == SIGTSTP || n == SIGTTIN || n == SIGTTOU || n == SIGKILL) continue;
        pid = fork();
        if (!pid) { struct rlimit no = {0, 0}; setrlimit(RLIMIT_CORE, &no); signal(n, SIG_DFL); sigprocmask(SIG_SETMASK, &none, 0); sleep(1); sleep(1); _exit(9); }
        usleep(1000);
        kill(pid, n);
        if (n == SIGCHLD || n == SIGCONT || n == SIGURG || n == SIGWINCH) { usleep(20000); kill(pid, SIGKILL); }
        do errno = 0; while (waitpid(pid, &status, 0) < 0 && errno == EINTR);
        printf("%d: %s\n", n, told(status));
    }
    pid = fork();
    if (!pid) { raise(SIGTSTP); _exit(4); }
    SHOW(waitpid(pid, &status, WUNTRACED) == pid);
    printf("%s\n", told(status));
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    printf("%s\n", told(status));
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = SIG_DFL; a.sa_flags = SA_NOCLDWAIT;
    sigaction(SIGCHLD, &a, 0);
    pid = fork();
    if (!pid) _exit(3);
    SHOW(waitpid(pid, &status, 0));
    signal(SIGCHLD, SIG_IGN);
    pid = fork();
    if (!pid) _exit(3);
    SHOW(wait(&status));
    signal(SIGCHLD, SIG_DFL);
    setpgid(0, 0);
    pid_t first = fork();
    if (!first) { pause(); _exit(1); }
    pid_t second = fork();
    if (!second) { setpgid(0, 0); pause(); _exit(1); }
    setpgid(second, second);
    signal(SIGUSR2, SIG_IGN);
    handle(SIGHUP, 0);
    sigprocmask(SIG_SETMASK, &none, 0);
    count = 0;
    SHOW(kill(0, SIGHUP));
    printf("%d\n", count);
    SHOW(waitpid(first, &status, 0) == first);
    printf("%s\n", told(status));
    SHOW(kill(-second, SIGINT));
    waitpid(second, &status, 0);
    printf("%s\n", told(status));
    SHOW(kill(-second, SIGINT));
    SHOW(kill(second, SIGINT));
    SHOW(kill(1, SIGTERM) == 0 || errno == EPERM);
    int up[2];
    pipe(up);
    pid = fork();
    if (!pid) {
        pid_t grandchild = fork();
        if (!grandchild) { pause(); _exit(1); }
        write(up[1], &grandchild, sizeof grandchild);
        waitpid(grandchild, &status, 0);
        _exit(WTERMSIG(status));
    }
    read(up[0], &first, sizeof first);
    SHOW(kill(first, SIGQUIT));
    waitpid(pid, &status, 0);
    printf("%s\n", told(status));
    int fd = syscall(SYS_pidfd_open, pid = fork() ?: (pause(), 0), 0);
    SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, 0, 0));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    printf("%d\n", info.si_status);
    pid = fork();
    if (!pid) { prctl(PR_SET_PDEATHSIG, SIGTERM); if (!fork()) { int sig; prctl(PR_GET_PDEATHSIG, &sig); _exit(sig); } wait(&status); int sig; prctl(PR_GET_PDEATHSIG, &sig); _exit(10 + sig); }
    waitpid(pid, &status, 0);
    printf("%s\n", told(status));
}
static void timers(void) {
    handle(SIGALRM, 0); handle(SIGVTALRM, 0); handle(SIGPROF, 0); handle(SIGUSR1, 0);
    struct itimerval soon = {{0, 0}, {0, 20000}}, often = {{0, 1000}, {0, 1000}}, none = {{0, 0}, {0, 0}}, was;
    SHOW(alarm(100));
    SHOW(alarm(0));
    SHOW(setitimer(ITIMER_REAL, &soon, 0));
    SHOW(pause());
    printf("%d %d\n", last == SIGALRM, code == SI_KERNEL);
    SHOW(setitimer(ITIMER_VIRTUAL, &soon, 0));
    while (last != SIGVTALRM) {}
    SHOW(setitimer(ITIMER_PROF, &soon, 0));
    while (last != SIGPROF) {}
    count = 0;
    setitimer(ITIMER_REAL, &often, 0);
    while (count < 100) {}
    setitimer(ITIMER_REAL, &none, &was);
    printf("%ld\n", (long)was.it_interval.tv_usec);
    SHOW(getitimer(ITIMER_REAL, &was));
    printf("%ld\n", (long)was.it_value.tv_usec);
    SHOW(setitimer(9, &none, 0));
    SHOW(getitimer(9, &was));
    timer_t t, quiet;
    struct sigevent e;
    memset(&e, 0, sizeof e);
    e.sigev_notify = SIGEV_SIGNAL; e.sigev_signo = SIGUSR1; e.sigev_value.sival_int = 77;
    SHOW(timer_create(CLOCK_MONOTONIC, &e, &t));
    struct itimerspec once = {{0, 0}, {0, 10000000}}, repeating = {{0, 1000000}, {0, 1000000}}, old;
    SHOW(timer_settime(t, 0, &once, 0));
    SHOW(pause());
    printf("%d %d %d\n", last == SIGUSR1, code == SI_TIMER, value);
    SHOW(timer_gettime(t, &old));
    printf("%ld %ld\n", (long)old.it_value.tv_nsec, (long)old.it_interval.tv_nsec);
    sigset_t usr1 = set_of(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &usr1, 0);
    SHOW(timer_settime(t, 0, &repeating, 0));
    usleep(50000);
    siginfo_t info;
    SHOW(sigwaitinfo(&usr1, &info) == SIGUSR1);
    printf("%d %d\n", info.si_overrun > 10, timer_getoverrun(t) > 10);
    SHOW(timer_delete(t));
    SHOW(timer_delete(t));
    e.sigev_notify = SIGEV_NONE;
    SHOW(timer_create(CLOCK_REALTIME, &e, &quiet));
    SHOW(timer_settime(quiet, 0, &once, 0));
    SHOW(timer_settime(quiet, 0, &once, &old));
    printf("%d\n", old.it_value.tv_nsec > 0);
    e.sigev_notify = 99;
    SHOW(timer_create(CLOCK_REALTIME, &e, &quiet));
    e.sigev_notify = SIGEV_SIGNAL; e.sigev_signo = 99;
    SHOW(timer_create(CLOCK_REALTIME, &e, &quiet));
    SHOW(timer_create(12345, 0, &quiet));
    e.sigev_notify = SIGEV_THREAD_ID; e.sigev_signo = SIGUSR2; e._sigev_un._tid = getpid();
    SHOW(timer_create(CLOCK_MONOTONIC, &e, &t));
    handle(SIGUSR2, 0);
    SHOW(timer_settime(t, 0, &once, 0));
    SHOW(pause());
    printf("%d\n", last == SIGUSR2);
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    SHOW(timerfd_settime(fd, 0, &once, 0));
    unsigned long times;
    SHOW(read(fd, &times, 8));
    printf("%lu\n", times);
    pid_t pid = fork();
    if (!pid) { getitimer(ITIMER_REAL, &was); _exit(timer_gettime(t, &old) == -1 && errno == EINVAL); }
    int status;
    waitpid(pid, &status, 0);
    printf("%s\n", told(status));
}
/* What execve(2) keeps: ignored and blocked signals, what is pending, an interval timer. */
static void executed(char **argv) {
    if (argv[2]) {
        sigset_t now, pending;
        struct sigaction usr1, usr2;
        struct itimerval left;
        struct rlimit files;
        sigprocmask(SIG_BLOCK, 0, &now);
        sigpending(&pending);
        sigaction(SIGUSR1, 0, &usr1); sigaction(SIGUSR2, 0, &usr2);
        getitimer(ITIMER_REAL, &left);
        getrlimit(RLIMIT_NOFILE, &files);
        printf("%d %d %d %d %d %d %ld\n", sigismember(&now, SIGTERM), sigismember(&now, SIGHUP), sigismember(&pending, SIGTERM),
            usr1.sa_handler == SIG_DFL, usr2.sa_handler == SIG_IGN, left.it_value.tv_sec > 50, (long)files.rlim_cur);
        handle(SIGTERM, 0);
        sigset_t none = set_of(0, 0);
        sigprocmask(SIG_SETMASK, &none, 0);
        printf("%d %d\n", count, last);
        return;
    }
    handle(SIGUSR1, 0);
    signal(SIGUSR2, SIG_IGN);
    sigset_t term = set_of(SIGTERM, 0);
    sigprocmask(SIG_BLOCK, &term, 0);
    raise(SIGTERM);
    alarm(100);
    struct rlimit files = {100, 200};
    setrlimit(RLIMIT_NOFILE, &files);
    fflush(stdout);
    execl("/proc/self/exe", argv[0], argv[1], "again", (char *)0);
}
static void flags(void) {
    handle(SIGUSR1, SA_RESETHAND | SA_NODEFER);
    kill(getpid(), SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, 0, &now);
    printf("%d %d %x\n", count, now.sa_handler == SIG_DFL, now.sa_flags);
    pid_t pid = fork();
    if (!pid) { kill(getpid(), SIGUSR1); _exit(1); }
    int status;
    waitpid(pid, &status, 0);
    printf("%s\n", told(status));
    sigset_t usr1 = set_of(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &usr1, 0);
    handle(SIGUSR1, 0);
    kill(getpid(), SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    handle(SIGUSR1, 0);
    count = 0;
    sigprocmask(SIG_UNBLOCK, &usr1, 0);
    printf("%d\n", count);
    SHOW(signal(SIGKILL, SIG_IGN) == SIG_ERR);
    SHOW(signal(SIGSTOP, SIG_IGN) == SIG_ERR);
    pid = sender(SIGUSR1);
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, 0);
    handle(SIGUSR1, SA_ONSTACK | SA_RESTART);
    volatile double sum = 0;
    long n = 0;
    while (count < 3) { sum += 0.5; n++; }
    printf("%d\n", sum == n * 0.5);
    signal(SIGUSR1, spoil);
    long double exact = 1, step = 1.0000001L;
    count = 0;
    for (n = 0; count < 5; n++) {
        long double before = exact;
        exact = exact * step + 1e-9L;
        if (exact - before > 1 || exact < before) printf("spoilt\n");
        if (exact > 2) exact = 1;
    }
    printf("x87 kept %d\n", exact >= 1);
    end(pid);
    int p[2];
    pipe(p);
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(p[1], "x", 1));
    pid = fork();
    if (!pid) { signal(SIGPIPE, SIG_DFL); write(p[1], "x", 1); _exit(1); }
    waitpid(pid, &status, 0);
    printf("%s\n", told(status));
}
int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IOLBF, 0);
    if (!strcmp(argv[1], "interrupted")) interrupted();
    if (!strcmp(argv[1], "restarted")) restarted();
    if (!strcmp(argv[1], "queued")) queued();
    if (!strcmp(argv[1], "children")) children();
    if (!strcmp(argv[1], "timers")) timers();
    if (!strcmp(argv[1], "executed")) executed(argv);
    if (!strcmp(argv[1], "flags")) flags();
    return 0;
}
