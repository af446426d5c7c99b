//// ABOUT -Bsymbolic and -Bsymbolic-functions bind a library to itself
//// BUILD gcc -c -O1 -fPIC x.c m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -o a m.o ./libx.so -Wl,-rpath,.
//// RUN ./a
//// PRINTS 10 20
//// LINK gcc -shared -o libx.so x.o -Wl,-Bsymbolic -Wl,-soname,libx.so
//// RUN ./a; readelf -d libx.so | grep -o 'SYMBOLIC' | sort -u
//// PRINTS 1 2
//// PRINTS SYMBOLIC
//// LINK gcc -shared -o libx.so x.o -Wl,-Bsymbolic-functions -Wl,-soname,libx.so
//// RUN ./a
//// PRINTS 1 20
//// DIFFERS mold output: it sets no DT_SYMBOLIC
//// FILE x.c
int f(void) { return 1; }
int v = 2;
int get_f(void) { return f(); }
int get_v(void) { return v; }
//// FILE m.c
#include <stdio.h>
int f(void) { return 10; }
int v = 20;
int get_f(void), get_v(void);
int main(void) { printf("%d %d\n", get_f(), get_v()); return 0; }
