//// ABOUT -rpath once and more, RUNPATH and RPATH, $ORIGIN, -R
//// BUILD mkdir -p d && gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c && gcc -shared -o d/libx.so x.o -Wl,-soname,libx.so
//// LINK gcc -o a m.o -Ld -lx -Wl,-rpath,/nowhere -Wl,-rpath=$ORIGIN/d -Wl,-rpath,/nowhere
//// LINK gcc -o b m.o -Ld -lx -Wl,-rpath,d -Wl,--disable-new-dtags
//// LINK gcc -o c m.o -Ld -lx -Wl,-R,d -Wl,--enable-new-dtags
//// RUN ./a; ./b; ./c
//// PRINTS 1
//// PRINTS 1
//// PRINTS 1
//// DIFFERS lld dynamic: it keeps a folder that is named twice
//// FILE x.c
int x(void) { return 1; }
//// FILE m.c
#include <stdio.h>
int x(void);
int main(void) { printf("%d\n", x()); return 0; }
