//// ABOUT -z notext lets the dynamic linker write into code
//// BUILD gcc -c -O1 -fno-pic -mcmodel=large x.c && gcc -c -O1 m.c
//// FAILS gcc -shared -o libx.so x.o -Wl,-z,text
//// SAYS is in read-only memory; recompile with -fPIC
//// LINK gcc -shared -o libx.so x.o -Wl,-z,notext -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 9
//// FILE x.c
int value = 9;
int get(void) { return value; }
//// FILE m.c
#include <stdio.h>
int get(void);
int main(void) { printf("%d\n", get()); return 0; }
