//// ABOUT static program that relocates itself
//// BUILD gcc -c -O1 -fPIE m.c
//// LINK gcc -static-pie -o m m.o
//// RUN ./m
//// PRINTS static-pie 9
//// FILE m.c
#include <stdio.h>
#include <string.h>
static const char *name = "static-pie";
int main(void) { printf("%s %zu\n", name, strlen(name) - 1); return 0; }
