//// ABOUT duplicate symbols: both places; --allow-multiple-definition, -z muldefs
//// BUILD gcc -c -O1 a.c b.c m.c
//// FAILS gcc -o m m.o a.o b.o
//// SAYS duplicate symbol: value
//// LINK gcc -o m m.o a.o b.o -Wl,--allow-multiple-definition
//// LINK gcc -o n m.o b.o a.o -Wl,-z,muldefs
//// RUN ./m; ./n
//// PRINTS 1
//// PRINTS 2
//// FILE a.c
int value = 1;
//// FILE b.c
int value = 2;
//// FILE m.c
#include <stdio.h>
extern int value;
int main(void) { printf("%d\n", value); return 0; }
