//// ABOUT shared object and a program that uses it
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c
//// LINK gcc -shared -Wl,-soname,libx.so.1 -o libx.so x.o
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ln -s libx.so libx.so.1; ./m
//// PRINTS 1 2 42
//// FILE x.c
static int count;
int answer = 42;
int next(void) { return ++count; }
//// FILE m.c
#include <stdio.h>
extern int answer;
int next(void);
int main(void) { int a = next(), b = next(); printf("%d %d %d\n", a, b, answer); return 0; }
