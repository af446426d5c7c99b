//// ABOUT more sections than 16 bits number (SHN_XINDEX)
//// BUILD awk 'BEGIN { for (i = 0; i < 70000; i++) printf ".section .data.s%d,\"aw\"\n.globl v%d\nv%d: .long %d\n", i, i, i, i; print ".section .note.GNU-stack,\"\",@progbits" }' > many.s && as -o many.o many.s && gcc -c -O1 m.c
//// LINK gcc -o m m.o many.o
//// RUN ./m
//// PRINTS 1 69999
//// FILE m.c
#include <stdio.h>
extern int v1, v69999;
int main(void) { printf("%d %d\n", v1, v69999); return 0; }
