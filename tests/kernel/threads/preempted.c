/* Threads that never wait are taken off the processor anywhere, and nothing of theirs is lost:
   flags between two instructions, vector and x87 registers, string instructions. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <math.h>
#include <xmmintrin.h>

#define ROUNDS 30000

static uint64_t with_flags(int seed) {
    uint64_t low = seed, high = 7, sum = 0;
    for (int i = 0; i < ROUNDS * 4; i++)
        __asm__ volatile("addq %3, %0\n\tadcq %4, %1\n\tpushfq\n\tpopq %%rax\n\tandl $0x8d5, %%eax\n\taddq %%rax, %2"
                         : "+r"(low), "+r"(high), "+r"(sum)
                         : "r"(0x9e3779b97f4a7c15ull), "r"(low >> 3)
                         : "rax", "cc");
    return sum ^ low ^ high;
}
static uint64_t with_vectors(int seed) {
    float data[4] = {seed, 1.5f, 2.5f, 3.5f};
    __m128 a = _mm_loadu_ps(data), b = _mm_set_ps(1.0001f, 0.9999f, 1.0002f, 0.9998f);
    for (int i = 0; i < ROUNDS * 2; i++) {
        a = _mm_add_ps(_mm_mul_ps(a, b), _mm_shuffle_ps(a, b, 0x1b));
        if (i % 64 == 0) a = _mm_sqrt_ps(_mm_mul_ps(a, a));
        if (i % 256 == 0) a = _mm_loadu_ps(data);
    }
    uint64_t bits[2];
    memcpy(bits, &a, 16);
    return bits[0] * 31 + bits[1];
}
static uint64_t with_x87(int seed) {
    long double x = seed + 1, sum = 0;
    for (int i = 1; i < ROUNDS; i++) {
        x = x * 1.0000001L + 1.0L / i;
        sum += sqrtl(x);
    }
    uint64_t bits = 0;
    memcpy(&bits, &sum, 8);
    return bits;
}
static uint64_t with_strings(int seed) {
    static __thread unsigned char from[5000], to[5000];
    uint64_t sum = 0;
    for (int i = 0; i < 5000; i++) from[i] = i * seed + (i >> 8);
    for (int i = 0; i < 300; i++) {
        void *source = from, *target = to;
        size_t count = 4000 + i;
        __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count)::"memory");
        from[i] ^= to[4999 - i] + i;
        sum = sum * 31 + to[i * 13] + (source == from + 4000 + i);
        target = to, count = 4500;
        __asm__ volatile("repne scasb" : "+D"(target), "+c"(count) : "a"(i & 255) : "cc", "memory");
        sum += count;
    }
    return sum;
}
static uint64_t (*const functions[4])(int) = {with_flags, with_vectors, with_x87, with_strings};
static volatile int stop;
static volatile uint64_t turns[3];
static void *disturb(void *turn) {
    while (!stop) ++*(volatile uint64_t *)turn;
    return 0;
}
static uint64_t expected[8];
static void *compute(void *number) {
    int i = (int)(intptr_t)number;
    return (void *)(intptr_t)(functions[i % 4](i) == expected[i]);
}
int main(void) {
    pthread_t threads[8], others[3];
    for (int i = 0; i < 8; i++) printf("%llx\n", (unsigned long long)(expected[i] = functions[i % 4](i)));
    for (int i = 0; i < 3; i++) pthread_create(&others[i], 0, disturb, (void *)&turns[i]);
    for (intptr_t i = 0; i < 8; i++) pthread_create(&threads[i], 0, compute, (void *)i);
    for (int i = 0; i < 8; i++) {
        void *same;
        pthread_join(threads[i], &same);
        printf("%d the same: %d\n", i, same != 0);
    }
    while (!turns[0] || !turns[1] || !turns[2]) ;
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(others[i], 0);
    puts("all had turns");
    return 0;
}
