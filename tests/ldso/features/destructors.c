//// BUILD gcc -shared -fpic -o libdeep.so deep.c
//// BUILD gcc -shared -fpic -o liba.so a.c ./libdeep.so
//// BUILD gcc -shared -fpic -o libb.so b.c
//// BUILD gcc -o main main.c ./libb.so
//// RUN ./main
//// FILE deep.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("deep up"); }
__attribute__((destructor)) static void down(void) { puts("deep down"); }
int deep(void) { return 7; }
//// FILE a.c
#include <stdio.h>
int deep(void);
__attribute__((constructor)) static void up(int argc, char **argv) { printf("a up %d %s\n", argc, argv[0]); }
__attribute__((destructor)) static void down(void) { puts("a down"); }
int a(void) { return deep(); }
//// FILE b.c
#include <stdio.h>
__attribute__((constructor(201))) static void up2(void) { puts("b up 201"); }
__attribute__((constructor(101))) static void up1(void) { puts("b up 101"); }
__attribute__((destructor)) static void down(void) { puts("b down"); }
int b(void) { return 1; }
//// FILE main.c
// Constructors and destructors run in the order of dependencies, at dlopen and dlclose too.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int b(void);
static void at_exit(void) { puts("atexit"); }
static void early(void) { puts("preinit"); }
__attribute__((section(".preinit_array"), used)) static void (*preinit)(void) = early;
__attribute__((constructor)) static void up(void) { puts("main up"); }
__attribute__((destructor)) static void down(void) { puts("main down"); }
int main(void) {
    atexit(at_exit);
    void *handle = dlopen("./liba.so", RTLD_NOW);
    printf("%d %d\n", ((int (*)(void))dlsym(handle, "a"))(), b());
    dlclose(handle);
    puts("closed");
    handle = dlopen("./liba.so", RTLD_NOW);
    return 3;
}
