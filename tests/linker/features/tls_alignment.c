//// ABOUT the TLS segment: alignment, .tbss behind .tdata, offsets from the thread pointer
//// BUILD gcc -c -O1 -fno-pie -fno-toplevel-reorder a.c b.c m.c
//// LINK gcc -no-pie -o m m.o a.o b.o
//// LINK gcc -static -o s m.o a.o b.o
//// COMPARE m
//// RUN ./m; ./s
//// PRINTS 0 0 1 2 0
//// PRINTS 0 0 1 2 0
//// FILE a.c
__thread char wide[3] __attribute__((aligned(256))) = {1};
__thread char narrow = 2;
//// FILE b.c
__thread char zero[7] __attribute__((aligned(128)));
//// FILE m.c
#include <stdio.h>
extern __thread char wide[3], narrow, zero[7];
int main(void) {
    printf("%d %d %d %d %d\n", (int)((unsigned long)wide % 256), (int)((unsigned long)zero % 128),
           wide[0], narrow, zero[6]);
    return 0;
}
