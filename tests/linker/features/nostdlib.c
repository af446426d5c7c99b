//// ABOUT program without C library
//// BUILD gcc -c -O1 -fno-pie -fno-stack-protector m.c
//// LINK gcc -nostdlib -static -o m m.o
//// LINK ld -o n m.o
//// RUN ./m
//// PRINTS bare
//// PRINTS status 7
//// RUN ./n
//// PRINTS bare
//// PRINTS status 7
//// DIFFERS mold segments: it makes a segment for sections without content
//// FILE m.c
static long call(long n, long a, long b, long c) {
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
}
void _start(void) { call(1, 1, (long)"bare\n", 5); call(60, 7, 0, 0); }
