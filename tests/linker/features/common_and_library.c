//// ABOUT a common symbol of the program beside a library's definition
//// BUILD gcc -c -O1 -fcommon m.c && gcc -c -O1 -fPIC x.c && gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 3 5
//// DIFFERS lld output: it prefers the program's common symbol
//// FILE x.c
int v = 3;
void set(int n) { v = n; }
//// FILE m.c
#include <stdio.h>
int v;
void set(int);
int main(void) { printf("%d ", v); set(5); printf("%d\n", v); return 0; }
