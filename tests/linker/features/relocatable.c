//// ABOUT -r: one object of several
//// BUILD gcc -c -O1 -ffunction-sections x.c y.c m.c
//// LINK ld -r -o all.o x.o y.o
//// LINK gcc -o m m.o all.o
//// RUN ./m
//// PRINTS 12 3
//// SHOW readelf -hW all.o | grep -E 'Type:|Entry'
//// SHOW nm all.o
//// COMPARE m
//// FILE x.c
int y(int);
static int scale = 3;
int x(int n) { return scale * y(n); }
//// FILE y.c
int shared_value = 3;
int y(int n) { return n + shared_value; }
//// FILE m.c
#include <stdio.h>
int x(int);
extern int shared_value;
int main(void) { printf("%d %d\n", x(1), shared_value); return 0; }
