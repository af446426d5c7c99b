//// BUILD gcc -O0 -pthread -o main main.c
//// RUN ./main
//// RUN GLIBC_TUNABLES=glibc.malloc.perturb=165 ./main
//// RUN GLIBC_TUNABLES=glibc.malloc.perturb=0x5a:glibc.malloc.mmap_threshold=8192 ./main
//// RUN GLIBC_TUNABLES=glibc.malloc.perturb=300:glibc.no.such=1:nonsense:glibc.malloc.mmap_threshold=010000 ./main
//// RUN GLIBC_TUNABLES=glibc.malloc.perturb=7:glibc.malloc.perturb=9:glibc.pthread.rseq=0 ./main
//// RUN GLIBC_TUNABLES=glibc.malloc.perturb=-1:glibc.pthread.rseq=5 ./main
//// RUN GLIBC_TUNABLES=glibc.cpu.x86_non_temporal_threshold=0x123450:glibc.malloc.tcache_count=0 MALLOC_PERTURB_=17 ./main
//// RUN GLIBC_TUNABLES=glibc.malloc.perturb=33 MALLOC_PERTURB_=17 MALLOC_MMAP_THRESHOLD_=8192 MALLOC_ARENA_MAX=1 ./main
//// RUN GLIBC_TUNABLES=glibc.cpu.hwcaps=-SSE4_2,-SSSE3:glibc.rtld.optional_static_tls=100000 ./main
//// FILE main.c
// What GLIBC_TUNABLES and the older variables ask for reaches malloc, threads and the choice of functions.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/rseq.h>
static void *allocate(void *unused) {
    free(malloc(100));
    return unused;
}
int main(void) {
    volatile struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    unsigned char *small = malloc(40);
    printf("%d %d\n", small[0], small[39]);
    void *large = malloc(10000);
    printf("mapped %d\n", (int)mallinfo2().hblks);
    free(large);
    printf("rseq %u %d\n", __rseq_size, (int)area->cpu_id < 0 ? (int)area->cpu_id : 0);
    pthread_t thread;
    for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, allocate, NULL), pthread_join(thread, NULL);
    return 0;
}
