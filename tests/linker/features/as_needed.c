//// ABOUT --as-needed, also for weak references and libraries of libraries
//// BUILD gcc -c -O1 -fPIC a.c b.c w.c m.c
//// BUILD gcc -shared -o libb.so b.o -Wl,-soname,libb.so && gcc -shared -o liba.so a.o -Wl,-soname,liba.so
//// BUILD gcc -shared -o libw.so w.o -Wl,-soname,libw.so
//// LINK gcc -o m m.o -L. -Wl,--as-needed -lw -lb -la -lm -Wl,-rpath,.
//// LINK gcc -o n m.o -L. -Wl,--no-as-needed -lw -lb -Wl,--as-needed -la -Wl,-rpath,.
//// RUN ./m; ./n
//// PRINTS 1 weak none
//// PRINTS 1 weak 9
//// DIFFERS mold symbols: it makes a weak reference a strong one where a library defines it
//// FILE a.c
int a(void) { return 1; }
//// FILE b.c
int unused(void) { return 2; }
//// FILE w.c
int w(void) { return 9; }
//// FILE m.c
#include <stdio.h>
int a(void);
__attribute__((weak)) int w(void);
int main(void) {
    printf("%d weak ", a());
    if (w) printf("%d\n", w()); else puts("none");
    return 0;
}
