//// ABOUT --compress-debug-sections, and inputs with compressed sections of both forms
//// NEEDS gdb
//// BUILD gcc -c -g m.c -o plain.o && gcc -c -g -gz=zlib m.c -o gabi.o && gcc -c -g -gz=zlib-gnu m.c -o gnu.o
//// LINK gcc -o a plain.o -Wl,--compress-debug-sections=zlib
//// LINK gcc -o b gabi.o
//// LINK gcc -o c gnu.o -Wl,--compress-debug-sections=none
//// LINK gcc -o d gabi.o -Wl,--compress-debug-sections=zlib
//// FAILS gcc -o e plain.o -Wl,--compress-debug-sections=best
//// RUN ./a && ./b && ./c && ./d
//// PRINTS 5
//// PRINTS 5
//// PRINTS 5
//// PRINTS 5
//// SHOW for p in a b c d; do gdb -batch -nx -ex 'info line weigh' $p | grep -o 'Line [0-9]* of "m.c"'; done
//// PRINTS Line 8 of "m.c"
//// PRINTS Line 8 of "m.c"
//// PRINTS Line 8 of "m.c"
//// PRINTS Line 8 of "m.c"
//// SHOW for p in a b c d; do readelf -SW $p | grep -c -E 'debug_(info|abbrev).* C '; done
//// PRINTS 2
//// PRINTS 0
//// PRINTS 0
//// PRINTS 2
//// LACKS mold: 1.10 does not take the form of old
//// FILE m.c
#include <stdio.h>
struct heavy { int first, second, third, fourth, fifth; char name[32]; double weight; };
struct light { int first, second, third, fourth, fifth; char name[32]; float weight; };
static struct heavy many[10];
static struct light few[10];
static int other(int number) { return number + (int)few[number].weight; }
int weigh(int number)
{
    many[number].first = number;
    return many[number].first + other(number) - number;
}
int main(void) { printf("%d\n", weigh(5)); return 0; }
