//// ABOUT TLS in a dlopen'd library, static TLS flag, common and aligned variables
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 -fPIC -ftls-model=initial-exec -o ie.o x.c && gcc -c -O1 m.c
//// LINK gcc -shared -o libx.so x.o
//// LINK gcc -shared -o libie.so ie.o
//// LINK gcc -o m m.o
//// RUN ./m ./libx.so; ./m ./libie.so
//// PRINTS 3 0 0
//// PRINTS 3 0 0
//// SHOW readelf -d libx.so libie.so | grep -c STATIC_TLS
//// PRINTS 1
//// FILE x.c
__thread int counter = 3;
static __thread int zero;
__thread char wide[100] __attribute__((aligned(64)));
int get_counter(void) { return counter; }
int get_zero(void) { return zero; }
int get_alignment(void) { return (unsigned long)wide % 64; }
//// FILE m.c
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    void *handle = dlopen(argv[argc - 1], RTLD_NOW);
    int (*get[3])(void) = {dlsym(handle, "get_counter"), dlsym(handle, "get_zero"), dlsym(handle, "get_alignment")};
    printf("%d %d %d\n", get[0](), get[1](), get[2]());
    return 0;
}
