//// ABOUT protected function and variable, seen by a PIC program
//// BUILD gcc -c -O1 -fPIC x.c m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 1 2 7
//// FILE x.c
__attribute__((visibility("protected"))) int f(void) { return 1; }
__attribute__((visibility("protected"))) int v = 2;
int get_v(void) { return v; }
//// FILE m.c
#include <stdio.h>
int f(void), get_v(void);
extern int v;
int main(void) { printf("%d %d ", f(), v); v = 7; printf("%d\n", get_v()); return 0; }
