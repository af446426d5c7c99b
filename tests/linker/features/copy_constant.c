//// ABOUT a copy of a constant lies in RELRO memory
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 -fno-pie m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -no-pie -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m 2>/dev/null
//// PRINTS 5
//// PRINTS status 139
//// FILE x.c
const int constant = 5;
//// FILE m.c
#include <stdio.h>
extern const int constant;
int main(void) { printf("%d\n", constant); fflush(stdout); *(int *)&constant = 6; return 0; }
