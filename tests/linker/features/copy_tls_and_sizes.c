//// ABOUT arrays copied into the program, const and not, and a function pointer of each kind
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 -fno-pie m.c && gcc -c -O1 -fPIE -o p.o m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -no-pie -o m m.o ./libx.so -Wl,-rpath,.
//// LINK gcc -o p p.o ./libx.so -Wl,-rpath,.
//// RUN ./m; ./p
//// PRINTS 3 5 1 1
//// PRINTS 3 5 1 1
//// FILE x.c
int table[100] = {1, 2, 3};
const int constants[50] = {4, 5};
static int f(void) { return 1; }
int (*function)(void) = f;
int is_same(int *p) { return p == table; }
//// FILE m.c
#include <stdio.h>
extern int table[100];
extern const int constants[50];
extern int (*function)(void);
int is_same(int *);
int main(void) { printf("%d %d %d %d\n", table[2], constants[1], function(), is_same(table)); return 0; }
