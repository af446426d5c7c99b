//// ABOUT --dynamic-linker, --no-dynamic-linker, -I of ld
//// BUILD gcc -c -O1 -fPIE m.c
//// LINK gcc -o a m.o -Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2
//// LINK gcc -o b m.o -Wl,--dynamic-linker,/no/such/ld.so
//// LINK ld -pie --no-dynamic-linker -o c m.o -e main --unresolved-symbols=ignore-all
//// LINK ld -pie -I/my/ld.so -o d m.o -e main --unresolved-symbols=ignore-all
//// RUN ./a; ./b 2>/dev/null
//// PRINTS 1
//// PRINTS status 127
//// LACKS lld: it has no -I
//// DIFFERS ld symbols: it imports nothing that it is told to ignore
//// DIFFERS mold symbols: it does not import what it is told to ignore
//// FILE m.c
#include <stdio.h>
int main(void) { printf("%d\n", 1); return 0; }
