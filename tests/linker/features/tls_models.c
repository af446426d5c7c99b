//// ABOUT TLS: all four models, relaxed for every kind of program
//// BUILD for m in global-dynamic local-dynamic initial-exec; do gcc -c -O1 -fPIC -ftls-model=$m -o $m.o m.c; done; gcc -c -O1 -fPIC x.c; gcc -c -O1 -fno-pie -ftls-model=local-exec -o le.o m.c
//// LINK gcc -pie -o a global-dynamic.o x.o
//// LINK gcc -no-pie -o b local-dynamic.o x.o
//// LINK gcc -static -o c global-dynamic.o x.o
//// LINK gcc -static-pie -o d local-dynamic.o x.o
//// LINK gcc -pie -o e initial-exec.o x.o
//// LINK gcc -no-pie -o f le.o x.o
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -pie -o g global-dynamic.o ./libx.so -Wl,-rpath,.
//// LINK gcc -no-pie -o h initial-exec.o ./libx.so -Wl,-rpath,.
//// RUN for p in a b c d e f g h; do ./$p; done
//// PRINTS 1 2 10 0 21
//// PRINTS 1 2 10 0 21
//// PRINTS 1 2 10 0 21
//// PRINTS 1 2 10 0 21
//// PRINTS 1 2 10 0 21
//// PRINTS 1 2 10 0 21
//// PRINTS 1 2 10 0 21
//// PRINTS 1 2 10 0 21
//// DIFFERS ld versions symbols: it imports __tls_get_addr though no code calls it any more
//// DIFFERS lld versions symbols: as ld
//// DIFFERS mold versions symbols dynamic: as ld, and it sets STATIC_TLS for programs
//// FILE x.c
__thread int outer = 10;
int bump(void) { return outer += 11; }
//// FILE m.c
#include <stdio.h>
static __thread int first = 1, second = 2;
static __thread int zero[20];
extern __thread int outer
#ifdef LOCAL
;
#else
;
#endif
int bump(void);
__attribute__((noinline)) static int get(void) { return outer; }
int main(void) {
    int before = get();
    printf("%d %d %d %d %d\n", first, second, before, zero[3], bump());
    return 0;
}
