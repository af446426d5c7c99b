//// ABOUT R_X86_64_SIZE32 and SIZE64
//// BUILD gcc -c m.s && gcc -c -O1 u.c
//// LINK gcc -o m u.o m.o
//// RUN ./m
//// PRINTS 28 30
//// FILE m.s
.data
.globl table, size32, size64
.type table, @object
.size table, 40
table: .skip 40
size32: .long table@SIZE
size64: .quad table@SIZE + 8
.section .note.GNU-stack,"",@progbits
//// FILE u.c
#include <stdio.h>
extern int size32;
extern long size64;
int main(void) { printf("%x %lx\n", size32, size64); return 0; }
