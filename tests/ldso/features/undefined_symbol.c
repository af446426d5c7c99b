//// BUILD gcc -shared -fpic -o liba.so a.c
//// BUILD gcc -O1 -Wl,-z,lazy -o main main.c ./liba.so
//// BUILD gcc -shared -fpic -o liba.so b.c
//// RUN ./main
//// RUN LD_BIND_NOW=1 ./main
//// RUN ./main call
//// FILE a.c
int f(void) { return 1; }
//// FILE b.c
int g(void) { return 1; }
//// FILE main.c
// Lazy binding fails at the first call, LD_BIND_NOW before the start, both with status 127.
#include <stdio.h>
int f(void);
int main(int argc, char **argv) {
    puts("started");
    fflush(stdout);
    return argc > 1 ? f() : 0;
}
