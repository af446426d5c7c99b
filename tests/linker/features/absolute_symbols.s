//// ABOUT absolute symbols in programs and libraries: never relocated by the load base
//// BUILD gcc -c -fPIC x.s && gcc -c -O1 -fPIE m.c && gcc -c -O1 -fno-pie -o n.o m.c && gcc -c -O1 -fPIC u.c
//// LINK gcc -pie -o a m.o u.o x.o
//// LINK gcc -no-pie -o b n.o u.o x.o
//// LINK gcc -static-pie -o c m.o u.o x.o
//// RUN ./a; ./b; ./c
//// PRINTS 1234 1234 1234
//// PRINTS 1234 1234 1234
//// PRINTS 1234 1234 1234
//// COMPARE a b
//// FILE x.s
.globl absolute
absolute = 0x1234
.data
.globl word
word: .quad absolute
.section .note.GNU-stack,"",@progbits
//// FILE u.c
extern char absolute[];
long get(void) { return (long)absolute; }
//// FILE m.c
#include <stdio.h>
extern long word;
long get(void);
extern char absolute[];
char *volatile pointer = absolute;
int main(void) { printf("%lx %lx %lx\n", word, get(), (long)pointer); return 0; }
