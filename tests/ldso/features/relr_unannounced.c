//// BUILD gcc -shared -fpic -Wl,-z,pack-relative-relocs -o libboth.so r.c
//// BUILD gcc -shared -fpic -Wl,-z,pack-relative-relocs -nostdlib -o libalone.so r.c
//// BUILD clang -fuse-ld=lld -shared -fpic -Wl,--pack-dyn-relocs=relr -o libunannounced.so r.c
//// BUILD clang -fuse-ld=lld -Wl,--pack-dyn-relocs=relr -pie -fpie -o unannounced dl.c
//// BUILD gcc -o dl dl.c
//// RUN ./dl ./libboth.so ./libalone.so ./libunannounced.so
//// RUN ./unannounced
//// FILE r.c
int a, b;
int *pointers[] = {&a, &b, &a};
int same(void) { return pointers[0] == pointers[2] && pointers[0] == &a; }
//// FILE dl.c
// glibc refuses packed relocations in a file that does not need GLIBC_ABI_DT_RELR of it.
#include <dlfcn.h>
#include <stdio.h>
int *table[] = {(int *)&table, (int *)&table};
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        void *handle = dlopen(argv[i], RTLD_NOW);
        printf("%s\n", handle ? ((int (*)(void))dlsym(handle, "same"))() ? "right" : "wrong" : dlerror());
    }
    return 0;
}
