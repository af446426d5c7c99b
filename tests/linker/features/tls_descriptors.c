//// ABOUT TLS descriptors: in libraries, and relaxed in programs
//// BUILD gcc -c -O1 -fPIC -mtls-dialect=gnu2 x.c m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -o a m.o ./libx.so -Wl,-rpath,.
//// LINK gcc -o b m.o x.o
//// LINK gcc -static -o c m.o x.o
//// LINK gcc -no-pie -o d m.o x.o
//// RUN ./a; ./b; ./c; ./d
//// PRINTS 5 6 7
//// PRINTS 5 6 7
//// PRINTS 5 6 7
//// PRINTS 5 6 7
//// FILE x.c
__thread int exported = 5;
static __thread int local = 6;
int get_local(void) { return local; }
int get_exported(void) { return exported; }
//// FILE m.c
#include <stdio.h>
extern __thread int exported;
static __thread int own = 7;
int get_local(void), get_exported(void);
__attribute__((noinline)) int get(void) { return exported; }
int main(void) {
    printf("%d %d %d\n", get() + get_exported() - 5, get_local(), own);
    return 0;
}
