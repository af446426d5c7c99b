//// BUILD gcc -shared -fpic -o libweak.so weak.c
//// BUILD gcc -shared -fpic -o libstrong.so strong.c
//// BUILD gcc -Wl,--no-as-needed -o main main.c ./libweak.so ./libstrong.so
//// RUN ./main
//// RUN LD_DYNAMIC_WEAK=1 ./main
//// RUN LD_DYNAMIC_WEAK= ./main
//// RUN LD_BIND_NOW=1 LD_DYNAMIC_WEAK=1 ./main
//// RUN LD_BIND_NOT=1 ./main
//// RUN LD_PRELOAD=./libstrong.so ./main
//// FILE weak.c
__attribute__((weak)) const char *which(void) { return "weak"; }
__attribute__((weak)) int number = 1;
__attribute__((weak)) const char *only_weak(void) { return "weak alone"; }
//// FILE strong.c
const char *which(void) { return "strong"; }
int number = 2;
//// FILE main.c
// The first definition counts, be it weak, unless LD_DYNAMIC_WEAK is set.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
const char *which(void), *only_weak(void);
extern int number;
extern int nowhere(void) __attribute__((weak));
int main(void) {
    for (int i = 0; i < 3; i++) printf("%s ", which());
    printf("%d %s %d\n", number, only_weak(), nowhere == NULL);
    printf("%s\n", ((const char *(*)(void))dlsym(RTLD_DEFAULT, "which"))());
    return 0;
}
