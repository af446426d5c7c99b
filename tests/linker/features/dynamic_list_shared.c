//// ABOUT --dynamic-list in a library: only what it lists may be interposed
//// BUILD gcc -c -O1 -fPIC x.c m.c
//// LINK gcc -shared -o libx.so x.o -Wl,--dynamic-list=list -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 10 2
//// DIFFERS mold output: its list only exports
//// FILE list
{ open; };
//// FILE x.c
int open(void) { return 1; }
int closed(void) { return 2; }
int get_open(void) { return open(); }
int get_closed(void) { return closed(); }
//// FILE m.c
#include <stdio.h>
int open(void) { return 10; }
int closed(void) { return 20; }
int get_open(void), get_closed(void);
int main(void) { printf("%d %d\n", get_open(), get_closed()); return 0; }
