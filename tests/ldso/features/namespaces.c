//// BUILD gcc -shared -fpic -o libdep.so dep.c
//// BUILD gcc -shared -fpic -Wl,--no-as-needed -o libns.so ns.c ./libdep.so
//// BUILD gcc -rdynamic -o main main.c -Wl,--no-as-needed ./libdep.so
//// RUN ./main
//// FILE dep.c
int counter = 100;
int count(void) { return ++counter; }
//// FILE ns.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int count(void);
int in_program(void) __attribute__((weak));
__thread int tls = 7;
__attribute__((constructor)) static void up(void) { printf("ns up\n"); fflush(stdout); }
__attribute__((destructor)) static void down(void) { printf("ns down\n"); fflush(stdout); }
int ns_count(void) { return count(); }
int sees_program(void) { return in_program ? in_program() : -1; }
int ns_tls(void) { return tls++; }
void *ns_malloc(void) { return malloc(10); }
void ns_free(void *block) { free(block); }
void *ns_printf(void) { return (void *)printf; }
static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    const char *name = strrchr(info->dlpi_name, '/');
    printf(" %s", name ? name + 1 : "-");
    return 0;
}
void ns_list(void) { dl_iterate_phdr(visit, NULL); puts(""); fflush(stdout); }
int ns_dlopen(const char *name) {
    void *handle = dlopen(name, RTLD_NOW);
    Lmid_t id = -5;
    if (!handle) { puts(dlerror()); fflush(stdout); return -2; }
    dlinfo(handle, RTLD_DI_LMID, &id);
    return id;
}
const char *ns_error(void) { dlsym(RTLD_DEFAULT, "nowhere"); return dlerror(); }
const char *ns_getenv(const char *name) { return getenv(name); }
//// FILE main.c
// dlmopen loads files anew in namespaces of their own, a C library of their own with them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int count(void);
int in_program(void) { return 42; }
static int ask(void *handle, const char *name) { return ((int (*)(void))dlsym(handle, name))(); }
static void error(void *result) { const char *text = dlerror(); printf("%d %s\n", result != NULL, text ? text : "-"); }
static int visit(struct dl_phdr_info *info, size_t size, void *data) { return strstr(info->dlpi_name, "libns") != NULL; }
static void maps(void *handle) {
    for (struct link_map *map = handle; map; map = map->l_next) {
        const char *name = strrchr(map->l_name, '/');
        printf(" %s", name ? name + 1 : map->l_name);
    }
    puts("");
}
int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    setenv("SET_LATER", "yes", 1);
    printf("%d\n", count());
    void *one = dlmopen(LM_ID_NEWLM, "./libns.so", RTLD_NOW);
    if (!one) { puts(dlerror()); return 1; }
    Lmid_t id = -9, second = -9;
    dlinfo(one, RTLD_DI_LMID, &id);
    printf("id %ld\n", (long)id);
    printf("%d %d\n", ask(one, "ns_count"), ask(one, "ns_count"));
    printf("%d sees %d\n", count(), ask(one, "sees_program"));
    printf("tls %d %d\n", ask(one, "ns_tls"), ask(one, "ns_tls"));
    printf("own printf %d\n", ((void *(*)(void))dlsym(one, "ns_printf"))() != (void *)printf);
    ((void (*)(void))dlsym(one, "ns_list"))();
    maps(one);
    void *block = ((void *(*)(void))dlsym(one, "ns_malloc"))();
    memset(block, 1, 10);
    ((void (*)(void *))dlsym(one, "ns_free"))(block);
    printf("%s\n", ((const char *(*)(void))dlsym(one, "ns_error"))());
    printf("iterate %d\n", dl_iterate_phdr(visit, NULL));
    void *same = dlmopen(id, "./libns.so", RTLD_NOW);
    printf("same %d\n", same == one);
    printf("inside %d\n", ((int (*)(const char *))dlsym(one, "ns_dlopen"))("./libdep.so") == id);
    void *two = dlmopen(LM_ID_NEWLM, "./libns.so", RTLD_LAZY);
    dlinfo(two, RTLD_DI_LMID, &second);
    printf("other %d, ids differ %d\n", ask(two, "ns_count"), second != id);
    void *base = dlmopen(LM_ID_BASE, "./libns.so", RTLD_NOW);
    dlinfo(base, RTLD_DI_LMID, &id);
    printf("base %d, id %ld, sees %d\n", ask(base, "ns_count"), (long)id, ask(base, "sees_program"));
    error(dlmopen(77, "./libns.so", RTLD_NOW));
    error(dlmopen(LM_ID_NEWLM, NULL, RTLD_NOW));
    error(dlmopen(LM_ID_NEWLM, "./nowhere.so", RTLD_NOW));
    error(dlmopen(LM_ID_NEWLM, "./libns.so", 0));
    Dl_info info;
    printf("%d\n", dladdr(dlsym(two, "ns_tls"), &info));
    printf("%s\n", info.dli_sname);
    printf("close %d\n", dlclose(two));
    printf("gone %d\n", dlmopen(second, "./libns.so", RTLD_NOW | RTLD_NOLOAD) == NULL);
    printf("%s\n", dlerror());
    printf("env %s\n", ((const char *(*)(const char *))dlsym(one, "ns_getenv"))("SET_LATER") ? "set" : "not set");
    puts("end");
    return 0;
}
