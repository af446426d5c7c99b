//// BUILD gcc -shared -fpic -O1 -Wl,-z,lazy -o libi.so i.c
//// BUILD gcc -O1 -Wl,-z,lazy -o main main.c ./libi.so
//// BUILD gcc -O1 -Wl,-z,now -o now main.c ./libi.so
//// RUN ./main
//// RUN LD_BIND_NOW=1 ./main
//// RUN LD_BIND_NOT=1 ./main
//// RUN ./now
//// FILE i.c
static double add(double a, double b, long c, double d, long e, double f, double g, double h, double i) {
    return a + b + c + d + e + f + g + h + i;
}
static double clobber(double x) { return __builtin_sqrt(x) * x + x / 3; }
static int resolved;
static void *choose(void) {
    volatile double x = clobber(2.5), y = clobber(3.5), z = x * y;
    resolved += z != 0;
    return add;
}
double total(double a, double b, long c, double d, long e, double f, double g, double h, double i) __attribute__((ifunc("choose")));
int times(void) { return resolved; }
double (*pointer)(double, double, long, double, long, double, double, double, double) = total;
//// FILE main.c
// An IFUNC resolver that runs amid a call leaves the call's arguments as they were.
#include <stdio.h>
double total(double, double, long, double, long, double, double, double, double);
int times(void);
extern double (*pointer)(double, double, long, double, long, double, double, double, double);
int main(void) {
    printf("%g\n", total(1, 2, 3, 4, 5, 6, 7, 8, 9));
    printf("%g\n", total(0.5, 2, 3, 4, 5, 6, 7, 8, 9));
    printf("%g\n", pointer(1, 2, 3, 4, 5, 6, 7, 8, 9.25));
    printf("%d\n", times() > 0);
    return 0;
}
