//// ABOUT -z defs and --no-undefined for libraries, --allow-shlib-undefined for programs
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -shared -o again.so x.o -Wl,-z,defs -Wl,-z,undefs
//// FAILS gcc -shared -o bad.so x.o -Wl,--no-undefined
//// SAYS undefined symbol: nowhere
//// FAILS gcc -shared -o bad.so x.o -Wl,-z,defs
//// FAILS gcc -o bad m.o ./libx.so
//// SAYS undefined symbol: nowhere
//// LINK gcc -o m m.o ./libx.so -Wl,--allow-shlib-undefined -Wl,-rpath,.
//// RUN ./m
//// PRINTS lazy
//// LACKS mold: it allows libraries to need what nothing defines
//// FILE x.c
int nowhere(void);
int x(int n) { return n ? nowhere() : 0; }
//// FILE m.c
#include <stdio.h>
int x(int);
int main(void) { puts(x(0) ? "" : "lazy"); return 0; }
