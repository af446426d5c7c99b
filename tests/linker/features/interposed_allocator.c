//// ABOUT a program's malloc is libc's, too, and --wrap only the program's own
//// BUILD gcc -c -O1 -fno-builtin m.c
//// LINK gcc -o m m.o
//// RUN ./m
//// PRINTS own malloc was called by libc
//// FILE m.c
#define _GNU_SOURCE
#include <stdio.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
static char arena[1 << 20];
static size_t used;
static volatile int calls;
void *malloc(size_t size) { calls++; used = (used + 15) & ~(size_t)15; used += size; return arena + used - size; }
void free(void *p) { (void)p; }
void *calloc(size_t a, size_t b) { return memset(malloc(a * b), 0, a * b); }
void *realloc(void *p, size_t size) { void *q = malloc(size); return p ? memcpy(q, p, size) : q; }
int main(void) {
    int before = calls;
    char *copy = strdup("own malloc was called by libc\n");
    if (calls > before) write(1, copy, strlen(copy));
    return 0;
}
