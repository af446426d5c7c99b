//// BUILD gcc -shared -fpic -o libw.so w.c
//// BUILD gcc -o main main.c
//// RUN ./main
//// FILE w.c
int number = 3;
//// FILE main.c
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
static void *tried(const char *what, void *handle) {
    const char *error = dlerror();
    printf("%s: %s\n", what, error ? error : handle ? "opened" : "nothing");
    return handle;
}
static int count(struct dl_phdr_info *info, size_t size, void *data) {
    unsigned long long *counts = data;
    counts[0] = info->dlpi_adds;
    counts[1] = info->dlpi_subs;
    counts[2]++;
    return 0;
}
static void counters(const char *when) {
    static unsigned long long adds, subs;
    unsigned long long counts[3] = {0};
    dl_iterate_phdr(count, counts);
    printf("%s: added %lld, removed %lld, walked %llu\n", when, counts[0] - adds, counts[1] - subs, counts[2]);
    adds = counts[0];
    subs = counts[1];
}
int main(void) {
    void *handles[17];
    Lmid_t id;
    counters("start");
    for (int i = 0; i < 17; i++) {
        handles[i] = tried("new", dlmopen(LM_ID_NEWLM, "./libw.so", RTLD_NOW));
        if (handles[i] && dlinfo(handles[i], RTLD_DI_LMID, &id) == 0) printf("number %ld\n", (long)id);
    }
    counters("opened");
    tried("absent", dlmopen(3, "./nope.so", RTLD_NOW));
    tried("unknown", dlmopen(33, "./libw.so", RTLD_NOW));
    tried("negative", dlmopen(-5, "./libw.so", RTLD_NOW));
    tried("no name", dlmopen(LM_ID_NEWLM, 0, RTLD_NOW | RTLD_GLOBAL));
    tried("global", dlmopen(2, "./libw.so", RTLD_NOW | RTLD_GLOBAL));
    tried("new global", dlmopen(LM_ID_NEWLM, "./libw.so", RTLD_NOW | RTLD_GLOBAL));
    tried("no mode", dlmopen(2, "./libw.so", 0));
    tried("base", dlmopen(LM_ID_BASE, "./libw.so", RTLD_NOW | RTLD_GLOBAL));
    counters("tried");
    for (int i = 0; i < 17; i++)
        if (handles[i]) dlclose(handles[i]);
    counters("closed");
    handles[0] = dlmopen(LM_ID_NEWLM, "./libw.so", RTLD_NOW);
    if (dlinfo(handles[0], RTLD_DI_LMID, &id) == 0) printf("number %ld\n", (long)id);
    return 0;
}
