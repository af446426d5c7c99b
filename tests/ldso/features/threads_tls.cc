// Thread-local storage of libraries that are loaded while threads run, in all of them: by every
// model, with destructors, and again after the library was unloaded.
//// BUILD gcc -shared -fpic -o libdynamic.so dynamic.c
//// BUILD gcc -shared -fpic -mtls-dialect=gnu2 -o libdescriptor.so descriptor.c
//// BUILD gcc -shared -fpic -ftls-model=initial-exec -o libstatic.so static.c
//// BUILD gcc -shared -fpic -mtls-dialect=gnu2 -DSIZE=20000 -o libbig.so descriptor.c
//// BUILD g++ -shared -fpic -o libdestructor.so destructor.cc
//// BUILD g++ -shared -fpic -o libkept.so kept.cc
//// BUILD g++ -std=c++17 -rdynamic -pthread -o program program.cc -ldl
//// RUN ./program
//// RUN LD_BIND_NOW=1 ./program
//// FILE dynamic.c
static __thread int initialised = 40;
__thread int zero;
int dynamic(void) { zero += 2; return ++initialised + zero; }
//// FILE descriptor.c
#ifndef SIZE
#define SIZE 16
#endif
static __thread char large[SIZE] = "x";
static __thread long initialised = 70;
__thread long after = 3;
int descriptor(void) { large[SIZE - 1]++; return ++initialised + after + large[SIZE - 1] + large[0]; }
//// FILE static.c
static __thread int initialised = 100;
int fixed(void) { return ++initialised; }
//// FILE destructor.cc
#include <cstdio>
#include <atomic>
extern std::atomic<int> destroyed;
struct Counted { int value = 5; ~Counted() { destroyed += value; } };
static thread_local Counted counted;
extern "C" int destructor(void) { return ++counted.value; }
//// FILE kept.cc
#include <cstdio>
struct Noisy { int value = 3; ~Noisy() { std::printf("destroyed %d\n", value); } };
static thread_local Noisy noisy;
extern "C" int use(void) { return ++noisy.value; }
__attribute__((destructor)) static void unloaded(void) { std::puts("unloaded"); }
//// FILE program.cc
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <dlfcn.h>
#include <mutex>
#include <thread>
#include <vector>
__attribute__((visibility("default"))) std::atomic<int> destroyed;
static std::mutex mutex;
static std::condition_variable changed;
static int stage, arrived;
static int (*functions[5])(void);
static std::vector<int> results[4];

static void arrive_and_wait(int wanted) {
    std::unique_lock<std::mutex> lock(mutex);
    arrived++;
    changed.notify_all();
    changed.wait(lock, [=] { return stage >= wanted; });
}
static void use(int number) {
    for (int round = 1; round <= 2; round++) {
        arrive_and_wait(round);
        for (auto function : functions)
            for (int i = 0; function && i <= number; i++) results[number].push_back(function());
    }
    arrive_and_wait(3);
}
static void run_stage(int wanted, int count) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [=] { return arrived == 4 * wanted; });
    stage = wanted;
    changed.notify_all();
}
static void *open(const char *name, int index, const char *function) {
    void *handle = dlopen(name, RTLD_NOW);
    if (!handle) std::printf("%s\n", dlerror());
    functions[index] = (int (*)(void))dlsym(handle, function);
    return handle;
}
int main() {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back(use, i);
    void *dynamic = open("./libdynamic.so", 0, "dynamic");
    open("./libdescriptor.so", 1, "descriptor");
    open("./libstatic.so", 2, "fixed");
    open("./libbig.so", 3, "descriptor");
    open("./libdestructor.so", 4, "destructor");
    run_stage(1, 4);
    {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [] { return arrived == 8; });
    }
    std::printf("closed %d\n", dlclose(dynamic));
    open("./libdynamic.so", 0, "dynamic");
    run_stage(2, 4);
    run_stage(3, 4);
    for (auto &thread : threads) thread.join();
    for (auto &list : results) {
        for (int value : list) std::printf("%d ", value);
        std::printf("\n");
    }
    for (auto function : functions) std::printf("%d ", function());
    std::printf("\ndestroyed %d\n", (int)destroyed);
    std::thread keeping([] {
        void *handle = dlopen("./libkept.so", RTLD_NOW);
        int (*use)(void) = (int (*)(void))dlsym(handle, "use");
        std::printf("used %d\n", use());
        std::printf("closed %d\n", dlclose(handle));
        handle = dlopen("./libkept.so", RTLD_NOW | RTLD_NOLOAD);
        std::printf("still there %d\n", handle && !dlclose(handle));
    });
    keeping.join();
    void *kept = dlopen("./libkept.so", RTLD_NOW | RTLD_NOLOAD);
    std::printf("still there %d\n", kept && !dlclose(kept));
    std::printf("gone %d\n", !dlopen("./libkept.so", RTLD_NOW | RTLD_NOLOAD));
    std::thread failing([] { dlopen("./none.so", RTLD_NOW); std::printf("%s\n", dlerror()); std::printf("%d\n", !dlerror()); });
    failing.join();
    std::printf("%d\n", dlerror() == nullptr);
    std::vector<std::thread> many;
    for (int i = 0; i < 6; i++)
        many.emplace_back([] {
            for (int k = 0; k < 20; k++) {
                void *handle = dlopen("./libdynamic.so", RTLD_LAZY);
                ((int (*)(void))dlsym(handle, "dynamic"))();
                dlclose(handle);
            }
        });
    for (auto &thread : many) thread.join();
    return 0;
}
