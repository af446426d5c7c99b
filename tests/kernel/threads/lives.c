/* How threads begin and end: cancelled, detached, forking, and the first one before the others. */
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <spawn.h>
#include <errno.h>

static pthread_key_t key;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int cleaned, destroyed, begun;

static void clean_up(void *argument) {
    cleaned += *(int *)argument;
    pthread_mutex_unlock(&mutex);
}
static void destroy(void *value) { destroyed += (int)(long)value; }

static void *wait_in_read(void *argument) {
    int number = 5, fd[2];
    char c;
    pipe(fd);
    pthread_mutex_lock(&mutex);
    pthread_setspecific(key, (void *)100);
    pthread_cleanup_push(clean_up, &number);
    begun = 1;
    read(fd[0], &c, 1);
    pthread_cleanup_pop(0);
    return "not reached";
}
static void *spin_asynchronously(void *argument) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
    begun = 1;
    for (;;) ;
}
static void *spin_until_test(void *argument) {
    begun = 1;
    for (;;) pthread_testcancel();
}
static void *never_cancelled(void *argument) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, 0);
    begun = 1;
    usleep(20000);
    return "done";
}

static int count_tasks(void) {
    DIR *folder = opendir("/proc/self/task");
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}
static int threads_in_status(void) {
    char line[256];
    int count = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &count);
    fclose(file);
    return count;
}

static void show_permissions(void *place) {
    char line[512], permissions[5];
    unsigned long start, end;
    FILE *file = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%lx-%lx %4s", &start, &end, permissions) == 3 && start <= (unsigned long)place && (unsigned long)place < end)
            printf("stack %s\n", permissions);
    fclose(file);
}

static void *look_around(void *argument) {
    char name[16] = "";
    pthread_attr_t attributes;
    void *stack;
    size_t size, guard;
    pthread_setname_np(pthread_self(), "looker");
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &size);
    pthread_attr_getguardsize(&attributes, &guard);
    int on_stack = (char *)&name >= (char *)stack && (char *)&name < (char *)stack + size;
    printf("name %s, stack %zu guard %zu, on it %d\n", name, size, guard, on_stack);
    show_permissions(name);
    printf("tids differ %d, pid same %d\n", gettid() != getpid(), getpid() == *(int *)argument);
    printf("tasks %d, status %d\n", count_tasks(), threads_in_status());
    cpu_set_t set;
    printf("affinity %d\n", pthread_getaffinity_np(pthread_self(), sizeof set, &set));
    return 0;
}

static void *fork_here(void *argument) {
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        int ok = gettid() == getpid() && threads_in_status() == 1;
        pthread_t another;
        void *result = 0;
        pthread_create(&another, 0, never_cancelled, 0);
        pthread_join(another, &result);
        _exit(ok && result && !strcmp(result, "done") ? 17 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    return (void *)(long)WEXITSTATUS(status);
}
static void *spawn_here(void *argument) {
    char *words[] = {"sh", "-c", "exit 7", 0};
    pid_t child;
    int status = 0, error = posix_spawn(&child, "/bin/sh", 0, 0, words, 0);
    if (!error) waitpid(child, &status, 0);
    return (void *)(long)(error * 1000 + WEXITSTATUS(status));
}
static void *detached(void *argument) {
    pthread_detach(pthread_self());
    begun = 1;
    return 0;
}
static void *small(void *argument) { return argument; }

static void *last_one(void *argument) {
    usleep(20000);
    printf("the first thread has ended: %d\n", pthread_tryjoin_np(*(pthread_t *)argument, 0));
    printf("last\n");
    return 0;
}

static pthread_t cancel(void *(*function)(void *)) {
    pthread_t thread;
    void *result;
    begun = 0;
    pthread_create(&thread, 0, function, 0);
    while (!begun) sched_yield();
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);
    return thread;
}

static pthread_t first;

int main(void) {
    pthread_t thread;
    void *result;
    int pid = getpid();
    setvbuf(stdout, 0, _IOLBF, 0);
    pthread_key_create(&key, destroy);
    cancel(wait_in_read);
    printf("cleaned %d, destroyed %d, lock %d\n", cleaned, destroyed, pthread_mutex_trylock(&mutex));
    cancel(spin_asynchronously);
    cancel(spin_until_test);
    cancel(never_cancelled);
    pthread_create(&thread, 0, look_around, &pid);
    pthread_join(thread, 0);
    for (int i = 0; i < 100 && count_tasks() > 1; i++) usleep(1000);
    printf("tasks %d, status %d\n", count_tasks(), threads_in_status());
    pthread_create(&thread, 0, fork_here, 0);
    pthread_join(thread, &result);
    printf("child of a thread %ld\n", (long)result);
    pthread_create(&thread, 0, spawn_here, 0);
    pthread_join(thread, &result);
    printf("spawned by a thread %ld\n", (long)result);
    begun = 0;
    pthread_create(&thread, 0, detached, 0);
    while (!begun) ;
    long sum = 0;
    for (long i = 0; i < 300; i++) {
        pthread_create(&thread, 0, small, (void *)i);
        pthread_join(thread, &result);
        sum += (long)result;
    }
    printf("many %ld\n", sum);
    first = pthread_self();
    pthread_create(&thread, 0, last_one, &first);
    pthread_exit(0);
}
