//// ABOUT archive: only the members that are asked for
//// BUILD gcc -c -O1 a.c b.c c.c m.c && ar rcs libx.a a.o b.o c.o
//// LINK gcc -o m m.o -L. -lx
//// RUN ./m
//// PRINTS 3
//// SHOW nm m | grep -c -e ' [TD] unused'
//// PRINTS 0
//// FILE a.c
int b(void);
int a(void) { return b() + 1; }
//// FILE b.c
int b(void) { return 2; }
//// FILE c.c
int unused(void) { return 0; }
//// FILE m.c
#include <stdio.h>
int a(void);
int main(void) { printf("%d\n", a()); return 0; }
