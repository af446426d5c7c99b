// Variables of every kind of storage and a jump table: what code models and TLS dialects show in.
#include <stdio.h>

__thread int own;
extern __thread int other;
static __thread int hidden = 3;
static char many[100000];
int huge[3000000];
extern int outside;
extern void call(void);

int pick(int x) {
    own += x;
    other += own;
    hidden *= other;
    call();
    many[x] = huge[x] + outside;
    switch (x) {
    case 0: return own;
    case 1: return other + 1;
    case 2: return hidden;
    case 3: call(); return 9;
    case 4: return 11;
    case 5: return outside;
    }
    return printf("%d %s\n", own + many[2], many);
}

long double extended(long double x) { return x * 3.5L; }

__int128 product(__int128 a, __int128 b) { return a * b; }
