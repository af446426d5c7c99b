//// ABOUT -u takes a member; --require-defined asks for it
//// BUILD gcc -c -O1 a.c m.c && ar rcs libx.a a.o
//// LINK gcc -o m m.o -Wl,-u,marker -L. -lx
//// LINK gcc -o n m.o -Wl,--require-defined=marker -L. -lx
//// FAILS gcc -o f m.o -Wl,--require-defined=nothing -L. -lx
//// SAYS undefined symbol: nothing
//// RUN ./m; ./n
//// PRINTS registered
//// PRINTS main
//// PRINTS registered
//// PRINTS main
//// LACKS lld: it has no --require-defined
//// FILE a.c
#include <stdio.h>
int marker;
static __attribute__((constructor)) void enter(void) { puts("registered"); }
//// FILE m.c
#include <stdio.h>
int main(void) { puts("main"); return 0; }
