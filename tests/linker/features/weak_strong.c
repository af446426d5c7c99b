//// ABOUT strong before weak, weak before none, in objects and libraries
//// BUILD gcc -c -O1 -fPIC weak.c strong.c lib.c m.c && gcc -shared -o libl.so lib.o -Wl,-soname,libl.so
//// LINK gcc -o a m.o weak.o strong.o ./libl.so -Wl,-rpath,.
//// LINK gcc -o b m.o strong.o weak.o ./libl.so -Wl,-rpath,.
//// LINK gcc -o c m.o weak.o ./libl.so -Wl,-rpath,.
//// LINK gcc -o d m.o ./libl.so -Wl,-rpath,.
//// RUN ./a; ./b; ./c; ./d
//// PRINTS 2 2
//// PRINTS 2 2
//// PRINTS 1 1
//// PRINTS 3 3
//// DIFFERS lld symbols: it exports what a library defines, too, though the library does not refer to it
//// FILE weak.c
__attribute__((weak)) int f(void) { return 1; }
__attribute__((weak)) int v = 1;
//// FILE strong.c
int f(void) { return 2; }
int v = 2;
//// FILE lib.c
int f(void) { return 3; }
int v = 3;
//// FILE m.c
#include <stdio.h>
int f(void);
extern int v;
int main(void) { printf("%d %d\n", f(), v); return 0; }
