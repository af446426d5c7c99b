//// ABOUT C++ over library borders: vtables, typeinfo, thread_local, static initialisers, inline variables
//// NEEDS g++
//// BUILD g++ -c -O1 -fPIC -std=c++17 x.cc && g++ -c -O1 -fPIC -std=c++17 y.cc && g++ -c -O1 -std=c++17 m.cc
//// LINK g++ -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK g++ -shared -o liby.so y.o ./libx.so -Wl,-soname,liby.so
//// LINK g++ -o m m.o ./liby.so ./libx.so -Wl,-rpath,.
//// RUN ./m
//// PRINTS x y m circle 1 3 7
//// DIFFERS lld symbols: it exports typeinfo of a library as GLOBAL, not WEAK
//// DIFFERS mold symbols: it exports typeinfo that a library has too
//// FILE shape.h
#include <string>
struct Shape { virtual ~Shape(); virtual std::string name() const; };
inline int shared_count = 0;
extern thread_local int depth;
struct Entry { Entry(const char *); };
//// FILE x.cc
#include "shape.h"
#include <cstdio>
Shape::~Shape() {}
std::string Shape::name() const { return "shape"; }
thread_local int depth = 5;
Entry::Entry(const char *text) { std::printf("%s ", text); ++shared_count; }
static Entry entry("x");
//// FILE y.cc
#include "shape.h"
struct Circle : Shape { std::string name() const override { return "circle"; } };
Shape *make() { return new Circle; }
int deepen() { return depth += 2; }
static Entry entry("y");
//// FILE m.cc
#include "shape.h"
#include <cstdio>
#include <typeinfo>
Shape *make();
int deepen();
static Entry entry("m");
int main() {
    Shape *shape = make();
    std::printf("%s %d %d %d\n", shape->name().c_str(), typeid(*shape) != typeid(Shape), shared_count, deepen());
    delete shape;
}
