//// BUILD musl-gcc -shared -fpic -o liba.so a.c
//// BUILD musl-gcc -shared -fpic -o libb.so b.c
//// BUILD musl-gcc -o main main.c ./libb.so
//// RUN FOO=bar ./main one
//// FILE a.c
#include <stdio.h>
__thread int late = 41;
__attribute__((constructor)) static void up(void) { puts("a up"); }
__attribute__((destructor)) static void down(void) { puts("a down"); }
int get_late(void) { return ++late; }
//// FILE b.c
#include <stdio.h>
__thread int b_tls = 7;
__attribute__((constructor)) static void up(void) { puts("b up"); }
__attribute__((destructor)) static void down(void) { puts("b down"); }
int *get_b(void) { return &b_tls; }
//// FILE main.c
// musl: its libc.so is its own dynamic linker's file; TLS, constructors, dlopen and exit work.
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
extern __thread int b_tls;
static __thread int own = 5;
int *get_b(void);
static void bye(void) { puts("atexit"); }
__attribute__((constructor)) static void up(void) { puts("main up"); }
__attribute__((destructor)) static void down(void) { puts("main down"); }
int main(int argc, char **argv) {
    atexit(bye);
    printf("%d %s %s\n", argc, argv[1], getenv("FOO"));
    printf("%d %d %d\n", own, b_tls, get_b() == &b_tls);
    void *handle = dlopen("./liba.so", RTLD_NOW);
    if (!handle) { puts(dlerror()); return 1; }
    printf("%d\n", ((int (*)(void))dlsym(handle, "get_late"))());
    printf("%s\n", fopen("/nonexistent", "r") ? "?" : strerror(errno));
    char *text = malloc(100000);
    memset(text, 'x', 99999);
    text[99999] = 0;
    printf("%zu %s\n", strlen(text), setlocale(LC_ALL, "C"));
    return 9;
}
