/* PCMPESTRI and its kind, in all their kinds and with all lengths. */
#include <nmmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t sum, state = 88172645463325252u;

static unsigned some(unsigned count) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % count;
}

static void add(uint64_t value) { sum = (sum ^ value) * 0x100000001b3u; }

#define KIND(K) case K: \
    add(_mm_cmpestri(a, la, b, lb, K)); add(_mm_cmpistri(a, b, K)); \
    mask = _mm_cmpestrm(a, la, b, lb, K); memcpy(words, &mask, 16), add(words[0]), add(words[1]); \
    mask = _mm_cmpistrm(a, b, K); memcpy(words, &mask, 16), add(words[0]), add(words[1]); \
    add(_mm_cmpestra(a, la, b, lb, K) | _mm_cmpestrc(a, la, b, lb, K) << 1 | \
        _mm_cmpestro(a, la, b, lb, K) << 2 | _mm_cmpestrs(a, la, b, lb, K) << 3 | \
        _mm_cmpestrz(a, la, b, lb, K) << 4 | _mm_cmpistrc(a, b, K) << 5 | \
        _mm_cmpistro(a, b, K) << 6 | _mm_cmpistrs(a, b, K) << 7 | _mm_cmpistrz(a, b, K) << 8); \
    break;
#define KINDS4(K) KIND(K) KIND(K + 1) KIND(K + 2) KIND(K + 3)
#define KINDS16(K) KINDS4(K) KINDS4(K + 4) KINDS4(K + 8) KINDS4(K + 12)

static void compare(int kind, __m128i a, int la, __m128i b, int lb) {
    uint64_t words[2];
    __m128i mask;
    switch (kind) {
        KINDS16(0) KINDS16(16) KINDS16(32) KINDS16(48) KINDS16(64) KINDS16(80) KINDS16(96)
        KINDS16(112)
    }
}

int main(void) {
    for (int kind = 0; kind < 128; kind++) {
        for (int i = 0; i < 40; i++) {
            char a[16], b[16];
            for (int k = 0; k < 16; k++) a[k] = some(3), b[k] = some(20) ? 1 + some(2) : 0;
            if (i & 1) memcpy(b + 16 - 1 - i % 9, a, 1 + i % 9), memset(a + 8, 0, 8);
            __m128i x, y;
            memcpy(&x, a, 16), memcpy(&y, b, 16);
            compare(kind, x, (int)some(40) - 20, y, (int)some(40) - 20);
        }
        printf("%02x %016lx\n", kind, sum);
    }
}
