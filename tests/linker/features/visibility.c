//// ABOUT hidden, internal and protected symbols
//// BUILD gcc -c -O1 -fPIC x.c y.c m.c
//// LINK gcc -shared -o libx.so x.o y.o -Wl,-soname,libx.so
//// LINK gcc -o m m.o ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 1 2 30 4
//// FAILS gcc -shared -o bad.so x.o -Wl,-z,defs
//// SAYS undefined hidden symbol: elsewhere
//// DIFFERS lld symbols: it does not export what a library has as protected
//// FILE x.c
__attribute__((visibility("hidden"))) int hidden(void) { return 1; }
__attribute__((visibility("internal"))) int internal(void) { return 2; }
__attribute__((visibility("protected"))) int protected(void) { return 30; }
__attribute__((visibility("hidden"))) extern int elsewhere;
int get_hidden(void) { return hidden(); }
int get_internal(void) { return internal(); }
int get_protected(void) { return protected(); }
int get_elsewhere(void) { return elsewhere; }
//// FILE y.c
int elsewhere = 4;
//// FILE m.c
#include <stdio.h>
int get_hidden(void), get_internal(void), get_protected(void), get_elsewhere(void);
int protected(void) { return 3; }
int hidden(void) { return 10; }
int main(void) {
    printf("%d %d %d %d\n", get_hidden(), get_internal(), get_protected(), get_elsewhere());
    return hidden() - 10;
}
