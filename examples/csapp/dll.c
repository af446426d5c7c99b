/*
 * dll.c: loads libvector.so while it is running (CS:APP 7.11).
 *
 * No part of libvector.so is named at link time: dlopen maps the library and
 * its dependencies, dlsym looks a symbol up in it, dlclose lets it go again.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int x[2] = {1, 2};
int y[2] = {3, 4};
int z[2];

static void check(const void *result)
{
    if (result == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
}

int main(void)
{
    void *library;
    void (*addvec)(int *, int *, int *, int);

    library = dlopen("./libvector.so", RTLD_LAZY);
    check(library);

    addvec = dlsym(library, "addvec");
    check(addvec);

    addvec(x, y, z, 2);
    printf("z = [%d %d]\n", z[0], z[1]);

    if (dlclose(library) != 0)
        check(NULL);
    return 0;
}
