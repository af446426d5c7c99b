//// ABOUT initialisers: preinit, .init_array by priority, .ctors, finalisers
//// BUILD gcc -c -O1 m.c x.c
//// LINK gcc -o m m.o x.o
//// LINK gcc -static -o s m.o x.o
//// RUN ./m; ./s
//// PRINTS preinit 101 102 m ctor x main x dtor 102 101
//// PRINTS preinit 101 102 m ctor x main x dtor 102 101
//// DIFFERS lld output dynamic: it keeps .ctors apart, and nothing runs it
//// DIFFERS mold output dynamic: it sorts .ctors before .init_array
//// FILE x.c
#include <stdio.h>
static __attribute__((constructor)) void normal(void) { printf("x "); }
static __attribute__((destructor)) void normal_end(void) { printf("x "); }
static __attribute__((constructor(101))) void early(void) { printf("101 "); }
static __attribute__((destructor(101))) void last(void) { printf("101\n"); }
//// FILE m.c
#include <stdio.h>
static __attribute__((constructor(102))) void second(void) { printf("102 "); }
static __attribute__((destructor(102))) void second_end(void) { printf("102 "); }
static __attribute__((constructor)) void normal(void) { printf("m "); }
static void preinit(void) { printf("preinit "); }
static __attribute__((section(".preinit_array"), used)) void (*const pre)(void) = preinit;
static void ctor(void) { printf("ctor "); }
static void dtor(void) { printf("dtor "); }
static __attribute__((section(".ctors"), used)) void (*const constructor)(void) = ctor;
static __attribute__((section(".dtors"), used)) void (*const destructor)(void) = dtor;
int main(void) { printf("main "); return 0; }
