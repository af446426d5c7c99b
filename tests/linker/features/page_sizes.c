//// ABOUT -z max-page-size and common-page-size
//// BUILD gcc -c -O1 m.c
//// LINK gcc -o a m.o -Wl,-z,max-page-size=0x10000
//// LINK gcc -o b m.o -Wl,-z,max-page-size=0x200000 -Wl,-z,common-page-size=0x1000
//// LINK gcc -no-pie -o c m.o -Wl,-z,max-page-size=65536
//// FAILS gcc -o d m.o -Wl,-z,max-page-size=0x1001
//// SAYS -z max-page-size=0x1001: use a power of two
//// RUN ./a; ./b; ./c
//// PRINTS 3
//// PRINTS 3
//// PRINTS 3
//// SHOW for p in a b c; do readelf -lW $p | awk '/LOAD/ {print $NF}' | sort -u; done
//// PRINTS 0x10000
//// PRINTS 0x200000
//// PRINTS 0x10000
//// FILE m.c
#include <stdio.h>
int three = 3;
int main(void) { printf("%d\n", three); return 0; }
