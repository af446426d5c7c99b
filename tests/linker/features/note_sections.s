//// ABOUT notes of inputs: kept, in PT_NOTE, also under --gc-sections
//// BUILD gcc -c n.s && gcc -c -O1 m.c
//// LINK gcc -o m m.o n.o -Wl,--gc-sections
//// RUN ./m
//// PRINTS 0
//// SHOW readelf -nW m | grep -A2 -c 'Mine'
//// PRINTS 1
//// SHOW readelf -lW m | grep -c NOTE
//// DIFFERS lld output: it puts all notes into one segment
//// DIFFERS mold output: it puts notes into segments by their names
//// FILE n.s
.section .note.mine,"a",@note
.align 4
.long 5, 4, 7
.string "Mine"
.align 4
.long 0x2a
.section .note.GNU-stack,"",@progbits
//// FILE m.c
#include <stdio.h>
int main(void) { puts("0"); return 0; }
