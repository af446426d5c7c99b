//// ABOUT program at fixed addresses
//// BUILD gcc -c -O1 -fno-pie m.c
//// LINK gcc -no-pie -o m m.o
//// RUN ./m
//// PRINTS 3 7 fixed
//// FILE m.c
#include <stdio.h>
int x[2] = {1, 3}, y[2] = {2, 4};
int main(void) {
    printf("%d %d %s\n", x[0] + y[0], x[1] + y[1], (unsigned long)x >> 32 ? "high" : "fixed");
    return 0;
}
