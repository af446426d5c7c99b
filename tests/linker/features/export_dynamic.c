//// ABOUT -rdynamic, --dynamic-list, --export-dynamic-symbol for programs
//// BUILD gcc -c -O1 m.c
//// LINK gcc -o a m.o
//// LINK gcc -rdynamic -o b m.o
//// LINK gcc -o c m.o -Wl,--dynamic-list=list
//// LINK gcc -o d m.o -Wl,--export-dynamic-symbol=api_*
//// LINK gcc -o e m.o -Wl,--export-dynamic -Wl,--no-export-dynamic
//// RUN ./a; ./b; ./c; ./d; ./e
//// PRINTS 0 0 0
//// PRINTS 1 1 1
//// PRINTS 0 1 0
//// PRINTS 0 0 1
//// PRINTS 0 0 0
//// DIFFERS ld symbols: it exports _edata, __bss_start and _end, which no other linker does
//// FILE list
{ listed; };
//// FILE m.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int plain(void) { return 1; }
int listed(void) { return 2; }
int api_one = 3;
static int has(const char *name) { return dlsym(RTLD_DEFAULT, name) != 0; }
int main(void) { printf("%d %d %d\n", has("plain"), has("listed"), has("api_one")); return 0; }
