//// BUILD gcc -shared -fpic -Wl,-soname,libnamed.so.1 -o libn.so n.c
//// BUILD ln -s libn.so libnamed.so.1
//// BUILD gcc -o main main.c -L. -ln -Wl,-rpath,$ORIGIN
//// RUN ./main
//// FILE n.c
int exported(void) { return 1; }
static int hidden(void) { return 2; }
void *get_hidden(void) { return (char *)hidden; }
//// FILE main.c
// dladdr, dl_iterate_phdr, dlinfo and the link maps agree with what is loaded.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
int exported(void);
void *get_hidden(void);
static const char *base(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    int loads = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) loads += info->dlpi_phdr[i].p_type == PT_LOAD;
    printf("%s: %d loads, tls module %zu\n", base(info->dlpi_name), loads, info->dlpi_tls_modid);
    return strcmp(base(info->dlpi_name), "libc.so.6") == 0 ? 77 : 0;
}
int main(void) {
    Dl_info info;
    printf("%d ", dladdr((void *)exported, &info) != 0);
    printf("%s %s %d\n", base(info.dli_fname), info.dli_sname, info.dli_saddr == (void *)exported);
    printf("%d ", dladdr(get_hidden(), &info) != 0);
    printf("%s\n", base(info.dli_fname));
    printf("%d\n", dladdr((void *)16, &info));
    printf("program is %s\n", dladdr((void *)main, &info) ? info.dli_fname : "?");
    printf("%d\n", dl_iterate_phdr(visit, NULL));
    struct link_map *map;
    dlinfo(dlopen(NULL, RTLD_NOW), RTLD_DI_LINKMAP, &map);
    for (; map; map = map->l_next)
        printf("map %s %d\n", base(map->l_name), map->l_ld != NULL);
    extern struct r_debug _r_debug;
    char origin[4096];
    void *handle = dlopen("libnamed.so.1", RTLD_NOW);
    printf("origin %d\n", dlinfo(handle, RTLD_DI_ORIGIN, origin) == 0 && strlen(origin) > 1);
    return 0;
}
