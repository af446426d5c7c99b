//// BUILD gcc -shared -fpic -fuse-ld=lld -Wl,--pack-dyn-relocs=relr -o librelr.so r.c
//// BUILD gcc -fuse-ld=lld -Wl,--hash-style=sysv -o main main.c ./librelr.so
//// RUN ./main
//// FILE r.c
static int values[100];
int *table[100] = {values, values + 1, values + 2, [50] = values + 50, [99] = values + 99};
int difference(int a, int b) { return (int)(table[b] - table[a]); }
//// FILE main.c
// Packed relative relocations (DT_RELR) and the SysV hash table.
#include <stdio.h>
int difference(int, int);
int main(void) { printf("%d %d\n", difference(0, 99), difference(1, 50)); return 0; }
