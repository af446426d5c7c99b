//// ABOUT -z nocopyreloc, start-stop-gc, nodynamic-undefined-weak, and words that are not known
//// BUILD gcc -c -O1 -fPIC x.c && gcc -c -O1 -fno-pie m.c && gcc -c -O1 -fPIE -fdata-sections w.c && gcc -shared -o libx.so x.o
//// FAILS gcc -no-pie -o f m.o ./libx.so -Wl,-z,nocopyreloc
//// SAYS cannot copy the variable value into the program: of -z nocopyreloc
//// SAYS recompile what refers to it with -fPIC
//// LINK gcc -o a w.o -Wl,--gc-sections -Wl,-z,nostart-stop-gc
//// LINK gcc -o b w.o -Wl,--gc-sections -Wl,-z,start-stop-gc
//// LINK gcc -o c w.o -Wl,-z,nodynamic-undefined-weak
//// RUN ./a; ./b; ./c
//// PRINTS 1 0
//// PRINTS 0 0
//// PRINTS 1 0
//// SHOW readelf -W --dyn-syms c | grep -c nowhere
//// PRINTS 0
//// SHOW gcc -B$PWD/tools -o d w.o -Wl,-z,no-such-word 2>&1 | grep -c -e no-such-word
//// PRINTS 1
//// LACKS lld: it has no start-stop-gc without more, and takes every -z
//// LACKS mold: it has no start-stop-gc
//// FILE x.c
int value = 3;
//// FILE w.c
#include <stdio.h>
__attribute__((section("items"))) int item = 1;
__attribute__((weak)) extern int __start_items[], __stop_items[];
__attribute__((weak)) void nowhere(void);
int main(void) { printf("%d %d\n", (int)(__stop_items - __start_items), nowhere != 0); return 0; }
//// FILE m.c
extern int value;
int main(void) { return value; }
