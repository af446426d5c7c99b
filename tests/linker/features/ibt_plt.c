//// ABOUT -z ibtplt, and the PLT of programs whose inputs are all marked for IBT
//// BUILD gcc -c -O1 -fcf-protection=full -fno-pie m.c && gcc -c -O1 -fcf-protection=full -fPIC x.c
//// LINK gcc -shared -o libx.so x.o -Wl,-z,ibtplt -Wl,-soname,libx.so
//// LINK gcc -no-pie -o m m.o ./libx.so -Wl,-z,ibtplt -Wl,-rpath,.
//// RUN ./m
//// PRINTS 3 1
//// SHOW readelf -SW m libx.so | grep -c plt.sec
//// PRINTS 1
//// DIFFERS mold output: its .plt has another form
//// DIFFERS lld output: its .plt.sec goes by another flag
//// FILE x.c
#include <stdlib.h>
int x(int n) { return abs(n); }
int is_same(int (*other)(int)) { return other == x; }
//// FILE m.c
#include <stdio.h>
int x(int), is_same(int (*)(int));
int main(void) { printf("%d %d\n", x(-3), is_same(x)); return 0; }
