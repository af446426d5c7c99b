//// ABOUT R_X86_64_8, 16, 32, 32S, 64 and PC8, PC16, PC32, PC64
//// BUILD gcc -c m.s && gcc -c n.s && gcc -c -O1 -fno-pie u.c
//// LINK gcc -no-pie -o m u.o m.o n.o
//// RUN ./m
//// PRINTS 12 1234 12345678 ffffffffffffff80 123456789abcdef0 1 1 1 1
//// FILE m.s
.data
.globl small, medium, large, negative, huge, p8, p16, p32, p64
small: .byte abs8
medium: .short abs16
large: .long abs32
negative: movq $absneg, 0
huge: .quad abs64
p8: .byte target - .
p16: .short target - .
p32: .long target - .
p64: .quad target - .
.section .note.GNU-stack,"",@progbits
//// FILE n.s
.globl abs8, abs16, abs32, abs64, absneg, target
abs8 = 0x12
abs16 = 0x1234
abs32 = 0x12345678
abs64 = 0x123456789abcdef0
absneg = -128
.data
target: .long 1
.section .note.GNU-stack,"",@progbits
//// FILE u.c
#include <stdio.h>
extern unsigned char small;
extern unsigned short medium;
extern unsigned int large;
extern unsigned char negative[];
extern unsigned long huge;
extern signed char p8;
extern short p16;
extern int p32;
extern long p64;
extern int target;
static int hits(void *place, long distance) { return (char *)place + distance == (char *)&target; }
int main(void) {
    long sign = *(int *)(negative + 8);
    printf("%x %x %x %lx %lx ", small, medium, large, sign, huge);
    printf("%d %d %d %d\n", hits(&p8, p8), hits(&p16, p16), hits(&p32, p32), hits(&p64, p64));
    return 0;
}
