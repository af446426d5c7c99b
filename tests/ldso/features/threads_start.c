// Threads that constructors start, and that live on while other files are initialised and ended.
//// BUILD gcc -shared -fpic -pthread -o liba.so a.c
//// BUILD gcc -shared -fpic -pthread -o libb.so b.c ./liba.so
//// BUILD gcc -shared -fpic -pthread -o libc_opened.so opened.c
//// BUILD gcc -pthread -o program main.c ./libb.so ./liba.so -ldl
//// RUN ./program
//// RUN LD_BIND_NOW=1 ./program
//// FILE a.c
#include <pthread.h>
#include <stdio.h>
#include <dlfcn.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int reached;
static pthread_t worker;
void reach(int value) {
    pthread_mutex_lock(&mutex);
    if (reached < value) reached = value;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}
void await(int value) {
    pthread_mutex_lock(&mutex);
    while (reached < value) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}
static void *work(void *argument) {
    reach(1);
    await(2);
    reach(3);
    await(4);
    reach(5);
    await(6);
    return 0;
}
__attribute__((constructor)) static void start(void) {
    puts("a starts");
    pthread_create(&worker, 0, work, 0);
    await(1);
    puts("a started");
}
__attribute__((destructor)) static void end(void) {
    reach(6);
    pthread_join(worker, 0);
    puts("a ended");
}
//// FILE b.c
#include <stdio.h>
void reach(int), await(int);
__attribute__((constructor)) static void start(void) { reach(2); await(3); puts("b started"); }
__attribute__((destructor)) static void end(void) { puts("b ended"); }
//// FILE opened.c
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *work(void *argument) { usleep(1000); *(int *)argument = 7; return 0; }
__attribute__((constructor)) static void start(void) {
    int value = 0;
    pthread_t thread;
    pthread_create(&thread, 0, work, &value);
    pthread_join(thread, 0);
    printf("opened %d\n", value);
}
int answer(void) { return 42; }
//// FILE main.c
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
void reach(int), await(int);
static void *open_it(void *argument) {
    void *handle = dlopen("./libc_opened.so", RTLD_NOW);
    int (*answer)(void) = (int (*)(void))dlsym(handle, "answer");
    return (void *)(long)answer();
}
int main(void) {
    pthread_t threads[3];
    void *result;
    reach(4);
    await(5);
    puts("main");
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, open_it, 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &result);
        printf("%ld\n", (long)result);
    }
    return 0;
}
