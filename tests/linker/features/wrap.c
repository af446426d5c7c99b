//// ABOUT --wrap for functions of objects and of libraries
//// BUILD gcc -c -O1 m.c x.c w.c
//// LINK gcc -o m m.o x.o w.o -Wl,--wrap,f -Wl,--wrap=puts
//// RUN ./m
//// PRINTS wrapped 11
//// FILE x.c
int f(void) { return 1; }
//// FILE w.c
#include <stdio.h>
int __real_f(void);
int __real_puts(const char *);
int __wrap_f(void) { return __real_f() + 10; }
int __wrap_puts(const char *text) { printf("wrapped "); return __real_puts(text); }
//// FILE m.c
#include <stdio.h>
int f(void);
int main(void) { puts(f() == 11 ? "11" : "1"); return 0; }
