//// ABOUT weak reference takes no member; a strong one takes it for both
//// BUILD gcc -c -O1 -fPIC a.c b.c m.c && ar rcs libx.a a.o && ar rcs liby.a b.o
//// LINK gcc -o m m.o -L. -lx
//// LINK gcc -o n m.o b.o -L. -lx
//// RUN ./m; ./n
//// PRINTS none
//// PRINTS 4
//// FILE a.c
int a(void) { return 4; }
//// FILE b.c
int a(void);
int (*keep)(void) = a;
//// FILE m.c
#include <stdio.h>
__attribute__((weak)) int a(void);
int main(void) { if (a) printf("%d\n", a()); else puts("none"); return 0; }
