//// ABOUT sections of mergeable constants (SHF_MERGE without strings) keep their values
//// BUILD gcc -c -O1 -mno-sse4 a.c m.c
//// LINK gcc -o m m.o a.o
//// RUN ./m
//// PRINTS 1.25 2.50 3.75
//// FILE a.c
double a(double n) { return n + 1.25; }
float b(float n) { return n * 2.5f; }
//// FILE m.c
#include <stdio.h>
double a(double);
float b(float);
int main(int argc, char **argv) { printf("%.2f %.2f %.2f\n", a(argc - 1), b(argc), a(argc * 2.5)); return 0; }
