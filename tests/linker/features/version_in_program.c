//// ABOUT a version script of a program, and versions of symbols that it exports
//// BUILD gcc -c -O1 -fPIE m.c
//// LINK gcc -rdynamic -o m m.o -Wl,--version-script=m.map
//// LINK gcc -o n m.o -Wl,--version-script=m.map
//// RUN ./m
//// PRINTS 1 0
//// DIFFERS mold symbols versions: a version script of it exports from a program
//// FILE m.map
PROGRAM_1 { global: plugin_*; local: *; };
//// FILE m.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int plugin_call(void) { return 1; }
int inner(void) { return 2; }
static int has(const char *name) { return dlsym(RTLD_DEFAULT, name) != 0; }
int main(void) { printf("%d %d\n", has("plugin_call"), has("inner")); return 0; }
