//// ABOUT --gc-keep-exported
//// BUILD gcc -c -O1 -ffunction-sections m.c
//// LINK gcc -o a m.o -Wl,--gc-sections
//// LINK gcc -o b m.o -Wl,--gc-sections,--gc-keep-exported
//// SHOW for p in a b; do nm $p | grep -c -e ' api$'; done
//// PRINTS 0
//// PRINTS 1
//// SHOW nm b | grep -c -e ' hidden$'
//// PRINTS 0
//// LACKS lld mold: they do not know the option
//// FILE m.c
int api(void) { return 1; }
__attribute__((visibility("hidden"))) int hidden(void) { return 2; }
int main(void) { return 0; }
