/* What the x87 computes, by itself and for the C library's long double, to the last bit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the status word C1, the top and exceptions are defined, and what `mask` adds of C0, C2, C3. */
static void word(long double a, long double b, unsigned status, unsigned mask) {
    printf("%La %La %x\n", a, b, status & (0x3a3f | mask));
}

#define ONE(OP, MASK) { long double r; unsigned short s; \
    __asm__ volatile("fnclex; " OP "; fnstsw %1" : "=t"(r), "=a"(s) : "0"(y)); \
    word(r, 0, s, MASK); }
#define TWO(OP) { long double r; unsigned short s; \
    __asm__ volatile("fnclex; " OP "; fnstsw %1" : "=t"(r), "=a"(s) : "0"(y), "u"(x)); \
    word(r, 0, s, 0x4500); }
#define POP(OP) { long double r; unsigned short s; \
    __asm__ volatile("fnclex; " OP "; fnstsw %1" : "=t"(r), "=a"(s) : "0"(x), "u"(y) : "st(1)"); \
    word(r, 0, s, 0); }
#define PUSH(OP) { long double r, q; unsigned short s; \
    __asm__ volatile("fnclex; " OP "; fnstsw %2" : "=t"(r), "=u"(q), "=a"(s) : "0"(y)); \
    word(r, q, s, 0x400); }

static void instructions(long double x, long double y) {
    ONE("fsin", 0x400) ONE("fcos", 0x400) TWO("fprem") TWO("fprem1") POP("fyl2x") POP("fpatan")
    PUSH("fptan") PUSH("fsincos")
    long double z = y;
    y = remainderl(z, 1);
    ONE("f2xm1", 0)
    y = z;
    x = remainderl(x, 0.25L);
    POP("fyl2xp1")
}

static void library(long double x, long double y) {
    printf("%La %La %La %La %La %La %La %La %La %La %La %La\n", logl(x), expl(y), powl(x, y),
           sinl(y), atanl(y), log2l(x), log1pl(x), expm1l(y), exp2l(y), tanl(y), atan2l(x, y),
           fmodl(y, x));
}

int main(void) {
    srand(5);
    for (int i = 0; i < 100; i++) {
        long double x = (rand() + 1.0L) / (rand() + 1.0L), y = (rand() - 1e9L) / 1e9L * 3;
        unsigned short control = 0x37f, other = 0x03f | (i & 3) << 10 | (i & 4 ? 0x200 : 0x300);
        instructions(x, y);
        library(x, y);
        __asm__ volatile("fldcw %0" : : "m"(other));
        instructions(x, y);
        __asm__ volatile("fldcw %0" : : "m"(control));
    }
    /* Left out of what is out of range: FPTAN and FSINCOS, which push nothing then. */
    static const long double places[] = {0, -0.0L, 1, 0x1p-70L, -0x1p40L, 0x1p-16400L, 0x1p62L};
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 7; k++) instructions(places[i] ? fabsl(places[i]) : 1, places[k]);
    long double x = 3, y = 0x1p64L;
    ONE("fsin", 0x400) ONE("fcos", 0x400) TWO("fprem") TWO("fprem1")
    y = INFINITY;
    ONE("fsin", 0x400)
    y = NAN;
    ONE("fcos", 0x400) POP("fpatan")
}
