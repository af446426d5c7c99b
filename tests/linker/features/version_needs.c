//// ABOUT needs of versions: weak ones, several files, a default that changes
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c
//// LINK gcc -shared -o libx.so x.o -Wl,--version-script,x.map -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -lm -Wl,-rpath,.
//// RUN ./m
//// PRINTS 1 2 2.00
//// DIFFERS lld versions: it writes no inheritance of versions
//// DIFFERS mold versions symbols: as lld, and a weak need becomes a strong one
//// FILE x.map
OLD { global: a; local: *; };
NEW { global: b; } OLD;
//// FILE x.c
int a(void) { return 1; }
int b(void) { return 2; }
//// FILE m.c
#include <math.h>
#include <stdio.h>
int a(void);
__attribute__((weak)) int b(void);
int main(int argc, char **argv) { printf("%d %d %.2f\n", a(), b ? b() : 0, sqrt(argc + 3.0)); return 0; }
