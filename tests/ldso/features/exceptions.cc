//// BUILD g++ -shared -fpic -o libthrow.so throw.cc
//// BUILD g++ -o main main.cc ./libthrow.so
//// RUN ./main
//// FILE throw.cc
#include <stdexcept>
struct Mine { int value; };
void throw_mine(int value) { throw Mine{value}; }
void throw_runtime() { throw std::runtime_error("from the library"); }
//// FILE main.cc
// C++ exceptions cross the borders of libraries, static objects are made and destroyed.
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>
struct Mine { int value; };
void throw_mine(int);
void throw_runtime();
struct Loud {
    std::string name;
    explicit Loud(const char *n) : name(n) { std::cout << name << " made\n"; }
    ~Loud() { std::cout << name << " gone\n"; }
};
static Loud loud("static");
thread_local Loud local("thread");
int main() {
    std::cout << local.name << "\n";
    try { throw_mine(5); } catch (const Mine &mine) { std::cout << "Mine " << mine.value << "\n"; }
    try { throw_runtime(); } catch (const std::exception &error) { std::cout << error.what() << "\n"; }
    std::vector<int> numbers{3, 1, 2};
    try { numbers.at(9); } catch (const std::out_of_range &) { std::cout << "out of range\n"; }
    return 4;
}
