//// BUILD gcc -shared -fpic -o libd.so d.c
//// BUILD gcc -o main main.c -ldl
//// RUN ./main
//// FILE d.c
#include <link.h>
#include <stdio.h>
extern struct r_debug _r_debug;
__attribute__((constructor)) static void up(void) { printf("in constructor: state %d\n", _r_debug.r_state); }
__attribute__((destructor)) static void down(void) { printf("in destructor: state %d\n", _r_debug.r_state); }
//// FILE main.c
// What a debugger reads: _r_debug by name and by DT_DEBUG, and the link maps that it leads to.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
extern struct r_debug _r_debug;
extern ElfW(Dyn) _DYNAMIC[];
static void maps(const struct r_debug *debug) {
    const struct link_map *previous = NULL;
    for (struct link_map *map = debug->r_map; map; previous = map, map = map->l_next)
        printf(" %s%s", strrchr(map->l_name, '/') ? strrchr(map->l_name, '/') + 1 : map->l_name,
               previous && map->l_prev != previous ? "(!)" : ",");
    puts("");
}
int main(void) {
    const struct r_debug *debug = NULL;
    for (ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag; entry++)
        if (entry->d_tag == DT_DEBUG) debug = (void *)entry->d_un.d_ptr;
    printf("%d %d %d\n", debug == &_r_debug, debug->r_version, debug->r_state);
    Dl_info info;
    printf("r_brk %s\n", dladdr((void *)debug->r_brk, &info) && info.dli_sname ? info.dli_sname : "?");
    printf("r_ldbase %d\n", dladdr((void *)debug->r_brk, &info) && (ElfW(Addr))info.dli_fbase == debug->r_ldbase);
    maps(debug);
    void *handle = dlopen("./libd.so", RTLD_NOW);
    maps(debug);
    dlclose(handle);
    maps(debug);
    return 0;
}
