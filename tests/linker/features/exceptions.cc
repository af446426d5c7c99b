//// ABOUT exceptions through programs, libraries, static programs; .eh_frame_hdr
//// NEEDS g++
//// BUILD g++ -c -O1 -fPIC m.cc x.cc
//// LINK g++ -shared -o libx.so x.o -Wl,-soname,libx.so
//// LINK g++ -o a m.o ./libx.so -Wl,-rpath,.
//// LINK g++ -static -o b m.o x.o
//// LINK g++ -static-pie -o c m.o x.o
//// LINK g++ -no-pie -o d m.o x.o -Wl,--gc-sections
//// RUN ./a; ./b; ./c; ./d
//// PRINTS caught 3 cleaned
//// PRINTS caught 3 cleaned
//// PRINTS caught 3 cleaned
//// PRINTS caught 3 cleaned
//// COMPARE a d libx.so
//// FILE x.cc
#include <stdexcept>
struct Failure : std::runtime_error { int code; Failure(int n) : runtime_error("failure"), code(n) {} };
void fail(int n) { throw Failure(n); }
//// FILE m.cc
#include <cstdio>
#include <stdexcept>
struct Failure : std::runtime_error { int code; Failure(int n) : runtime_error("failure"), code(n) {} };
void fail(int n);
static const char *state = "dirty";
struct Cleaner { ~Cleaner() { state = "cleaned"; } };
int main() {
    try { Cleaner cleaner; fail(3); }
    catch (const Failure &failure) { std::printf("caught %d %s\n", failure.code, state); }
}
