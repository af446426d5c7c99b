//// ABOUT --defsym: numbers, other symbols, sums
//// BUILD gcc -c -O1 -fno-pie m.c
//// LINK gcc -no-pie -o m m.o -Wl,--defsym=number=0x1234 -Wl,--defsym,alias=one -Wl,--defsym=second=table+4
//// RUN ./m
//// PRINTS 1234 1 20
//// LACKS mold: 1.10 crashes on it
//// FILE m.c
#include <stdio.h>
int one(void) { return 1; }
int table[2] = {10, 20};
extern char number[];
int alias(void);
extern int second;
int main(void) { printf("%lx %d %d\n", (long)number, alias(), second); return 0; }
