//// ABOUT references into merged strings: by section and addend, into the middle, past the end
//// BUILD gcc -c m.s && gcc -c -O1 -fno-pie u.c
//// LINK gcc -no-pie -o m m.o u.o
//// RUN ./m
//// PRINTS abc bc same same def
//// FILE m.s
.section .rodata.str1.1,"aMS",@progbits,1
first: .string "abc"
second: .string "same"
third: .string "def"
.data
.globl table
table:
.quad .rodata.str1.1
.quad .rodata.str1.1 + 1
.quad second
.quad .rodata.str1.1 + 4
.quad third
.section .note.GNU-stack,"",@progbits
//// FILE u.c
#include <stdio.h>
extern const char *table[];
const char *own = "same";
int main(void) { for (int i = 0; i < 5; i++) printf("%s%c", table[i], i < 4 ? ' ' : '\n'); return 0; }
