//// ABOUT sections of large alignment, in code, data, .bss and thread-local
//// BUILD gcc -c -O1 m.c
//// LINK gcc -pie -o a m.o
//// LINK gcc -no-pie -o b m.o
//// LINK gcc -static -o c m.o
//// COMPARE a b
//// RUN ./a; ./b; ./c
//// PRINTS 0 0 0
//// PRINTS 0 0 0
//// PRINTS 0 0 0
//// FILE m.c
#include <stdio.h>
int data[3] __attribute__((aligned(8192))) = {1};
int bss[3] __attribute__((aligned(16384)));
const int constant[3] __attribute__((aligned(4096))) = {1, 2};
int main(void) {
    int *volatile p[3] = {data, bss, (int *)constant};
    printf("%d %d %d\n", (int)((long)p[0] % 4096), (int)((long)p[1] % 4096), (int)((long)p[2] % 4096));
    return 0;
}
