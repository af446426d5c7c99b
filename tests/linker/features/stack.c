//// ABOUT -z execstack, noexecstack, stack-size; .note.GNU-stack of inputs
//// BUILD gcc -c -O1 m.c && gcc -c n.s
//// LINK gcc -o a m.o
//// LINK gcc -o b m.o -Wl,-z,execstack
//// LINK gcc -o c m.o n.o
//// LINK gcc -o d m.o n.o -Wl,-z,noexecstack
//// LINK gcc -o e m.o -Wl,-z,stack-size=0x123000
//// SHOW for p in a b c d e; do readelf -lW $p | awk '/GNU_STACK/ {print $6, $7, $8}'; done
//// DIFFERS lld output segments: it takes no notice of .note.GNU-stack
//// DIFFERS mold output segments: it takes no notice of .note.GNU-stack
//// FILE n.s
.section .note.GNU-stack,"x",@progbits
//// FILE m.c
int main(void) { return 0; }
