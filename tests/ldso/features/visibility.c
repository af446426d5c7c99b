//// BUILD gcc -shared -fpic -Wl,-z,nodelete -o libkeep.so keep.c
//// BUILD gcc -shared -fpic -Wl,-z,initfirst -o libfirst.so first.c
//// BUILD gcc -shared -fpic -o libother.so other.c ./libfirst.so
//// BUILD gcc -rdynamic -o main main.c ./libother.so ./libfirst.so
//// RUN ./main
//// FILE keep.c
#include <stdio.h>
static int calls;
int keep(void) { return ++calls; }
__attribute__((destructor)) static void down(void) { puts("keep down"); }
//// FILE first.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("first up"); }
__attribute__((visibility("protected"))) const char *who(void) { return "library"; }
const char *ask(void) { return who(); }
//// FILE other.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("other up"); }
//// FILE main.c
// Protected symbols, DF_1_INITFIRST, DF_1_NODELETE, RTLD_NODELETE and weak references.
#include <dlfcn.h>
#include <stdio.h>
const char *ask(void);
const char *who(void) { return "program"; }
extern int nobody(void) __attribute__((weak));
extern int nothing __attribute__((weak));
int main(void) {
    printf("%s %s\n", ask(), who());
    printf("%d %d\n", nobody == NULL, &nothing == NULL);
    void *handle = dlopen("./libkeep.so", RTLD_NOW);
    int (*keep)(void) = (int (*)(void))dlsym(handle, "keep");
    keep();
    dlclose(handle);
    printf("kept: %d\n", keep());
    return 0;
}
