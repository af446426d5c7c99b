//// BUILD gcc -shared -fpic -o libreal.so real.c
//// BUILD gcc -shared -fpic -Wl,-F,./libreal.so -o libfilter.so stub.c
//// BUILD gcc -shared -fpic -Wl,-f,./libreal.so -o libaux.so stub.c
//// BUILD gcc -shared -fpic -Wl,-f,./libabsent.so -o libauxabsent.so stub.c
//// BUILD gcc -o filter main.c ./libfilter.so
//// BUILD gcc -o aux main.c ./libaux.so
//// BUILD gcc -o absent main.c ./libauxabsent.so
//// BUILD gcc -o dl dl.c
//// RUN ./filter
//// RUN ./aux
//// RUN ./absent
//// RUN ./dl
//// FILE real.c
const char *first(void) { return "real first"; }
//// FILE stub.c
const char *first(void) { return "stub first"; }
const char *second(void) { return "stub second"; }
//// FILE main.c
// DT_FILTER and DT_AUXILIARY: another file answers for what both define.
#include <stdio.h>
const char *first(void), *second(void);
int main(void) { puts(first()); puts(second()); return 0; }
//// FILE dl.c
#include <dlfcn.h>
#include <stdio.h>
static const char *ask(void *handle, const char *name) {
    const char *(*function)(void) = (const char *(*)(void))dlsym(handle, name);
    return function ? function() : dlerror();
}
int main(void) {
    void *filter = dlopen("./libfilter.so", RTLD_NOW), *aux = dlopen("./libaux.so", RTLD_NOW);
    printf("%s, %s\n", ask(filter, "first"), ask(filter, "second"));
    printf("%s, %s\n", ask(aux, "first"), ask(aux, "second"));
    return 0;
}
