//// ABOUT --version-script: names, patterns, local: *, inheritance
//// BUILD gcc -c -O1 -fPIC x.c m.c
//// LINK gcc -shared -o libx.so x.o -Wl,--version-script,x.map -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 1 2 3 4
//// DIFFERS lld versions: it writes no inheritance of versions
//// DIFFERS mold versions: as lld
//// FILE x.map
# two versions
V1.0 { global: first; api_[a-c]*; local: *; };
V2.0 { global: second; /* more */ quest?on; "quoted"; } V1.0;
V3.0 { } V2.0;
//// FILE x.c
int first(void) { return 1; }
int second(void) { return 2; }
int api_b(void) { return 3; }
int api_x(void) { return 0; }
int question(void) { return 4; }
int quoted(void) { return 5; }
int other(void) { return 6; }
//// FILE m.c
#include <stdio.h>
int first(void), second(void), api_b(void), question(void);
int main(void) { printf("%d %d %d %d\n", first(), second(), api_b(), question()); return 0; }
