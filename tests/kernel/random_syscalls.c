/* Make random system calls with random arguments, in processes that are forked for some each.
   Usage: random_syscalls SEED CALLS; needs no C library. Prints how many calls were made, and how
   the processes that made them ended. */
typedef unsigned long u64;
typedef unsigned char u8;

enum { WRITE = 1, MMAP = 9, MUNMAP = 11, SIGRETURN = 15, GETPID = 39, CLONE = 56, FORK = 57,
       EXIT = 60, WAIT4 = 61, KILL = 62, NANOSLEEP = 35, TKILL = 200,
       EXIT_GROUP = 231, TGKILL = 234, SIGQUEUE = 129, TGSIGQUEUE = 297,
       MPROTECT = 10, BRK = 12, MREMAP = 25, MADVISE = 28, PKEY_MPROTECT = 329 };
enum { BATCH = 400, PATIENCE = 600, POOL = 16 * 4096 };

static u64 call(u64 n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    register u64 r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    u64 result;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static u64 state;

static u64 random_word(void)  /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1D;
}

static const char *const paths[] = {
    "file", "folder", "folder/new", "link", "../victim/file", "../victim/new", "/etc/passwd", ".", "..",
    "/", "/proc/self/mem", "/proc/self/fd/0", "/proc/self/fd/700", "/proc/1/mem", "/dev/null",
    "/proc/self/maps", "/proc/self/cwd/../victim/file", "user.name", "", "fifo", "/dev/tty",
};
static u8 *pool, *locked, *reading;
static const u64 sizes[] = {0, 1, 2, 4, 7, 8, 12, 16, 24, 32, 48, 64, 100, 128, 144, 256, 4096, 8192,
                            65536, 1 << 20, 0x7ffff000, 0x7fffffff, 0x80000000, 0xffffffff, ~0ul};

static u64 random_argument(void)
{
    u64 r = random_word();
    switch (r >> 8 & 15) {
    case 0: case 1: return (u64)pool + (r >> 16) % POOL;
    case 2: return (u64)pool + ((r >> 16) % POOL & ~63ul);
    case 3: return (u64)pool + POOL - (1ul << (r >> 16) % 12);  /* up to the very end */
    case 4: return (r & 1 ? (u64)locked : (u64)reading) + (r >> 16) % 4096;
    case 5: return (u64)paths[(r >> 16) % (sizeof paths / sizeof *paths)];
    case 6: case 7: return (r >> 16) % 12;                      /* descriptors and small numbers */
    case 8: return 690 + (r >> 16) % 30;                        /* pyldso's own descriptors */
    case 9: return -(long)((r >> 16) % 130);
    case 10: case 11: return sizes[(r >> 16) % (sizeof sizes / sizeof *sizes)];
    case 12: return 1ul << (r >> 16) % 64;
    case 13: return r & 1 ? 0 : 0xffffffff81000000 + (r >> 40);
    case 14: return r >> 16 & 0xffff;
    default: return random_word();
    }
}

static void make_calls(volatile u64 *made)
{
    for (int i = 0; i < BATCH; i++, ++*made) {
        u64 number = random_word() % 470, word = random_word();
        if (word % 200 == 0)
            number = 0x70000000 + word / 200 % 64;
        if (number == EXIT || number == EXIT_GROUP || number == KILL || number == TKILL
            || number == TGKILL || number == SIGQUEUE || number == TGSIGQUEUE || number == SIGRETURN)
            continue;
        for (int k = 0; k < 8; k++)  /* structures with plausible words */
            ((u64 *)pool)[random_word() % (POOL / 8)] = random_argument();
        u64 before = call(GETPID, 0, 0, 0, 0, 0, 0);
        u64 a = random_argument(), b = random_argument(), c = random_argument();
        u64 d = random_argument(), e = random_argument(), f = random_argument();
        if (number == CLONE)  /* no shared memory, no odd stack */
            a &= ~0x7ffffffful, b = 0;
        if (number == MUNMAP || number == MREMAP || number == MADVISE || (number == MMAP && d & 0x10))
            a = (u64)pool + (a & 0x7000), b &= 0x7fff;  /* what they unmap is not what runs */
        if (number == MREMAP)
            c &= 0x7fff, e = (u64)pool + 0x8000;
        if (number == MPROTECT || number == PKEY_MPROTECT)
            a = (u64)locked, b &= 0x1fff;
        if (number == BRK)
            a = 0;
        call(number, a, b, c, d, e, f);
        if (call(GETPID, 0, 0, 0, 0, 0, 0) != before)
            call(EXIT_GROUP, 0, 0, 0, 0, 0, 0);
        if (number == MUNMAP || number == MMAP || number == MREMAP)  /* have the pool again */
            call(MMAP, (u64)pool, POOL, 3, 0x32, -1, 0);
    }
    call(EXIT_GROUP, 77, 0, 0, 0, 0, 0);
}

static void print_number(const char *text, u64 number)
{
    char line[80];
    int at = 0;
    while (*text)
        line[at++] = *text++;
    char digits[24];
    int count = 0;
    do
        digits[count++] = '0' + number % 10;
    while (number /= 10);
    while (count)
        line[at++] = digits[--count];
    line[at++] = '\n';
    call(WRITE, 1, (u64)line, at, 0, 0, 0);
}

static u64 parse(const char *text)
{
    u64 value = 0;
    while (*text >= '0' && *text <= '9')
        value = 10 * value + *text++ - '0';
    return value;
}

__attribute__((used)) static void start(u64 *stack)
{
    u64 seed = parse((char *)stack[2]), wanted = parse((char *)stack[3]), total = 0;
    volatile u64 *made = (u64 *)call(MMAP, 0, 4096, 3, 0x21, -1, 0);
    pool = (u8 *)call(MMAP, 0, POOL + 4096, 0, 0x22, -1, 0);
    call(MMAP, (u64)pool, POOL, 3, 0x32, -1, 0);
    locked = (u8 *)call(MMAP, 0, 8192, 0, 0x22, -1, 0);
    reading = (u8 *)call(MMAP, 0, 8192, 1, 0x22, -1, 0);
    u64 finished = 0, stuck = 0, failed = 0, killed[65] = {0};
    while (total < wanted) {
        *made = 0;
        state = ++seed * 0x9E3779B97F4A7C15 | 1;
        u64 child = call(FORK, 0, 0, 0, 0, 0, 0);
        if (!child)
            make_calls(made);
        int status = 0;
        u64 patience = PATIENCE, last = 0, pause[2] = {0, 5000000};
        while (call(WAIT4, child, (u64)&status, 1, 0, 0, 0) != child) {
            call(NANOSLEEP, (u64)pause, 0, 0, 0, 0, 0);
            patience = *made == last ? patience - 1 : PATIENCE;
            last = *made;
            if (patience < PATIENCE - 20) {
                call(KILL, child, 9, 0, 0, 0, 0);
                call(WAIT4, child, (u64)&status, 0, 0, 0, 0);
                stuck++;
                status = 77 << 8;
                finished--;
                break;
            }
        }
        if (status == 77 << 8)
            finished++;
        else if (status & 0x7f)
            killed[status & 0x7f & 63]++, print_number("killed, seed ", seed);
        else
            failed++, print_number("failed, seed ", seed);
        total += *made ? *made : 1;
    }
    call(WRITE, 1, (u64)"\n", 1, 0, 0, 0);  /* behind what the calls have written there */
    print_number("calls: ", total);
    print_number("finished: ", finished);
    print_number("waiting: ", stuck);
    print_number("failed: ", failed);
    for (int signal = 1; signal < 65; signal++)
        if (killed[signal])
            print_number(signal == 11 ? "SIGSEGV: " : signal == 31 ? "SIGSYS: " : "other signal: ",
                         signal == 11 || signal == 31 ? killed[signal] : signal);
    call(EXIT_GROUP, failed != 0, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
