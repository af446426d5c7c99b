//// ABOUT .note.gnu.property: IBT and SHSTK where all inputs have them, ISA needed by any
//// BUILD gcc -c -O1 -fcf-protection=full -o full.o m.c && gcc -c -O1 -fcf-protection=branch -o branch.o x.c && gcc -c -O1 -fcf-protection=none -o none.o x.c && gcc -c -O1 -fcf-protection=full -o x.o x.c
//// BUILD gcc -c -O1 -fcf-protection=full -mneeded -march=x86-64-v2 -o v2.o x.c && gcc -c isa.s
//// LINK ld -o a full.o x.o -e main
//// LINK ld -o b full.o branch.o -e main
//// LINK ld -o c full.o none.o -e main
//// LINK ld -o d full.o v2.o -e main
//// LINK ld -o e full.o none.o -e main -z ibt -z shstk
//// LINK ld -o f full.o x.o -e main -z x86-64-v3
//// SHOW for p in a b c d e f; do readelf -nW $p | grep -e 'x86'; done
//// DIFFERS lld output: it keeps no ISA, and its -z ibt wants another word
//// DIFFERS mold output segments: it keeps no ISA
//// FILE isa.s
.section .note.GNU-stack,"",@progbits
//// FILE x.c
int x(void) { return 1; }
//// FILE m.c
int x(void);
int main(void) { return x(); }
