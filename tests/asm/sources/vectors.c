#include <stdio.h>
#include <stdlib.h>

static const char *names[] = {"zero", "one", "two"};
int counter = 4;
static int hidden_counter;
int big[1000];
__thread int per_thread = 3;
static __thread long own_thread;
extern __thread int outside_thread;
extern int outside;

static __attribute__((noinline)) int twice(int value)
{
    hidden_counter += value;
    return value * 2 + outside;
}

double mean(const double *values, int count)
{
    double sum = 0.5;
    for (int i = 0; i < count; i++)
        sum += values[i] * 3.25;
    return sum / count;
}

const char *choose(unsigned number)
{
    switch (number) {
    case 0: return "a";
    case 1: return names[1];
    case 2: return "c";
    case 3: return names[2];
    case 4: return "e";
    case 5: return getenv("HOME");
    case 9: abort();
    default: return names[number % 3];
    }
}

static int compare(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

float narrow(long value, unsigned short small) { return value * 1.5f + small; }
__int128 wide(__int128 a, long b) { return a * b + (a >> 3); }

int main(int argc, char **argv)
{
    own_thread += per_thread + outside_thread;
    qsort(big, sizeof big / sizeof *big, sizeof *big, compare);
    for (int i = 0; i < argc; i++)
        printf("%s %s %d %f\n", argv[i], choose(i), twice(i), mean((double[]){1, 2, 3}, 3));
    return counter + big[argc] + (int)own_thread;
}
