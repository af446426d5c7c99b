//// ABOUT common symbols: largest size, strictest alignment, a definition wins
//// BUILD gcc -c -O1 -fcommon a.c b.c d.c m.c
//// LINK gcc -o m m.o a.o b.o d.o
//// RUN ./m
//// PRINTS 0 0 7 0
//// SHOW nm -S m | grep -E ' (big|defined)$' | cut -d' ' -f2-
//// PRINTS 0000000000000190 B big
//// PRINTS 0000000000000004 D defined
//// DIFFERS mold output: it keeps the size of the first
//// FILE a.c
int big[10];
int defined;
//// FILE b.c
int big[100] __attribute__((aligned(64)));
//// FILE d.c
int defined = 7;
//// FILE m.c
#include <stdio.h>
extern int big[], defined;
int main(void) {
    printf("%d %d %d %d\n", big[0], big[99], defined, (int)((unsigned long)big % 64));
    return 0;
}
