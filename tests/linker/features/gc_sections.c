//// ABOUT --gc-sections: what is kept, and --print-gc-sections
//// BUILD gcc -c -O1 -ffunction-sections -fdata-sections m.c x.c
//// LINK gcc -o m m.o x.o -Wl,--gc-sections
//// RUN ./m
//// PRINTS constructed
//// PRINTS 5 1
//// SHOW nm m | grep -c -e unused_function -e unused_data
//// PRINTS 0
//// SHOW nm m | grep -o -e ' used' -e retained -e by_name | sort
//// PRINTS  used
//// PRINTS by_name
//// PRINTS retained
//// SHOW gcc -B$PWD/tools -o n m.o x.o -Wl,--gc-sections -Wl,--print-gc-sections 2>&1 | grep -o -e "unused.*'.text.unused_function' in file '.*'" -e "section .*x.o:(.text.unused_function)"
//// LACKS lld: it drops what only __start_items refers to (-z start-stop-gc)
//// DIFFERS mold output: it has a form of its own for what it removes
//// FILE x.c
int used(void) { return 5; }
int unused_function(void) { return 6; }
int unused_data[100] = {1};
__attribute__((retain, used)) static int retained(void) { return 7; }
//// FILE m.c
#include <stdio.h>
int used(void);
__attribute__((used, section("items"))) static int by_name = 1;
extern int __start_items[], __stop_items[];
static __attribute__((constructor)) void construct(void) { puts("constructed"); }
int main(void) { printf("%d %d\n", used(), (int)(__stop_items - __start_items)); return 0; }
