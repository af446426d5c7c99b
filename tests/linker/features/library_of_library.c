//// ABOUT a symbol of a library that is not on the command line itself
//// BUILD gcc -c -O1 -fPIC x.c y.c && gcc -c -O1 m.c n.c && gcc -shared -o libx.so x.o -Wl,-soname,libx.so && gcc -shared -o liby.so y.o ./libx.so -Wl,-soname,liby.so -Wl,-rpath,.
//// LINK gcc -o m m.o ./liby.so -Wl,-rpath,.
//// FAILS gcc -o n n.o ./liby.so
//// SAYS undefined symbol: x
//// RUN ./m
//// PRINTS 2
//// FILE x.c
int x(void) { return 1; }
//// FILE y.c
int x(void);
int y(void) { return x() + 1; }
//// FILE m.c
#include <stdio.h>
int y(void);
int main(void) { printf("%d\n", y()); return 0; }
//// FILE n.c
int x(void), y(void);
int main(void) { return x() + y(); }
