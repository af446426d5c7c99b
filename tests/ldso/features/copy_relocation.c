//// BUILD gcc -shared -fpic -o liba.so a.c
//// BUILD gcc -no-pie -fno-pic -o main main.c ./liba.so
//// RUN ./main
//// FILE a.c
int value = 42;
int table[4] = {1, 2, 3, 4};
int get(void) { return value; }
void *address(void) { return &value; }
void *function(void) { return (void *)get; }
//// FILE main.c
// A non-PIC program has its own copy of the library's variable, which the library uses too.
#include <stdio.h>
extern int value, table[4];
int get(void);
void *address(void), *function(void);
int main(void) {
    value++;
    printf("%d %d %d\n", get(), address() == &value, table[3]);
    printf("same function: %d\n", function() == (void *)get);
    return 0;
}
