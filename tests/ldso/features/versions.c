//// BUILD gcc -shared -fpic -Wl,--version-script,v1.map -Wl,-soname,libv.so -o libv.so v1.c
//// BUILD gcc -o old main.c -L. -lv -Wl,-rpath,$ORIGIN
//// BUILD gcc -shared -fpic -Wl,--version-script,v2.map -Wl,-soname,libv.so -o libv.so v2.c
//// BUILD gcc -o new main.c -L. -lv -Wl,-rpath,$ORIGIN
//// BUILD gcc -o dl dl.c
//// RUN ./old
//// RUN ./new
//// RUN ./dl
//// FILE v1.map
V1 { global: f; local: *; };
//// FILE v2.map
V1 { global: f; local: *; };
V2 { global: f; } V1;
//// FILE v1.c
int f(void) { return 1; }
//// FILE v2.c
__asm__(".symver f1, f@V1");
__asm__(".symver f2, f@@V2");
int f1(void) { return 1; }
int f2(void) { return 2; }
//// FILE main.c
// A program gets the version that it was linked with.
#include <stdio.h>
int f(void);
int main(void) { printf("%d\n", f()); return 0; }
//// FILE dl.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    void *handle = dlopen("./libv.so", RTLD_NOW);
    printf("default %d\n", ((int (*)(void))dlsym(handle, "f"))());
    printf("V1 %d\n", ((int (*)(void))dlvsym(handle, "f", "V1"))());
    printf("V2 %d\n", ((int (*)(void))dlvsym(handle, "f", "V2"))());
    void *missing = dlvsym(handle, "f", "V3");
    printf("%p %s\n", missing, dlerror());
    return 0;
}
