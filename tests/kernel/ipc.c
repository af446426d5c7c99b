/* Calls System V IPC and POSIX message queues rightly and wrongly, and prints what comes of it; its
   argument says what about: memory, semaphores, messages, queues or threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s = %ld %s\n", #call, r_, r_ == -1 ? strerrorname_np(errno) : ""); fflush(stdout); } while (0)
#define OK(call) do { errno = 0; long r_ = (long)(call); printf("%s: %s\n", #call, r_ == -1 ? strerrorname_np(errno) : "ok"); fflush(stdout); } while (0)
#define CHILD(body) do { fflush(stdout); int s_ = 0; if (!fork()) { body; fflush(stdout); _exit(0); } SHOW(wait(&s_) > 0); printf("%x\n", s_); } while (0)
static key_t key(int n) { return 0x50590000 + (getpid() & 0xfff) * 16 + n; }
static void nap(int ms) { struct timespec t = {0, ms * 1000000L}; nanosleep(&t, 0); }
static void on_signal(int n) { (void)n; }
static void handle(int n, int flags) { struct sigaction a = {.sa_handler = on_signal, .sa_flags = flags}; sigaction(n, &a, 0); }

static void show_segment(int id) {
    struct shmid_ds d;
    SHOW(shmctl(id, IPC_STAT, &d));
    printf("key %d size %ld attached %ld mode %o creator %d last %d own %d times %d %d\n", d.shm_perm.__key != 0,
        (long)d.shm_segsz, (long)d.shm_nattch, d.shm_perm.mode, d.shm_cpid == getpid(), d.shm_lpid == getpid(),
        d.shm_perm.uid == geteuid() && d.shm_perm.cgid == getegid(), d.shm_atime != 0, d.shm_dtime != 0);
}
static void show_maps(int id) {
    char line[512], number[20];
    FILE *f = fopen("/proc/self/maps", "r");
    sprintf(number, " %d ", id);
    while (fgets(line, sizeof line, f))
        if (strstr(line, "SYSV"))
            printf("%.4s %d %s", strchr(line, ' ') + 1, strstr(line, number) != 0, strstr(line, "/SYSV5059") ? "keyed\n" : strstr(line, "/SYSV"));
    fclose(f);
}
static void memory(char **argv) {
    SHOW(shmget(key(1), 4096, 0600));
    int id = shmget(key(1), 5000, IPC_CREAT | 0640);
    SHOW(shmget(key(1), 5000, IPC_CREAT | 0640) == id);
    SHOW(shmget(key(1), 100, 0) == id);
    SHOW(shmget(key(1), 5001, 0));
    SHOW(shmget(key(1), 10, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(shmget(key(2), 0, IPC_CREAT | 0600));
    SHOW(shmat(-1, 0, 0));
    SHOW(shmat(id + 1, 0, 0));
    show_segment(id);
    char *p = shmat(id, 0, 0);
    show_segment(id);
    show_maps(id);
    SHOW(p[0] + p[4999]);
    CHILD(strcpy(p, "from the child"); show_segment(id));
    printf("%s\n", p);
    CHILD(OK(shmdt(p)); SHOW(shmdt(p)));
    char *q = shmat(id, 0, SHM_RDONLY);
    printf("%s\n", q);
    strcpy(p + 4000, "seen twice");
    printf("%s\n", q + 4000);
    SHOW(mprotect(q, 4096, PROT_READ | PROT_WRITE));
    CHILD(*q = 1);
    SHOW(shmat(id, p, 0));
    SHOW(shmat(id, p + 1, 0));
    SHOW(shmat(id, p + 1, SHM_RND));
    SHOW(shmat(id, 0, SHM_REMAP));
    SHOW((char *)shmat(id, q + 1, SHM_RND | SHM_REMAP) == q);
    q[1] = 'R';
    printf("%s\n", p);
    show_segment(id);
    SHOW(munmap(q, 4096));
    show_segment(id);
    SHOW(shmdt(q));
    show_segment(id);
    char *far = shmat(id, (void *)0x10000000, 0);
    printf("%p\n", far);
    SHOW(shmdt(far + 4096));
    SHOW(shmdt(far));
    SHOW(mincore(far, 4096, (void *)&q));
    CHILD(p[5] = 'E'; execl(argv[0], argv[0], "after-exec", 0));
    printf("%s\n", p);
    show_segment(id);
    struct shmid_ds d = {.shm_perm = {.uid = geteuid(), .gid = getegid(), .mode = 0604}};
    SHOW(shmctl(id, IPC_SET, &d));
    show_segment(id);
    SHOW(shmctl(id, 99, &d));
    SHOW(shmctl(id, IPC_STAT, (void *)1));
    SHOW(shmctl(-1, IPC_STAT, (void *)1));
    OK(shmctl(id, SHM_LOCK, 0));
    OK(shmctl(id, SHM_UNLOCK, 0));
    struct shminfo info;
    SHOW(shmctl(0, IPC_INFO, (void *)&info) >= 0);
    printf("%ld %ld\n", (long)info.shmmni, (long)info.shmmin);
    int found = 0;
    for (int i = 0, most = shmctl(0, SHM_INFO, (void *)&info); i <= most; i++)
        if (shmctl(i, SHM_STAT, &d) == id)
            found += d.shm_perm.__key == key(1);
    SHOW(found);
    SHOW(shmctl(id, IPC_RMID, 0));
    show_segment(id);
    SHOW(shmget(key(1), 1, 0));
    char *late = shmat(id, 0, 0);
    printf("%s\n", late);
    int again = shmget(key(1), 1, IPC_CREAT | 0600);
    SHOW(again != id && again >= 0);
    SHOW(shmdt(late));
    SHOW(shmdt(p));
    SHOW(shmctl(id, IPC_STAT, &d));
    SHOW(shmctl(again, IPC_RMID, 0));
    SHOW(shmctl(again, IPC_RMID, 0));
    int private = shmget(IPC_PRIVATE, 100, 0600);
    p = shmat(private, 0, 0);
    show_maps(private);
    SHOW(shmctl(private, IPC_RMID, 0));
    pid_t child = fork();
    if (!child) { p[1] = 'k'; raise(SIGKILL); }
    waitpid(child, 0, 0);
    SHOW(p[1]);
    show_segment(private);
}

static void show_set(int id) {
    unsigned short all[3] = {9, 9, 9};
    SHOW(semctl(id, 0, GETALL, all));
    printf("%d %d %d\n", all[0], all[1], all[2]);
}
static int operate(int id, int n, int op, int flags) { struct sembuf b = {n, op, flags}; return semop(id, &b, 1); }
static void semaphores(void) {
    SHOW(semget(key(1), 0, IPC_CREAT | 0600));
    SHOW(semget(key(1), 100000, IPC_CREAT | 0600));
    int id = semget(key(1), 3, IPC_CREAT | IPC_EXCL | 0600);
    SHOW(semget(key(1), 3, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(semget(key(1), 4, 0));
    SHOW(semget(key(1), 0, 0) == id);
    show_set(id);
    SHOW(semctl(id, 1, SETVAL, 7));
    SHOW(semctl(id, 1, SETVAL, 40000));
    SHOW(semctl(id, 3, SETVAL, 7));
    SHOW(semctl(id, 1, GETVAL));
    SHOW(semctl(id, 1, GETPID) == getpid());
    SHOW(operate(id, 1, -8, IPC_NOWAIT));
    SHOW(operate(id, 1, -3, 0));
    SHOW(operate(id, 1, 0, IPC_NOWAIT));
    SHOW(operate(id, 3, 1, 0));
    SHOW(operate(id + 1, 0, 1, 0));
    SHOW(semop(id, 0, 1));
    SHOW(semop(id, (void *)1, 0));
    SHOW(semop(id, (void *)1, 501));
    struct sembuf three[] = {{0, 2, 0}, {1, -4, 0}, {2, 1, 0}};
    SHOW(semop(id, three, 3));
    show_set(id);
    three[1].sem_flg = IPC_NOWAIT;
    SHOW(semop(id, three, 3));
    show_set(id);
    struct timespec little = {0, 20000000};
    struct sembuf wait_for = {1, -1, 0};
    SHOW(semtimedop(id, &wait_for, 1, &little));
    little.tv_nsec = -1;
    SHOW(semtimedop(id, &wait_for, 1, &little));
    CHILD(operate(id, 0, -1, SEM_UNDO); operate(id, 2, 5, SEM_UNDO); show_set(id));
    show_set(id);
    pid_t holder = fork();
    if (!holder) { operate(id, 0, -2, SEM_UNDO); for (;;) pause(); }
    while (semctl(id, 0, GETVAL)) nap(2);
    pid_t waiter = fork();
    if (!waiter) { SHOW(operate(id, 0, -2, 0)); _exit(0); }
    while (!semctl(id, 0, GETNCNT)) nap(2);
    SHOW(semctl(id, 0, GETNCNT));
    kill(holder, SIGKILL);
    waitpid(waiter, 0, 0), waitpid(holder, 0, 0);
    show_set(id);
    waiter = fork();
    if (!waiter) { handle(SIGUSR1, SA_RESTART); SHOW(operate(id, 0, -1, 0)); _exit(0); }
    while (!semctl(id, 0, GETNCNT)) nap(2);
    kill(waiter, SIGUSR1);
    waitpid(waiter, 0, 0);
    operate(id, 0, 1, 0);
    waiter = fork();
    if (!waiter) { SHOW(operate(id, 0, 0, 0)); _exit(0); }
    while (!semctl(id, 0, GETZCNT)) nap(2);
    int done = semctl(id, 0, SETVAL, 0);
    waitpid(waiter, 0, 0);
    SHOW(done);
    waiter = fork();
    if (!waiter) { SHOW(operate(id, 0, -1, 0)); _exit(0); }
    while (!semctl(id, 0, GETNCNT)) nap(2);
    struct semid_ds d;
    SHOW(semctl(id, 0, IPC_STAT, &d));
    printf("%d %ld %o %d\n", d.sem_perm.__key == key(1), (long)d.sem_nsems, d.sem_perm.mode, d.sem_otime != 0);
    done = semctl(id, 0, IPC_RMID);
    waitpid(waiter, 0, 0);
    SHOW(done);
    SHOW(semctl(id, 0, GETVAL));
    unsigned short values[] = {4, 5, 6};
    id = semget(IPC_PRIVATE, 3, 0600);
    SHOW(semctl(id, 0, SETALL, values));
    show_set(id);
    SHOW(semctl(id, 0, SETALL, (void *)1));
    SHOW(semctl(id, 0, 77, 0));
    SHOW(semctl(id, 0, IPC_RMID));
}

struct message { long type; char text[64]; };
static void send_text(int id, long type, const char *text) { struct message m = {type}; strcpy(m.text, text); SHOW(msgsnd(id, &m, strlen(text) + 1, IPC_NOWAIT)); }
static void receive(int id, long type, size_t size, int flags) {
    struct message m = {0, ""};
    errno = 0;
    long n = msgrcv(id, &m, size, type, flags);
    printf("msgrcv %ld %zu %x: %ld %s %ld %s\n", type, size, flags, n, n < 0 ? strerrorname_np(errno) : "", m.type, m.text);
    fflush(stdout);
}
static void messages(void) {
    SHOW(msgget(key(1), 0600));
    int id = msgget(key(1), IPC_CREAT | 0600);
    SHOW(msgget(key(1), IPC_CREAT | IPC_EXCL | 0600));
    send_text(id, 1, "one"), send_text(id, 5, "five"), send_text(id, 3, "three"), send_text(id, 0, "none");
    struct message m = {1};
    SHOW(msgsnd(id, &m, 100000, 0));
    SHOW(msgsnd(id, &m, -1, 0));
    SHOW(msgsnd(id, (void *)8, 4, 0));
    SHOW(msgsnd(id + 1, &m, 4, 0));
    struct msqid_ds d;
    SHOW(msgctl(id, IPC_STAT, &d));
    printf("%d %ld %ld %d\n", d.msg_perm.__key == key(1), (long)d.msg_qnum, (long)d.__msg_cbytes, d.msg_lspid == getpid());
    receive(id, -4, 64, 0), receive(id, 9, 64, IPC_NOWAIT), receive(id, 0, 2, 0), receive(id, 0, 2, MSG_NOERROR);
    send_text(id, 7, ""), receive(id, 7, 64, MSG_EXCEPT), receive(id, 7, 64, 0), receive(id, 0, 64, IPC_NOWAIT);
    SHOW(msgrcv(id, &m, -1, 0, 0));
    CHILD(nap(20); send_text(id, 2, "from the child"));
    receive(id, 2, 64, 0);
    int ends[2];
    pipe(ends);
    pid_t waiter = fork();
    if (!waiter) {
        handle(SIGALRM, SA_RESTART), alarm(1);
        receive(id, 0, 64, 0), write(ends[1], "x", 1), receive(id, 0, 64, 0);
        _exit(0);
    }
    read(ends[0], m.text, 1), nap(700);
    int removed = msgctl(id, IPC_RMID, 0);
    waitpid(waiter, 0, 0);
    SHOW(removed);
    SHOW(msgctl(id, IPC_RMID, 0));
    id = msgget(IPC_PRIVATE, 0600);
    d.msg_qbytes = 100, d.msg_perm.mode = 0600;
    SHOW(msgctl(id, IPC_SET, &d));
    send_text(id, 1, "12345678901234567890123456789012345678901234567890");
    send_text(id, 1, "12345678901234567890123456789012345678901234567890");
    waiter = fork();
    if (!waiter) { struct message w = {2, "late"}; SHOW(msgsnd(id, &w, 60, 0)); _exit(0); }
    nap(50);
    long taken = msgrcv(id, &m, 64, 0, 0);
    waitpid(waiter, 0, 0);
    SHOW(taken);
    receive(id, 0, 64, 0);
    SHOW(msgctl(id, IPC_RMID, 0));
}

static volatile int heard, heard_code, heard_value;
static void on_message(int n, siginfo_t *i, void *c) { heard = n, heard_code = i->si_code, heard_value = i->si_value.sival_int; }
static void queues(void) {
    char name[40], text[100];
    unsigned priority = 9;
    sprintf(name, "/pyldso test %d", getpid());
    SHOW(mq_open(name, O_RDWR));
    SHOW(mq_unlink(name));
    SHOW(mq_open("noslash", O_RDWR | O_CREAT, 0600, 0));
    SHOW(mq_open("/", O_RDWR));
    SHOW(mq_open("/a/b", O_RDWR | O_CREAT, 0600, 0));
    SHOW(mq_open("/..", O_RDWR | O_CREAT, 0600, 0));
    memset(text, 'x', sizeof text), *text = '/';
    char longest[300];
    memset(longest, 'y', sizeof longest), *longest = '/', longest[256] = 0;
    int q = mq_open(longest, O_RDWR | O_CREAT, 0600, 0);
    SHOW(q >= 0);
    SHOW(mq_unlink(longest)); SHOW(mq_close(q));
    longest[256] = 'y', longest[257] = 0;
    SHOW(mq_open(longest, O_RDWR | O_CREAT, 0600, 0));
    struct mq_attr a = {.mq_maxmsg = 3, .mq_msgsize = 20};
    q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &a);
    SHOW(q >= 0);
    SHOW(fcntl(q, F_GETFD));
    SHOW(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a));
    SHOW(mq_receive(q, text, 20, 0));
    SHOW(mq_send(q, "low", 4, 1));
    SHOW(mq_send(q, "high", 5, 30));
    SHOW(mq_send(q, "low again", 10, 1));
    SHOW(mq_send(q, "too many", 9, 1));
    SHOW(mq_send(q, "too long for this queue", 24, 1));
    SHOW(mq_send(q, "x", 1, 40000));
    SHOW(mq_getattr(q, &a));
    printf("%ld %ld %ld %ld\n", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
    struct pollfd p = {q, POLLIN | POLLOUT};
    SHOW(poll(&p, 1, 0)); printf("%x\n", p.revents);
    SHOW(mq_receive(q, text, 10, 0));
    for (int i = 0; i < 3; i++) { SHOW(mq_receive(q, text, sizeof text, &priority)); printf("%s %u\n", text, priority); }
    int second = mq_open(name, O_RDONLY);
    SHOW(mq_send(second, "x", 1, 0));
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon), soon.tv_nsec += 20000000, soon.tv_sec += soon.tv_nsec / 1000000000, soon.tv_nsec %= 1000000000;
    SHOW(mq_timedreceive(second, text, sizeof text, 0, &soon));
    soon.tv_nsec = -1;
    SHOW(mq_timedreceive(second, text, sizeof text, 0, &soon));
    CHILD(nap(20); SHOW(mq_send(q, "from the child", 15, 2)));
    SHOW(mq_receive(second, text, sizeof text, 0)); puts(text);
    struct sigaction act = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGUSR2, &act, 0);
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 55};
    SHOW(mq_notify(q, &e));
    CHILD(SHOW(mq_notify(q, &e)));
    CHILD(mq_send(q, "ring", 5, 2));
    for (int i = 0; !heard && i < 200; i++) nap(5);
    printf("%d %d %d\n", heard == SIGUSR2, heard_code == SI_MESGQ, heard_value);
    SHOW(mq_notify(q, &e)); SHOW(mq_notify(q, 0));
    pid_t waiter = fork();
    if (!waiter) {
        handle(SIGUSR1, 0);
        mq_receive(second, text, sizeof text, 0);
        SHOW(mq_receive(second, text, sizeof text, 0));
        _exit(0);
    }
    nap(300), kill(waiter, SIGUSR1), waitpid(waiter, 0, 0);
    SHOW(mq_unlink(name));
    SHOW(mq_send(q, "still open", 11, 2));
    SHOW(mq_receive(second, text, sizeof text, 0)); puts(text);
    SHOW(mq_open(name, O_RDWR));
    SHOW(mq_close(q)); SHOW(mq_close(second)); SHOW(mq_close(q));
}

static int the_set, the_queue;
static long *counter;
static void *lock_and_count(void *unused) {
    for (int i = 0; i < 300; i++) {
        operate(the_set, 0, -1, SEM_UNDO);
        ++*counter;
        operate(the_set, 0, 1, SEM_UNDO);
    }
    return 0;
}
static void *answer(void *unused) {
    struct message m;
    while (msgrcv(the_queue, &m, 64, 1, 0) > 0 && strcmp(m.text, "end"))
        m.type = 2, strcat(m.text, "!"), msgsnd(the_queue, &m, strlen(m.text) + 1, 0);
    return 0;
}
static void threads(void) {
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    counter = shmat(id, 0, 0);
    shmctl(id, IPC_RMID, 0);
    the_set = semget(IPC_PRIVATE, 1, 0600);
    the_queue = msgget(IPC_PRIVATE, 0600);
    semctl(the_set, 0, SETVAL, 1);
    pid_t child = fork();
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, lock_and_count, 0);
    for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
    if (!child) _exit(0);
    waitpid(child, 0, 0);
    printf("%ld %d\n", *counter, semctl(the_set, 0, GETVAL));
    pthread_create(&t[0], 0, answer, 0);
    for (int i = 0; i < 3; i++) {
        struct message m = {1};
        sprintf(m.text, "message %d", i);
        msgsnd(the_queue, &m, strlen(m.text) + 1, 0);
        receive(the_queue, 2, 64, 0);
    }
    struct message end = {1, "end"};
    msgsnd(the_queue, &end, 4, 0);
    pthread_join(t[0], 0);
    pthread_create(&t[0], 0, lock_and_count, 0);
    semctl(the_set, 0, IPC_RMID), msgctl(the_queue, IPC_RMID, 0);
    pthread_join(t[0], 0);
}

int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    switch (argv[1][0]) {
    case 'a': puts("executed"); show_maps(0); break;
    case 'm': argv[1][1] == 'e' && argv[1][2] == 'm' ? memory(argv) : messages(); break;
    case 's': semaphores(); break;
    case 'q': queues(); break;
    case 't': threads(); break;
    }
    return 0;
}
