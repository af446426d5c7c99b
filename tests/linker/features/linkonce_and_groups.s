//// ABOUT groups that are not COMDAT stay together, also under --gc-sections
//// BUILD gcc -c g.s && gcc -c -O1 m.c
//// LINK gcc -o m m.o g.o -Wl,--gc-sections
//// RUN ./m
//// PRINTS 7 1
//// FILE g.s
.section .text.f,"axG",@progbits,group_of_f
.globl f
f: movl $7, %eax
ret
.section table,"aG",@progbits,group_of_f
.long 1
.section .note.GNU-stack,"",@progbits
//// FILE m.c
#include <stdio.h>
int f(void);
extern int __start_table[], __stop_table[];
int main(void) { printf("%d %d\n", f(), (int)(__stop_table - __start_table)); return 0; }
