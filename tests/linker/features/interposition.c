//// ABOUT a program's definitions take the place of a library's
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 10 20 10
//// FILE x.c
int f(void) { return 1; }
int v = 2;
int (*pointer)(void) = f;
int call(void) { return f(); }
int value(void) { return v; }
//// FILE m.c
#include <stdio.h>
int f(void) { return 10; }
int v = 20;
int call(void), value(void);
extern int (*pointer)(void);
int main(void) { printf("%d %d %d\n", call(), value(), pointer()); return 0; }
