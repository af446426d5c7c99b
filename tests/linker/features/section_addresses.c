//// ABOUT -Ttext, -Tdata, -Tbss, --section-start put sections at exact addresses
//// BUILD gcc -c -O1 -fno-pie -fno-stack-protector m.c && gcc -c -O1 -fno-pie h.c
//// LINK ld -Ttext=0x500010 -o a m.o
//// LINK ld -Ttext 7c00 -o b m.o
//// LINK ld -Tdata=0x600000 -Tbss=0x700000 -o c m.o
//// LINK ld --section-start=.rodata=0x480000 -o d m.o
//// LINK ld -Ttext=0x500000 -Tdata=0x300000 -o e m.o
//// LINK gcc -no-pie -Wl,-Ttext=0x500000 -Wl,-Tdata=0x800000 -o f h.o
//// SHOW for f in a b c d e; do readelf -SW $f | sed 's/^ *\[ *[0-9]*\]//' | awk '$1 ~ /^.(text|data|bss)$/ {print $1, $3}' | sort; done
//// FAILS ld -Ttext=0x500000 -Tdata=0x500004 -o g m.o
//// SAYS section .data at 0x500004 overlaps section .text
//// FAILS ld --section-start=nonsense -o g m.o
//// RUN ./a; echo $?; ./b; echo $?; ./c; echo $?; ./d; echo $?; ./e; echo $?; ./f
//// PRINTS 6
//// PRINTS 6
//// PRINTS 6
//// PRINTS 6
//// PRINTS 6
//// PRINTS hello 6
//// DIFFERS lld output: it orders the sections anew
//// DIFFERS mold output segments: it orders the sections anew
//// FILE m.c
int data_word = 5, bss_word;
const char constant[] = "const";
void _start(void) {
    __asm__ volatile("syscall" : : "a"(60), "D"(data_word + bss_word + constant[0] - 'c' + 1));
}
//// FILE h.c
#include <stdio.h>
int word = 6;
int main(void) { printf("hello %d\n", word); return 0; }
