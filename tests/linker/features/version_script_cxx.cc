//// ABOUT extern "C++" in a version script, with patterns
//// NEEDS g++
//// BUILD g++ -c -O1 -fPIC x.cc
//// LINK g++ -shared -o libx.so x.o -Wl,--version-script,x.map
//// DIFFERS lld versions: it writes no inheritance of versions
//// DIFFERS mold versions: as lld
//// FILE x.map
V1 {
  global: extern "C++" { ns::open*; "ns::exact(int, char const*)"; vtable?for?ns::Shape; };
  local: *;
};
V2 { global: extern "C" { plain; }; extern "C++" { ns::Shape::area*; }; } V1;
//// FILE x.cc
namespace ns {
int open_file(int n) { return n; }
int open_socket(const char *) { return 1; }
int exact(int n, const char *) { return n; }
int exact(int n) { return n; }
struct Shape { virtual ~Shape(); virtual int area(); int hidden(); };
Shape::~Shape() {}
int Shape::area() { return 1; }
int Shape::hidden() { return 2; }
}
extern "C" int plain() { return 3; }
