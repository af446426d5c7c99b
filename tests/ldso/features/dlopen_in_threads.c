//// BUILD gcc -shared -fpic -o plain.so plain.c
//// BUILD gcc -shared -fpic -o hooked.so hooked.c
//// BUILD gcc -rdynamic -o main main.c
//// BUILD gcc -shared -fpic -o libearly.so early.c
//// BUILD gcc -rdynamic -o start start.c ./libearly.so
//// RUN ./main open
//// RUN ./main look-up
//// RUN ./main address
//// RUN ./main walk
//// RUN ./main use
//// RUN ./main open-both
//// RUN ./main walk-both
//// RUN ./main open-in-walk
//// RUN ./main close-in-walk
//// RUN ./main leave-walks
//// RUN ./start
//// FILE lib.h
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#define SAY(...) (printf(__VA_ARGS__), putchar('\n'), fflush(stdout))
extern sem_t done, go;
extern void (*hook)(void);
static inline int wait_for(sem_t *event, double seconds) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    long ns = t.tv_nsec + (long)(seconds * 1e9);
    t.tv_sec += ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return sem_timedwait(event, &t);
}
//// FILE plain.c
#include "lib.h"
__attribute__((constructor)) static void begin(void) { SAY("plain in"); }
//// FILE hooked.c
#include "lib.h"
__attribute__((constructor)) static void begin(void) {
    SAY("hooked in");
    if (hook) hook();
    SAY("hooked out");
}
__attribute__((destructor)) static void end(void) { SAY("hooked fini"); }
//// FILE main.c
#include "lib.h"
sem_t done, go;
void (*hook)(void);
static pthread_t thread;
static void *(*job)(void *);
static __thread int variable;
static jmp_buf place;
static int deep;
static void *say_done(void) { sem_post(&done); return 0; }
static int count(struct dl_phdr_info *info, size_t size, void *data) { ++*(int *)data; return 0; }
static int leave(struct dl_phdr_info *info, size_t size, void *data) { longjmp(place, 1); }
static int again(struct dl_phdr_info *info, size_t size, void *data) {
    if (++deep < 2000) dl_iterate_phdr(again, 0);
    return 1;
}
static int waits(struct dl_phdr_info *info, size_t size, void *data) {
    if ((*(int *)data)++ == 0) {
        sem_post(&go);
        SAY("walk waits %d", wait_for(&done, 0.4));
    }
    return 0;
}
static void *opens(void *name) { SAY("opened %d", dlopen(name, RTLD_NOW) != 0); return say_done(); }
static void *looks_up(void *name) { SAY("symbol %d", dlsym(RTLD_DEFAULT, "malloc") != 0); return say_done(); }
static void *asks(void *name) { Dl_info info; SAY("address %d", dladdr(&done, &info)); return say_done(); }
static void *walks(void *name) { int n = 0; dl_iterate_phdr(count, &n); SAY("walked %d", n > 2); return say_done(); }
static void *uses(void *name) { variable = 3; SAY("used %s", dlerror() ? "error" : "storage"); return say_done(); }
static void *waits_in_walk(void *name) { int n = 0; dl_iterate_phdr(waits, &n); return 0; }
static void *opens_hooked(void *name) { dlopen("./hooked.so", RTLD_NOW); return 0; }
static void in_constructor(void) {
    pthread_create(&thread, 0, job, "./plain.so");
    SAY(wait_for(&done, 0.4) ? "timed out" : "thread was done");
}
static void is_slow(void) { sem_post(&go); usleep(300000); }
static void waits_for_main(void) { SAY("constructor waits %d", wait_for(&go, 2)); }
static const struct { const char *name; void *(*job)(void *); } jobs[] = {
    {"open", opens}, {"look-up", looks_up}, {"address", asks}, {"walk", walks}, {"use", uses},
};
int main(int argc, char **argv) {
    void *handle;
    for (int i = 0; i < 5; i++)
        if (!strcmp(argv[1], jobs[i].name)) {  // in a thread that a constructor waits for
            job = jobs[i].job;
            hook = in_constructor;
            dlopen("./hooked.so", RTLD_NOW);
            pthread_join(thread, 0);
        }
    if (!strcmp(argv[1], "open-both")) {
        hook = is_slow;
        pthread_create(&thread, 0, opens_hooked, 0);
        wait_for(&go, 2);
        SAY("main opens");
        dlopen("./plain.so", RTLD_NOW);
        pthread_join(thread, 0);
    } else if (!strcmp(argv[1], "walk-both")) {
        hook = waits_for_main;
        pthread_create(&thread, 0, opens_hooked, 0);
        usleep(100000);
        walks(0);
        sem_post(&go);
        pthread_join(thread, 0);
    } else if (!strcmp(argv[1], "open-in-walk")) {
        pthread_create(&thread, 0, waits_in_walk, 0);
        wait_for(&go, 2);
        SAY("main opens");
        dlopen("./plain.so", RTLD_NOW);
        sem_post(&done);
        pthread_join(thread, 0);
    } else if (!strcmp(argv[1], "close-in-walk")) {
        handle = dlopen("./plain.so", RTLD_NOW);
        pthread_create(&thread, 0, waits_in_walk, 0);
        wait_for(&go, 2);
        SAY("main closes");
        dlclose(handle);
        sem_post(&done);
        pthread_join(thread, 0);
    } else if (!strcmp(argv[1], "leave-walks")) {
        for (int i = 0; i < 3000; i++)
            if (!setjmp(place)) dl_iterate_phdr(leave, 0);
        dl_iterate_phdr(again, 0);
        SAY("%d deep", deep);
    }
    SAY("end");
    return 0;
}
//// FILE early.c
#include "lib.h"
// A library's constructor, before main: the thread's own dlopen ends long after it.
sem_t go;
void (*hook)(void);
static sem_t in;
static pthread_t thread;
static void waits(void) {
    sem_post(&in);
    SAY("wait %d", wait_for(&go, 3));
}
static void *opens(void *argument) {
    dlopen("./hooked.so", RTLD_NOW);
    SAY("thread opened");
    return 0;
}
__attribute__((constructor)) static void begin(void) {
    hook = waits;
    pthread_create(&thread, 0, opens, 0);
    SAY("thread there %d", wait_for(&in, 3));
}
void join(void) { pthread_join(thread, 0); }
__attribute__((destructor)) static void end(void) { SAY("early fini"); }
//// FILE start.c
#include "lib.h"
void join(void);
int main(void) {
    SAY("main");
    sem_post(&go);
    join();
    return 0;
}
