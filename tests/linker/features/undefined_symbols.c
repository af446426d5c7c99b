//// ABOUT undefined symbols: errors, and the options that make less of them
//// BUILD gcc -c -O1 -fPIE m.c && gcc -c -O1 -g -o g.o m.c
//// FAILS gcc -o m g.o
//// SAYS undefined symbol: nowhere
//// SAYS (main)
//// LINK gcc -o a m.o -Wl,--unresolved-symbols=ignore-all
//// LINK gcc -o b m.o -Wl,--warn-unresolved-symbols
//// RUN ./a; ./b
//// PRINTS lazy
//// PRINTS lazy
//// DIFFERS ld output symbols: 2.40 leaves a relocation of type 0, at which ld.so stops
//// DIFFERS mold symbols: it calls address 0 instead
//// FILE m.c
#include <stdio.h>
int nowhere(void);
int main(int argc, char **argv) { if (argc > 1) return nowhere(); puts("lazy"); return 0; }
