//// ABOUT --cref: the files that define and use each symbol
//// BUILD gcc -c -O1 x.c m.c && ar rcs libx.a x.o
//// LINK gcc -o m m.o -L. -lx -Wl,-Map=map,--cref
//// SHOW sed -n '/^Cross Reference Table/,$p' map | grep -A1 -e ^Symbol -e '^get ' -e '^main ' -e '^value ' | sed 's/libx.a(x.o)/x/; s/  */ /' | grep -v -e crt1 -e Scrt1 -e ^-- -e ^GLIBC
//// PRINTS Symbol File
//// PRINTS get ./x
//// PRINTS  m.o
//// PRINTS main m.o
//// PRINTS value ./x
//// PRINTS  m.o
//// DIFFERS lld output: it does not sort by name
//// LACKS mold: it has no --cref
//// FILE x.c
int value = 3;
int get(void) { return value; }
//// FILE m.c
#include <stdio.h>
int get(void);
extern int value;
int main(void) { return get() - value; }
