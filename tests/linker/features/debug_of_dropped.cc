//// ABOUT debugging information of dropped COMDAT functions and collected sections stays readable
//// NEEDS g++ gdb
//// BUILD g++ -c -g -O1 -gdwarf-4 -ffunction-sections a.cc m.cc && g++ -c -g -O1 -gdwarf-5 -ffunction-sections -o a5.o a.cc && g++ -c -g -O1 -gdwarf-5 -ffunction-sections -o m5.o m.cc
//// LINK g++ -o m m.o a.o -Wl,--gc-sections
//// LINK g++ -o n m5.o a5.o -Wl,--gc-sections
//// RUN ./m; ./n
//// PRINTS 6 4
//// PRINTS 6 4
//// SHOW for p in m n; do gdb -batch -nx -ex 'info line twice<int>' -ex 'info line a' -ex 'info line main' $p 2>&1 | grep -o 'Line [0-9]* of "[a-z.]*"'; done
//// SHOW readelf --debug-dump=Ranges m 2>&1 | grep -c -i warning
//// PRINTS 0
//// FILE t.h
template <class T> __attribute__((noinline)) T twice(T value) { return value + value; }
//// FILE a.cc
#include "t.h"
int a(int n) { if (n > 100) __builtin_abort(); return twice(n); }
int never(int n) { if (n > 100) __builtin_abort(); return twice(n) + twice(2.0); }
//// FILE m.cc
#include "t.h"
#include <cstdio>
int a(int);
int main() { std::printf("%d %d\n", a(3), twice(2)); }
