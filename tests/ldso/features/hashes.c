//// BUILD gcc -shared -fpic -Wl,--hash-style=sysv -o libsysv.so s.c
//// BUILD gcc -shared -fpic -Wl,--hash-style=gnu -o libgnu.so g.c
//// BUILD gcc -shared -fpic -Wl,--hash-style=both -o libboth.so b.c
//// BUILD gcc -Wl,--hash-style=sysv -rdynamic -o main main.c ./libsysv.so ./libgnu.so ./libboth.so
//// RUN ./main
//// FILE s.c
int program(void);
int sysv(void) { return 1 + program(); }
//// FILE g.c
int program(void), missing(void) __attribute__((weak));
int gnu(void) { return 2 + program() + (missing ? 100 : 0); }
//// FILE b.c
int program(void);
int both(void) { return 3 + program(); }
//// FILE main.c
// Symbols are found through every kind of hash table, and not found where they are not.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int sysv(void), gnu(void), both(void);
int program(void) { return 10; }
int main(void) {
    printf("%d %d %d\n", sysv(), gnu(), both());
    for (int i = 0; i < 3; i++) {
        void *handle = dlopen((const char *[]){"./libsysv.so", "./libgnu.so", "./libboth.so"}[i], RTLD_NOW);
        printf("%d %d %d\n", dlsym(handle, "sysv") != 0, dlsym(handle, "gnu") != 0, dlsym(handle, "both") != 0);
        printf("%d", dlsym(handle, "absent") != 0);
        printf(" %s\n", dlerror());
    }
    Dl_info info;
    puts(dladdr((void *)program, &info) ? info.dli_sname : "?");
    puts(dladdr(dlsym(RTLD_DEFAULT, "sysv"), &info) ? info.dli_sname : "?");
    return 0;
}
