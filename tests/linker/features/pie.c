//// ABOUT position-independent program
//// BUILD gcc -c -O1 m.c
//// LINK gcc -pie -o m m.o
//// RUN ./m
//// PRINTS 3 7
//// FILE m.c
#include <stdio.h>
int x[2] = {1, 3}, y[2] = {2, 4};
int *const pointers[2] = {x, y};
int main(void) { printf("%d %d\n", pointers[0][0] + y[0], x[1] + pointers[1][1]); return 0; }
