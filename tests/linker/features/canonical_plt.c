//// ABOUT a function's address is the same in program and library
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 -fno-pie m.c && gcc -c -O1 -fPIE -o p.o m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -no-pie -o m m.o ./libx.so -Wl,-rpath,.
//// LINK gcc -pie -o p p.o ./libx.so -Wl,-rpath,.
//// RUN ./m; ./p
//// PRINTS 1 1
//// PRINTS 1 1
//// FILE x.c
int f(void) { return 1; }
int is_same(int (*other)(void)) { return other == f; }
//// FILE m.c
#include <stdio.h>
int f(void);
int is_same(int (*)(void));
int (*volatile pointer)(void) = f;
int main(void) { printf("%d %d\n", is_same(f), is_same(pointer)); return 0; }
