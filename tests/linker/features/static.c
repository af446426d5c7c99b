//// ABOUT static program
//// BUILD gcc -c -O1 m.c
//// LINK gcc -static -o m m.o
//// RUN ./m
//// PRINTS static 8
//// FILE m.c
#include <stdio.h>
#include <string.h>
static __thread int depth = 2;
int main(void) { depth += strlen("static"); printf("static %d\n", depth); return 0; }
