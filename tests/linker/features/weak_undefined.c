//// ABOUT weak references that nothing defines are null in every kind of program
//// BUILD gcc -c -O1 -fPIE -o pie.o m.c && gcc -c -O1 -fno-pie -o fixed.o m.c && gcc -c -O1 -fPIC -o pic.o m.c
//// LINK gcc -pie -o a pie.o
//// LINK gcc -no-pie -o b fixed.o
//// LINK gcc -static -o c fixed.o
//// LINK gcc -static-pie -o d pie.o
//// LINK gcc -no-pie -o e pic.o
//// RUN ./a; ./b; ./c; ./d; ./e
//// PRINTS 0 0 1
//// PRINTS 0 0 1
//// PRINTS 0 0 1
//// PRINTS 0 0 1
//// PRINTS 0 0 1
//// FILE m.c
#include <stdio.h>
__attribute__((weak)) extern int nowhere;
__attribute__((weak)) void nothing(void);
__attribute__((weak)) extern int hidden __attribute__((visibility("hidden")));
int *volatile pointer = &nowhere;
int main(void) { printf("%d %d %d\n", pointer != 0, nothing != 0, &hidden == 0); return 0; }
