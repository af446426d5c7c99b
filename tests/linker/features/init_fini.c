//// ABOUT -init and -fini
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 m.c
//// LINK gcc -shared -o libx.so x.o -Wl,-init,begin -Wl,-fini=finish -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS begin
//// PRINTS main
//// PRINTS end
//// FILE x.c
#include <stdio.h>
void begin(void) { puts("begin"); }
void finish(void) { puts("end"); }
int x(void) { return 0; }
//// FILE m.c
#include <stdio.h>
int x(void);
int main(void) { puts("main"); return x(); }
