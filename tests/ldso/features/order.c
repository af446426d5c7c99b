//// BUILD gcc -shared -fpic -o libe.so e.c
//// BUILD gcc -shared -fpic -o libd.so d.c ./libe.so
//// BUILD gcc -shared -fpic -o libc1.so c1.c ./libd.so
//// BUILD gcc -shared -fpic -o libd.so d.c ./libe.so ./libc1.so
//// BUILD gcc -shared -fpic -o libb.so b.c ./libd.so ./libc1.so
//// BUILD gcc -shared -fpic -Wl,-z,initfirst -o libfirst.so first.c
//// BUILD gcc -shared -fpic -Wl,-init,started -Wl,-fini,ended -o libarr.so arr.c
//// BUILD gcc -Wl,--no-as-needed -o one main.c ./libb.so ./libc1.so ./libarr.so ./libfirst.so
//// BUILD gcc -Wl,--no-as-needed -o two main.c ./libfirst.so ./libe.so ./libc1.so ./libb.so ./libarr.so
//// BUILD gcc -o dl dl.c
//// RUN ./one
//// RUN ./two
//// RUN ./dl ./libb.so ./libarr.so
//// RUN ./dl ./libc1.so ./libfirst.so ./libb.so
//// RUN LD_PRELOAD=./libe.so:./libarr.so ./one
//// BUILD gcc -shared -fpic -Wl,-z,lazy -o libz.so z.c
//// BUILD gcc -shared -fpic -Wl,--no-as-needed -o libx.so x.c ./libz.so
//// BUILD gcc -shared -fpic -Wl,--no-as-needed -o liby.so y.c ./libx.so
//// BUILD gcc -shared -fpic -Wl,--no-as-needed -o libz.so z.c ./liby.so ./libx.so
//// BUILD gcc -Wl,--no-as-needed -o circle main.c ./libx.so ./libz.so
//// RUN ./circle
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=1 ./circle
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=2 ./circle
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=1 ./one
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=1 ./two
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=1 ./dl ./libb.so ./libarr.so
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=1 ./dl ./libc1.so ./libfirst.so ./libb.so
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=3 LD_PRELOAD=./libe.so:./libarr.so ./one
//// RUN GLIBC_TUNABLES=glibc.rtld.dynamic_sort=1 LD_PRELOAD=./libe.so:./libarr.so ./one
//// FILE x.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("x up"); }
__attribute__((destructor)) static void down(void) { puts("x down"); }
//// FILE y.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("y up"); }
__attribute__((destructor)) static void down(void) { puts("y down"); }
//// FILE z.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("z up"); }
__attribute__((destructor)) static void down(void) { puts("z down"); }
//// FILE e.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("e up"); }
__attribute__((destructor)) static void down(void) { puts("e down"); }
//// FILE d.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("d up"); }
__attribute__((destructor)) static void down(void) { puts("d down"); }
//// FILE c1.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("c up"); }
__attribute__((destructor)) static void down(void) { puts("c down"); }
//// FILE b.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("b up"); }
__attribute__((destructor)) static void down(void) { puts("b down"); }
//// FILE first.c
#include <unistd.h>
__attribute__((constructor)) static void up(void) { write(1, "first up\n", 9); }
__attribute__((destructor)) static void down(void) { write(1, "first down\n", 11); }
//// FILE arr.c
#include <stdio.h>
void started(void) { puts("DT_INIT"); }
void ended(void) { puts("DT_FINI"); }
__attribute__((constructor(300))) static void up300(void) { puts("init 300"); }
__attribute__((constructor(200))) static void up200(void) { puts("init 200"); }
__attribute__((constructor)) static void up(void) { puts("init"); }
__attribute__((destructor(200))) static void down200(void) { puts("fini 200"); }
__attribute__((destructor(300))) static void down300(void) { puts("fini 300"); }
__attribute__((destructor)) static void down(void) { puts("fini"); }
//// FILE main.c
// Initialisers and finalisers with circles, DF_1_INITFIRST, DT_INIT beside arrays and priorities.
#include <stdio.h>
__attribute__((constructor)) static void up(void) { setvbuf(stdout, NULL, _IONBF, 0); puts("main up"); }
__attribute__((destructor)) static void down(void) { puts("main down"); }
int main(void) { puts("main"); return 0; }
//// FILE dl.c
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    void *handles[9];
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 1; i < argc; i++) handles[i] = dlopen(argv[i], RTLD_NOW), printf("-- %s\n", argv[i]);
    for (int i = 1; i < argc; i++) dlclose(handles[i]), printf("closed %s\n", argv[i]);
    dlopen(argv[1], RTLD_NOW);
    return 0;
}
