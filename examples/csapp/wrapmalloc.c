/*
 * wrapmalloc.c: link-time interposition (CS:APP 7.13.2).
 *
 * With --wrap malloc the linker turns every reference to malloc in the files
 * that it links into __wrap_malloc, and __real_malloc into malloc. Calls from
 * inside libc.so.6 are not the linker's to change, so printf is safe here.
 */
#include <stdio.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void __real_free(void *block);

void *__wrap_malloc(size_t size)
{
    void *block = __real_malloc(size);

    printf("malloc(%zu) = %p\n", size, block);
    return block;
}

void __wrap_free(void *block)
{
    __real_free(block);
    printf("free(%p)\n", block);
}
