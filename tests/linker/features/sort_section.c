//// ABOUT --sort-section by name and by alignment
//// BUILD gcc -c -O1 -fno-toplevel-reorder m.c
//// LINK gcc -o a m.o
//// LINK gcc -o b m.o -Wl,--sort-section=name
//// LINK gcc -o c m.o -Wl,--sort-section=alignment
//// RUN for p in a b c; do ./$p; nm -n $p | grep -e ' [dD] [xyz]$' | cut -d' ' -f3; done
//// PRINTS 6
//// PRINTS x
//// PRINTS y
//// PRINTS z
//// PRINTS 6
//// PRINTS z
//// PRINTS y
//// PRINTS x
//// PRINTS 6
//// PRINTS y
//// PRINTS x
//// PRINTS z
//// DIFFERS lld output: without a script it takes no notice of the option
//// LACKS mold: it has no --sort-section
//// FILE m.c
#include <stdio.h>
__attribute__((section(".data.c"), aligned(16))) int x = 3;
__attribute__((section(".data.b"), aligned(64))) int y = 2;
__attribute__((section(".data.a"), aligned(4))) int z = 1;
int main(void) { printf("%d\n", x + y + z); return 0; }
