//// ABOUT --hash-style gnu, sysv, both: the tables find every name
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c
//// LINK gcc -shared -o gnu.so x.o -Wl,--hash-style=gnu
//// LINK gcc -shared -o sysv.so x.o -Wl,--hash-style=sysv
//// LINK gcc -shared -o both.so x.o -Wl,--hash-style=both
//// LINK gcc -o m m.o
//// FAILS gcc -shared -o bad.so x.o -Wl,--hash-style=md5
//// RUN ./m ./gnu.so; ./m ./sysv.so; ./m ./both.so
//// PRINTS 1 2 3 1
//// PRINTS 1 2 3 1
//// PRINTS 1 2 3 1
//// FILE x.c
int one(void) { return 1; }
int two(void) { return 2; }
int three = 3;
int four(void) { return one() + two() + three; }
//// FILE m.c
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    void *handle = dlopen(argv[argc - 1], RTLD_NOW);
    int (*one)(void) = dlsym(handle, "one"), (*two)(void) = dlsym(handle, "two");
    printf("%d %d %d %d\n", one(), two(), *(int *)dlsym(handle, "three"), !dlsym(handle, "five"));
    return 0;
}
