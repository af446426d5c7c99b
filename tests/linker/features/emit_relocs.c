//// ABOUT --emit-relocs keeps the relocations of the inputs
//// BUILD gcc -c -O1 -fPIE x.c m.c && gcc -c -O1 -g -o g.o x.c
//// LINK gcc -o m m.o x.o -Wl,--emit-relocs
//// LINK gcc -o n m.o g.o -Wl,-q
//// RUN ./m; ./n
//// PRINTS 5 7
//// PRINTS 5 7
//// SHOW readelf -rW m | awk '/\.rela\.(text|data)/ {on=1} /^$/ {on=0} on && /R_X86/ {print $3, $5}' | grep -v -e '\.bss' -e '\.tm_clone' -e __TMC | sed s/.LC0/.rodata/
//// SHOW readelf -SW n | grep -c -e '\.rela\.debug_info' -e '\.rela\.text'
//// PRINTS 2
//// DIFFERS lld output: it names no versions, and keeps types that it has relaxed
//// DIFFERS mold output: it names no versions, and keeps types that it has relaxed
//// FILE x.c
static int local = 5;
int global = 7;
int *pointer = &local;
int get(void) { return local++; }
//// FILE m.c
#include <stdio.h>
int get(void);
extern int global;
int main(void) { printf("%d %d\n", get(), global); return 0; }
