//// BUILD gcc -O1 -shared -fpic -o libi.so i.c
//// BUILD gcc -O1 -Wl,-z,lazy -o lazy main.c ./libi.so
//// BUILD gcc -O1 -Wl,-z,now -o now main.c ./libi.so
//// BUILD gcc -O1 -no-pie -o nopie main.c ./libi.so
//// RUN ./lazy
//// RUN ./now
//// RUN ./nopie
//// FILE i.c
static double seven(double a, double b, int n) { return a * b + n; }
static int prepared;
__attribute__((constructor)) static void up(void) { prepared = 1; }
static double (*pick(void))(double, double, int) { return seven; }
double chosen(double, double, int) __attribute__((ifunc("pick")));
//// FILE main.c
// An IFUNC's resolver runs amid the first call: the call's vector arguments survive it.
#include <stdio.h>
#include <string.h>
double chosen(double, double, int);
static int local(void) { return 5; }
static int (*pick_local(void))(void) { return local; }
int own(void) __attribute__((ifunc("pick_local")));
int main(void) {
    double (*pointer)(double, double, int) = chosen;
    printf("%g %g %d %d\n", chosen(2, 3, 4), pointer(1, 2, 3), pointer == chosen, own());
    char text[100];
    memset(text, 'x', 99);
    printf("%zu\n", strnlen(text, 50));
    return 0;
}
