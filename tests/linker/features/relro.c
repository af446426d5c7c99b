//// ABOUT -z relro, norelro, now, lazy: what is protected, and how functions are bound
//// BUILD gcc -c -O1 -fPIE m.c
//// LINK gcc -o a m.o -Wl,-z,now
//// LINK gcc -o b m.o -Wl,-z,norelro
//// LINK gcc -o c m.o -Wl,-z,now -Wl,-z,lazy
//// LINK gcc -o d m.o -Wl,-z,relro,-z,now
//// RUN for p in a b c d; do ./$p; echo $?; done 2>&1 | grep -v Seg
//// PRINTS 7
//// PRINTS 139
//// PRINTS 7
//// PRINTS 0
//// PRINTS 7
//// PRINTS 139
//// PRINTS 7
//// PRINTS 139
//// SHOW for p in a b c d; do readelf -dW $p | grep -E 'FLAGS' | sed 's/ *$//; s/.*Flags: //; s/.*FLAGS) *//'; done
//// FILE m.c
#include <stdio.h>
int seven = 7;
int *const pointer = &seven;
int main(void) {
    printf("%d\n", *pointer);
    fflush(stdout);
    *(int *volatile *)&pointer = 0;
    return 0;
}
