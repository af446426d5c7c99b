//// ABOUT linker scripts with OUTPUT_FORMAT, GROUP, AS_NEEDED, INPUT, SEARCH_DIR
//// BUILD gcc -c -O1 -fPIC a.c b.c m.c && ar rcs d/liba.a a.o
//// BUILD gcc -shared -o d/libb.so b.o -Wl,-soname,libb.so && gcc -shared -o d/libc2.so b.o -Wl,-soname,libc2.so
//// BUILD rm b.o
//// LINK gcc -o m m.o -Ld -lscript -Wl,-rpath,d
//// LINK gcc -o n m.o d/input.ld -Ld -Wl,-rpath,d
//// RUN ./m; ./n
//// PRINTS 3
//// PRINTS 3
//// FILE d/libscript.so
/* GNU ld script
   of the libc.so kind */
OUTPUT_FORMAT(elf64-x86-64)
GROUP ( liba.a AS_NEEDED ( libb.so ) AS_NEEDED(-lc2) )
//// FILE d/input.ld
INPUT(-la libb.so)
//// FILE a.c
int b(void);
int a(void) { return b() + 1; }
//// FILE b.c
int b(void) { return 2; }
//// FILE m.c
#include <stdio.h>
int a(void);
int main(void) { printf("%d\n", a()); return 0; }
