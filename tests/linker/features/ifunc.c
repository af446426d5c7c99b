//// ABOUT IFUNC in programs of every kind and in libraries; pointers to it are equal
//// BUILD gcc -c -O1 -fPIE -o pie.o m.c && gcc -c -O1 -fno-pie -o fixed.o m.c && gcc -c -O1 -fPIC -o pic.o x.c && gcc -c -O1 -fPIE -o use.o use.c && gcc -c -O1 -fno-pie -o usefixed.o use.c
//// LINK gcc -pie -o a pie.o
//// LINK gcc -no-pie -o b fixed.o
//// LINK gcc -static -o c fixed.o
//// LINK gcc -static-pie -o d pie.o
//// LINK gcc -shared -o libx.so pic.o -Wl,-soname,libx.so
//// LINK gcc -o e use.o ./libx.so -Wl,-rpath,.
//// LINK gcc -no-pie -o f usefixed.o ./libx.so -Wl,-rpath,.
//// RUN ./a; ./b; ./c; ./d; ./e; ./f
//// PRINTS 42 42 1
//// PRINTS 42 42 1
//// PRINTS 42 42 1
//// PRINTS 42 42 1
//// PRINTS 7 7 1
//// PRINTS 7 7 1
//// DIFFERS ld output: in a PIE of its making the pointer and the address are not equal
//// DIFFERS mold output: as ld, also in fixed programs
//// FILE m.c
#include <stdio.h>
static int answer(void) { return 42; }
static int (*resolve(void))(void) { return answer; }
int chosen(void) __attribute__((ifunc("resolve")));
int (*pointer)(void) = chosen;
int main(void) { printf("%d %d %d\n", chosen(), pointer(), pointer == chosen); return 0; }
//// FILE x.c
static int answer(void) { return 7; }
static int (*resolve(void))(void) { return answer; }
int chosen(void) __attribute__((ifunc("resolve")));
int call(void) { return chosen(); }
int is_same(int (*other)(void)) { return other == chosen; }
//// FILE use.c
#include <stdio.h>
int chosen(void), call(void), is_same(int (*)(void));
int main(void) { printf("%d %d %d\n", chosen(), call(), is_same(chosen)); return 0; }
