//// ABOUT -s, -S, -x, -X: what of .symtab and debugging stays
//// BUILD gcc -c -O0 -g m.c && gcc -c l.s
//// LINK gcc -o a m.o l.o -s
//// LINK gcc -o b m.o l.o -Wl,-S
//// LINK gcc -o c m.o l.o -Wl,-x
//// LINK gcc -o d m.o l.o -Wl,-X
//// LINK gcc -o e m.o l.o -Wl,--strip-all
//// RUN for p in a b c d e; do ./$p; done
//// PRINTS 1
//// PRINTS 1
//// PRINTS 1
//// PRINTS 1
//// PRINTS 1
//// SHOW for p in a b c d e; do readelf -SW $p | grep -c -e '\.debug_info' -e '\.symtab'; nm $p 2>/dev/null | grep -o -e ' local' -e ' global' -e '\.Lmark' | sort; done
//// DIFFERS mold output: its -S drops .symtab, too
//// FILE l.s
.text
.Lmark: ret
.globl other
other: jmp .Lmark
.section .note.GNU-stack,"",@progbits
//// FILE m.c
#include <stdio.h>
static int local(void) { return 1; }
int global(void) { return local(); }
int main(void) { printf("%d\n", global()); return 0; }
