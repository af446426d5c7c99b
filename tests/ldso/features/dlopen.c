//// BUILD gcc -shared -fpic -o liba.so a.c
//// BUILD gcc -o main main.c
//// RUN ./main
//// FILE a.c
int counter = 0;
int next(void) { return ++counter; }
//// FILE main.c
// dlopen counts references, dlsym and dlerror answer as dlopen(3) says.
#include <dlfcn.h>
#include <stdio.h>
static void show(void *result) { printf("%p %s\n", result, dlerror()); }
int main(void) {
    void *first = dlopen("./liba.so", RTLD_LAZY), *second = dlopen("./liba.so", RTLD_NOW);
    printf("same handle: %d\n", first == second);
    int (*next)(void) = (int (*)(void))dlsym(first, "next");
    printf("%d %d, error %s\n", next(), next(), dlerror() ? "yes" : "no");
    show(dlsym(first, "nosuch"));
    show(dlsym(RTLD_DEFAULT, "nosuch"));
    show(dlopen("./missing.so", RTLD_NOW));
    show(dlopen("./main.c", RTLD_NOW));
    show(dlopen("./liba.so", 0));
    printf("noload %d\n", dlopen("./liba.so", RTLD_NOLOAD | RTLD_NOW) == first);
    printf("close %d %d\n", dlclose(first), dlclose(first));
    printf("gone: %d\n", dlopen("./liba.so", RTLD_NOLOAD | RTLD_NOW) == NULL);
    first = dlopen("./liba.so", RTLD_LAZY);
    next = (int (*)(void))dlsym(first, "next");
    printf("fresh data: %d\n", next());
    printf("program: %d\n", dlsym(dlopen(NULL, RTLD_NOW), "printf") != NULL);
    return 0;
}
