//// ABOUT __start_ and __stop_ of sections with C names, of several objects
//// BUILD gcc -c -O1 -fPIC -fno-toplevel-reorder a.c b.c m.c
//// LINK gcc -o m m.o a.o b.o
//// LINK gcc -shared -o libx.so a.o b.o -Wl,-z,start-stop-visibility=default
//// LINK gcc -shared -o liby.so a.o b.o
//// RUN ./m
//// PRINTS 3: 1 2 3
//// LACKS mold: its symbols are hidden always
//// FILE a.c
__attribute__((section("numbers"), used)) static int one = 1, two = 2;
extern int __start_numbers[];
int *first(void) { return __start_numbers; }
//// FILE b.c
__attribute__((section("numbers"), used)) static int three = 3;
//// FILE m.c
#include <stdio.h>
extern int __start_numbers[], __stop_numbers[];
int main(void) {
    int count = __stop_numbers - __start_numbers;
    printf("%d: %d %d %d\n", count, __start_numbers[0], __start_numbers[1], __start_numbers[2]);
    return 0;
}
