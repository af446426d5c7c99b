//// BUILD gcc -shared -fpic -Wl,-rpath,/tmp/../usr/lib:$ORIGIN -o libi.so i.c
//// BUILD gcc -o main main.c -Wl,-rpath,$ORIGIN/../somewhere -Wl,--disable-new-dtags
//// RUN ./main
//// RUN LD_LIBRARY_PATH=/usr/share:/var ./main
//// FILE i.c
__thread int tls = 4;
int *get_tls(void) { return &tls; }
int variable;
static int hidden(void) { return 1; }
int visible(void) { return hidden(); }
void *get_hidden(void) { return (void *)hidden; }
//// FILE main.c
// dlinfo's requests, dladdr1's extras and _dl_find_object.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void search_paths(void *handle) {
    Dl_serinfo size;
    printf("size %d\n", dlinfo(handle, RTLD_DI_SERINFOSIZE, &size));
    Dl_serinfo *info = malloc(size.dls_size);
    *info = size;
    int result = dlinfo(handle, RTLD_DI_SERINFO, info);
    printf("info %d, %u\n", result, info->dls_cnt);
    for (unsigned i = 0; i < info->dls_cnt; i++) {
        const char *name = info->dls_serpath[i].dls_name;
        if (strncmp(name, "/tmp/", 5) == 0 && strrchr(name, '/') != name + 4) name = strrchr(name, '/');
        printf("  %s %#x\n", name, info->dls_serpath[i].dls_flags);
    }
}
static void address_of(void *address) {
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    struct link_map *map = NULL;
    int found = dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT);
    printf("%d %s", found, found && info.dli_sname ? info.dli_sname : "-");
    if (found && symbol) printf(" value %d size %lu", symbol->st_value != 0, (unsigned long)symbol->st_size);
    found = dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP);
    if (found) printf(" %s %d", strrchr(map->l_name, '/') ? strrchr(map->l_name, '/') : "", (void *)map->l_addr == info.dli_fbase);
    struct dl_find_object object;
    found = _dl_find_object(address, &object);
    printf(" find %d", found);
    if (!found) printf(" %d %d", object.dlfo_link_map == map, address >= object.dlfo_map_start && address < object.dlfo_map_end);
    puts("");
}
int main(void) {
    void *handle = dlopen("./libi.so", RTLD_NOW), *self = dlopen(NULL, RTLD_NOW);
    char origin[4096];
    size_t module;
    void *data;
    Lmid_t id = 99;
    int result;
    struct link_map *map;
    result = dlinfo(handle, RTLD_DI_LMID, &id);
    printf("%d %ld\n", result, (long)id);
    result = dlinfo(handle, RTLD_DI_LINKMAP, &map);
    printf("%d %d\n", result, (void *)map == handle);
    printf("%d\n", dlinfo(handle, RTLD_DI_ORIGIN, origin));
    result = dlinfo(handle, RTLD_DI_TLS_MODID, &module);
    printf("%d %zu\n", result, module);
    int *tls = ((int *(*)(void))dlsym(handle, "get_tls"))();
    result = dlinfo(handle, RTLD_DI_TLS_DATA, &data);
    printf("%d %d\n", result, data == (void *)tls);
    result = dlinfo(self, RTLD_DI_TLS_MODID, &module);
    printf("%d %zu\n", result, module);
    const ElfW(Phdr) *phdrs;
    int count = dlinfo(handle, 11, &phdrs);
    printf("phdrs %d\n", count > 3);
    printf("%d", dlinfo(handle, 77, &data));
    printf(" %s\n", dlerror());
    printf("%d", dlinfo(handle, RTLD_DI_CONFIGADDR, &data));
    printf(" %s\n", dlerror());
    search_paths(self);
    search_paths(handle);
    address_of(dlsym(handle, "visible"));
    address_of((char *)dlsym(handle, "visible") + 3);
    address_of(dlsym(handle, "variable"));
    address_of(((void *(*)(void))dlsym(handle, "get_hidden"))());
    address_of((void *)main);
    address_of((void *)8);
    int local;
    address_of(&local);
    return 0;
}
