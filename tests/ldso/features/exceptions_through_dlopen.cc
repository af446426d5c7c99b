//// BUILD g++ -shared -fpic -o thrower.so thrower.cpp
//// BUILD g++ -shared -fpic -o guest.so guest.cpp
//// BUILD g++ -pthread -o main main.cpp
//// RUN ./main
//// RUN ./main constructor
//// FILE thrower.cpp
#include <cstdio>
#include <execinfo.h>
#include <stdexcept>
struct X {
    X() {
        void *frames[50];
        printf("%d\n", backtrace(frames, 50) > 5);
        throw std::runtime_error("in a constructor");
    }
};
static X x;
//// FILE guest.cpp
#include <cstdio>
#include <stdexcept>
extern "C" void throws() { throw std::runtime_error("of the library"); }
extern "C" void catches(void (*f)()) {
    try { f(); } catch (std::exception &e) { printf("library: %s\n", e.what()); throw; }
}
struct D { ~D() { puts("destroyed"); } };
extern "C" void makes() { static thread_local D d; (void)&d; puts("made"); }
//// FILE main.cpp
#include <cstdio>
#include <dlfcn.h>
#include <link.h>
#include <stdexcept>
#include <thread>
// Their declarations promise that they throw nothing.
static void *(*open_)(const char *, int) = (void *(*)(const char *, int))dlopen;
struct Guard { ~Guard() { puts("guard"); } };
static int throws_42(struct dl_phdr_info *, size_t, void *) { throw 42; }
__attribute__((noinline)) static int registers_are_kept(int a, int b, int c) {
    Guard guard;
    int kept = a * b + c;
    try { open_("./thrower.so", RTLD_NOW); }
    catch (std::exception &e) { printf("%s %d\n", e.what(), kept + a + b + c); }
    return kept;
}
int main(int argc, char **argv) {
    if (argc > 1) {
        printf("%d\n", registers_are_kept(argc + 1, argc + 2, argc + 3));
        printf("%d\n", dlopen("libm.so.6", RTLD_NOW) != 0);
        return 0;
    }
    try { dl_iterate_phdr(throws_42, 0); } catch (int i) { printf("%d\n", i); }
    for (int i = 0; i < 3; i++) {
        void *handle = dlopen("./guest.so", RTLD_NOW);
        auto throws = (void (*)())dlsym(handle, "throws");
        auto catches = (void (*)(void (*)()))dlsym(handle, "catches");
        auto makes = (void (*)())dlsym(handle, "makes");
        try { catches(throws); } catch (std::runtime_error &e) { puts(e.what()); }
        try { catches([] { throw 7; }); } catch (int k) { printf("%d\n", k); }
        std::thread thread([&] {
            makes();
            try { throws(); } catch (...) { puts("thread"); }
            dlclose(handle);
            puts("closed");
        });
        thread.join();
        printf("joined %d\n", dlopen("./guest.so", RTLD_NOW | RTLD_NOLOAD) != 0);
    }
    return 0;
}
