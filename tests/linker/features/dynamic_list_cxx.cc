//// ABOUT --dynamic-list-cpp-new, --dynamic-list-cpp-typeinfo, --dynamic-list-data
//// NEEDS g++
//// BUILD g++ -c -O1 -fPIE m.cc
//// LINK g++ -o a m.o -Wl,--dynamic-list-cpp-new
//// LINK g++ -o b m.o -Wl,--dynamic-list-cpp-typeinfo
//// LINK g++ -o c m.o -Wl,--dynamic-list-data
//// RUN ./a; ./b; ./c
//// PRINTS 3
//// PRINTS 3
//// PRINTS 3
//// LACKS lld mold: they do not know the options
//// FILE m.cc
#include <cstdio>
#include <cstdlib>
#include <new>
void *operator new(std::size_t size) { return std::malloc(size); }
void operator delete(void *p) noexcept { std::free(p); }
struct Shape { virtual ~Shape() {} virtual int area() { return 3; } };
int plain_data = 1;
int main() { Shape *shape = new Shape; std::printf("%d\n", shape->area()); delete shape; return plain_data - 1; }
