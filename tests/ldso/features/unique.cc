//// BUILD g++ -shared -fpic -o liba.so lib.cc
//// BUILD g++ -shared -fpic -o libb.so lib.cc
//// BUILD g++ -o main main.cc
//// RUN ./main
//// FILE lib.cc
template <class T> struct Counter { static int value; };
template <class T> int Counter<T>::value = 10;
extern "C" int count() { return ++Counter<int>::value; }
//// FILE main.cc
// STB_GNU_UNIQUE: libraries that know nothing of each other share one variable, and stay loaded.
#include <cstdio>
#include <dlfcn.h>
typedef int (*Count)();
int main() {
    void *a = dlopen("./liba.so", RTLD_NOW | RTLD_LOCAL), *b = dlopen("./libb.so", RTLD_NOW | RTLD_LOCAL);
    Count count_a = (Count)dlsym(a, "count"), count_b = (Count)dlsym(b, "count");
    int first = count_a(), second = count_b();
    std::printf("%d %d\n", first, second);
    dlclose(a);
    a = dlopen("./liba.so", RTLD_NOW | RTLD_NOLOAD);
    std::printf("still there: %d, %d\n", a != nullptr, count_b());
    return 0;
}
