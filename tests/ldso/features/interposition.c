//// BUILD gcc -shared -fpic -o liba.so a.c
//// BUILD gcc -shared -fpic -o libpre.so pre.c
//// BUILD gcc -o main main.c ./liba.so
//// RUN ./main
//// RUN LD_PRELOAD=./libpre.so ./main
//// RUN LD_PRELOAD=./libpre.so LD_BIND_NOW=1 ./main
//// RUN LD_PRELOAD=./missing.so:./libpre.so ./main
//// FILE a.c
int shared = 5;
const char *who(void) { return "liba"; }
const char *ask(void) { return who(); }
int *where(void) { return &shared; }
//// FILE pre.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
const char *who(void) { return "preloaded"; }
int puts(const char *text) {
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "puts");
    printf("<%s> ", text);
    fflush(stdout);
    return real(text);
}
void *malloc(size_t size) {
    static void *(*real)(size_t);
    if (!real) real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    if (size == 4321) fputs("malloc(4321)\n", stderr);
    return real(size);
}
//// FILE main.c
// The first definition in the global scope wins: program, preloads, libraries.
#include <stdio.h>
#include <stdlib.h>
const char *ask(void);
int *where(void);
extern int shared;
int main(void) {
    puts(ask());
    shared = 9;
    printf("%d %d\n", *where(), where() == &shared);
    free(malloc(4321));
    return 0;
}
