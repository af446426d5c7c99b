//// BUILD gcc -shared -fpic -o libleaf.so leaf.c
//// BUILD gcc -shared -fpic -o libmid.so mid.c ./libleaf.so
//// BUILD gcc -shared -fpic -o libpin.so pin.c
//// BUILD gcc -shared -fpic -Wl,-z,nodelete -o libkeep.so keep.c
//// BUILD gcc -shared -fpic -o libself.so self.c
//// BUILD gcc -shared -fpic -o libnest.so nest.c
//// BUILD gcc -rdynamic -o main main.c
//// RUN ./main
//// FILE leaf.c
#include <stdio.h>
__attribute__((constructor)) static void up(void) { puts("leaf up"); }
__attribute__((destructor)) static void down(void) { puts("leaf down"); }
__thread int leaf_tls = 3;
int leaf(void) { return leaf_tls++; }
//// FILE mid.c
#include <stdio.h>
int leaf(void);
__attribute__((constructor)) static void up(void) { printf("mid up %d\n", leaf()); }
__attribute__((destructor)) static void down(void) { printf("mid down %d\n", leaf()); }
int mid(void) { return leaf(); }
//// FILE pin.c
#include <stdio.h>
int leaf(void) __attribute__((weak));
__attribute__((destructor)) static void down(void) { printf("pin down %d\n", leaf ? leaf() : -1); }
int pin(void) { return leaf ? leaf() : -1; }
//// FILE keep.c
#include <stdio.h>
__attribute__((destructor)) static void down(void) { puts("keep down"); }
int keep(void) { static int n; return ++n; }
//// FILE self.c
#include <dlfcn.h>
#include <stdio.h>
static void *leaf_handle;
__attribute__((constructor)) static void up(void) {
    leaf_handle = dlopen("./libleaf.so", RTLD_NOW);
    printf("self up %d\n", leaf_handle != NULL);
}
__attribute__((destructor)) static void down(void) {
    puts("self down");
    printf("inner close %d\n", dlclose(leaf_handle));
    puts("self gone");
}
//// FILE nest.c
#include <dlfcn.h>
#include <stdio.h>
__attribute__((destructor)) static void down(void) {
    void *handle = dlopen("./libmid.so", RTLD_NOW);
    printf("opened in a destructor: %d\n", handle != NULL);
}
//// FILE main.c
// dlclose runs destructors and unmaps; what is used or asked to stay stays.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
static unsigned long long adds, subs;
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    const char *name = strrchr(info->dlpi_name, '/');
    adds = info->dlpi_adds, subs = info->dlpi_subs;
    if (name && strncmp(name, "/lib", 4) == 0 && !strstr(name, "libc.so"))
        printf(" %s(%zu)", name + 1, info->dlpi_tls_modid);
    return 0;
}
static void loaded(const char *when) {
    printf("%s:", when);
    dl_iterate_phdr(visit, NULL);
    static unsigned long long first_adds;
    if (!first_adds) first_adds = adds;
    printf("; %llu added, %llu taken away\n", adds - first_adds, subs);
}
static int call(void *handle, const char *name) { return ((int (*)(void))dlsym(handle, name))(); }
int main(void) {
    loaded("start");
    void *mid = dlopen("./libmid.so", RTLD_NOW), *leaf = dlopen("./libleaf.so", RTLD_NOW);
    loaded("mid");
    printf("%d\n", dlclose(mid));
    loaded("mid closed");
    printf("%d\n", call(leaf, "leaf"));
    dlclose(leaf);
    loaded("leaf closed");
    leaf = dlopen("./libleaf.so", RTLD_NOW | RTLD_GLOBAL);
    void *pin = dlopen("./libpin.so", RTLD_NOW);
    printf("%d\n", call(pin, "pin"));
    dlclose(leaf);
    loaded("leaf pinned");
    dlclose(pin);
    loaded("unpinned");
    void *keep = dlopen("./libkeep.so", RTLD_NOW);
    dlclose(keep);
    keep = dlopen("./libkeep.so", RTLD_NOW);
    printf("kept %d\n", call(keep, "keep"));
    void *self = dlopen("./libself.so", RTLD_NOW);
    loaded("self");
    dlclose(self);
    loaded("self closed");
    void *nest = dlopen("./libnest.so", RTLD_NOW);
    dlclose(nest);
    loaded("nest closed");
    mid = dlopen("./libmid.so", RTLD_NOW | RTLD_NODELETE);
    dlclose(mid);
    loaded("nodelete");
    return 0;
}
