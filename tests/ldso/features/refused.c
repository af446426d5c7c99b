//// BUILD gcc -shared -fpic -Wl,-z,nodlopen -o libno.so t.c
//// BUILD gcc -pie -fpie -o pie main.c
//// BUILD gcc -no-pie -o fixed main.c
//// BUILD gcc -shared -fpic -ftls-model=initial-exec -o libbig.so big.c
//// BUILD gcc -shared -fpic -o libneeds.so t.c -Wl,--no-as-needed ./libbig.so
//// BUILD gcc -shared -fpic -o libundef.so undef.c
//// BUILD gcc -shared -fpic -o libneedsundef.so t.c -Wl,--no-as-needed ./libundef.so
//// BUILD gcc -o main main.c
//// RUN ./main ./libno.so ./pie ./fixed ./libbig.so ./libneeds.so ./libundef.so ./libneedsundef.so
//// FILE t.c
__thread int t = 1;
int *get(void) { return &t; }
//// FILE big.c
__thread char big[1 << 16] = "x";
char *get_big(void) { return big; }
//// FILE undef.c
extern int not_there, nor_this;
int *where(void) { return &not_there + nor_this; }
int not_a_function(void);
int call_it(void) { return not_a_function(); }
//// FILE main.c
// What dlopen refuses, and why; afterwards nothing of it is left.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
static int count(struct dl_phdr_info *info, size_t size, void *data) { ++*(int *)data; return 0; }
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int before = 0, after = 0;
        dl_iterate_phdr(count, &before);
        void *handle = dlopen(argv[i], RTLD_LAZY);
        const char *error = dlerror();
        dl_iterate_phdr(count, &after);
        printf("%d %s, %d more\n", handle != NULL, error ? error : "no error", after - before);
        handle = dlopen(argv[i], RTLD_NOW);
        error = dlerror();
        printf("now %d %s\n", handle != NULL, error ? error : "no error");
    }
    return 0;
}
