//// BUILD gcc -shared -fpic -Wl,-z,lazy -o libl.so l.c
//// BUILD gcc -shared -fpic -o libfull.so full.c
//// BUILD gcc -Wl,-z,lazy -Wl,--unresolved-symbols=ignore-in-shared-libs -o main main.c ./libl.so
//// BUILD gcc -Wl,-z,lazy -o prog prog.c ./libfull.so
//// BUILD gcc -shared -fpic -o libfull.so l.c
//// RUN ./main 1
//// RUN ./main 2
//// RUN ./main 3
//// RUN LD_BIND_NOW=1 ./main 1
//// RUN ./prog
//// RUN ./prog call
//// RUN LD_BIND_NOW=1 ./prog
//// FILE l.c
int absent(int);
int lazily(int x) { return x ? absent(x) : 0; }
//// FILE full.c
int absent(int x) { return x; }
//// FILE main.c
// An undefined function ends the program when it is called, and dlopen when all is bound at once.
#include <dlfcn.h>
#include <stdio.h>
int lazily(int);
int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("%d\n", lazily(0));
    if (argv[1][0] == '2') lazily(1);
    if (argv[1][0] == '3') {
        void *handle = dlopen("./libfull.so", RTLD_NOW);
        printf("%d %s\n", handle != NULL, dlerror());
        handle = dlopen("./libfull.so", RTLD_LAZY);
        printf("%d\n", handle != NULL);
        ((int (*)(int))dlsym(handle, "lazily"))(1);
    }
    return 0;
}
//// FILE prog.c
#include <stdio.h>
int absent(int);
int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    puts("started");
    if (argc > 1) printf("%d\n", absent(1));
    return 0;
}
