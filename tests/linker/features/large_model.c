//// ABOUT the large code model: GOTOFF64, GOTPC64, PLTOFF64, GOT64
//// BUILD gcc -c -O1 -fPIC -mcmodel=large x.c && gcc -c -O1 -fno-pie -mcmodel=large m.c && gcc -c -O1 -fPIE -mcmodel=large -o p.o m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -no-pie -o m m.o ./libx.so -Wl,-rpath,.
//// LINK gcc -pie -o p p.o ./libx.so -Wl,-rpath,.
//// RUN ./m; ./p
//// PRINTS 3 4 5
//// PRINTS 3 4 5
//// FILE x.c
#include <stdlib.h>
static int local = 3;
int global = 4;
int get(void) { return abs(-local); }
//// FILE m.c
#include <stdio.h>
int get(void);
extern int global;
static int here = 5;
int main(void) { printf("%d %d %d\n", get(), global, here); return 0; }
