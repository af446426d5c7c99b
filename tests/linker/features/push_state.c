//// ABOUT --push-state and --pop-state
//// BUILD gcc -c -O1 -fPIC a.c m.c && gcc -shared -o liba.so a.o -Wl,-soname,liba.so && ar rcs liba.a a.o
//// LINK gcc -o m m.o -L. -Wl,--no-as-needed -Wl,--push-state,--as-needed,-Bstatic -Wl,--pop-state -la -Wl,-rpath,.
//// LINK gcc -o n m.o -L. -Wl,--push-state -Wl,--whole-archive -Wl,-Bstatic -la -Wl,--pop-state
//// FAILS gcc -o f m.o -L. -Wl,--pop-state
//// SAYS --pop-state without --push-state
//// RUN ./m; ./n
//// PRINTS 0
//// PRINTS 0
//// LACKS mold: it takes --pop-state alone
//// FILE a.c
int a(void) { return 1; }
//// FILE m.c
#include <stdio.h>
int main(void) { puts("0"); return 0; }
