//// ABOUT STB_GNU_UNIQUE: one variable for all, in dlopen'd libraries too
//// NEEDS g++
//// BUILD g++ -c -O1 -fPIC -fgnu-unique x.cc m.cc
//// LINK g++ -shared -o one.so x.o
//// LINK g++ -shared -o two.so x.o
//// LINK g++ -o m m.o
//// RUN ./m
//// PRINTS 1 2
//// FILE x.cc
template <class T> struct Holder { static int count; };
template <class T> int Holder<T>::count;
extern "C" int next() { return ++Holder<int>::count; }
//// FILE m.cc
#include <cstdio>
#include <dlfcn.h>
static int next(const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return reinterpret_cast<int (*)()>(dlsym(handle, "next"))();
}
int main() { int one = next("./one.so"), two = next("./two.so"); std::printf("%d %d\n", one, two); }
