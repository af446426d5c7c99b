//// ABOUT -z pack-relative-relocs: DT_RELR and the version that asks ld.so for it
//// BUILD gcc -c -O1 -fPIC m.c
//// LINK gcc -o m m.o -Wl,-z,pack-relative-relocs
//// LINK gcc -o n m.o -Wl,-z,pack-relative-relocs -Wl,-z,nopack-relative-relocs
//// RUN ./m; ./n
//// PRINTS 40
//// PRINTS 40
//// SHOW for p in m n; do readelf -dW $p | grep -c RELR; done
//// SHOW readelf -VW m | grep -c GLIBC_ABI_DT_RELR
//// LACKS lld: it has --pack-dyn-relocs
//// LACKS mold: it has --pack-dyn-relocs
//// FILE m.c
#include <stdio.h>
static int numbers[40];
static int *pointers[40] = {
#define P(n) &numbers[n], &numbers[n + 1], &numbers[n + 2], &numbers[n + 3]
    P(0), P(4), P(8), P(12), P(16), P(20), P(24), P(28), P(32), P(36)
};
int main(void) {
    int count = 0;
    for (int i = 0; i < 40; i++) count += pointers[i] == &numbers[i];
    printf("%d\n", count);
    return 0;
}
