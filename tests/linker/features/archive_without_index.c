//// ABOUT archive without an index
//// BUILD gcc -c -O1 a.c m.c && ar rcS libx.a a.o
//// LINK gcc -o m m.o -L. -lx
//// RUN ./m
//// PRINTS 1
//// LACKS ld: it asks for the index
//// FILE a.c
int a(void) { return 1; }
//// FILE m.c
#include <stdio.h>
int a(void);
int main(void) { printf("%d\n", a()); return 0; }
