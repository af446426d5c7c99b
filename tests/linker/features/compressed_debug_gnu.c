//// ABOUT --compress-debug-sections=zlib-gnu, the form of old
//// NEEDS gdb
//// BUILD gcc -c -g m.c
//// LINK gcc -o m m.o -Wl,--compress-debug-sections=zlib-gnu
//// SHOW readelf -SW m | grep -c -E 'zdebug_(info|abbrev) '
//// PRINTS 2
//// LACKS lld mold: it has the form of today only
//// FILE m.c
#include <stdio.h>
struct heavy { int first, second, third, fourth, fifth; char name[32]; double weight; };
static struct heavy many[10];
int weigh(int number) { many[number].first = number; return many[number].second; }
int main(void) { printf("%d\n", weigh(5)); return 0; }
