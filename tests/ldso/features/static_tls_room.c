//// BUILD gcc -shared -fpic -o gd.so gd.c
//// BUILD gcc -shared -fpic -o touched.so touched.c
//// BUILD gcc -shared -fpic -o ext.so ext.c
//// BUILD gcc -shared -fpic -o late.so late.c
//// BUILD gcc -shared -fpic -DSIZE=100 -o ie1.so ie.c
//// BUILD gcc -shared -fpic -DSIZE=200 -o ie2.so ie.c
//// BUILD gcc -shared -fpic -DSIZE=300 -o ie3.so ie.c
//// BUILD gcc -o main main.c
//// RUN ./main
//// RUN GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096 ./main
//// FILE gd.c
__thread int gd = 8;
__thread char large[5000];
char *use(void) { return large; }
//// FILE touched.c
__thread int touched = 8;
//// FILE ext.c
extern __thread int small __attribute__((tls_model("initial-exec")));
__thread int small = 5;
int ext(void) { return small++; }
//// FILE late.c
extern __thread int touched __attribute__((tls_model("initial-exec")));
int late(void) { return touched; }
//// FILE ie.c
__thread int numbers[SIZE] __attribute__((tls_model("initial-exec"))) = {9};
int get(void) { return numbers[0]++; }
//// FILE main.c
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
static int (*get)(void);
static void *in_thread(void *argument) { printf("thread %d\n", get()); return 0; }
static void *opened(const char *name, const char *function) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
    if (!handle) puts(dlerror());
    else if (function) {
        pthread_t thread;
        get = (int (*)(void))dlsym(handle, function);
        printf("%s %d %d\n", name, get(), get());
        pthread_create(&thread, 0, in_thread, 0);
        pthread_join(thread, 0);
    }
    return handle;
}
int main(void) {
    opened("./gd.so", 0);  // takes nothing of the room for static storage
    *(int *)dlsym(opened("./touched.so", 0), "touched") = 44;
    opened("./ext.so", "ext");
    opened("./late.so", "late");
    opened("./ie1.so", "get");
    opened("./ie2.so", "get");
    opened("./ie3.so", "get");
    return 0;
}
