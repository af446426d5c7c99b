//// ABOUT --whole-archive: members that nothing asks for
//// BUILD gcc -c -O1 a.c b.c m.c && ar rcs libx.a a.o && ar rcs liby.a b.o
//// LINK gcc -o m m.o -L. -Wl,--whole-archive -lx -Wl,--no-whole-archive -ly
//// RUN ./m
//// PRINTS registered
//// PRINTS main
//// FILE a.c
#include <stdio.h>
static __attribute__((constructor)) void enter(void) { puts("registered"); }
//// FILE b.c
#include <stdio.h>
static __attribute__((constructor)) void enter(void) { puts("not asked for"); }
//// FILE m.c
#include <stdio.h>
int main(void) { puts("main"); return 0; }
