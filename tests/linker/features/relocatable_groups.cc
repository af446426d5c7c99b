//// ABOUT -r keeps COMDAT groups apart
//// NEEDS g++
//// BUILD g++ -c -O0 a.cc b.cc m.cc
//// LINK ld -r -o all.o a.o b.o
//// LINK g++ -o m m.o all.o
//// RUN ./m
//// PRINTS 6 6 1
//// SHOW readelf -gW all.o | grep -c 'COMDAT group section'
//// PRINTS 2
//// COMPARE m
//// FILE t.h
template <class T> T twice(T value) { static T sum; return sum = value + value; }
//// FILE a.cc
#include "t.h"
int a(int n) { return twice(n); }
int (*address_a())(int) { return twice<int>; }
//// FILE b.cc
#include "t.h"
int b(int n) { return twice(n); }
int (*address_b())(int) { return twice<int>; }
//// FILE m.cc
#include <cstdio>
int a(int), b(int);
int (*address_a())(int);
int (*address_b())(int);
int main() { std::printf("%d %d %d\n", a(3), b(3), address_a() == address_b()); }
