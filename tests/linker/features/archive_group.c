//// ABOUT --start-group: archives that need each other
//// BUILD gcc -c -O1 a.c b.c c.c m.c && ar rcs liba.a a.o c.o && ar rcs libb.a b.o
//// LINK gcc -o m m.o -L. -Wl,--start-group -la -lb -Wl,--end-group
//// LINK gcc -o n m.o -L. "-Wl,-(" -la -lb "-Wl,-)"
//// RUN ./m; ./n
//// PRINTS 6
//// PRINTS 6
//// FILE a.c
int b(void);
int a(void) { return b() + 1; }
//// FILE b.c
int c(void);
int b(void) { return c() + 2; }
//// FILE c.c
int c(void) { return 3; }
//// FILE m.c
#include <stdio.h>
int a(void);
int main(void) { printf("%d\n", a()); return 0; }
