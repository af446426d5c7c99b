//// BUILD gcc -shared -fpic -o libgd.so gd.c
//// BUILD gcc -shared -fpic -mtls-dialect=gnu2 -o libdesc.so desc.c
//// BUILD gcc -shared -fpic -ftls-model=initial-exec -o libie.so ie.c
//// BUILD gcc -shared -fpic -o liblate.so late.c
//// BUILD gcc -o main main.c ./libgd.so ./libdesc.so ./libie.so
//// RUN ./main
//// FILE gd.c
__thread int gd = 11;
static __thread char pad[100] = "local";
__thread long aligned __attribute__((aligned(64))) = 12;
int *get_gd(void) { return &gd; }
char *get_pad(void) { return pad; }
long *get_aligned(void) { return &aligned; }
//// FILE desc.c
__thread int desc = 21;
int *get_desc(void) { return &desc; }
//// FILE ie.c
__thread int ie = 31;
int *get_ie(void) { return &ie; }
//// FILE late.c
__thread int late = 41;
__thread char big[20000] = "big";
int *get_late(void) { return &late; }
char *get_big(void) { return big; }
//// FILE main.c
// Thread-local variables in every access model, and in a library that comes late.
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
extern __thread int gd, desc, ie;
static __thread int own = 1;
__thread int zero;
int *get_gd(void), *get_desc(void), *get_ie(void);
char *get_pad(void);
long *get_aligned(void);
int main(void) {
    printf("%d %d %d %d %d %s %ld\n", own, gd, desc, ie, zero, get_pad(), *get_aligned());
    printf("%d %d %d\n", get_gd() == &gd, get_desc() == &desc, get_ie() == &ie);
    printf("aligned %d\n", (int)((uintptr_t)get_aligned() % 64));
    void *handle = dlopen("./liblate.so", RTLD_NOW);
    if (!handle) { puts(dlerror()); return 1; }
    int *late = ((int *(*)(void))dlsym(handle, "get_late"))();
    printf("%d %d %s\n", *late, late == (int *)dlsym(handle, "late"), ((char *(*)(void))dlsym(handle, "get_big"))());
    errno = 0;
    fopen("/nonexistent", "r");
    printf("errno %d\n", errno == ENOENT);
    return 0;
}
