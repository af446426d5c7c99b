//// BUILD gcc -shared -fpic -o libbase.so base.c
//// BUILD gcc -shared -fpic -o libwrap.so wrap.c
//// BUILD gcc -shared -fpic -o liblate.so late.c
//// BUILD gcc -shared -fpic -o libtop.so top.c -Wl,--no-as-needed ./liblate.so
//// BUILD gcc -o main main.c ./libbase.so
//// RUN ./main
//// RUN LD_PRELOAD=./libwrap.so ./main
//// FILE base.c
const char *name(void) { return "base"; }
//// FILE wrap.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
const char *name(void) {
    static char text[64];
    const char *(*next)(void) = (const char *(*)(void))dlsym(RTLD_NEXT, "name");
    snprintf(text, sizeof text, "wrapped %s", next());
    return text;
}
//// FILE late.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
int late_only = 5;
int late_default(const char *name) { return dlsym(RTLD_DEFAULT, name) != NULL; }
int late_next(const char *name) { return dlsym(RTLD_NEXT, name) != NULL; }
const char *late_error(void) { dlsym(RTLD_NEXT, "nowhere"); return dlerror(); }
//// FILE top.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
int top_only = 6;
int top_default(const char *name) { return dlsym(RTLD_DEFAULT, name) != NULL; }
int top_next(const char *name) { return dlsym(RTLD_NEXT, name) != NULL; }
//// FILE main.c
// RTLD_NEXT and RTLD_DEFAULT mean the caller's own scope, a handle its file and what that needs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
const char *name(void);
static void show(const char *what, void *result) {
    printf("%s: %s", what, result ? "found" : "none");
    const char *error = dlerror();
    printf(", %s\n", error ? error : "no error");
}
static int ask(void *handle, const char *function, const char *symbol) {
    return ((int (*)(const char *))dlsym(handle, function))(symbol);
}
int main(void) {
    puts(name());
    show("next in program", dlsym(RTLD_NEXT, "name"));
    show("next main", dlsym(RTLD_NEXT, "main"));
    void *top = dlopen("./libtop.so", RTLD_NOW);
    show("top has late_only", dlsym(top, "late_only"));
    show("top has printf", dlsym(top, "printf"));
    show("program has top_only", dlsym(RTLD_DEFAULT, "top_only"));
    show("handle of program has top_only", dlsym(dlopen(NULL, RTLD_NOW), "top_only"));
    printf("%d %d\n", ask(top, "top_default", "late_only"), ask(top, "top_next", "late_only"));
    printf("%d %d\n", ask(top, "late_default", "top_only"), ask(top, "late_next", "top_only"));
    printf("%d %d\n", ask(top, "top_default", "name"), ask(top, "top_next", "printf"));
    printf("%s\n", ((const char *(*)(void))dlsym(top, "late_error"))());
    void *late = dlopen("./liblate.so", RTLD_NOW | RTLD_NOLOAD);
    show("late has top_only", dlsym(late, "top_only"));
    dlopen("./libtop.so", RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
    show("promoted top_only", dlsym(RTLD_DEFAULT, "top_only"));
    show("promoted late_only", dlsym(RTLD_DEFAULT, "late_only"));
    show("bad handle", dlopen("./nowhere.so", RTLD_NOLOAD | RTLD_NOW));
    show("weird mode", dlopen("./libtop.so", 0x40));
    return 0;
}
