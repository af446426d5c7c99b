//// BUILD gcc -shared -fpic -o libone.so one.c
//// BUILD gcc -shared -fpic -o libtwo.so two.c
//// BUILD gcc -shared -fpic -Wl,-Bsymbolic -o libsym.so sym.c
//// BUILD gcc -rdynamic -o main main.c
//// RUN ./main
//// FILE one.c
const char *name(void) { return "one"; }
//// FILE two.c
const char *name(void) __attribute__((weak));
const char *own(void) { return "two"; }
const char *ask(void) { return name ? name() : "nobody"; }
//// FILE sym.c
const char *who(void) { return "library"; }
const char *ask_who(void) { return who(); }
//// FILE main.c
// RTLD_LOCAL hides, RTLD_GLOBAL shows, RTLD_DEEPBIND and DT_SYMBOLIC put the library first.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
const char *who(void) { return "program"; }
static const char *call(void *handle, const char *function) {
    const char *(*f)(void) = (const char *(*)(void))dlsym(handle, function);
    return f ? f() : dlerror();
}
int main(void) {
    void *one = dlopen("./libone.so", RTLD_NOW | RTLD_LOCAL);
    void *two = dlopen("./libtwo.so", RTLD_NOW);
    printf("%s %s\n", call(two, "ask"), call(two, "own"));
    printf("default: %d\n", dlsym(RTLD_DEFAULT, "name") != NULL);
    dlclose(two);
    dlopen("./libone.so", RTLD_NOW | RTLD_GLOBAL);
    two = dlopen("./libtwo.so", RTLD_LAZY);
    printf("%s %d\n", call(two, "ask"), dlsym(RTLD_DEFAULT, "name") == dlsym(one, "name"));
    printf("%s\n", call(dlopen("./libsym.so", RTLD_NOW), "ask_who"));
    printf("%s\n", call(RTLD_DEFAULT, "who"));
    return 0;
}
