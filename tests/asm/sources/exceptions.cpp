#include <stdexcept>
#include <string>
#include <vector>

struct Base {
    virtual ~Base() {}
    virtual int value() const = 0;
};
template <class T> struct Box : Base {
    T content;
    explicit Box(T given) : content(given) {}
    int value() const override { return static_cast<int>(content); }
};
static std::vector<Base *> boxes;
inline int &shared() { static int value = 7; return value; }
thread_local std::string name = "thread";

int sum(int wanted)
{
    int total = shared();
    try {
        for (auto *box : boxes)
            total += box->value();
        if (total < wanted)
            throw std::runtime_error("too little " + name);
    } catch (const std::exception &error) {
        return error.what()[0];
    }
    return total;
}

int main(int argc, char **)
{
    boxes.push_back(new Box<int>(argc));
    boxes.push_back(new Box<double>(2.5));
    return sum(100);
}
