/*
 * mymalloc.c: run-time interposition (CS:APP 7.13.3).
 *
 * As mymalloc.so it is loaded in front of libc.so.6 by LD_PRELOAD, so every
 * call of malloc and free in the whole process arrives here first.
 *
 * "Every call" includes those that printf makes for the buffer of stdout. A
 * wrapper that always prints would therefore call itself without end on
 * today's glibc; `printing` lets the inner calls through in silence.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static int printing;

/* The next definition of `name` in the search order: that of libc.so.6. */
static void *next_definition(const char *name)
{
    void *definition = dlsym(RTLD_NEXT, name);

    if (definition == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return definition;
}

void *malloc(size_t size)
{
    static void *(*real_malloc)(size_t);
    void *block;

    if (real_malloc == NULL)
        real_malloc = next_definition("malloc");
    block = real_malloc(size);
    if (!printing) {
        printing = 1;
        printf("malloc(%zu) = %p\n", size, block);
        printing = 0;
    }
    return block;
}

void free(void *block)
{
    static void (*real_free)(void *);

    if (block == NULL)
        return;
    if (real_free == NULL)
        real_free = next_definition("free");
    real_free(block);
    if (!printing) {
        printing = 1;
        printf("free(%p)\n", block);
        printing = 0;
    }
}
