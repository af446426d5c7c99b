// Threads of musl: their storage for libraries that are there from the start, and for such that
// dlopen brings while they run, of which musl never unloads any.
//// BUILD musl-gcc -shared -fpic -o libfirst.so first.c
//// BUILD musl-gcc -shared -fpic -o liblater.so later.c
//// BUILD musl-gcc -shared -fpic -mtls-dialect=gnu2 -o libdescriptor.so later.c
//// BUILD musl-gcc -o program program.c ./libfirst.so
//// RUN ./program
//// FILE first.c
static __thread long count = 10;
long first(void) { return ++count; }
//// FILE later.c
static __thread long zero;
static __thread int count = 30;
long later(void) { zero += 2; return ++count + zero; }
//// FILE program.c
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
long first(void);
static __thread int mine = 1;
static long (*functions[2])(void);
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int stage, arrived;
static long total;
static pthread_barrier_t barrier;
static pthread_key_t key;
static void destroy(void *value) {
    pthread_mutex_lock(&mutex);
    total += (long)value;
    pthread_mutex_unlock(&mutex);
}
static void *work(void *argument) {
    long number = (long)argument, result = 0;
    pthread_setspecific(key, (void *)1000);
    pthread_mutex_lock(&mutex);
    arrived++;
    pthread_cond_broadcast(&changed);
    while (!stage) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i <= number; i++) result += first() + ++mine + functions[0]() + functions[1]();
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&mutex);
        total++;
        pthread_mutex_unlock(&mutex);
    }
    return (void *)result;
}
static void *die_with(void *mutex) { pthread_mutex_lock(mutex); return 0; }
static void *last(void *argument) {
    pthread_t another;
    usleep(10000);
    pthread_create(&another, 0, die_with, &mutex);
    pthread_join(another, 0);
    write(1, "last\n", 5);
    return 0;
}
static void *wait_long(void *argument) { for (;;) sleep(100); }
int main(void) {
    pthread_t threads[5];
    void *result;
    pthread_barrier_init(&barrier, 0, 4);
    pthread_key_create(&key, destroy);
    for (long i = 0; i < 3; i++) pthread_create(&threads[i], 0, work, (void *)i);
    pthread_mutex_lock(&mutex);
    while (arrived < 3) pthread_cond_wait(&changed, &mutex);
    const char *names[] = {"./liblater.so", "./libdescriptor.so"};
    for (int i = 0; i < 2; i++) {
        void *handle = dlopen(names[i], RTLD_NOW);
        if (!handle) puts(dlerror());
        functions[i] = (long (*)(void))dlsym(handle, "later");
        printf("%d\n", dlclose(handle));
    }
    pthread_create(&threads[3], 0, work, (void *)3);
    stage = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        printf("%ld\n", (long)result);
    }
    printf("%ld %ld %ld %d %ld\n", first(), functions[0](), functions[1](), mine, total);
    pthread_create(&threads[4], 0, wait_long, 0);
    usleep(1000);
    pthread_cancel(threads[4]);
    pthread_join(threads[4], &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        pthread_create(&threads[0], 0, work, (void *)0);
        pthread_cancel(threads[0]);
        _exit(functions[0]() & 63);
    }
    int status;
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    pthread_mutexattr_t attributes;
    pthread_mutex_t recursive, robust;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &attributes);
    for (int i = 0; i < 2; i++) printf("%d ", pthread_mutex_lock(&recursive));
    for (int i = 0; i < 3; i++) printf("%d ", pthread_mutex_unlock(&recursive));
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_create(&threads[0], 0, die_with, &robust);
    pthread_join(threads[0], 0);
    printf("%d\n", pthread_mutex_lock(&robust) == EOWNERDEAD);
    fflush(stdout);
    pthread_create(&threads[0], 0, last, 0);
    pthread_exit(0);
}
