//// BUILD gcc -shared -fpic -Wl,--version-script,full.map -Wl,-soname,libw.so -o libw.so full.c
//// BUILD gcc -shared -fpic -o libuser.so user.c -L. -lw
//// BUILD gcc -o main main.c -L. -lw -Wl,-rpath,$ORIGIN
//// BUILD gcc -shared -fpic -o libplainuser.so user.c
//// BUILD gcc -o plain plain.c ./libplainuser.so -L. -lw -Wl,--no-as-needed -Wl,-rpath,$ORIGIN
//// RUN ./main
//// RUN ./plain
//// BUILD gcc -shared -fpic -Wl,-soname,libw.so -o none/libw.so full.c -DPLAIN
//// BUILD gcc -shared -fpic -Wl,--version-script,less.map -Wl,-soname,libw.so -o less/libw.so full.c -DLESS
//// RUN LD_LIBRARY_PATH=none ./main
//// RUN LD_LIBRARY_PATH=less ./main
//// FILE none/keep
//// FILE less/keep
//// FILE full.map
OLD { global: f; local: *; };
NEW { global: f; g; } OLD;
//// FILE less.map
OLD { global: f; g; local: *; };
//// FILE full.c
#if defined PLAIN || defined LESS
int f(void) { return 3; }
int g(void) { return 4; }
#else
__asm__(".symver f_old, f@OLD");
__asm__(".symver f_new, f@@NEW");
int f_old(void) { return 1; }
int f_new(void) { return 2; }
int g(void) { return 20; }
#endif
//// FILE user.c
int f(void) __attribute__((weak));
int user(void) { return f ? f() : -1; }
//// FILE main.c
// A version that is asked for is found, told of as missing, or passed over where there are none.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int f(void), g(void);
int main(void) {
    printf("%d %d\n", f(), g());
    void *handle = dlopen("libw.so", RTLD_NOW);
    void *old = dlvsym(handle, "f", "OLD");
    printf("%d\n", old ? ((int (*)(void))old)() : -1);
    printf("%d\n", dlvsym(handle, "g", "OLD") != NULL);
    printf("%s\n", dlerror());
    printf("%d\n", dlvsym(handle, "g", "GONE") != NULL);
    printf("%s\n", dlerror());
    void *user = dlopen("./libuser.so", RTLD_NOW);
    if (user) printf("%d\n", ((int (*)(void))dlsym(user, "user"))());
    else printf("%s\n", dlerror());
    return 0;
}
//// FILE plain.c
#include <stdio.h>
int user(void);
int main(void) { printf("%d\n", user()); return 0; }
