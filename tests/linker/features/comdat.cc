//// ABOUT COMDAT: inline functions and their variables once for all
//// NEEDS g++
//// BUILD g++ -c -O0 -fPIC a.cc b.cc m.cc
//// LINK g++ -shared -o libb.so b.o -Wl,-soname,libb.so
//// LINK g++ -o m m.o a.o ./libb.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS 1 2 3
//// FILE t.h
inline int &counter() { static int count; return count; }
//// FILE a.cc
#include "t.h"
int a() { return ++counter(); }
//// FILE b.cc
#include "t.h"
int b() { return ++counter(); }
//// FILE m.cc
#include "t.h"
#include <cstdio>
int a(), b();
int main() { int x = a(), y = b(); std::printf("%d %d %d\n", x, y, ++counter()); }
