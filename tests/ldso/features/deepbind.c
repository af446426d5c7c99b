//// BUILD gcc -shared -fpic -o libd.so d.c
//// BUILD gcc -rdynamic -o main main.c
//// RUN ./main
//// RUN ./main deep
//// FILE d.c
const char *who(void) { return "library"; }
const char *ask(void) { return who(); }
//// FILE main.c
// RTLD_DEEPBIND lets a library's own definitions go before the program's.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
const char *who(void) { return "program"; }
int main(int argc, char **argv) {
    void *handle = dlopen("./libd.so", RTLD_NOW | (argc > 1 ? RTLD_DEEPBIND : 0));
    puts(((const char *(*)(void))dlsym(handle, "ask"))());
    return 0;
}
