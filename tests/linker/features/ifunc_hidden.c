//// ABOUT hidden and static IFUNCs in a library, called and pointed to
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 4 4 4
//// FILE x.c
static int answer(void) { return 4; }
static void *resolve(void) { return (void *)answer; }
__attribute__((visibility("hidden"))) int hidden(void) __attribute__((ifunc("resolve")));
static int inner(void) __attribute__((ifunc("resolve")));
static int (*table[])(void) = {hidden, inner};
int a(void) { return hidden(); }
int b(void) { return inner(); }
int c(int n) { return table[n](); }
//// FILE m.c
#include <stdio.h>
int a(void), b(void), c(int);
int main(void) { printf("%d %d %d\n", a(), b(), c(1)); return 0; }
